package conformance

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

const testApp = "0123456789abcdef0123456789abcdef"

// webSocket starts a server that upgrades with this subprotocol and answers every message with this text.
func webSocket(t *testing.T, subprotocol, answer string) string {
	upgrader := websocket.Upgrader{Subprotocols: []string{subprotocol}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				return
			}
			if err := ws.WriteMessage(websocket.TextMessage, []byte(answer)); err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/rtm/v1"
}

func TestWhatIsNoRTMServerIsToldApartBeforeAnySpec(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secret := httptest.NewTLSServer(http.NotFoundHandler())
	defer secret.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	_ = closed.Close()
	const answer = `{"kind":"error","id":1,"op":"login","code":%s,"name":"LOGIN_ERR_INVALID_TOKEN","message":""}`

	for name, test := range map[string]struct{ server, want string }{
		"nobody listens":           {"ws://" + nobody + "/rtm/v1", "refused"},
		"a web server":             {"ws" + strings.TrimPrefix(plain.URL, "http") + "/rtm/v1", "not a WebSocket"},
		"no TLS where TLS is said": {"wss" + strings.TrimPrefix(plain.URL, "http") + "/rtm/v1", "use ws://"},
		"an untrusted certificate": {"wss" + strings.TrimPrefix(secret.URL, "https") + "/rtm/v1", "not trusted"},
		"another subprotocol":      {webSocket(t, "chat", ""), "does not speak the subprotocol"},
		"no JSON":                  {webSocket(t, "rtm.v1.json", "hello"), "not to an RTM login"},
		"no login answer":          {webSocket(t, "rtm.v1.json", `{"kind":"welcome","id":1}`), "not RTM"},
		"refused credentials":      {webSocket(t, "rtm.v1.json", strings.Replace(answer, "%s", "5", 1)), "refuses the credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := Run(t.Context(), Config{Server: test.server, AppID: testApp})
			var unreachable *UnreachableError
			if !errors.As(err, &unreachable) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an UnreachableError that says %q", err, test.want)
			}
			if code := ExitCode(result, err); code != ExitUnreachable {
				t.Errorf("the exit code is %d, want %d", code, ExitUnreachable)
			}
		})
	}
}

func TestAConfigurationThatMakesNoSenseIsRefusedWithTheRemedy(t *testing.T) {
	good := Config{Server: "ws://127.0.0.1:1/rtm/v1", AppID: testApp}
	for name, test := range map[string]struct {
		spoil func(*Config)
		want  string
	}{
		"scheme":             {func(c *Config) { c.Server = "http://127.0.0.1:1" }, "must look like ws://"},
		"no host":            {func(c *Config) { c.Server = "ws:///rtm" }, "must look like ws://"},
		"short app id":       {func(c *Config) { c.AppID = "abc" }, "3 characters"},
		"subject":            {func(c *Config) { c.Subjects = []string{"servers"} }, `"servers"`},
		"profile":            {func(c *Config) { c.Profiles = []string{"channel"} }, "the nearest is channels"},
		"impossible profile": {func(c *Config) { c.Profiles = []string{"tokens"} }, "needs an app with its certificate"},
		"only":               {func(c *Config) { c.Only = []string{"RTM-PEER-002", "RTM-PER-001"} }, "the nearest is RTM-PEER-001"},
		"skip":               {func(c *Config) { c.Skip = []string{"RTM-CHANEL-*"} }, "no requirement is called RTM-CHANEL-*"},
		"pattern":            {func(c *Config) { c.Only = []string{"RTM-["} }, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			test.spoil(&cfg)
			result, err := Run(t.Context(), cfg)
			var usage *UsageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want a UsageError that says %q", err, test.want)
			}
			if code := ExitCode(result, err); code != ExitUsage {
				t.Errorf("the exit code is %d, want %d", code, ExitUsage)
			}
		})
	}
}

func TestASelectionOfNothingIsAUsageErrorThatSaysWhy(t *testing.T) {
	server := webSocket(t, "rtm.v1.json", `{"kind":"login.ok","id":1,"session":"s"}`)
	for name, cfg := range map[string]Config{
		"other subject": {Only: []string{"RTM-PEER-031"}},
		"undecided":     {Only: []string{"RTM-LOGIN-013"}},
		"all skipped":   {Skip: []string{"*"}},
		"slow":          {Only: []string{"RTM-PEER-004"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Server, cfg.AppID = server, testApp
			result, err := Run(context.Background(), cfg)
			if code := ExitCode(result, err); code != ExitUsage {
				t.Errorf("the exit code is %d (%v), want %d", code, err, ExitUsage)
			}
		})
	}
}
