package rtm_test

import (
	"context"
	"errors"
	"fmt"

	rtm "github.com/rtmkit/rtmkit/sdk"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

func ExampleClient_SendToPeer() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()
	alice, bob := login(url, "alice"), login(url, "bob")
	defer alice.Close()
	defer bob.Close()

	receipt, err := alice.SendToPeer(ctx, "bob", rtm.NewText("hi"))
	fmt.Println("bob has it:", receipt.HasPeerReceived, err)

	receipt, err = alice.SendToPeer(ctx, "nobody", rtm.NewText("hi"))
	fmt.Println("nobody has it:", receipt.HasPeerReceived, err)
	// Output:
	// bob has it: true <nil>
	// nobody has it: false <nil>
}

func ExampleClient_OnMessage() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()
	alice, bob := login(url, "alice"), login(url, "bob")
	defer alice.Close()
	defer bob.Close()

	done := make(chan struct{})
	bob.OnMessage(func(m *rtm.Message, peer string) {
		defer close(done)
		fmt.Printf("%s: %q\n", peer, m.Text())
		// A received message is not for sending; its content is.
		_, err := bob.SendToPeer(ctx, peer, m)
		fmt.Println("refused:", errors.Is(err, wire.PeerInvalidMessage))
		_, err = bob.SendToPeer(ctx, peer, rtm.NewText(m.Text()))
		fmt.Println("sent:", err == nil)
	})
	if _, err := alice.SendToPeer(ctx, "bob", rtm.NewText("hi")); err != nil {
		fmt.Println(err)
	}
	<-done
	// Output:
	// alice: "hi"
	// refused: true
	// sent: true
}

func ExampleNewRaw() {
	url, stop := serve()
	defer stop()
	alice, bob := login(url, "alice"), login(url, "bob")
	defer alice.Close()
	defer bob.Close()

	done := make(chan struct{})
	bob.OnMessage(func(m *rtm.Message, _ string) {
		defer close(done)
		if m.Type() == wire.MessageRaw {
			fmt.Println(m.Description(), m.Raw())
		}
	})
	point := rtm.NewRaw([]byte{3, 4}, "a point")
	if _, err := alice.SendToPeer(context.Background(), "bob", point); err != nil {
		fmt.Println(err)
	}
	<-done
	// Output: a point [3 4]
}
