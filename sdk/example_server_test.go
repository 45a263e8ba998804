package rtm_test

import (
	"context"
	"fmt"
	"net"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	rtm "github.com/rtmkit/rtmkit/sdk"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// serve starts a reference server on the loopback and returns its URL and what
// stops it.
func serve(change ...func(*refserver.Config)) (url string, stop func()) {
	cfg := refserver.DefaultConfig()
	for _, f := range change {
		f(&cfg)
	}
	server, err := refserver.New(cfg)
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	return "ws://" + listener.Addr().String() + wire.Path, func() {
		_ = server.Shutdown(context.Background())
		<-served
	}
}

// login returns a client that is logged in as uid.
func login(url, uid string) *rtm.Client {
	client, err := rtm.New(rtm.Config{URL: url, AppID: appID})
	if err == nil {
		err = client.Login(context.Background(), uid, "")
	}
	if err != nil {
		fmt.Println(err)
	}
	return client
}
