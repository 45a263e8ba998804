// Package adapter is how the suite speaks to a client SDK under test. [Client] is what it asks of one; [NewSDK] is this
// project's own, in this process; and a client in any language is a program that speaks the JSON lines of ADAPTER.md.
//
// # The suite's side
//
// [Start] starts such a program and makes sure that it is honest. [Program.NewClient] then makes clients as [NewSDK] does,
// so that specs do not know the difference. What can go wrong with a program is told apart:
//
//   - It does not keep the protocol: [Program.Err] returns a [*BrokenError], for good. Nothing can be judged, and the run
//     ends.
//   - It ended, or fell silent: the call that waited returns a [*DownError], which is a finding for the spec that made it.
//     [Program.Down] returns it until [Program.Restart] has made the program ready for the next spec.
//   - Its SDK fails: the call returns an [*Error], which may be just what a spec asks for.
//
// [Program.Close] ends the program and all that it started. On Windows, what it started is left to end by its closed pipes.
//
// # A vendor's side
//
// A client SDK in Go implements [Client] and calls [Serve]; [Skeleton] is a beginning of an
// adapter in another language. [Check] leads an adapter in any language through one session.
//
// [Rewrite] stands between the two sides, to plant a fault or to watch.
package adapter
