package wire

// This file holds, for each frame, where the decoder puts which member. The names
// are those of PROTOCOL.md; a member that is not listed is ignored.

func (f *Unknown) field(name string) any {
	switch name {
	case "kind":
		return (*string)(&f.Name)
	case "id":
		return &f.ID
	}
	return nil
}

func (f *Login) field(name string) any {
	switch name {
	case "id":
		return &f.ID
	case "app_id":
		return &f.AppID
	case "uid":
		return &f.UID
	case "token":
		return &f.Token
	case "resume":
		return &f.Resume
	}
	return nil
}

func (r *Resume) field(name string) any {
	switch name {
	case "session":
		return &r.Session
	case "peer_seq":
		return &r.PeerSeq
	case "channels":
		return &r.Channels
	}
	return nil
}

func (c *Cursor) field(name string) any {
	switch name {
	case "channel":
		return &c.Channel
	case "seq":
		return &c.Seq
	}
	return nil
}

func (f *Logout) field(name string) any { return onlyID(name, &f.ID) }
func (f *Ping) field(name string) any   { return onlyID(name, &f.ID) }
func (f *Pong) field(name string) any   { return onlyID(name, &f.ID) }
func (f *OK) field(name string) any     { return onlyID(name, &f.ID) }

func onlyID(name string, id *uint64) any {
	if name == "id" {
		return id
	}
	return nil
}

func (f *TokenRenew) field(name string) any {
	if name == "token" {
		return &f.Token
	}
	return onlyID(name, &f.ID)
}

func (f *PeerSend) field(name string) any {
	switch name {
	case "id":
		return &f.ID
	case "to":
		return &f.To
	}
	return f.Message.member(name)
}

func (f *PeerSend) settle() { f.Message.settle() }

func (f *PeerAck) field(name string) any {
	if name == "seq" {
		return &f.Seq
	}
	return nil
}

func (f *ChannelJoin) field(name string) any {
	switch name {
	case "channel":
		return &f.Channel
	case "after":
		return &f.After
	}
	return onlyID(name, &f.ID)
}

func (f *ChannelLeave) field(name string) any {
	if name == "channel" {
		return &f.Channel
	}
	return onlyID(name, &f.ID)
}

func (f *ChannelSend) field(name string) any {
	switch name {
	case "id":
		return &f.ID
	case "channel":
		return &f.Channel
	}
	return f.Message.member(name)
}

func (f *ChannelSend) settle() { f.Message.settle() }

func (f *ChannelMembers) field(name string) any {
	if name == "channel" {
		return &f.Channel
	}
	return onlyID(name, &f.ID)
}

func (f *ChannelCount) field(name string) any {
	if name == "channels" {
		return &f.Channels
	}
	return onlyID(name, &f.ID)
}

func (f *LoginOK) field(name string) any {
	switch name {
	case "id":
		return &f.ID
	case "session":
		return &f.Session
	case "resumed":
		return &f.Resumed
	case "server_ts":
		return &f.ServerTS
	case "server":
		return &f.Server
	case "limits":
		return &f.Limits
	case "missing":
		return &f.Missing
	}
	return nil
}

func (f *PeerSendOK) field(name string) any {
	if name == "received" {
		return &f.Received
	}
	return onlyID(name, &f.ID)
}

func (f *ChannelJoinOK) field(name string) any {
	switch name {
	case "seq":
		return &f.Seq
	case "count":
		return &f.Count
	}
	return onlyID(name, &f.ID)
}

func (f *ChannelMembersOK) field(name string) any {
	if name == "members" {
		return &f.Members
	}
	return onlyID(name, &f.ID)
}

func (f *ChannelCountOK) field(name string) any {
	if name == "counts" {
		return &f.Counts
	}
	return onlyID(name, &f.ID)
}

func (f *Error) field(name string) any {
	switch name {
	case "op":
		return (*string)(&f.Op)
	case "code":
		return &f.Code
	case "name":
		return &f.Name
	case "message":
		return &f.Message
	}
	return onlyID(name, &f.ID)
}

func (f *PeerMessage) field(name string) any {
	switch name {
	case "seq":
		return &f.Seq
	case "from":
		return &f.From
	case "ts":
		return &f.TS
	}
	return f.Message.member(name)
}

func (f *PeerMessage) settle() { f.Message.settle() }

func (f *ChannelMessage) field(name string) any {
	switch name {
	case "channel":
		return &f.Channel
	case "from":
		return &f.From
	case "seq":
		return &f.Seq
	case "ts":
		return &f.TS
	}
	return f.Message.member(name)
}

func (f *ChannelMessage) settle() { f.Message.settle() }

func (f *ChannelMemberJoined) field(name string) any { return membership(name, &f.Channel, &f.UID) }
func (f *ChannelMemberLeft) field(name string) any   { return membership(name, &f.Channel, &f.UID) }

func membership(name string, channel, uid *string) any {
	switch name {
	case "channel":
		return channel
	case "uid":
		return uid
	}
	return nil
}

func (f *ChannelMemberCount) field(name string) any {
	switch name {
	case "channel":
		return &f.Channel
	case "count":
		return &f.Count
	}
	return nil
}

func (f *LoginKicked) field(name string) any {
	if name == "reason" {
		return (*string)(&f.Reason)
	}
	return nil
}

func (f *TokenWillExpire) field(name string) any {
	if name == "left_ms" {
		return &f.LeftMS
	}
	return nil
}

func (s *Server) field(name string) any {
	switch name {
	case "name":
		return &s.Name
	case "version":
		return &s.Version
	}
	return nil
}

func (l *Limits) field(name string) any {
	switch name {
	case "channels":
		return &l.Channels
	case "message_bytes":
		return &l.MessageBytes
	case "id_bytes":
		return &l.IDBytes
	case "frame_bytes":
		return &l.FrameBytes
	case "members":
		return &l.Members
	case "count_channels":
		return &l.CountChannels
	case "replay_messages":
		return &l.ReplayMessages
	case "replay_ms":
		return &l.ReplayMS
	case "session_grace_ms":
		return &l.SessionGraceMS
	case "reconnect_threshold_ms":
		return &l.ReconnectThresholdMS
	case "ack_timeout_ms":
		return &l.AckTimeoutMS
	case "ping_interval_ms":
		return &l.PingIntervalMS
	case "silence_ms":
		return &l.SilenceMS
	case "login_timeout_ms":
		return &l.LoginTimeoutMS
	case "token_notice_ms":
		return &l.TokenNoticeMS
	case "count_interval_ms":
		return &l.CountIntervalMS
	case "count_interval_large_ms":
		return &l.CountIntervalLargeMS
	case "calls":
		return &l.Calls
	}
	return nil
}

func (r *Rate) field(name string) any {
	switch name {
	case "call":
		return (*string)(&r.Call)
	case "count":
		return &r.Count
	case "window_ms":
		return &r.WindowMS
	}
	return nil
}
