package specs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

// RegisterTransport registers the specs of connections and frames on a server. Frames that no honest client sends are in
// transport_hostile.go, clients that do not read in transport_slow.go, lost links in transport_reconnect.go.
func RegisterTransport(env *Env) {
	Describe("handshake", func() { registerHandshake(env) })
	Describe("frames", func() { registerFrames(env) })
	Describe("errors", func() { registerErrors(env) })
	Describe("silence", func() { registerSilence(env) })
	Describe("hostile frames", func() { registerHostileFrames(env) })
	Describe("hostile clients", func() { registerHostileClients(env) })
	Describe("slow readers", func() { registerSlowReaders(env) })
	Describe("lost link", func() { registerGrace(env) })
	Describe("resume", func() { registerResume(env) })
	Describe("replay", func() { registerReplay(env) })
}

// handshake tries to connect to a URL of the server and returns the HTTP status of the answer, 101 when a WebSocket was opened.
func (e *Env) handshake(ctx context.Context, server string, habits ...Habit) int {
	GinkgoHelper()
	options := probe.Options{Actor: "alice", TLS: e.TLS, Trace: e.Trace()}
	for _, habit := range habits {
		habit(&options)
	}
	waiting, cancel := bounded(ctx, e.Answer())
	defer cancel()
	conn, err := probe.Dial(waiting, server, options)
	if refused := new(probe.HandshakeError); errors.As(err, &refused) {
		return refused.Status
	}
	if err != nil {
		missing(ctx, "the server answers a WebSocket handshake", err)
	}
	_ = conn.Close()
	return http.StatusSwitchingProtocols
}

// address returns the URL of the server with a change in it. What is at other paths of a server that does not stand at
// the path of the protocol, nobody knows.
func (e *Env) address(change func(*url.URL)) string {
	address, err := url.Parse(e.Server)
	if err != nil || !strings.HasSuffix(address.Path, "/rtm/v1") || address.RawQuery != "" {
		e.cannotJudge("the URL of the server does not end in the path of the protocol")
	}
	change(address)
	return address.String()
}

func registerHandshake(env *Env) {
	It("selects the subprotocol", Verifies("RTM-TRANSPORT-001"), func(ctx SpecContext) {
		alice := env.Connect(ctx, "alice")

		Observe("the subprotocol", alice.Conn.Response().Header.Get("Sec-WebSocket-Protocol")).Is(probe.Subprotocol)
	})

	DescribeTable("is refused without the subprotocol", Verifies("RTM-TRANSPORT-002"),
		func(ctx SpecContext, offered ...string) {
			status := env.handshake(ctx, env.Server, func(o *probe.Options) { o.Subprotocols = append([]string{}, offered...) })

			Observe("the HTTP status", status).Is(http.StatusBadRequest)
		},
		Entry("none offered"), Entry("another one offered", "rtm.v0.json"), Entry("others offered", "graphql-ws", "mqtt"),
	)

	It("agrees on no compression", Verifies("RTM-TRANSPORT-003"), func(ctx SpecContext) {
		alice := env.Connect(ctx, "alice", func(o *probe.Options) { o.OfferCompression = true })

		Observe("the extensions", alice.Conn.Response().Header.Get("Sec-WebSocket-Extensions")).Is("")
	})

	It("is refused from a foreign origin", Verifies("RTM-TRANSPORT-053"), func(ctx SpecContext) {
		status := env.handshake(ctx, env.Server, func(o *probe.Options) { o.Header = http.Header{"Origin": {"https://evil.example"}} })

		Observe("the HTTP status", status).Is(http.StatusForbidden)
	})

	It("is refused at another path", Verifies("RTM-TRANSPORT-085"), func(ctx SpecContext) {
		status := env.handshake(ctx, env.address(func(u *url.URL) { u.Path += "/nowhere" }))

		Observe("the HTTP status", status).Is(http.StatusNotFound)
	})

	It("ignores a query", Verifies("RTM-TRANSPORT-085"), func(ctx SpecContext) {
		status := env.handshake(ctx, env.address(func(u *url.URL) { u.RawQuery = "novelty=1" }))

		Observe("the HTTP status", status).Is(http.StatusSwitchingProtocols)
	})

	It("leads to a login that announces every limit", Verifies("RTM-TRANSPORT-004"), func(ctx SpecContext) {
		answer := env.Connect(ctx, "alice").Login(ctx).OK()

		for _, name := range LimitNames() {
			Observe("the limit "+name, answer.Value("limits."+name)).IsAtLeast(int64(1))
		}
		_, isList := answer.Value("limits.calls").([]any)
		Observe("the limit calls", answer.Value("limits.calls")).IsAbout("is a list", isList)
	})
}

