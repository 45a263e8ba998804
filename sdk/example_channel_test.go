package rtm_test

import (
	"context"
	"fmt"
	"slices"

	rtm "github.com/rtmkit/rtmkit/sdk"
)

func ExampleChannel_Send() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()
	alice, bob := login(url, "alice"), login(url, "bob")
	defer alice.Close()
	defer bob.Close()

	join := func(c *rtm.Client) *rtm.Channel {
		lobby, err := c.NewChannel("lobby")
		if err == nil {
			err = lobby.Join(ctx)
		}
		if err != nil {
			fmt.Println(err)
		}
		return lobby
	}
	ours, theirs := join(alice), join(bob)
	heard := make(chan struct{})
	theirs.OnMessage(func(m *rtm.Message, member string) {
		defer close(heard)
		fmt.Printf("%s in %s: %q\n", member, theirs.ID(), m.Text())
	})
	if err := ours.Send(ctx, rtm.NewText("hi all")); err != nil {
		fmt.Println(err)
	}
	<-heard
	members, err := ours.Members(ctx)
	slices.Sort(members)
	fmt.Println(members, err)
	// Output:
	// alice in lobby: "hi all"
	// [alice bob] <nil>
}

func ExampleChannel_OnMemberJoined() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()
	alice, bob := login(url, "alice"), login(url, "bob")
	defer alice.Close()
	defer bob.Close()

	ours, _ := alice.NewChannel("lobby")
	came, gone := make(chan struct{}), make(chan struct{})
	ours.OnMemberJoined(func(uid string) { fmt.Println(uid, "came"); close(came) })
	ours.OnMemberLeft(func(uid string) { fmt.Println(uid, "left"); close(gone) })
	if err := ours.Join(ctx); err != nil {
		fmt.Println(err)
	}
	theirs, _ := bob.NewChannel("lobby")
	if err := theirs.Join(ctx); err != nil {
		fmt.Println(err)
	}
	<-came
	if err := theirs.Leave(ctx); err != nil {
		fmt.Println(err)
	}
	<-gone
	// Output:
	// bob came
	// bob left
}

func ExampleChannel_OnMemberCount() {
	url, stop := serve()
	defer stop()
	alice := login(url, "alice")
	defer alice.Close()

	lobby, _ := alice.NewChannel("lobby")
	count := make(chan int)
	lobby.OnMemberCount(func(n int) { count <- n })
	if err := lobby.Join(context.Background()); err != nil {
		fmt.Println(err)
	}
	fmt.Println("members:", <-count)
	// Output: members: 1
}

func ExampleClient_MemberCounts() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()
	alice, bob := login(url, "alice"), login(url, "bob")
	defer alice.Close()
	defer bob.Close()

	lobby, _ := alice.NewChannel("lobby")
	if err := lobby.Join(ctx); err != nil {
		fmt.Println(err)
	}
	counts, err := bob.MemberCounts(ctx, "lobby", "empty") // without joining
	fmt.Println(counts["lobby"], counts["empty"], err)
	// Output: 1 0 <nil>
}

func ExampleClient_RemoveAllListeners() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()
	alice := login(url, "alice")
	defer alice.Close()

	heard := make(chan string, 2)
	off := alice.OnMessage(func(*rtm.Message, string) { heard <- "first" })
	alice.OnMessage(func(*rtm.Message, string) { heard <- "second" })
	off() // one listener
	if _, err := alice.SendToPeer(ctx, "alice", rtm.NewText("to myself")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-heard)
	alice.RemoveAllListeners() // every listener
	// Output: second
}
