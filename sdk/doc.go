// Package rtm is the client of an RTM server: it logs a user in, sends messages
// to other users and to channels, and tells what arrives. It offers what the
// vendor's Web API 1.x offers, with Go's means: a context on every call, typed
// errors that carry the vendor's codes, and functions as listeners.
//
//	client, err := rtm.New(rtm.Config{URL: "ws://127.0.0.1:8080/rtm/v1", AppID: appID})
//	client.OnMessage(func(m *rtm.Message, peer string) { fmt.Println(peer, m.Text()) })
//	err = client.Login(ctx, "alice", token)
//	receipt, err := client.SendToPeer(ctx, "bob", rtm.NewText("hi"))
//
// # Lost links
//
// A client that is logged in stays so. When its link breaks it reconnects by
// itself, without limit, with growing and jittered pauses; it says [Reconnecting]
// only when the link has been lost for longer than the announced threshold (4 s
// by default). After the reconnect it is in its channels again and gets what it
// missed, as far as the server still holds it, each message once. Calls made in
// the meantime wait for the link, at most for their timeout.
//
// # Listeners
//
// The listeners of one client run one after another, in the order in which things
// happened, on a goroutine of their own; none is left out. A slow listener delays
// the rest, and when a few megabytes wait the client stops reading from its link.
// Every method may be called from inside a listener. Receipt of a peer message is
// confirmed to its sender before the listeners see it.
//
// # Inside
//
// A [Client] holds at most one session (session.go), which outlives links; a
// session holds at most one connection (conn.go), which knows nothing of
// reconnecting and writes in batches (batch.go); requests that wait for an answer
// belong to the session (calls.go), so that a receipt may arrive over the next
// link; and what happened goes through one queue to the listeners (delivery.go).
package rtm
