package specs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

// closes registers one spec for each frame that must end the connection with the code.
func closes(env *Env, id, what string, code int, frames map[string]string) {
	for _, name := range sorted(frames) {
		It(fmt.Sprintf("%s: %s", what, name), Verifies(id), func(ctx SpecContext) {
			mallory := env.Login(ctx, "mallory", WithoutPing())

			mallory.sendText(frames[name])

			Observe("the close code", mallory.awaitRefusal(ctx)).Is(code)
		})
	}
}

// awaitRefusal waits for the end of a connection on which something was sent that has no answer, and returns the close
// code. An answer ends the spec at once: nothing of a bad frame takes effect.
func (a *Actor) awaitRefusal(ctx context.Context) int {
	GinkgoHelper()
	answer, err := a.reaction(ctx)
	closed := new(probe.ClosedError)
	switch {
	case err == nil:
		fail(1, "the server closes the connection of "+a.Name, "it answers "+answer.String())
	case !errors.As(err, &closed):
		missing(ctx, "the server closes the connection of "+a.Name, err)
	}
	return closed.Code
}

// reaction waits for an answer or, as the error, for the end of the connection.
func (a *Actor) reaction(ctx context.Context) (answer probe.Object, err error) {
	waiting, cancel := bounded(ctx, a.env.Answer())
	defer cancel()
	return a.Conn.Await(waiting, probe.Matching("an answer", func(o probe.Object) bool {
		return o.Failed() || o.Kind == "pong" || strings.HasSuffix(o.Kind, ".ok")
	}))
}

