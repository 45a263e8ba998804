package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// presence is where a user is.
type presence int

const (
	offline presence = iota
	online
	lost // the link is lost and the session lasts
)

// state is the reference model: what a server that keeps the protocol knows after each step, and what it owes to whom.
// It knows nothing of time: a program runs inside the grace and the replay of its server.
type state struct {
	limits Limits
	now    int // the number of the step that is done
	users  map[string]*account
	rooms  map[string]*room
}

// account is a user with its session and what its client remembers.
type account struct {
	presence presence
	channels map[string]bool
	// held are the peer messages that wait for a resume.
	held []message
	// calls counts what the session has asked, by the names of the call limits.
	calls map[string]int
	// seen is the client's cursor for each channel, as a place in its log. It outlives the session.
	seen map[string]int
}

// room is a channel.
type room struct {
	members map[string]bool
	log     []message
	// era counts how often the channel has ended.
	era int
	// counts are the numbers of members that the channel has had, in order.
	counts []int
}

// message is what was sent in which step, to a channel or a peer.
type message struct {
	step, era  int
	from, text string
	// doubt are the users who may have seen the message or not.
	doubt []string
}

// line is a frame that a user gets, in words. Lines of one path come in order.
type line struct{ path, text string }

// debt is a line that a user is owed, or that may come and need not.
type debt struct {
	line
	user string
	// step is where the line comes from.
	step     int
	optional bool
}

// link says on what a step happens.
type link int

const (
	onSame  link = iota // on the connection that the user has
	onNew               // on a new connection that becomes the user's
	onBare              // on a new connection without a login, which is closed again
	onCut               // by cutting the connection that the user has
	nothing             // not at all
)

// outcome is what a step does.
type outcome struct {
	link link
	// answer is what the request of the step is answered, in words, and others are what it may be answered as well.
	answer string
	others []string
	// farewell is how the connection that the user had before ends; 0 when it does not, or is cut.
	farewell int
	// owed is what users get because of the step, the acting one included.
	owed []debt
	// counted are the channels whose count the acting user is owed.
	counted []tally
	// missed is the first step of which a message may be replayed; 0 when there is none.
	missed int
}

// tally is the number of members of a channel.
type tally struct {
	channel string
	members int
}

// answers are all that a request may be answered.
func (o *outcome) answers() []string { return append([]string{o.answer}, o.others...) }

func newState(limits Limits) *state {
	return &state{limits: limits.withDefaults(), users: make(map[string]*account), rooms: make(map[string]*room)}
}

func (s *state) user(name string) *account {
	if s.users[name] == nil {
		s.users[name] = &account{seen: make(map[string]int)}
	}
	return s.users[name]
}

func (s *state) room(name string) *room {
	if s.rooms[name] == nil {
		s.rooms[name] = &room{members: make(map[string]bool), counts: []int{0}}
	}
	return s.rooms[name]
}

// apply does step number n and returns its outcome.
func (s *state) apply(n int, step Step) outcome {
	s.now = n
	done := s.do(step)
	if done.link == onSame && !strings.HasPrefix(done.answer, "error") {
		for _, call := range step.calls() {
			s.user(step.User).calls[call]++
		}
	}
	return done
}

func (s *state) do(step Step) outcome {
	name, user := step.User, s.user(step.User)
	switch step.Verb {
	case LogsIn:
		if user.presence == online {
			return outcome{answer: refused(8)}
		}
		return s.login(name)
	case LogsInElsewhere, ResumesEnded:
		return s.login(name)
	case Resumes, ResumesWithout:
		if user.presence == offline {
			return s.login(name)
		}
		return s.resume(name, step.Channel)
	case IsCut:
		if user.presence != online {
			return outcome{link: nothing}
		}
		user.presence = lost
		return outcome{link: onCut}
	}
	if user.presence != online {
		return outcome{link: onBare, answer: refused(102)}
	}
	switch step.Verb {
	case LogsOut:
		done := outcome{answer: "ok", farewell: 1000}
		s.end(name, &done)
		return done
	case Joins, Rejoins:
		return s.join(name, step.Channel, step.Verb == Rejoins)
	case Tells:
		return s.tell(message{step: s.now, from: name, text: step.Text}, step.To)
	case Counts:
		return outcome{answer: fmt.Sprintf("%d members", len(s.room(step.Channel).members))}
	}
	return s.inside(step)
}

// inside does what only a member may do.
func (s *state) inside(step Step) outcome {
	room, done := s.room(step.Channel), outcome{answer: "ok"}
	member := room.members[step.User]
	switch step.Verb {
	case Leaves:
		if !member {
			return outcome{answer: refused(3)}
		}
		s.leave(step.User, step.Channel, &done)
	case Sends:
		if !member {
			return outcome{answer: refused(5)}
		}
		sent := message{step: s.now, era: room.era, from: step.User, text: step.Text}
		room.log = append(room.log, sent)
		for _, other := range s.others(step.User, step.Channel) {
			done.owe(other, sent.step, sent.in(step.Channel), false)
			s.user(other).seen[step.Channel] = len(room.log)
		}
	case Lists:
		if !member {
			return outcome{answer: refused(5)}
		}
		done.answer = strings.Join(slices.Sorted(maps.Keys(room.members)), " ")
	}
	return done
}

