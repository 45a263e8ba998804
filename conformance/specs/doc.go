// Package specs holds the specs of the conformance suite, one file per area and subject, as functions that register them
// into a Ginkgo tree.
//
// A spec says with [Verifies] which requirements it judges, by the ids of the catalogue; that is the only source of its
// labels. It gets its subject from an [Env]: raw connections to the server under test as an [Actor], or a client under
// test, connected through a recording tap, as a [Subject]. It says what it saw with [Observe] and with the verbs of an
// [Answer], so that a failure reads as requirement, expectation, observation and frames.
//
// Rules of the house: actors by name, one act, one observation, no sleeps. Each wait is for an event and ends with a
// named budget that follows from what the server announced. Absence is proven by a barrier: something that must arrive
// on the same ordered way, later. Each spec runs alone and in any order.
package specs
