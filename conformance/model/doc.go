// Package model judges a server by programs: scripts of what several users do, in any order, checked step by step against
// a small reference model of the protocol.
//
// A [Program] is a list of steps and has a text form of one sentence per line, such as
//
//	alice logs in
//	bob logs in
//	alice joins lobby
//	bob joins lobby
//	alice sends lobby "hello"
//	bob is cut
//	alice tells bob "are you there?"
//	bob resumes
//
// [Generate] makes programs at random, the same for the same seed; [Run] executes one against a server and returns the
// first [Divergence] from the model; [Shrink] finds the shortest part of a program that still diverges; [Judge] does all of
// it. What comes out is a scenario, which can be kept; those of this package are in [Scenarios].
//
// A step that happens at once is sent without waiting for the answer to the one before: by the same user, which proves that
// requests take effect in their order, or by another one, in which case what depends on the order may happen and need not.
//
// The model promises what the protocol promises and no more. What may come late or together, such as a member count, may;
// what is owed must come, once and in the order of its path (one sender in one channel, one sender to one peer); what is
// not owed must never come. A run uses no clock: presence is awaited, and absence is looked for behind the answer to a ping
// on the same connection. So what comes unasked and much later than it was caused may be missed, but is never blamed on a
// server that did not send it.
package model
