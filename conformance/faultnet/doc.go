// Package faultnet is a TCP proxy in this process that behaves like a bad network: it cuts connections, leaves them
// half-open, stalls, delays, slows down, slices and refuses. Put it between a client and a server and switch faults on and
// off; nothing happens by chance and nothing needs a pause to take effect.
//
// It knows nothing of what it carries, so TLS passes through.
package faultnet