func registerHostileFrames(env *Env) {
	closes(env, "RTM-TRANSPORT-009", "not JSON", 4204, map[string]string{
		"empty": "", "a word": "ping", "cut off": `{"kind":"ping","id":5`, "single quotes": `{'kind':'ping','id':5}`,
		"a comma too many": `{"kind":"ping","id":5,}`, "a comment": `{"kind":"ping","id":5/**/}`, "a name without quotes": `{kind:"ping","id":5}`,
		"a number with a leading zero": `{"kind":"ping","id":05}`, "NaN": `{"kind":"ping","id":5,"x":NaN}`,
		"a line break in a string": "{\"kind\":\"ping\",\"id\":5,\"x\":\"a\nb\"}", "a byte order mark": "\ufeff{\"kind\":\"ping\",\"id\":5}",
		"a bad escape": `{"kind":"ping","id":5,"x":"\q"}`, "an open nest": strings.Repeat(`{"x":`, 5000),
	})
	closes(env, "RTM-TRANSPORT-010", "not an object", 4204, map[string]string{
		"an array": `[{"kind":"ping","id":5}]`, "a string": `"ping"`, "a number": `5`, "null": `null`, "true": `true`,
	})
	closes(env, "RTM-TRANSPORT-011", "a name twice", 4204, map[string]string{
		"kind": `{"kind":"ping","kind":"ping","id":5}`, "id": `{"kind":"ping","id":5,"id":6}`,
		"a name and its escaped form":    `{"kind":"ping","id":5,"\u0069d":6}`,
		"a member that nobody knows":     `{"kind":"ping","id":5,"x":1,"x":1}`,
		"a member that decides about it": `{"kind":"peer.send","id":5,"to":"a","to":"b","text":"hi"}`,
	})
	closes(env, "RTM-TRANSPORT-012", "a name in another case", 4204, map[string]string{
		"id": `{"kind":"ping","id":5,"ID":6}`, "to": `{"kind":"peer.send","id":5,"to":"a","To":"b","text":"hi"}`,
		"channel":         `{"kind":"channel.join","id":5,"CHANNEL":"lobby"}`,
		"U+212A for a k":  "{\"kind\":\"ping\",\"id\":5,\"\u212aind\":\"ping\"}",
		"U+017F for an s": "{\"kind\":\"channel.count\",\"id\":5,\"channels\":[\"a\"],\"channel\u017f\":[\"b\"]}",
		"U+017F, escaped": `{"kind":"channel.count","id":5,"channels":["a"],"channel\u017f":["b"]}`,
	})
	closes(env, "RTM-TRANSPORT-013", "not UTF-8", 1007, map[string]string{
		"a stray byte": "{\"kind\":\"ping\",\"id\":5,\"x\":\"\xff\"}", "an overlong form": "{\"kind\":\"ping\",\"id\":5,\"x\":\"\xc0\xaf\"}",
		"half a surrogate pair": "{\"kind\":\"ping\",\"id\":5,\"x\":\"\xed\xa0\x80\"}", "cut off": "{\"kind\":\"ping\",\"id\":5,\"x\":\"\xe4\xb8\"}",
	})
	closes(env, "RTM-TRANSPORT-016", "a bad id", 4204, map[string]string{
		"none": `{"kind":"ping"}`, "null": `{"kind":"ping","id":null}`, "zero": `{"kind":"ping","id":0}`, "negative": `{"kind":"ping","id":-5}`,
		"a fraction": `{"kind":"ping","id":5.5}`, "2^53": `{"kind":"ping","id":9007199254740992}`, "huge": `{"kind":"ping","id":1e300}`,
		"a string": `{"kind":"ping","id":"5"}`, "a boolean": `{"kind":"ping","id":true}`, "an array": `{"kind":"ping","id":[5]}`,
	})
	closes(env, "RTM-TRANSPORT-017", "a wrong type", 4204, map[string]string{
		"kind": `{"kind":5,"id":5}`, "to": `{"kind":"peer.send","id":5,"to":5,"text":"hi"}`, "text": `{"kind":"peer.send","id":5,"to":"bob","text":{}}`,
		"raw": `{"kind":"peer.send","id":5,"to":"bob","raw":[1,2]}`, "channel": `{"kind":"channel.join","id":5,"channel":["lobby"]}`,
		"after": `{"kind":"channel.join","id":5,"channel":"lobby","after":"5"}`, "channels": `{"kind":"channel.count","id":5,"channels":"lobby"}`,
		"an element of channels": `{"kind":"channel.count","id":5,"channels":[5]}`, "token": `{"kind":"token.renew","id":5,"token":5}`,
		"seq": `{"kind":"peer.ack","seq":"1"}`, "null in a list": `{"kind":"channel.count","id":5,"channels":["lobby",null]}`,
		"null in a list of objects": `{"kind":"login","id":5,"app_id":"0123456789abcdef0123456789abcdef","uid":"a","resume":{"session":"x","peer_seq":0,"channels":[null]}}`,
	})
	closes(env, "RTM-TRANSPORT-018", "something behind the object", 4204, map[string]string{
		"a word": `{"kind":"ping","id":5}x`, "a second object": `{"kind":"ping","id":5}{"kind":"ping","id":6}`, "a bracket": `{"kind":"ping","id":5}]`,
	})
	closes(env, "RTM-TRANSPORT-029", "a frame that only servers send", 4204, map[string]string{
		"pong": `{"kind":"pong","id":5}`, "login.ok": `{"kind":"login.ok","id":5,"session":"x","resumed":false,"server_ts":1,"server":{"name":"x","version":"1"},"limits":{}}`,
		"peer.message":    `{"kind":"peer.message","seq":1,"from":"mallory","ts":1,"text":"hi"}`,
		"channel.message": `{"kind":"channel.message","channel":"lobby","from":"mallory","seq":1,"ts":1,"text":"hi"}`,
		"login.kicked":    `{"kind":"login.kicked","reason":"REMOTE_LOGIN"}`,
	})

	closes(env, "RTM-TRANSPORT-080", "half a surrogate pair", 4204, map[string]string{
		"the first": `{"kind":"ping","id":5,"x":"\ud83d"}`, "the second": `{"kind":"ping","id":5,"x":"\ude00"}`,
		"both in the wrong order": `{"kind":"ping","id":5,"x":"\ude00\ud83d"}`, "in a name": `{"kind":"ping","id":5,"\ud83d":1}`,
		"before another character": `{"kind":"ping","id":5,"x":"\ud83d\u0041"}`, "deep in a member": `{"kind":"ping","id":5,"x":[{"y":"\uD83D"}]}`,
		"in a member that is defined": `{"kind":"channel.count","id":5,"channels":["\ud83d"]}`,
	})

	DescribeTable("a bad id that nobody asked for", Verifies("RTM-TRANSPORT-078"),
		func(ctx SpecContext, kind, id string) {
			alice, mallory := env.Login(ctx, "alice"), env.Login(ctx, "mallory", WithoutPing(), WithoutAck())
			alice.Start("peer.send", probe.F("to", mallory.UID), probe.F("text", "hi"))
			seq, _ := mallory.Await(ctx, peerMessage("hi")).Int("seq")

			// A server that ignores the frame answers the ping.
			mallory.sendFrames(textFrame(fmt.Sprintf(`{"kind":%q,"id":%s,"seq":%d}`, kind, id, seq)), textFrame(pingOf(100)))

			Observe("the close code", mallory.awaitRefusal(ctx)).Is(4204)
		},
		func(kind, id string) string { return kind + " with the id " + id },
		Entry(nil, "novelty", "0"), Entry(nil, "novelty", "-5"), Entry(nil, "novelty", "5.5"), Entry(nil, "novelty", `"5"`),
		Entry(nil, "novelty", "9007199254740992"), Entry(nil, "peer.ack", "0"), Entry(nil, "peer.ack", `"5"`), Entry(nil, "peer.ack", "1e1"),
	)

	It("binary", Verifies("RTM-TRANSPORT-014"), func(ctx SpecContext) {
		mallory := env.Login(ctx, "mallory", WithoutPing())

		mallory.sendFrames(probe.RawFrame{Opcode: probe.OpBinary, Payload: []byte(`{"kind":"ping","id":5}`)})

		Observe("the close code", mallory.awaitRefusal(ctx)).Is(1003)
	})

	It("too large by its header", Verifies("RTM-TRANSPORT-015"), func(ctx SpecContext) {
		mallory := env.Login(ctx, "mallory", WithoutPing())

		mallory.sendFrames(probe.RawFrame{Opcode: probe.OpText, Claim: 1 << 40})

		Observe("the close code", mallory.awaitRefusal(ctx)).Is(1009)
	})

	It("one byte too large", Verifies("RTM-TRANSPORT-015"), func(ctx SpecContext) {
		mallory := env.Login(ctx, "mallory", WithoutPing())

		// Sending may fail when the server has heard enough. Then its close frame may be lost behind a reset, too.
		_ = mallory.Conn.SendText(pingOf(env.Limits.Number("frame_bytes") + 1))

		Observe("the close code", mallory.awaitRefusal(ctx)).IsOneOf(1009, 1006)
	})

	It("just not too large", Verifies("RTM-TRANSPORT-015"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice", WithoutPing())

		alice.sendText(pingOf(env.Limits.Number("frame_bytes")))

		alice.Await(ctx, probe.Kind("pong").With("id", 77))
	})
}

