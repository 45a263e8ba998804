// Package wire is the rtmkit protocol, version 1: the frames that an RTM client
// and an RTM server exchange, their one canonical encoding, the strict decoder,
// the limits a server announces, the error codes and the close codes.
//
// PROTOCOL.md beside this file is normative; a client or a server in another
// language is written from it alone. The golden vectors in testdata/vectors hold
// every frame kind, valid and invalid, with the expected outcome.
//
// # Flow
//
//	client                                  server
//	  | -- login {app_id, uid, token} -------> |   first frame of a connection
//	  | <- login.ok {session, limits} -------- |
//	  | -- peer.send {id, to, text} ---------> |
//	  |                                        | -- peer.message {seq, from, text} -> receiver
//	  |                                        | <- peer.ack {seq} ------------------ receiver
//	  | <- peer.send.ok {id, received} ------- |
//	  | -- channel.join / send / leave ------> |   each answered under its id
//	  | <- channel.message, member events ---- |
//	  | -- logout -> / <- logout.ok, close --- |
//
// # Two readers, one form
//
// Frames that carry traffic are read by [Scan], which understands the canonical
// form only and does not allocate. Whatever Scan does not take goes to [Decode],
// which is strict, complete and slower, and whose result can be written again in
// canonical form with [Frame.Append]. A differential fuzz test proves that both
// readers answer alike.
package wire

// Version is the protocol version that this package speaks.
const Version = "1.0"

// Path is the URL path at which a server accepts WebSocket connections.
const Path = "/rtm/v1"

// Subprotocol is the WebSocket subprotocol that client and server must agree on.
const Subprotocol = "rtm.v1.json"
