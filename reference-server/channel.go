package refserver

import (
	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// join answers a channel.join: arguments, state, rate, and then the membership.
func (c *conn) join(f *wire.ChannelJoin) {
	s, u := c.session, c.burst
	if err := wire.CheckID(f.Channel); err != nil {
		c.refuse(f.ID, wire.JoinInvalidArgument, "the channel id cannot be used: "+err.Error())
		return
	}
	if s.channels[f.Channel] != nil {
		c.refuse(f.ID, wire.JoinAlready, "the session is a member of this channel")
		return
	}
	if len(s.channels) >= c.srv.cfg.Limits.Channels {
		c.refuse(f.ID, wire.JoinExceedLimit, "the session is in as many channels as it may; leave one first")
		return
	}
	if !c.allowJoin(f) {
		return
	}
	m, err := s.seat.Join(c.srv.ctx, &u.batch, f.Channel, &c.queue, f.After, func(seq uint64, count int) {
		c.put(&wire.ChannelJoinOK{ID: f.ID, Seq: seq, Count: count})
	})
	if err != nil {
		c.refuse(f.ID, wire.JoinFailure, "the server could not join the channel")
		return
	}
	if s.channels == nil {
		s.channels = make(map[string]engine.Membership)
	}
	s.channels[f.Channel] = m
}

func (c *conn) leaveChannel(f *wire.ChannelLeave) {
	s := c.session
	m := s.channels[f.Channel]
	if m == nil {
		c.refuse(f.ID, wire.LeaveNotInChannel, "the session is not a member of this channel")
		return
	}
	m.Leave(&c.burst.batch)
	delete(s.channels, f.Channel)
	c.putOK(wire.KindChannelLeave, f.ID)
}

// channelSend sends a message to all other members.
func (c *conn) channelSend(id uint64, channel, payload []byte, size int) {
	s, u := c.session, c.burst
	if len(payload) == 0 || size > c.srv.cfg.Limits.MessageBytes {
		c.refuse(id, wire.ChannelSendInvalidMessage, invalidMessage(payload))
		return
	}
	m := s.channels[string(channel)]
	if m == nil {
		c.refuse(id, wire.ChannelSendNotInChannel, "the session is not a member of this channel")
		return
	}
	if !c.allow(id, limitSend, wire.ChannelSendTooOften) {
		return
	}
	n, err := m.Publish(c.srv.ctx, &u.batch, payload)
	if err != nil {
		c.refuse(id, wire.ChannelSendFailure, "the server could not send the message")
		return
	}
	u.counts.channel++
	u.counts.deliveries += uint64(n)
	u.batch.Scratch = wire.AppendOK(u.batch.Scratch[:0], wire.KindChannelSend, id)
	u.batch.Put(&c.queue, u.batch.Scratch)
}

func (c *conn) members(f *wire.ChannelMembers) {
	s := c.session
	m := s.channels[f.Channel]
	if m == nil {
		c.refuse(f.ID, wire.MembersNotInChannel, "the session is not a member of this channel")
		return
	}
	if !c.allow(f.ID, limitMembers, wire.MembersTooOften) {
		return
	}
	uids, err := m.Members(c.srv.ctx, c.srv.cfg.Limits.Members)
	if err != nil {
		c.refuse(f.ID, wire.MembersFailure, "the server could not list the members")
		return
	}
	c.put(&wire.ChannelMembersOK{ID: f.ID, Members: uids})
}

func (c *conn) count(f *wire.ChannelCount) {
	s := c.session
	if len(f.Channels) == 0 {
		c.refuse(f.ID, wire.CountInvalidArgument, "channels is empty")
		return
	}
	for _, name := range f.Channels {
		if err := wire.CheckID(name); err != nil {
			c.refuse(f.ID, wire.CountInvalidArgument, "a channel id cannot be used: "+err.Error())
			return
		}
	}
	if len(f.Channels) > c.srv.cfg.Limits.CountChannels {
		c.refuse(f.ID, wire.CountExceedLimit, "more channels than count_channels")
		return
	}
	if !c.allow(f.ID, limitCount, wire.CountTooOften) {
		return
	}
	counts, err := s.seat.Counts(c.srv.ctx, nil, f.Channels)
	if err != nil {
		c.refuse(f.ID, wire.CountFailure, "the server could not count")
		return
	}
	c.put(&wire.ChannelCountOK{ID: f.ID, Counts: counts})
}