func registerFrames(env *Env) {
	It("are answered once each, with their own ids", Verifies("RTM-TRANSPORT-005"), func(ctx SpecContext) {
		alice, lobby := env.Login(ctx, "alice"), probe.F("channel", env.Channel("lobby"))
		requests := []Asked{
			alice.Start("channel.join", lobby), alice.Start("channel.members", lobby), alice.Start("ping"),
			alice.Start("channel.send", lobby, probe.F("text", "hi")), alice.Start("channel.join", lobby),
			alice.Start("peer.send", probe.F("to", env.UID("nobody")), probe.F("text", "hi")), alice.Start("channel.leave", lobby),
		}
		for range 50 {
			requests = append(requests, alice.Start("ping"))
		}
		for _, request := range requests {
			alice.Answer(ctx, request)
		}
		alice.Ping(ctx).OK()

		answers := make(map[int64]int)
		for _, frame := range alice.Conn.Inbox() {
			answers[frame.ID]++
		}
		for _, request := range requests {
			Observe("how often the "+request.kind+" was answered", answers[request.id]).Is(1)
		}
	})

	DescribeTable("ping gets pong", Verifies("RTM-TRANSPORT-006"),
		func(ctx SpecContext, id int64) {
			alice := env.Login(ctx, "alice", WithoutPing())

			alice.send("ping", probe.F("id", id))

			alice.Await(ctx, probe.Kind("pong").With("id", id))
		},
		func(id int64) string { return fmt.Sprintf("with the id %d", id) },
		Entry(nil, int64(7)), Entry(nil, int64(1<<31)), Entry(nil, int64(1<<53-1)),
	)

	It("ping needs a session", Verifies("RTM-TRANSPORT-054"), func(ctx SpecContext) {
		alice := env.Connect(ctx, "alice")

		alice.Ping(ctx).Refused(102, "PING_ERR_USER_NOT_LOGGED_IN")

		alice.Login(ctx).OK()
	})

	DescribeTable("may have unknown members", Verifies("RTM-TRANSPORT-007"),
		func(ctx SpecContext, value string) {
			alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")

			alice.Request(ctx, "peer.send", probe.F("novelty", json.RawMessage(value)), probe.F("to", bob.UID), probe.F("text", "hi")).OK()

			bob.Await(ctx, peerMessage("hi"))
		},
		func(value string) string { return "such as " + value },
		Entry(nil, `1`), Entry(nil, `"x"`), Entry(nil, `null`), Entry(nil, `[1,{"a":[]}]`), Entry(nil, `{"to":"x","id":{}}`),
	)

	DescribeTable("of an unknown kind get their error", Verifies("RTM-TRANSPORT-008"),
		func(ctx SpecContext, kind string) {
			alice := env.Login(ctx, "alice")

			alice.Request(ctx, kind).RefusedAs("frame", 1, "FRAME_ERR_UNKNOWN_KIND")

			alice.Ping(ctx).OK()
		},
		func(kind string) string { return kind },
		Entry(nil, "novelty"), Entry(nil, "Ping"), Entry(nil, "presence.query"),
	)

	It("of an unknown kind without id are ignored", Verifies("RTM-TRANSPORT-055"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice", WithoutPing())

		alice.send("novelty", probe.F("x", 1))
		alice.Ping(ctx).OK()

		Observe("what alice got", Kinds(alice.Conn.Inbox())).Is([]string{"login.ok", "pong"})
	})

	DescribeTable("may have null for a member that is absent", Verifies("RTM-TRANSPORT-019"),
		func(ctx SpecContext, fields ...probe.Field) {
			alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")

			alice.Request(ctx, "peer.send", append(fields, probe.F("to", bob.UID))...).OK()

			bob.Await(ctx, probe.Kind("peer.message"))
		},
		Entry("no bytes", probe.F("text", "hi"), probe.F("raw", nil), probe.F("description", nil)),
		Entry("no text", probe.F("text", nil), probe.F("raw", "aGk=")),
	)

	DescribeTable("mean the same however they are written", Verifies("RTM-TRANSPORT-021"),
		func(ctx SpecContext, text string) {
			alice := env.Login(ctx, "alice", WithoutPing())

			alice.sendText(text)

			alice.Await(ctx, probe.Kind("pong").With("id", 77))
		},
		Entry("spaces and line breaks", " {\r\n\t\"kind\" : \"ping\" , \"id\" : 77 }\n "),
		Entry("id first", `{"id":77,"kind":"ping"}`), Entry("kind last", `{"x":[{}],"id":77,"kind":"ping"}`),
		Entry("escapes in a name", `{"\u006bind":"ping","id":77}`), Entry("escapes in a value", `{"kind":"\u0070\u0069ng","id":77}`),
	)

	DescribeTable("may be nested 32 levels deep", Verifies("RTM-TRANSPORT-079"),
		func(ctx SpecContext, open, end string) {
			alice := env.Login(ctx, "alice", WithoutPing())

			// The frame itself is the first level.
			alice.sendText(`{"kind":"ping","id":77,"x":` + strings.Repeat(open, 31) + "1" + strings.Repeat(end, 31) + "}")

			alice.Await(ctx, probe.Kind("pong").With("id", 77))
		},
		Entry("of objects", `{"x":`, "}"), Entry("of lists", "[", "]"),
	)

	DescribeTable("may come in fragments", Verifies("RTM-TRANSPORT-022"),
		func(ctx SpecContext, size int) {
			alice := env.Login(ctx, "alice", WithoutPing())
			fragments := probe.Fragments(probe.OpText, []byte(`{"kind":"ping","id":77,"x":"é中😀"}`), size)

			for _, fragment := range fragments {
				alice.sendFrames(fragment, probe.RawFrame{Opcode: probe.OpPing})
			}

			alice.Await(ctx, probe.Kind("pong").With("id", 77))
		},
		func(size int) string { return fmt.Sprintf("of %d bytes, with WebSocket pings between them", size) },
		Entry(nil, 1), Entry(nil, 10),
	)

	It("WebSocket pings get WebSocket pongs", Verifies("RTM-TRANSPORT-023"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice")

		alice.sendFrames(probe.RawFrame{Opcode: probe.OpPing, Payload: []byte("are you there?")})

		waiting, cancel := bounded(ctx, env.Answer())
		defer cancel()
		if err := alice.Conn.AwaitPong(waiting, "are you there?"); err != nil {
			missing(ctx, "the server answers a WebSocket ping with its payload", err)
		}
	})

	It("of the server are JSON objects", Verifies("RTM-TRANSPORT-024"), func(ctx SpecContext) {
		// The probe reads strictly and ends the spec at a frame that is anything else, so the spec lets the server speak.
		lobby := env.Channel("lobby")
		alice, bob := env.member(ctx, "alice", lobby), env.member(ctx, "bob", lobby)
		alice.SendPeer(ctx, bob.UID, "\"\\\u2028\x00é😀").OK()
		alice.SendChannel(ctx, lobby, "\"\\\u2028\x00é😀").OK()
		alice.Members(ctx, lobby).OK()
		alice.Count(ctx, lobby).OK()
		alice.Join(ctx, lobby).Refused(6, "JOIN_CHANNEL_ERR_ALREADY_JOINED")
		alice.Leave(ctx, lobby).OK()
		bob.Await(ctx, memberLeft(lobby, alice))
		bob.Logout(ctx).OK()

		Observe("the kinds that bob got", Kinds(bob.Conn.Inbox())).Holds("peer.message")
	})
}

