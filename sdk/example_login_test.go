package rtm_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	rtm "github.com/rtmkit/rtmkit/sdk"
	"github.com/rtmkit/rtmkit/sdk/token"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

func ExampleClient_Login() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()

	client, err := rtm.New(rtm.Config{URL: url, AppID: appID, LoginInterval: -1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	client.OnConnectionStateChanged(func(state rtm.State, reason rtm.Reason) {
		fmt.Println(state, reason)
	})
	if err := client.Login(ctx, "alice", ""); err != nil {
		fmt.Println(err)
	}
	fmt.Println("in as", client.UID())
	if err := client.Logout(ctx); err != nil {
		fmt.Println(err)
	}
	if err := client.Login(ctx, "bob", ""); err != nil {
		fmt.Println(err)
	}
	fmt.Println("in as", client.UID())
	// Output:
	// CONNECTING LOGIN
	// CONNECTED LOGIN_SUCCESS
	// in as alice
	// DISCONNECTED LOGOUT
	// CONNECTING LOGIN
	// CONNECTED LOGIN_SUCCESS
	// in as bob
	// DISCONNECTED LOGOUT
}

// A link that breaks is nothing to act on: the client comes back by itself.
func ExampleClient_OnConnectionStateChanged() {
	url, stop := serve(func(cfg *refserver.Config) { cfg.Limits.ReconnectThresholdMS = 50 })
	defer stop()

	var link net.Conn
	repaired := make(chan struct{})
	client, err := rtm.New(rtm.Config{URL: url, AppID: appID,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if link != nil {
				<-repaired
			}
			var err error
			link, err = new(net.Dialer).DialContext(ctx, network, addr)
			return link, err
		}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	back := make(chan struct{})
	client.OnConnectionStateChanged(func(state rtm.State, reason rtm.Reason) {
		fmt.Println(state, reason)
		switch state {
		case rtm.Reconnecting:
			close(repaired)
		case rtm.Connected:
			back <- struct{}{}
		}
	})
	go client.Login(context.Background(), "alice", "")
	<-back
	link.Close() // the network fails
	<-back
	// Output:
	// CONNECTING LOGIN
	// CONNECTED LOGIN_SUCCESS
	// RECONNECTING INTERRUPTED
	// CONNECTED LOGIN_SUCCESS
	// DISCONNECTED LOGOUT
}

func ExampleClient_RenewToken() {
	app := token.App{ID: appID, Certificate: "fedcba9876543210fedcba9876543210"}
	url, stop := serve(func(cfg *refserver.Config) { cfg.Apps = map[string]string{app.ID: app.Certificate} })
	defer stop()
	ctx := context.Background()

	// In an app this asks the app's own server: the certificate never leaves it.
	mint := func(uid string, life time.Duration) string {
		text, err := token.Mint007(app, uid, token.Options{Lifetime: life})
		if err != nil {
			fmt.Println(err)
		}
		return text
	}

	client, err := rtm.New(rtm.Config{URL: url, AppID: app.ID})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	renewed := make(chan error)
	client.OnTokenWillExpire(func(left time.Duration) {
		fmt.Println("less than half a minute left:", left <= 30*time.Second)
		renewed <- client.RenewToken(ctx, mint("alice", time.Hour))
	})
	if err := client.Login(ctx, "alice", mint("alice", 20*time.Second)); err != nil {
		fmt.Println(err)
	}
	fmt.Println("renewed:", <-renewed)

	err = client.RenewToken(ctx, mint("mallory", time.Hour))
	fmt.Println("another's token is refused:", errors.Is(err, wire.RenewInvalidToken))
	// Output:
	// less than half a minute left: true
	// renewed: <nil>
	// another's token is refused: true
}

func ExampleError() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()
	client := login(url, "alice")
	defer client.Close()

	_, err := client.SendToPeer(ctx, "a/b", rtm.NewText("hi"))
	fmt.Println(errors.Is(err, wire.PeerInvalidUserID))
	if e := new(rtm.Error); errors.As(err, &e) {
		fmt.Println(e.Op, e.Code.Number, e.Code.Name, "server:", e.FromServer)
	}

	given, cancel := context.WithCancel(ctx)
	cancel()
	_, err = client.SendToPeer(given, "bob", rtm.NewText("hi"))
	_, hasCode := rtm.CodeOf(err)
	fmt.Println(errors.Is(err, context.Canceled), hasCode)
	fmt.Println(err)
	// Output:
	// true
	// peer.send 6 PEER_MESSAGE_ERR_INVALID_USERID server: false
	// true false
	// rtm: peer.send: nothing was sent: context canceled
}
