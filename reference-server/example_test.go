package refserver_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	refserver "github.com/rtmkit/rtmkit/reference-server"
)

// A server of one's own: the handler goes into any HTTP server, next to other routes.
func Example() {
	server, err := refserver.New(refserver.DefaultConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	web := httptest.NewServer(server.Handler())
	defer web.Close()

	answer, err := http.Get(web.URL + "/readyz")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	fmt.Print(string(body))

	// Clients connect to ws://HOST/rtm/v1 until the server is shut down.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println(server.Shutdown(ctx))
	// Output:
	// ready
	// <nil>
}

// An app with a certificate needs tokens; with OpenApps off no other app may log in.
func ExampleNew_tokens() {
	cfg := refserver.DefaultConfig()
	cfg.OpenApps = false
	cfg.Apps = map[string]string{"0123456789abcdef0123456789abcdef": "fedcba9876543210fedcba9876543210"}
	server, err := refserver.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Shutdown(context.Background()))
	// Output: <nil>
}

// Validate lists everything that is wrong at once.
func ExampleConfig_Validate() {
	cfg := refserver.DefaultConfig()
	cfg.Origins = []string{"app.example.com"}
	cfg.Limits.Channels = -1
	for line := range strings.Lines(cfg.Validate().Error()) {
		fmt.Println(strings.TrimSpace(line))
	}
	// Output:
	// refserver: Origins: "app.example.com" is not an origin such as https://app.example.com, and not *
	// refserver: Limits.Channels is -1; it must be at least 1
}