func registerErrors(env *Env) {
	DescribeTable("name their operation, code and name", Verifies("RTM-TRANSPORT-025"),
		func(ctx SpecContext, kind string, code int64, name string, fields ...probe.Field) {
			answer := env.Login(ctx, "alice").Request(ctx, kind, fields...)

			answer.Refused(code, name)
			_, isText := answer.Text("message")
			Observe("the message of the error", answer.Value("message")).IsAbout("is a text", isText)
		},
		Entry("login", "login", int64(8), "LOGIN_ERR_ALREADY_LOGIN", probe.F("app_id", "0123456789abcdef0123456789abcdef"), probe.F("uid", "alice")),
		Entry("token.renew", "token.renew", int64(2), "RENEW_TOKEN_ERR_INVALID_ARGUMENT", probe.F("token", "")),
		Entry("peer.send", "peer.send", int64(6), peerInvalidUserID, probe.F("to", "null"), probe.F("text", "hi")),
		Entry("channel.join", "channel.join", int64(3), joinInvalidArgument, probe.F("channel", "null")),
		Entry("channel.leave", "channel.leave", int64(3), "LEAVE_CHANNEL_ERR_NOT_IN_CHANNEL", probe.F("channel", "lobby")),
		Entry("channel.send", "channel.send", int64(5), "CHANNEL_MESSAGE_ERR_NOT_IN_CHANNEL", probe.F("channel", "lobby"), probe.F("text", "hi")),
		Entry("channel.members", "channel.members", int64(5), "GET_MEMBERS_ERR_NOT_IN_CHANNEL", probe.F("channel", "lobby")),
		Entry("channel.count", "channel.count", int64(2), "GET_CHANNEL_MEMBER_COUNT_ERR_INVALID_ARGUMENT", probe.F("channels", []string{"null"})),
	)
}