// pingOf is a ping that is this many bytes long.
func pingOf(size int) string {
	const start, end = `{"kind":"ping","id":77,"x":"`, `"}`
	return start + strings.Repeat("x", size-len(start)-len(end)) + end
}

// textFrame is a whole text message.
func textFrame(text string) probe.RawFrame {
	return probe.RawFrame{Opcode: probe.OpText, Payload: []byte(text)}
}

// offences are what a hostile or broken client may do to its own connection.
var offences = map[string]func(mallory *Actor){
	"a reset":                        func(mallory *Actor) { mallory.Cut() },
	"an end without a close":         func(mallory *Actor) { _ = mallory.Conn.Close() },
	"a close code of the server's":   func(mallory *Actor) { mallory.sendFrames(closeFrame(4200)) },
	"a close code that is forbidden": func(mallory *Actor) { mallory.sendFrames(closeFrame(1005)) },
	"half a frame": func(mallory *Actor) {
		frame := probe.RawFrame{Opcode: probe.OpText, Payload: []byte(`{"kind":"ping","id":5}`)}.Bytes()
		mallory.sent(mallory.Conn.SendRaw(frame[:len(frame)/2]))
		mallory.Cut()
	},
}

// breaches are frames that break the protocol of RTM.
var breaches = map[string]probe.RawFrame{
	"nonsense":      {Opcode: probe.OpText, Payload: []byte("nonsense")},
	"a bad request": {Opcode: probe.OpText, Payload: []byte(`{"kind":"channel.send","id":0}`)},
}

// violations are frames that break RFC 6455.
var violations = map[string]probe.RawFrame{
	"a frame without mask":               {Opcode: probe.OpText, Payload: []byte(`{"kind":"ping","id":5}`), Unmasked: true},
	"a reserved bit":                     {Opcode: probe.OpText, Reserved: 4, Payload: []byte(`{"kind":"ping","id":5}`)},
	"a reserved opcode":                  {Opcode: 0x3},
	"a stray continuation":               {Opcode: probe.OpContinuation, Payload: []byte("x")},
	"a header that is huge":              {Opcode: probe.OpText, Claim: 1<<63 - 1},
	"a length that is less than nothing": {Opcode: probe.OpText, Claim: 1<<64 - 1},
}

