package rtm

import (
	"context"
	"errors"
	"slices"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// membership is how far a channel object is in its channel.
type membership uint8

const (
	outside membership = iota
	joining
	joined
	leaving
)

// Channel is one channel as one client sees it. It can be joined and left any
// number of times. A client may make several objects of one id, of which one at a
// time can be joined (rules 118, 119).
type Channel struct {
	c  *Client
	id string

	onMessage      listeners[func(*Message, string)]
	onMemberJoined listeners[func(string)]
	onMemberLeft   listeners[func(string)]
	onMemberCount  listeners[func(int)]

	// Under the client's lock.
	state  membership
	cursor uint64 // the last message seen, or where the channel stood at the join
	stay   uint64 // counts the leaves: what belongs to an earlier stay is not delivered
}

// NewChannel returns a new channel object. It is local and possible before the
// login (rule 116), and an object that is not joined counts for nothing. It fails
// with wire.ChannelNewInvalidArgument (1) when id breaks the id rules.
func (c *Client) NewChannel(id string) (*Channel, error) {
	if err := wire.CheckID(id); err != nil {
		return nil, refuse(wire.ChannelNewInvalidArgument, "%q is no channel id: %v", clip(id), err)
	}
	return &Channel{c: c, id: id}, nil
}

// ID returns the channel id.
func (ch *Channel) ID() string { return ch.id }

// Joined tells whether this object is joined. It stays so during an outage.
func (ch *Channel) Joined() bool {
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	return ch.state == joined || ch.state == leaving
}

// Join makes the user a member of the channel. The others hear of it; the user
// itself gets the member count. After an outage the client joins again by itself.
//
// Codes, checked in this order: wire.JoinNotLoggedIn (102), wire.JoinAlready (6)
// when this object is joined or joining, wire.JoinAlreadySameID (202) when another
// object of the same id is, wire.JoinExceedLimit (5) when the client is in as many
// channels as the server allows (20); then wire.JoinTimeout (4), wire.JoinTooOften
// (7), wire.JoinSameTooOften (8) and wire.JoinFailure (1). A join that fails takes
// no place (rule 122).
func (ch *Channel) Join(ctx context.Context) error {
	const op = wire.KindChannelJoin
	c := ch.c
	c.mu.Lock()
	s, err := c.live(op)
	if err == nil {
		err = ch.mayJoin()
	}
	if err != nil {
		c.mu.Unlock()
		return err
	}
	ch.state, ch.cursor = joining, 0
	c.channels[ch.id] = ch
	encode := func(dst []byte, id uint64) []byte { return (&wire.ChannelJoin{ID: id, Channel: ch.id}).Append(dst) }
	a := c.finish(ctx, s, op, encode, ch.joinAnswered, wire.JoinAlready)
	if a.undecided() {
		ch.abandon(s)
	}
	return a.err
}

func (ch *Channel) mayJoin() error {
	other, limit := ch.c.channels[ch.id], ch.c.limits.Load().Channels
	switch {
	case other == ch:
		return refuse(wire.JoinAlready, "this channel object is joined, joining or leaving")
	case other != nil:
		return refuse(wire.JoinAlreadySameID, "another object of channel %q is joined; use that one, or leave it first", ch.id)
	case len(ch.c.channels) >= limit:
		return refuse(wire.JoinExceedLimit, "the client is in %d channels, which is the limit; leave one first", limit)
	}
	return nil
}

// joinAnswered takes the answer to a join, before the frames behind it are read.
// The lock is held.
func (ch *Channel) joinAnswered(a answer) {
	switch {
	case a.undecided():
		return // still joining for the others, until Join has taken it back
	case a.err != nil:
		ch.free()
		return
	}
	ch.state = joined
	if f, ok := a.frame.(*wire.ChannelJoinOK); ok {
		ch.cursor = max(ch.cursor, f.Seq)
	}
}

// free makes the object one that is not joined. The lock is held.
func (ch *Channel) free() {
	ch.state = outside
	if ch.c.channels[ch.id] == ch {
		delete(ch.c.channels, ch.id)
	}
}

// abandon leaves on the server what a join without an answer may have joined. The
// object keeps its place until the leave is on its way: a join of the same id that
// overtook it would be undone by it.
func (ch *Channel) abandon(s *session) {
	c := ch.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.over.Load() {
		return // the channels went with the session, and may be another one's by now
	}
	if s.outage == nil { // a resume leaves channels that it does not name
		link := s.link
		h := s.background(wire.KindChannelLeave, nil, ch.encodeLeave)
		if link == nil {
			// The new link is being handed over, and what is held may have gone out.
			s.holdLocked(h.id, h.frame)
		} else {
			c.mu.Unlock()
			_ = link.write(s.ctx, h.frame)
			c.mu.Lock()
		}
	}
	if !s.over.Load() {
		ch.stay++
		ch.free()
	}
}

func (ch *Channel) encodeLeave(dst []byte, id uint64) []byte {
	return (&wire.ChannelLeave{ID: id, Channel: ch.id}).Append(dst)
}

// Leave ends the membership. After it has returned nil no listener of the channel
// is called any more, save one that is running; the object may join again (rules
// 126, 128). Codes, checked in this order: wire.LeaveNotInChannel (3) and
// wire.LeaveNotLoggedIn (102), of which 102 wins outside [Connecting] (rule 73);
// then wire.LeaveFailure (1), also without an answer in time, which leaves the
// object joined; it may be called again.
func (ch *Channel) Leave(ctx context.Context) error {
	const op = wire.KindChannelLeave
	c := ch.c
	c.mu.Lock()
	s, err := c.live(op)
	if c.state == Connecting || err == nil && ch.state != joined {
		err = refuse(wire.LeaveNotInChannel, "this channel object is not joined")
	}
	if err != nil {
		c.mu.Unlock()
		return err
	}
	ch.state = leaving
	settle := func(a answer) {
		switch {
		case a.err == nil, saidByServer(a.err) && errors.Is(a.err, wire.LeaveNotInChannel):
			ch.stay++
			ch.free()
		case ch.state == leaving:
			ch.state = joined
		}
	}
	return c.finish(ctx, s, op, ch.encodeLeave, settle, wire.LeaveNotInChannel).err
}

// Send sends m to all other members and returns when the server has accepted it,
// which says nothing about receivers (rule 138). During an outage the message is
// held and sent after the reconnect.
//
// Codes, checked in this order: wire.ChannelSendInvalidMessage (4) for what is no
// message, is larger than the announced size or was received,
// wire.ChannelSendNotLoggedIn (102), wire.ChannelSendNotInChannel (5); then
// wire.ChannelSendTimeout (2) without an answer within Config.SendTimeout, which
// leaves the outcome unknown, wire.ChannelSendTooOften (3) and
// wire.ChannelSendFailure (1). When ctx ends the error wraps its cause and says
// whether the message may have been sent.
func (ch *Channel) Send(ctx context.Context, m *Message) error {
	const op = wire.KindChannelSend
	c := ch.c
	if err := m.check(wire.ChannelSendInvalidMessage, c.limits.Load().MessageBytes); err != nil {
		return err
	}
	c.mu.Lock()
	s, err := c.live(op)
	if err == nil && ch.state != joined {
		err = refuse(wire.ChannelSendNotInChannel, "this channel object is not joined; call Join first")
	}
	if err == nil && ctx.Err() != nil {
		err = cancelled(op, ctx, false)
	}
	if err != nil {
		c.mu.Unlock()
		return err
	}
	k := s.calls.make(op)
	link := s.open(k)
	c.mu.Unlock()

	buf := framePool.Get().(*[]byte)
	send := wire.ChannelSend{ID: k.id, Channel: ch.id, Message: m.payload}
	*buf = send.Append((*buf)[:0])
	return s.transmit(ctx, k, link, buf).err
}

// Members returns the uids of the members, the caller's among them; of a channel
// with more than the announced number (512) that many, any of them (rules 143,
// 144). Codes: wire.MembersNotLoggedIn (102), wire.MembersNotInChannel (5), then
// wire.MembersTimeout (3), wire.MembersTooOften (4) and wire.MembersFailure (1).
func (ch *Channel) Members(ctx context.Context) ([]string, error) {
	const op = wire.KindChannelMembers
	c := ch.c
	c.mu.Lock()
	s, err := c.live(op)
	if err == nil && ch.state != joined {
		err = refuse(wire.MembersNotInChannel, "this channel object is not joined; call Join first")
	}
	if err != nil {
		c.mu.Unlock()
		return nil, err
	}
	encode := func(dst []byte, id uint64) []byte { return (&wire.ChannelMembers{ID: id, Channel: ch.id}).Append(dst) }
	a := c.call(ctx, s, op, encode)
	if a.err != nil {
		return nil, a.err
	}
	return a.frame.(*wire.ChannelMembersOK).Members, nil
}

// MemberCounts returns how many members each of the channels has, without joining
// them; 0 for a channel that nobody is in (rules 150, 151). Codes, checked in this
// order: wire.CountInvalidArgument (2) without a channel or with one that breaks
// the id rules, wire.CountExceedLimit (5) for more than the announced number (32),
// wire.CountNotLoggedIn (102); then wire.CountTooOften (3), wire.CountTimeout (4)
// and wire.CountFailure (1).
func (c *Client) MemberCounts(ctx context.Context, channels ...string) (map[string]int, error) {
	const op = wire.KindChannelCount
	limit := c.limits.Load().CountChannels
	if len(channels) == 0 {
		return nil, refuse(wire.CountInvalidArgument, "no channel is named")
	}
	for _, id := range channels {
		if err := wire.CheckID(id); err != nil {
			return nil, refuse(wire.CountInvalidArgument, "%q is no channel id: %v", clip(id), err)
		}
	}
	if len(channels) > limit {
		return nil, refuse(wire.CountExceedLimit, "%d channels are named and %d may be; ask in several calls", len(channels), limit)
	}
	channels = slices.Clone(channels)
	c.mu.Lock()
	s, err := c.live(op)
	if err != nil {
		c.mu.Unlock()
		return nil, err
	}
	encode := func(dst []byte, id uint64) []byte {
		return (&wire.ChannelCount{ID: id, Channels: channels}).Append(dst)
	}
	a := c.call(ctx, s, op, encode)
	if a.err != nil {
		return nil, a.err
	}
	list := a.frame.(*wire.ChannelCountOK).Counts
	if len(list) != len(channels) {
		return nil, failed(op, "the server gave another number of counts than channels were named", nil)
	}
	counts := make(map[string]int, len(channels))
	for i, id := range channels {
		counts[id] = list[i]
	}
	return counts, nil
}

// OnMessage calls f with each message of another member, and the sender's uid: the
// vendor API's ChannelMessage. The returned function removes f.
func (ch *Channel) OnMessage(f func(m *Message, member string)) (off func()) {
	return ch.onMessage.add(f)
}

// OnMemberJoined calls f with the uid of each user that joins; not in a channel of
// more than the announced number of members (512). The returned function removes f.
func (ch *Channel) OnMemberJoined(f func(uid string)) (off func()) { return ch.onMemberJoined.add(f) }

// OnMemberLeft calls f with the uid of each member that leaves or is dropped; not
// in a channel of more than the announced number of members (512). The returned
// function removes f.
func (ch *Channel) OnMemberLeft(f func(uid string)) (off func()) { return ch.onMemberLeft.add(f) }

// OnMemberCount calls f with the number of members when it has changed, at most
// once in the announced interval, and after the own join: the vendor API's
// MemberCountUpdated (rules 147, 148). The returned function removes f.
func (ch *Channel) OnMemberCount(f func(n int)) (off func()) { return ch.onMemberCount.add(f) }

// RemoveAllListeners removes every listener of this channel object and no other.
func (ch *Channel) RemoveAllListeners() {
	ch.onMessage.clear()
	ch.onMemberJoined.clear()
	ch.onMemberLeft.clear()
	ch.onMemberCount.clear()
}

// deliver calls the listeners of one event, unless the channel has been left since.
func (ch *Channel) deliver(e *event) {
	ch.c.mu.Lock()
	current := e.stay == ch.stay
	ch.c.mu.Unlock()
	if !current {
		return
	}
	switch e.kind {
	case eventChannelMessage:
		for f := range ch.onMessage.all() {
			f(e.message, e.uid)
		}
	case eventMemberJoined:
		for f := range ch.onMemberJoined.all() {
			f(e.uid)
		}
	case eventMemberLeft:
		for f := range ch.onMemberLeft.all() {
			f(e.uid)
		}
	case eventMemberCount:
		for f := range ch.onMemberCount.all() {
			f(int(e.number))
		}
	}
}

// channelEvent takes an event of a channel.
func (s *session) channelEvent(channel string, e event) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if ch := s.c.channels[channel]; ch != nil {
		e.channel, e.stay = ch, ch.stay
		s.c.delivery.push(e)
	}
}

// channelMessage takes a message of a channel, each once: after an outage the
// server sends again what is behind the cursor.
func (s *session) channelMessage(channel, from []byte, seq uint64, ts int64, m wire.Message) {
	c := s.c
	c.mu.Lock()
	ch := c.channels[string(channel)]
	if ch == nil || seq <= ch.cursor {
		c.mu.Unlock()
		return
	}
	ch.cursor = seq
	stay := ch.stay
	c.mu.Unlock()
	if m.Type == wire.MessageInvalid {
		c.cfg.Logger.Warn("rtm: the server sent a channel message without content", "channel", ch.id, "seq", seq)
		return
	}
	c.delivery.push(event{
		kind: eventChannelMessage, channel: ch, stay: stay, uid: s.name(from),
		message: &Message{payload: m, received: true, at: ts},
	})
}

func saidByServer(err error) bool {
	e, ok := err.(*Error)
	return ok && e.FromServer
}
