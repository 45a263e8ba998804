// Package engine is what stands behind the connections of a server: who is where,
// which channels exist, who is in them, and what a late returner has missed.
//
// A server owns sockets and sessions; an [Engine] owns the facts that users of
// different sessions share. With the memory engine both live in one process. A
// cluster engine spreads the facts over nodes, and nothing in the contract keeps it
// from that: calls that may wait take a context and return an error, and what an
// engine hands out are handles, not pointers into its state.
//
// # The contract
//
// Who is where. [Engine.Login] makes a session the one owner of its uid within its
// app. The newest login wins: Login takes the uid from the session that had it, calls
// that session's Evict, and returns only after Evict has returned, so that a user is
// never in one channel twice. Logins of one uid are put into a single order; each
// session is evicted at most once, by its successor in that order, and a session that
// has lost its uid never gets it back. [Seat.Logout] of an evicted session changes
// nothing for the successor.
//
// Peer messages. [Seat.Send] hands a message to the session that owns the uid at that
// moment, or answers Offline at once. Messages of one seat to one uid are delivered in
// the order of the calls while both sessions last. The fate Pending is followed by
// exactly one [ReturnPath.Receipt] for the request, which may come before Send has
// returned; the other fates are final.
//
// Channels. A channel exists while somebody is in it. [Seat.Join] adds the session;
// the other members are told of it. [Membership.Publish] gives the message the next
// seq and puts it to the outlets of all other members; every member sees the messages
// of a channel in seq order. Seqs of a channel grow for ever, also when it was empty in
// between. [Membership.Leave] is complete when it returns: nothing more of the channel
// comes to the outlet, and others have been told.
//
// Replay. A channel keeps its last messages, bounded by number and by age. A join with
// a cursor and [Membership.Attach] put those behind the cursor to the outlet, oldest
// first, without the user's own, before anything newer and each exactly once. For a
// while a channel that became empty keeps its messages for those who come back.
//
// Notices. Others get member_joined and member_left while the channel has at most the
// announced number of members, counted with the one who comes or goes. All members get
// member_count after a change: the first at once, later ones at most once per
// interval, the last state always. Who joins gets the count at once.
//
// Output. An engine never writes to a socket. It puts frames to outlets through the
// [Batch] of the calling goroutine, and whoever owns the batch flushes it once, when
// his input is used up.
//
// Package enginetest holds the contract as a suite that every engine passes.
package engine

import (
	"context"
	"errors"
)

// Errors of an engine. A caller tells them apart with errors.Is.
var (
	// ErrClosed is what every call answers after Close.
	ErrClosed = errors.New("engine: closed")
	// ErrGone is what the calls of a handle answer when its session has been evicted
	// or has logged out, or when the membership has ended.
	ErrGone = errors.New("engine: the session or the membership has ended")
)

// Engine holds what the sessions of a deployment share. All methods may be called by
// many goroutines at once. Arguments that are slices are read before the call returns
// and not kept.
type Engine interface {
	// Login makes s the owner of uid in app and evicts the session that was. An error
	// means that s owns nothing and that nobody was evicted.
	Login(ctx context.Context, b *Batch, app, uid string, s Session) (Seat, error)
	// Stats returns how much the engine holds.
	Stats() Stats
	// Close releases what the engine holds and stops its timers. Sessions are not told.
	Close() error
}

// Session is a logged-in session as an engine sees it. The server implements it.
type Session interface {
	ReturnPath
	// Deliver takes a peer message for this session and says what became of it. It
	// keeps no reference to the payload.
	Deliver(b *Batch, m Peer) Fate
	// Evict tells that a newer login has taken the uid. The session leaves its channels
	// before Evict returns. It must not call Login.
	Evict(b *Batch)
}

// ReturnPath is where the outcome of a peer message goes.
type ReturnPath interface {
	// Receipt tells what became of the peer message with this request id.
	Receipt(b *Batch, request uint64, r Receipt)
}

// Peer is a peer message on its way.
type Peer struct {
	From    string     // From is the uid of the sender, from its session.
	Back    ReturnPath // Back gets the receipt if the fate is Pending.
	Request uint64     // Request is the sender's request id.
	Payload []byte     // Payload is the encoded payload members, valid during the call only.
}

// Fate is what became of a peer message at the moment of sending.
type Fate uint8

// The fates. All but Pending are answered with received false at once.
const (
	Pending Fate = iota // Pending: delivered to a live connection; a receipt follows.
	Held                // Held: the receiver's link is lost; it gets the message when it resumes.
	Full                // Full: the receiver's inbox is full; the message is dropped.
	Offline             // Offline: nobody owns the uid.
	fates
)

var fateNames = [fates]string{"pending", "held", "full", "offline"}

// String returns the word for the fate that metrics and logs use.
func (f Fate) String() string { return fateNames[f] }

// Receipt is what became of a pending peer message.
type Receipt uint8

// The receipts.
const (
	Received    Receipt = iota // Received: the receiving client acknowledged the message.
	NotReceived                // NotReceived: the receiver logged out without acknowledging it.
	TimedOut                   // TimedOut: no acknowledgement came in time; the outcome is unknown.
	receipts
)

var receiptNames = [receipts]string{"received", "not_received", "timed_out"}

// String returns the word for the receipt that metrics and logs use.
func (r Receipt) String() string { return receiptNames[r] }

// Seat is a session's place in the engine, from Login to Logout. Its calls are made by
// one goroutine at a time.
type Seat interface {
	// Send hands m to the session that owns the uid to. An error means that the engine
	// could not find out; the sender is told of a failure.
	Send(ctx context.Context, b *Batch, to []byte, m Peer) (Fate, error)
	// Join makes the session a member of a channel. It calls confirm, with the channel's
	// seq and its number of members, before anything of the channel is put to out; then
	// the count and, where after is not zero, the messages behind after follow. The
	// caller sees to it that a session joins a channel once.
	Join(ctx context.Context, b *Batch, channel string, out Outlet, after uint64,
		confirm func(seq uint64, count int)) (Membership, error)
	// Counts appends the number of members of each channel to dst; zero where nobody is.
	Counts(ctx context.Context, dst []int, channels []string) ([]int, error)
	// Logout gives the uid back unless a newer session owns it. The memberships have
	// been left before.
	Logout(b *Batch)
}

// Membership is a session's place in one channel, from Join to Leave. Its calls are
// made by one goroutine at a time.
type Membership interface {
	// Publish sends a message to all other members and returns to how many outlets of
	// this node it was put.
	Publish(ctx context.Context, b *Batch, payload []byte) (int, error)
	// Members returns the uids of the members, the caller's among them, at most limit;
	// any of them where there are more.
	Members(ctx context.Context, limit int) ([]string, error)
	// Attach gives the membership a new outlet after a lost link. It puts the messages
	// behind after to it, and from then on what is live. After zero replays nothing.
	Attach(ctx context.Context, b *Batch, out Outlet, after uint64) error
	// Recount puts the number of members to the membership's own outlet.
	Recount(b *Batch)
	// Leave ends the membership.
	Leave(b *Batch)
}

// Stats is how much an engine holds on this node.
type Stats struct {
	Users    int // Users is how many uids have an owner.
	Channels int // Channels is how many channels have a member or keep messages.
	Members  int // Members is how many memberships there are.

	ReplayBytes int64 // ReplayBytes is the memory of the messages that channels keep.
}