// login begins a session and ends the one that there was.
func (s *state) login(name string) outcome {
	user, done := s.user(name), outcome{link: onNew, answer: loggedIn}
	if user.presence == online {
		done.farewell = 4200
	}
	s.end(name, &done)
	user.presence, user.channels, user.calls = online, make(map[string]bool), make(map[string]int)
	return done
}

// resume brings a session to a new connection, and what it missed. The channel is left; it may be empty.
func (s *state) resume(name, without string) outcome {
	user, done := s.user(name), outcome{link: onNew, answer: resumed}
	if user.presence == online {
		done.farewell = 4203
	}
	user.presence = online
	if user.channels[without] {
		s.leave(name, without, &done)
	}
	for _, held := range user.held {
		done.owe(name, held.step, held.told(), false)
	}
	user.held = nil
	for _, channel := range slices.Sorted(maps.Keys(user.channels)) {
		s.replay(name, channel, &done)
		done.counted = append(done.counted, tally{channel, len(s.room(channel).members)})
	}
	return done
}

// end makes a user offline.
func (s *state) end(name string, done *outcome) {
	user := s.user(name)
	for _, channel := range slices.Sorted(maps.Keys(user.channels)) {
		s.leave(name, channel, done)
	}
	user.presence, user.channels, user.held = offline, nil, nil
}

func (s *state) join(name, channel string, again bool) outcome {
	user, room := s.user(name), s.room(channel)
	_, known := user.seen[channel]
	switch {
	case room.members[name]:
		return outcome{answer: refused(6)}
	case len(user.channels) >= s.limits.Channels:
		return outcome{answer: refused(5)}
	}
	user.channels[channel], room.members[name] = true, true
	room.counted()
	done := outcome{answer: fmt.Sprintf("%d members", len(room.members)), counted: []tally{{channel, len(room.members)}}}
	for _, other := range s.others(name, channel) {
		done.owe(other, s.now, memberLine(channel, name, "joins"), false)
	}
	if again && known {
		s.replay(name, channel, &done)
	} else {
		user.seen[channel] = len(room.log)
	}
	return done
}

func (s *state) leave(name, channel string, done *outcome) {
	room := s.room(channel)
	delete(s.user(name).channels, channel)
	delete(room.members, name)
	room.counted()
	if len(room.members) == 0 {
		room.era++
	}
	for _, other := range s.others(name, channel) {
		done.owe(other, s.now, memberLine(channel, name, "leaves"), false)
	}
}

func (s *state) tell(told message, to string) outcome {
	receiver := s.user(to)
	switch receiver.presence {
	case online:
		done := outcome{answer: received}
		done.owe(to, told.step, told.told(), false)
		return done
	case lost:
		receiver.held = append(receiver.held, told)
	}
	return outcome{answer: "not received"}
}

// replay owes a user what others sent to a channel behind the user's cursor, out of its last messages, as many as announced.
// What was sent before the channel ended and began again may be forgotten.
func (s *state) replay(name, channel string, done *outcome) {
	user, room := s.user(name), s.room(channel)
	var missed []message
	for i := max(user.seen[channel], len(room.log)-s.limits.ReplayMessages); i < len(room.log); i++ {
		if room.log[i].from != name {
			missed = append(missed, room.log[i])
			user.seen[channel] = i + 1
		}
	}
	for _, message := range missed {
		done.owe(name, message.step, message.in(channel), message.era != room.era || slices.Contains(message.doubt, name))
		if done.missed == 0 || message.step < done.missed {
			done.missed = message.step
		}
	}
}

// others returns the members of a channel that are online, without one.
func (s *state) others(name, channel string) []string {
	var others []string
	for _, member := range slices.Sorted(maps.Keys(s.room(channel).members)) {
		if member != name && s.user(member).presence == online {
			others = append(others, member)
		}
	}
	return others
}

// over returns the call limit that a step could exceed, or "". A call counts for as long as its session lasts, so that no
// answer depends on the time, and calls that were refused do not count.
func (s *state) over(step Step) string {
	for _, call := range step.calls() {
		limit, _, _ := strings.Cut(call, " ")
		if most, limited := s.limits.Calls[limit]; limited && s.user(step.User).calls[call] >= most {
			return limit
		}
	}
	return ""
}

// calls returns as what a step is counted.
func (s Step) calls() []string {
	switch s.Verb {
	case Joins, Rejoins:
		return []string{"join", "join_same " + s.Channel}
	case Sends, Tells:
		return []string{"send"}
	case Lists:
		return []string{"members"}
	case Counts:
		return []string{"count"}
	}
	return nil
}

func (r *room) counted() { r.counts = append(r.counts, len(r.members)) }

func (o *outcome) owe(user string, step int, line line, optional bool) {
	o.owed = append(o.owed, debt{line, user, step, optional})
}

// in is the line of a message to a channel.
func (m message) in(channel string) line { return channelLine(channel, m.from, m.text) }

// told is the line of a message to a peer.
func (m message) told() line { return peerLine(m.from, m.text) }

func channelLine(channel, from, text string) line {
	return line{channel + " from " + from, fmt.Sprintf("%s %q from %s", channel, text, from)}
}

func peerLine(from, text string) line {
	return line{"from " + from, fmt.Sprintf("%q from %s", text, from)}
}

func memberLine(channel, user, verb string) line {
	return line{channel + " " + user, user + " " + verb + " " + channel}
}

// The answers that runs look at.
const (
	loggedIn = "a new session"
	resumed  = "the session"
	received = "received"
)

func refused(code int) string { return fmt.Sprintf("error %d", code) }
