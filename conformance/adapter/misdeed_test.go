package adapter

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// The test binary stands in for adapters that misbehave: these variables of its environment say how, and where the test
// waits to see it end.
const (
	misdeedVariable = "RTMKIT_TEST_MISDEED"
	leashVariable   = "RTMKIT_TEST_LEASH"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(misdeedVariable); name != "" {
		misbehave(name)
		return
	}
	goleak.VerifyTestMain(m)
}

// misdeed is what an adapter does wrong.
type misdeed struct {
	// at is the command that sets it off; "start" and "end" stand for the start and for the end of standard input.
	at string
	// do does it in the adapter's process; true means that the command was answered.
	do func(seq int64) (answered bool)
	// says is what the suite must say about it.
	says string
	// down tells that it may be the SDK's doing, so that a restart mends it.
	down bool
	// unix tells that Windows shows it in another way.
	unix bool
}

const testToken = "0123-a-token-of-no-known-shape"

func print(line string, values ...any) bool {
	fmt.Printf(line+"\n", values...)
	return true
}

// forever keeps a process that must be killed.
func forever() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	for range signals {
	}
}

var misdeeds = map[string]misdeed{
	"dies at once": {at: "start", says: `the adapter ended while it was needed (exit status 3); its standard error ends with: no licence`,
		do: func(int64) bool { fmt.Fprintln(os.Stderr, "no licence"); os.Exit(3); return false }},
	"is mute":              {at: "hello", says: "did not answer hello within", do: func(int64) bool { return true }},
	"greets the world":     {at: "start", says: `wrote something that is not JSON: "Hello, world"`, do: func(int64) bool { return print("Hello, world") }},
	"is chatty":            {at: "login", says: `wrote something that is not JSON: "DEBUG login"`, do: func(int64) bool { print("DEBUG login"); return false }},
	"writes an empty line": {at: "login", says: `not JSON: ""`, do: func(int64) bool { print(""); return false }},
	"writes a list":        {at: "login", says: "not one JSON object", do: func(int64) bool { return print("[]") }},
	"writes two objects":   {at: "login", says: "not JSON", do: func(seq int64) bool { return print(`{"seq":%d,"ok":{}} {}`, seq) }},
	"writes a name twice":  {at: "login", says: "in which a name stands twice", do: func(seq int64) bool { return print(`{"seq":%d,"seq":%[1]d,"ok":{}}`, seq) }},
	"writes null":          {at: "login", says: `whose member "error" is null; leave it out`, do: func(seq int64) bool { return print(`{"seq":%d,"ok":{},"error":null}`, seq) }},
	"writes a bare object": {at: "login", says: "neither a reply", do: func(int64) bool { return print(`{}`) }},
	"speaks another version": {at: "hello", says: "does not speak version 1",
		do: func(seq int64) bool { return print(`{"seq":%d,"unsupported":true}`, seq) }},
	"agrees to everything": {at: "probe", says: "agrees to everything", do: func(seq int64) bool { return print(`{"seq":%d,"ok":{}}`, seq) }},
	"fails at everything": {at: "probe", says: "agrees to everything",
		do: func(seq int64) bool { return print(`{"seq":%d,"error":{"op":"login","code":1,"name":"X"}}`, seq) }},
	"claims a profile that does not exist": {at: "hello", says: `claims the profile "chanels", which does not exist; the nearest is "channels"; there are core, channels`,
		do: func(seq int64) bool {
			return print(`{"seq":%d,"ok":{"sdk":"x","version":"1","language":"go","profiles":["chanels"]}}`, seq)
		}},
	"misspells a member": {at: "hello", says: `answered seq 1 (hello) with an ok that is an object that lacks the member "profiles"`,
		do: func(seq int64) bool {
			return print(`{"seq":%d,"ok":{"sdk":"x","version":"1","language":"go","profile":["core"]}}`, seq)
		}},
	"has a member too many": {at: "login", says: `with the member "uid", which this protocol does not know there`, do: func(seq int64) bool { return print(`{"seq":%d,"ok":{"uid":"x"}}`, seq) }},
	"writes a wrong type":   {at: "login", says: `member "seq" has the wrong type`, do: func(seq int64) bool { return print(`{"seq":"%d","ok":{}}`, seq) }},
	"answers another seq":   {at: "login", says: "answered seq 1005, which no command had", do: func(int64) bool { return print(`{"seq":1005,"ok":{}}`) }},
	"answers twice":         {at: "login", says: "answered seq 4 twice", do: func(seq int64) bool { print(`{"seq":%d,"ok":{}}`, seq-1); return false }},
	"answers nothing":       {at: "login", says: "answered seq 5 (login) with none of ok, error and unsupported", do: func(seq int64) bool { return print(`{"seq":%d}`, seq) }},
	"answers two things":    {at: "login", says: "with more than one of", do: func(seq int64) bool { return print(`{"seq":%d,"ok":{},"unsupported":true}`, seq) }},
	"is unsupportive":       {at: "login", says: "an unsupported that is not true", do: func(seq int64) bool { return print(`{"seq":%d,"unsupported":false}`, seq) }},
	"fails without a code":  {at: "login", says: `lacks the member "code"`, do: func(seq int64) bool { return print(`{"seq":%d,"error":{"op":"login","name":"X"}}`, seq) }},
	"tells of an event that does not exist": {at: "login", says: `the event "Rain", which this protocol does not know`,
		do: func(int64) bool { return print(`{"event":"Rain","client":"c1","listener":""}`) }},
	"tells of a client that does not exist": {at: "login", says: `the client "c0", which does not exist`,
		do: func(int64) bool { return print(`{"event":"TokenExpired","client":"c0","listener":""}`) }},
	"tells of a channel that does not exist": {at: "login", says: `the channel object "h0", which does not exist`,
		do: func(int64) bool { return print(`{"event":"MemberLeft","channel":"h0","listener":"","uid":"x"}`) }},
	"tells a listener that does not exist": {at: "login", says: `the listener "second", which was not registered there`,
		do: func(int64) bool { return print(`{"event":"TokenExpired","client":%q,"listener":"second"}`, client) }},
	"tells half an event": {at: "login", says: `lacks the member "reason"`,
		do: func(int64) bool {
			return print(`{"event":"ConnectionStateChanged","client":%q,"listener":"","state":"CONNECTED"}`, client)
		}},
	"names a received message badly": {at: "login", says: `the handle "m1" for a received message`,
		do: func(int64) bool {
			return print(`{"event":"MessageFromPeer","client":%q,"listener":"","message":"m1","from":"x","text":"","server_received_ms":1}`, client)
		}},
	"writes bad Base64": {at: "login", says: `"raw" is not standard Base64`,
		do: func(int64) bool {
			return print(`{"event":"MessageFromPeer","client":%q,"listener":"","message":"r1","from":"x","raw":"AA","server_received_ms":1}`, client)
		}},
	"writes a line of 2 MiB": {at: "login", says: "longer than 1 MiB", do: func(int64) bool { return print("%s", strings.Repeat("x", 2<<20)) }},
	"floods": {at: "login", says: "more than 65536 lines after its last command", do: func(int64) bool {
		out := bufio.NewWriter(os.Stdout)
		for range 1 << 17 {
			if _, err := fmt.Fprintf(out, `{"event":"TokenExpired","client":%q,"listener":""}`+"\n", client); err != nil {
				break
			}
		}
		return true
	}},
	"closes its input":  {at: "login", unix: true, says: "closed its standard input and went on running", do: func(seq int64) bool { os.Stdin.Close(); print(`{"seq":%d,"ok":{}}`, seq); forever(); return true }},
	"closes its output": {at: "login", says: "closed its standard output and went on running", do: func(int64) bool { os.Stdout.Close(); forever(); return true }},
	"dies in a command": {at: "login", down: true, says: "ended while it was needed (exit status 2); its standard error ends with: panic: boom",
		do: func(int64) bool { fmt.Fprintln(os.Stderr, "panic: boom"); os.Exit(2); return true }},
	"dies in the middle of a line": {at: "login", down: true, says: `in the middle of the line "{\"seq\":"`,
		do: func(int64) bool { fmt.Print(`{"seq":`); os.Exit(2); return true }},
	"tells the token": {at: "login", down: true, says: "the token is [redacted], and again [redacted]",
		do: func(int64) bool {
			fmt.Fprintf(os.Stderr, "the token is %s, and again %[1]s\n", testToken)
			os.Exit(2)
			return true
		}},
	"shows the token on its output": {at: "login", says: `not JSON: "token [redacted]"`, do: func(int64) bool { return print("token %s", testToken) }},
	"hangs in a command":            {at: "login", down: true, says: "did not answer login within", do: func(int64) bool { return true }},
	"hangs altogether":              {at: "login", down: true, says: "did not answer login within", do: func(int64) bool { forever(); return true }},
}