// silent is a connection that does nothing by itself, not even answer a WebSocket ping, which would be contact.
func silent(o *probe.Options) { o.AutoPing, o.AutoPong, o.AutoAck = 0, false, false }

func registerSilence(env *Env) {
	It("is closed with 4001", Verifies("RTM-TRANSPORT-026"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice", silent)

		Observe("the close code", alice.AwaitCloseWithin(ctx, env.Within("silence_ms"))).Is(4001)
	})

	It("does not end a connection that pings in time", Verifies("RTM-TRANSPORT-028"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice")
		// A connection that does not ping tells when the time is over.
		env.Login(ctx, "clock", silent).AwaitCloseWithin(ctx, env.Within("silence_ms"))

		// A server that is about to close the one, too, may take a moment longer.
		alice.pingFor(ctx, env.Limits.Duration("silence_ms")/10)
	})

	It("is none while a frame comes bit by bit", Verifies("RTM-TRANSPORT-086"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice", silent)
		// A connection that sends nothing tells when the time is over.
		clock := env.Login(ctx, "clock", silent)

		rest := alice.trickle(ctx, textFrame(pingOf(1000)).Bytes(), clock)

		alice.sent(alice.Conn.SendRaw(rest))
		alice.Await(ctx, probe.Kind("pong").With("id", 77))
	})

	It("about a login is closed with 4003", Verifies("RTM-TRANSPORT-027"), func(ctx SpecContext) {
		// It pings, so that it is not silent in the other sense.
		alice := env.Connect(ctx, "alice")

		Observe("the close code", alice.AwaitCloseWithin(ctx, env.Within("login"))).Is(4003)
	})
}

// pingFor pings until this much time has passed, at least once.
func (a *Actor) pingFor(ctx context.Context, duration time.Duration) {
	GinkgoHelper()
	for start := time.Now(); ; {
		a.Ping(ctx).OK()
		if time.Since(start) > duration {
			return
		}
	}
}

// trickle sends a byte now and then, until the connection of another has ended and a moment longer, and returns the bytes
// that are left.
func (a *Actor) trickle(ctx context.Context, data []byte, until *Actor) []byte {
	GinkgoHelper()
	pace := time.NewTicker(a.env.Limits.Duration("silence_ms") / 10)
	defer pace.Stop()
	waiting, cancel := bounded(ctx, a.env.Within("silence_ms"))
	defer cancel()
	for late := 0; late < 2 && len(data) > 1; {
		a.sent(a.Conn.SendRaw(data[:1]))
		data = data[1:]
		select {
		case <-waiting.Done():
			missing(ctx, "the server closes the connection of "+until.Name, context.Cause(waiting))
		case <-pace.C:
		}
		select {
		case <-until.Conn.Done():
			late++
		default:
		}
	}
	return data
}

// send sends a frame of this kind that is no request of the connection's own numbering.
func (a *Actor) send(kind string, fields ...probe.Field) {
	GinkgoHelper()
	a.sent(a.Conn.SendJSON(append([]probe.Field{probe.F("kind", kind)}, fields...)...))
}

// sendText sends one text message as it is.
func (a *Actor) sendText(text string) {
	GinkgoHelper()
	a.sent(a.Conn.SendText(text))
}

// sendFrames sends WebSocket frames as they are.
func (a *Actor) sendFrames(frames ...probe.RawFrame) {
	GinkgoHelper()
	a.sent(a.Conn.SendFrames(frames...))
}

func (a *Actor) sent(err error) {
	GinkgoHelper()
	if err != nil {
		fail(2, a.Name+" can send", a.ended(err))
	}
}
