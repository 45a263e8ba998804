// Package refserver is the reference RTM server of rtmkit: the server that the
// conformance suite is written against and that load runs are compared with. It
// speaks the protocol of package wire, version 1.
//
// Embed it in three lines: [New] makes a server from a [Config], [Server.Handler] is
// an http.Handler for any listener, [Server.Shutdown] drains it. [Server.Serve] is the
// convenience that also sets the timeouts a public listener wants.
//
// What it promises, and how it is built, is written in DESIGN.md beside this file.
package refserver
