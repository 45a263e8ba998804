// Package conformance judges RTM servers and client SDKs by the numbered requirements of its catalogue.
//
// There are three doors to the same specs. [Run] judges a subject from any program and returns the verdicts as data.
// [Test] does so inside a Go test, with one subtest for each requirement. [Register] adds the specs to a Ginkgo tree of
// one's own.
//
// The suite judges what it can observe: a server by raw connections, a client by what its API reports and by what a tap
// between it and a server saw on the wire. Every wait has a budget that follows from the limits that the server announces.
// A requirement is judged by the worst of its specs; one whose prerequisite failed is blocked, and not a failure of its
// own; what was not judged is never counted as met.
package conformance
