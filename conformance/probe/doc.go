// Package probe is a raw RTM client for judging servers, and a tap for judging clients.
//
// A [Conn] is one WebSocket connection with nothing between the spec and the bytes: it does not keep alive, acknowledge,
// reconnect or check what it sends unless told to, so it can be a model citizen or a hostile one. It encodes and decodes
// frames by itself, on encoding/json with its own strictness, and shares no code with the SDK or the server: a mistake in
// their codec cannot hide behind the same mistake here.
//
// Everything a connection receives stays in its inbox, in order, until a wait takes it; every wait ends with the context
// and its error says what was awaited and what came instead. Everything sent and received is recorded in a [Trace].
//
// A [Tap] is a WebSocket proxy between a client under test and a server. It is the second witness (what was really on
// the wire), the maker of outages, and the place where planted faults rewrite frames.
package probe
