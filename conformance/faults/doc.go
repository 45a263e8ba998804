// Package faults holds the planted defects by which the suite proves that it catches what it claims to catch, and the
// tolerances by which it proves that it asks for no more than the protocol does.
//
// A [Fault] makes a subject break the requirements that it names, and each of those must then be failed by a spec of its
// own. A [Tolerance] makes a subject odd but legal, and every requirement must still be met. Both are rewriters: of the
// WebSocket frames between a client and a server, by a [Proxy] in front of any server, or of the lines between the suite
// and a client adapter. So they turn any server and any client into a broken one, a vendor's own as well.
//
// A rewriter counts how often it did something. A fault that was never exercised proves nothing, whatever the verdict.
package faults