// client is the handle of the client that the misbehaving adapter made last.
var client string

// misbehave is the adapter with the misdeed of this name.
func misbehave(name string) {
	deed, known := misdeeds[name]
	if leash := os.Getenv(leashVariable); leash != "" {
		conn, err := net.Dial("tcp", leash)
		if err != nil {
			panic(err)
		}
		defer conn.Close()
	}
	if !known && !virtues[name] {
		panic("no misdeed is called " + name)
	}
	switch name {
	case "grandchild":
		print("connected")
		forever()
	case "leaves a grandchild":
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), misdeedVariable+"=grandchild")
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err == nil {
			_, err = out.Read(make([]byte, 1))
		}
		if err != nil {
			panic(err)
		}
	}
	if deed.at == "start" {
		deed.do(0)
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var asked struct {
			Seq    int64
			Cmd    string
			Client string
		}
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			panic(err)
		}
		probed := strings.HasPrefix(asked.Cmd, "x-")
		if asked.Client != "" {
			client = asked.Client
		}
		if (asked.Cmd == deed.at || probed && deed.at == "probe") && deed.do(asked.Seq) {
			continue
		}
		switch {
		case probed:
			print(`{"seq":%d,"unsupported":true}`, asked.Seq)
		case asked.Cmd == "hello":
			print(`{"seq":%d,"ok":{"sdk":"fake","version":"1","language":"go","profiles":["core"],"timeouts":{"login_ms":7000}}}`, asked.Seq)
		case asked.Cmd == "state":
			print(`{"seq":%d,"ok":{"state":"CONNECTED"}}`, asked.Seq)
		default:
			print(`{"seq":%d,"ok":{}}`, asked.Seq)
		}
	}
	if name == "ignores its end" {
		forever()
	}
}

// virtues are those that do nothing wrong in the protocol.
var virtues = map[string]bool{"none": true, "ignores its end": true, "leaves a grandchild": true, "grandchild": true}
