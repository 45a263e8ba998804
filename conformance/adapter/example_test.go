package adapter_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/catalogue"
)

// A suite starts a program, makes clients with it for each spec, and looks after every spec at what has become of it.
func Example() {
	ctx := context.Background()
	program, err := adapter.Start(ctx, adapter.Command{
		Args:     []string{"node", "adapter.mjs"},
		Profiles: catalogue.Embedded().ProfileNames(), Nearest: catalogue.Nearest,
	})
	if err != nil {
		log.Fatal(err) // It is no adapter: one sentence says why.
	}
	defer program.Close()
	who := program.Identity()
	fmt.Println(who.SDK, who.Version, who.Language, who.Profiles)

	for _, spec := range []func(adapter.NewClient) error{} {
		if err := spec(program.NewClient); err != nil {
			fmt.Println("finding:", err)
		}
		if err := program.Err(); err != nil {
			log.Fatal(err)
		}
		if program.Down() != nil {
			if err := program.Restart(ctx); err != nil {
				log.Fatal(err)
			}
		}
	}
}

// The main function of an adapter for a client SDK in Go. It needs an implementation of Client; here it is this project's own.
func ExampleServe() {
	identity := adapter.Identity{SDK: "acme-rtm", Version: "2.3.1", Language: "go", Profiles: []string{"core", "channels"}}
	if err := adapter.Serve(context.Background(), os.Stdin, os.Stdout, identity, adapter.NewSDK); err != nil {
		log.Fatal(err) // To standard error, which the suite shows.
	}
}

// A hook that plants a fault: a client that claims to be connected before its login.
func ExampleRewrite() {
	command := adapter.Command{
		Profiles: []string{"core"},
		InProcess: func(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
			return adapter.Serve(ctx, stdin, stdout, adapter.Identity{SDK: "acme-rtm", Profiles: []string{"core"}}, adapter.NewSDK)
		},
		Rewrite: func(direction adapter.Direction, line []byte) [][]byte {
			if direction == adapter.ToSuite && string(line) == `{"seq":4,"ok":{"state":"DISCONNECTED"}}` {
				line = []byte(`{"seq":4,"ok":{"state":"CONNECTED"}}`)
			}
			return [][]byte{line}
		},
	}
	program, err := adapter.Start(context.Background(), command)
	if err != nil {
		log.Fatal(err)
	}
	defer program.Close()
	client, err := program.NewClient(context.Background(), adapter.Options{
		URL: "ws://127.0.0.1:1/rtm/v1", AppID: "0123456789abcdef0123456789abcdef",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.State(context.Background()))
	// Output: CONNECTED <nil>
}

// The author of an adapter sees one session of it, line by line.
func ExampleCheck() {
	command := adapter.Command{Args: []string{"node", "adapter.mjs"}, Profiles: catalogue.Embedded().ProfileNames()}
	err := adapter.Check(context.Background(), command, os.Stdout, adapter.Options{
		URL: "ws://127.0.0.1:8080/rtm/v1", AppID: "0123456789abcdef0123456789abcdef",
	})
	if broken := new(adapter.BrokenError); errors.As(err, &broken) {
		fmt.Println("it does not keep the protocol:", broken.Deed)
	}
}
