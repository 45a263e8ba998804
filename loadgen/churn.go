package loadgen

import (
	"fmt"
	"strconv"
	"strings"
)

// The operations of traffic that send nothing: sessions come and go. Each has a schedule of its own, open loop as
// messages are; an operation whose turn comes while its session is still busy with the one before waits, and its latency
// begins when it was due.
//
// Whoever comes and goes only receives: the sessions of these entries, and the places in a channel that a join entry
// names, send no messages.
const (
	// OpJoin lets members leave their channel and join it again: each event takes the next place of the group, a member
	// leaves and who has left joins. The metrics are join and leave.
	OpJoin Op = "join"
	// OpLogin logs in and, once that is confirmed, out again, session by session. Its sessions are a reserve: they are
	// not connected otherwise. The metrics are login and logout.
	OpLogin Op = "login"
	// OpReconnect breaks a session's connection off, logs in anew under the same uid and joins the session's channels
	// again, one after the other. The metric reconnect ends with the last join.
	OpReconnect Op = "reconnect"
	// OpPause lets a session stop reading for a while. Its sessions are slow readers for the whole run: what reaches them
	// is in the ledger and in no latency.
	OpPause Op = "pause"
)

const opNames = "peer, channel, join, login, reconnect or pause"

// churns reports whether the operation lets sessions come and go, instead of sending messages.
func (o Op) churns() bool {
	return o == OpJoin || o == OpLogin || o == OpReconnect || o == OpPause
}

// sessionRange is a range of sessions, both ends included.
type sessionRange struct{ first, last int }

func (r sessionRange) has(session int) bool { return r.first <= session && session <= r.last }

// parseSessions reads a range of sessions such as "80-99" or "7".
func parseSessions(text string) (sessionRange, error) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	a, errA := strconv.ParseUint(first, 10, 31)
	b, errB := strconv.ParseUint(last, 10, 31)
	if errA != nil || errB != nil || a > b {
		return sessionRange{}, fmt.Errorf("%q is no range of sessions; write it like 80-99", text)
	}
	return sessionRange{int(a), int(b)}, nil
}

// sessionsOf returns the sessions of a checked churn entry.
func (w *Workload) sessionsOf(t *Traffic) sessionRange {
	if t.Sessions == "" {
		return sessionRange{0, w.Sessions.Count - 1}
	}
	r, _ := parseSessions(t.Sessions)
	return r
}

// checkChurn checks the entries that let sessions come and go, and that enough of the others stay.
func (w Workload) checkChurn() *problem {
	for i := range w.Traffic {
		t := &w.Traffic[i]
		path := fmt.Sprintf("traffic[%d]", i)
		if !t.Op.churns() {
			if t.Sessions != "" {
				return bad(path+".sessions", "%s messages come from all sessions that stay; remove the key", t.Op)
			}
			if t.Hold != 0 {
				return bad(path+".hold", "only the op pause holds; remove the key")
			}
			continue
		}
		if p := w.checkChurnEntry(path, t); p != nil {
			return p
		}
		for j := range i {
			if p := w.checkApart(path, t, j); p != nil {
				return p
			}
		}
	}
	return w.checkWhoStays()
}

func (w *Workload) checkChurnEntry(path string, t *Traffic) *problem {
	switch {
	case t.Payload != (Payload{}):
		return bad(path+".payload", "the op %s sends no messages; remove the key", t.Op)
	case t.Executor == Closed:
		return bad(path+".executor", "the op %s has a schedule that no answer can change; use open or replay", t.Op)
	case float64(t.Rate)*w.Phases.Warmup.Seconds()+float64(t.average(w.Phases.Measure))*w.Phases.Measure.Seconds() > maxMessages:
		return bad(path+".rate", "it makes more than %d operations; lower it or shorten the phases", maxMessages)
	case t.Op == OpPause && (t.Hold <= 0 || t.Hold > maxPhase):
		return bad(path+".hold", "%v; say how long a session stops reading, more than 0 and at most %v", t.Hold, maxPhase)
	case t.Op != OpPause && t.Hold != 0:
		return bad(path+".hold", "only the op pause holds; remove the key")
	case t.Op != OpJoin && t.Channel != "":
		return bad(path+".channel", "the op %s goes by sessions; remove the key", t.Op)
	case t.Op != OpJoin && t.Sessions == "":
		return bad(path+".sessions", "the op %s needs the range of sessions that it takes, such as 80-99", t.Op)
	}
	if t.Sessions != "" {
		r, err := parseSessions(t.Sessions)
		if err != nil {
			return bad(path+".sessions", "%v", err)
		}
		if r.last >= w.Sessions.Count {
			return bad(path+".sessions", "%s reaches beyond the last session, which is %d; raise sessions.count or lower the range", t.Sessions, w.Sessions.Count-1)
		}
	}
	switch t.Op {
	case OpJoin:
		if w.group(t.Channel) == nil {
			return bad(path+".channel", "%q is the name of no channel group; use one of: %s", t.Channel, strings.Join(w.groupNames(), ", "))
		}
		if len(w.placesOf(t)) == 0 {
			return bad(path+".sessions", "no session of %s is in a channel of %q; choose a range of its members", t.Sessions, t.Channel)
		}
	case OpLogin:
		r := w.sessionsOf(t)
		if r == (sessionRange{0, w.Sessions.Count - 1}) {
			return bad(path+".sessions", "it takes every session; leave at least one out, because the run begins with one that stays")
		}
		for i := range w.Channels {
			for place := range w.Channels[i].places(w.Sessions.Count) {
				if r.has(int(place.session)) {
					return bad(path+".sessions", "session %d is in a channel of channels[%d], and sessions of the op login are in none; raise sessions.count and choose a range behind the members", place.session, i)
				}
			}
		}
	}
	return nil
}

