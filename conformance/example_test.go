package conformance_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance"
	refserver "github.com/rtmkit/rtmkit/reference-server"
)

const appID = "0123456789abcdef0123456789abcdef"

// serve starts a server to be judged.
func serve() (url string, stop func()) {
	server, err := refserver.New(refserver.DefaultConfig())
	if err != nil {
		panic(err)
	}
	listener := httptest.NewServer(server.Handler())
	return "ws" + strings.TrimPrefix(listener.URL, "http") + "/rtm/v1", func() {
		_ = server.Shutdown(context.Background())
		listener.Close()
	}
}

func ExampleRun() {
	url, stop := serve()
	defer stop()

	result, err := conformance.Run(context.Background(), conformance.Config{
		Server: url,
		AppID:  appID,
		Only:   []string{"RTM-PEER-00[12]"},
	})
	if err != nil {
		fmt.Println(err)
	}
	for _, row := range result.Requirements {
		if row.Verdict.Judged() {
			fmt.Println(row.ID, row.Verdict)
		}
	}
	fmt.Println("exit code", conformance.ExitCode(result, err))
	// Output:
	// RTM-PEER-001 pass
	// RTM-PEER-002 pass
	// exit code 0
}

func ExampleRun_misspelt() {
	_, err := conformance.Run(context.Background(), conformance.Config{
		Server: "ws://127.0.0.1:8080/rtm/v1",
		AppID:  appID,
		Only:   []string{"RTM-CHANEL-015"},
	})
	fmt.Println(err)
	fmt.Println("exit code", conformance.ExitCode(nil, err))
	// Output:
	// conformance: no requirement is called RTM-CHANEL-015; the nearest is RTM-CHANNEL-015
	// exit code 2
}

// A Go test of a server needs one line.
func ExampleTest() {
	_ = func(t *testing.T) {
		conformance.Test(t, conformance.Config{Server: os.Getenv("RTM_SERVER"), AppID: appID})
	}
}

// A Ginkgo suite registers the specs beside its own, and completes the configuration before they run.
func ExampleRegister() {
	_ = func() {
		var cfg conformance.Config
		conformance.Register(&cfg)
		ginkgo.BeforeSuite(func() { cfg = conformance.Config{Server: os.Getenv("RTM_SERVER"), AppID: appID} })
	}
}

func ExampleSpecs() {
	specs, err := conformance.Specs()
	if err != nil {
		fmt.Println(err)
	}
	for _, spec := range specs {
		if spec.IDs[0] == "RTM-PEER-002" {
			fmt.Println(spec.Name)
		}
	}
	// Output: peer receipt is false when the peer is offline
}
