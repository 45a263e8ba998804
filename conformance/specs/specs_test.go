package specs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func panics(f func()) (text string) {
	defer func() {
		if recovered := recover(); recovered != nil {
			text = fmt.Sprint(recovered)
		}
	}()
	f()
	return ""
}

func TestVerifiesRefusesWhatTheCatalogueDoesNotJudge(t *testing.T) {
	for id, want := range map[string]string{
		"RTM-PER-002":   "the nearest is RTM-PEER-002",
		"RTM-LOGIN-013": "undecided",
	} {
		if got := panics(func() { Verifies(id) }); !strings.Contains(got, want) {
			t.Errorf("Verifies(%q) panics with %q, want %q", id, got, want)
		}
	}
	if got := panics(func() { Verifies() }); !strings.Contains(got, "every spec judges something") {
		t.Errorf("Verifies() panics with %q", got)
	}
	if got := panics(func() { Verifies("RTM-PEER-002") }); got != "" {
		t.Errorf("Verifies panics with %q for a good id", got)
	}
}

func decoded(t *testing.T, frame string) probe.Object {
	t.Helper()
	object, err := probe.Decode([]byte(frame))
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func TestLimitsThatAreMissingFallBackToThePublishedOnesAndAreNamed(t *testing.T) {
	limits := ReadLimits(decoded(t, `{"kind":"login.ok","id":1,"limits":{"channels":7,"members":0,"ack_timeout_ms":250,
		"calls":[{"call":"send","count":10,"window_ms":500},{"call":"","count":1,"window_ms":1}]}}`))

	if limits.Number("channels") != 7 || limits.Duration("ack_timeout_ms") != 250*time.Millisecond {
		t.Errorf("the announced limits are %v", limits.Values)
	}
	if limits.Number("members") != 512 || limits.Number("id_bytes") != 64 {
		t.Errorf("the missing limits are %v", limits.Values)
	}
	if got := len(limits.Missing); got != len(LimitNames())-2 {
		t.Errorf("%d limits are named as missing: %v", got, limits.Missing)
	}
	if call, ok := limits.Call("send"); !ok || call != (CallLimit{"send", 10, 500 * time.Millisecond}) || len(limits.Calls) != 1 {
		t.Errorf("the call limits are %v", limits.Calls)
	}
	if got := panics(func() { limits.Number("chanels") }); !strings.Contains(got, "chanels") {
		t.Errorf("a misspelt limit panics with %q", got)
	}
}

func TestTheTapAnnouncesOtherLimitsAndNothingElse(t *testing.T) {
	announce := Announce{"reconnect_threshold_ms": 150}
	login := `{"kind":"login.ok","id":1,"session":"s","limits":{"reconnect_threshold_ms":4000,"channels":20,"calls":[]}}`

	changed, keep := announce.rewrite(probe.ToClient, []byte(login))

	object := decoded(t, string(changed))
	if got, _ := object.Int("limits.reconnect_threshold_ms"); !keep || got != 150 {
		t.Errorf("the login answer became %s", changed)
	}
	if got, _ := object.Int("limits.channels"); got != 20 || object.Value("session") != "s" {
		t.Errorf("the login answer became %s", changed)
	}
	for direction, frame := range map[probe.Direction]string{
		probe.ToServer: login, probe.ToClient: `{"kind":"peer.message","seq":1,"text":"login.ok"}`,
	} {
		if same, keep := announce.rewrite(direction, []byte(frame)); !keep || string(same) != frame {
			t.Errorf("%s %s became %s", direction, frame, same)
		}
	}
}

func TestValuesAreShownWithoutGo(t *testing.T) {
	for want, value := range map[string]any{
		"nothing": nil, `"a"`: "a", "false": false, `["a" "b"]`: []string{"a", "b"}, "2 bytes 00 ff": []byte{0, 255},
		"1.5s": 1500 * time.Millisecond, `{"kind":"pong","id":2}`: decoded(t, `{"kind":"pong","id":2}`), "[a:1]": map[string]int{"a": 1},
		"no frame": []probe.Object{},
	} {
		if got := show(value); got != want {
			t.Errorf("%#v is shown as %s, want %s", value, got, want)
		}
	}
	if got := show(strings.Repeat("x", 5000)); len(got) > 700 || !strings.Contains(got, "bytes") {
		t.Errorf("a long text is shown in %d bytes", len(got))
	}
}

func TestTheCostOfARequirementFollowsWhatTheServerAnnounces(t *testing.T) {
	env := &Env{Limits: ReadLimits(decoded(t, `{"kind":"login.ok","id":1,"limits":{"session_grace_ms":700}}`)), SlowFactor: 2}
	if got, want := env.Within("session_grace_ms"), 700*time.Millisecond+2*answerBudget; got != want {
		t.Errorf("the budget is %v, want %v", got, want)
	}
	if got := env.Within("send"); got != 10*time.Second+2*answerBudget {
		t.Errorf("the budget of a send is %v", got)
	}
}