func closeFrame(code int) probe.RawFrame {
	return probe.RawFrame{Opcode: probe.OpClose, Payload: probe.ClosePayload(code, "")}
}

func registerHostileClients(env *Env) {
	for _, name := range sorted(offences) {
		It("disturb nobody by "+name, Verifies("RTM-TRANSPORT-030"), func(ctx SpecContext) {
			lobby := env.Channel("lobby")
			alice, bob, mallory := env.member(ctx, "alice", lobby), env.member(ctx, "bob", lobby), env.member(ctx, "mallory", lobby)

			offences[name](mallory)

			alice.SendPeer(ctx, bob.UID, "all well?").OK()
			alice.SendChannel(ctx, lobby, "all well?").OK()
			bob.Await(ctx, peerMessage("all well?"))
			bob.Await(ctx, channelMessage(lobby, "all well?"))
		})
	}

	for _, frames := range []map[string]probe.RawFrame{breaches, violations} {
		for _, name := range sorted(frames) {
			It("disturb nobody by "+name, Verifies("RTM-TRANSPORT-020"), func(ctx SpecContext) {
				lobby := env.Channel("lobby")
				alice, bob, mallory := env.member(ctx, "alice", lobby), env.member(ctx, "bob", lobby), env.member(ctx, "mallory", lobby)

				mallory.sendFrames(frames[name])
				// What becomes of the connection is for other specs to judge.
				_, _ = mallory.reaction(ctx)

				alice.SendPeer(ctx, bob.UID, "all well?").OK()
				alice.SendChannel(ctx, lobby, "all well?").OK()
				bob.Await(ctx, peerMessage("all well?"))
				bob.Await(ctx, channelMessage(lobby, "all well?"))
			})
		}
	}
	for _, name := range sorted(violations) {
		It("lose their connection by "+name, Verifies("RTM-TRANSPORT-072"), func(ctx SpecContext) {
			mallory := env.Login(ctx, "mallory", WithoutPing())

			mallory.sendFrames(violations[name])

			mallory.awaitRefusal(ctx)
		})
	}

	It("reach nobody behind the close frame of the server", Verifies("RTM-TRANSPORT-081"), func(ctx SpecContext) {
		alice, bob, mallory := env.Login(ctx, "alice"), env.Login(ctx, "bob"), env.Login(ctx, "mallory", WithoutPing())
		late, _ := probe.Encode(probe.F("kind", "peer.send"), probe.F("id", 5), probe.F("to", bob.UID), probe.F("text", "too late"))
		mallory.sendFrames(breaches["nonsense"], textFrame(string(late)))
		mallory.awaitRefusal(ctx)

		alice.SendPeer(ctx, bob.UID, "all well?").OK()

		Observe("what bob gets", Texts(bob.Until(ctx, peerMessage("all well?")))).Is([]string{"all well?"})
	})

	It("reach nobody with a frame that two readers could understand differently", Verifies("RTM-TRANSPORT-011"), func(ctx SpecContext) {
		alice, bob, mallory := env.Login(ctx, "alice"), env.Login(ctx, "bob"), env.Login(ctx, "mallory")
		mallory.send("peer.send", probe.F("id", 5), probe.F("to", bob.UID), probe.F("text", "smuggled"), probe.F("text", "twice"))
		mallory.awaitRefusal(ctx)

		alice.SendPeer(ctx, bob.UID, "all well?").OK()

		Observe("what bob gets", Texts(bob.Until(ctx, peerMessage("all well?")))).Is([]string{"all well?"})
	})

	It("cannot speak for another user by the case of a name", Verifies("RTM-TRANSPORT-012"), func(ctx SpecContext) {
		alice, mallory := env.Login(ctx, "alice"), env.Connect(ctx, "mallory")
		fields := append(env.Credentials(ctx, mallory.UID).Fields(), probe.F("UID", json.RawMessage(`"`+alice.UID+`"`)))

		mallory.Start("login", fields...)

		Observe("the close code of mallory's connection", mallory.awaitRefusal(ctx)).Is(4204)
		alice.Ping(ctx).OK()
	})
}