// checkApart checks that the entry shares no session with an earlier one. Two join entries may, in different groups.
func (w *Workload) checkApart(path string, t *Traffic, j int) *problem {
	other := &w.Traffic[j]
	if !other.Op.churns() || t.Op == OpJoin && other.Op == OpJoin && t.Channel != other.Channel {
		return nil
	}
	taken := map[int32]bool{}
	for _, p := range w.placesOf(other) {
		taken[p.session] = true
	}
	for _, p := range w.placesOf(t) {
		if taken[p.session] {
			return bad(path+".sessions", "session %d belongs to traffic[%d] already; choose ranges that do not overlap", p.session, j)
		}
	}
	return nil
}

// checkWhoStays checks that every message has a sender.
func (w *Workload) checkWhoStays() *problem {
	var stays, reached int
	roles := w.roles()
	for _, role := range roles {
		if role == roleSteady {
			stays++
		}
		if role.hasPeers() {
			reached++
		}
	}
	if stays == 0 {
		return bad("traffic", "every session comes and goes; raise sessions.count so that at least one stays")
	}
	for i, t := range w.Traffic {
		path := fmt.Sprintf("traffic[%d]", i)
		switch t.Op {
		case OpPeer:
			if reached < 2 {
				return bad(path+".op", "peer messages need two sessions besides those of the ops login and pause; raise sessions.count")
			}
		case OpChannel:
			senders := map[int32]int{}
			for place := range w.group(t.Channel).places(w.Sessions.Count) {
				if roles[place.session] == roleSteady && !w.comesAndGoes(t.Channel, int(place.session)) {
					senders[place.channel]++
				}
			}
			for k := range w.group(t.Channel).Count {
				if senders[int32(k)] == 0 {
					return bad(path+".channel", "channel %d of the group has no member that stays, so nobody to send; narrow the sessions of the entries that come and go", k)
				}
			}
		}
	}
	return nil
}

func (w *Workload) group(name string) *Channels {
	for i := range w.Channels {
		if w.Channels[i].Name == name {
			return &w.Channels[i]
		}
	}
	return nil
}

// comesAndGoes reports whether a join entry names the session's places in the group.
func (w *Workload) comesAndGoes(group string, session int) bool {
	for i := range w.Traffic {
		if t := &w.Traffic[i]; t.Op == OpJoin && t.Channel == group && w.sessionsOf(t).has(session) {
			return true
		}
	}
	return false
}

// role is what the entries of a workload make of a session.
type role uint8

const (
	roleSteady  role = iota // logged in from the first phase to the last
	roleReserve             // op login
	roleCut                 // op reconnect
	roleSlow                // op pause
)

// hasPeers reports whether peer messages go to sessions of the role.
func (r role) hasPeers() bool { return r == roleSteady || r == roleCut }

// roles returns the role of every session.
func (w *Workload) roles() []role {
	roles := make([]role, w.Sessions.Count)
	for i := range w.Traffic {
		t := &w.Traffic[i]
		given, has := map[Op]role{OpLogin: roleReserve, OpReconnect: roleCut, OpPause: roleSlow}[t.Op]
		if !has {
			continue
		}
		for r, s := w.sessionsOf(t), 0; s < len(roles); s++ {
			if r.has(s) {
				roles[s] = given
			}
		}
	}
	return roles
}

// place is where something happens to a session: in a channel of a group, or, with -1, to the session as a whole.
type place struct{ session, channel int32 }

// places yields the members of the channels of a group, numbered within the group: channels take turns, and within a
// channel its members do.
func (c *Channels) places(sessions int) func(yield func(place) bool) {
	return func(yield func(place) bool) {
		for m := range c.Members {
			for k := range c.Count {
				if !yield(place{int32((k*c.Members + m) % sessions), int32(k)}) {
					return
				}
			}
		}
	}
}

// placesOf returns the places that the events of a churn entry take in turn.
func (w *Workload) placesOf(t *Traffic) []place {
	var places []place
	r := w.sessionsOf(t)
	if t.Op != OpJoin {
		for s := r.first; s <= r.last; s++ {
			places = append(places, place{int32(s), -1})
		}
		return places
	}
	if c := w.group(t.Channel); c != nil {
		for p := range c.places(w.Sessions.Count) {
			if r.has(int(p.session)) {
				places = append(places, p)
			}
		}
	}
	return places
}
