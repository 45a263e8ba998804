package model

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

// hearing judges what the users get because of a group of steps.
type hearing struct {
	*run

	steps []Step
	last  int
	// owed is what each user gets.
	owed map[string][]debt
	// counts are the numbers of members of which users who join or resume are told one.
	counts map[place][]int
	// answers are the steps whose requests were answered as they should be.
	answers map[request]Step
}

// place is a user in a channel.
type place struct{ user, channel string }

// request is a request of a user by its id.
type request struct {
	user string
	id   int64
}

func newHearing(r *run, i int, steps []Step, outcomes []outcome) *hearing {
	h := &hearing{
		run: r, steps: steps, last: i + len(steps),
		owed: make(map[string][]debt), counts: make(map[place][]int), answers: make(map[request]Step),
	}
	for at, done := range outcomes {
		for _, debt := range done.owed {
			// What was to follow a join need not come any more when the leave is on its way already.
			debt.optional = debt.optional || h.leaves(debt.user, debt.path)
			h.owed[debt.user] = append(h.owed[debt.user], debt)
		}
		for _, told := range done.counted {
			if user := steps[at].User; r.state.user(user).channels[told.channel] {
				in := place{user, told.channel}
				h.counts[in] = append(h.counts[in], told.members)
			}
		}
	}
	return h
}

// judge waits for everything that is owed, then for the answer to a ping, and looks at all that came.
func (h *hearing) judge(ctx context.Context) error {
	users := h.connected()
	for _, a := range users {
		what, err := h.await(ctx, a)
		if err == nil {
			continue
		}
		h.missing = errors.Is(err, context.DeadlineExceeded)
		frames := a.conn.Inbox()[a.heard:]
		if err := h.compare(a, frames); err != nil {
			return err
		}
		return found(h.last, a.name+" gets "+what, reason(err))
	}
	pings := make([]int64, len(users))
	for i, a := range users {
		a.contact = time.Now()
		id, err := a.conn.Start("ping")
		if err != nil {
			return found(h.last, a.name+" stays connected", err.Error())
		}
		pings[i] = id
	}
	for i, a := range users {
		frames, err := h.drain(ctx, a, pings[i])
		if err != nil {
			return err
		}
		if err := h.compare(a, frames); err != nil {
			return err
		}
	}
	return nil
}

// connected returns the actors that have a connection, in the order of their names.
func (h *hearing) connected() []*actor {
	var users []*actor
	for _, name := range slices.Sorted(maps.Keys(h.actors)) {
		if a := h.actors[name]; a.conn != nil {
			users = append(users, a)
		}
	}
	return users
}

// await waits for what an actor is owed, and returns what did not come.
func (h *hearing) await(ctx context.Context, a *actor) (what string, err error) {
	ctx, cancel := h.within(ctx)
	defer cancel()
	for _, debt := range h.owed[a.name] {
		if debt.optional {
			continue
		}
		if _, err := a.conn.Await(ctx, probe.Matching(debt.text, func(o probe.Object) bool {
			got, ok := h.line(o)
			return ok && got == debt.line
		})); err != nil {
			return debt.text, err
		}
	}
	for in, counts := range h.counts {
		if in.user != a.name {
			continue
		}
		what := fmt.Sprintf("a member_count of %s, one of %v, behind the answer", in.channel, counts)
		if _, err := a.conn.Await(ctx, probe.Matching(what, func(o probe.Object) bool {
			told, ok := o.Int("count")
			return ok && o.Kind == "channel.member_count" && o.Value("channel") == h.id(in.channel) && slices.Contains(counts, int(told))
		})); err != nil {
			return what, err
		}
	}
	return "", nil
}

// drain takes everything up to the pong out of the inbox and returns what was not judged yet, in order.
func (h *hearing) drain(ctx context.Context, a *actor, ping int64) ([]probe.Object, error) {
	ctx, cancel := h.within(ctx)
	defer cancel()
	if _, err := a.conn.Until(ctx, probe.Kind("pong").With("id", ping)); err != nil {
		h.missing = errors.Is(err, context.DeadlineExceeded)
		return nil, found(h.last, a.name+" stays connected and gets the answer to a ping", reason(err))
	}
	frames := a.conn.Inbox()[a.heard:]
	end := slices.IndexFunc(frames, func(o probe.Object) bool { return o.Kind == "pong" && o.ID == ping })
	a.heard += end + 1
	return frames[:end], nil
}

// compare judges the frames that an actor got.
func (h *hearing) compare(a *actor, frames []probe.Object) error {
	got := make(map[string][]string)
	for _, frame := range frames {
		if err := h.frame(a, frame); err != nil {
			return err
		}
		if line, ok := h.line(frame); ok && frame.Value("from") != h.witness.uid {
			got[line.path] = append(got[line.path], line.text)
		}
	}
	owed := make(map[string][]debt)
	for _, debt := range h.owed[a.name] {
		owed[debt.path] = append(owed[debt.path], debt)
		if _, ok := got[debt.path]; !ok {
			got[debt.path] = nil
		}
	}
	for _, path := range slices.Sorted(maps.Keys(got)) {
		if !settles(owed[path], got[path], h.unordered(path)) {
			return found(h.last, a.name+" gets "+listed(texts(owed[path])), a.name+" gets "+listed(got[path]))
		}
	}
	if h.acts(a.name) {
		h.settle(a)
	}
	return nil
}

// acts tells whether a user does one of the steps.
func (h *hearing) acts(user string) bool {
	return slices.ContainsFunc(h.steps, func(step Step) bool { return step.User == user })
}

// unordered tells whether the lines of a path may come in any order: no clause says in which order the comings and goings
// are told that one user causes at once.
func (h *hearing) unordered(path string) bool {
	_, user, _ := strings.Cut(path, " ")
	return len(h.steps) > 1 && h.acts(user)
}

// settles tells whether what came is what was owed: all that is due, in order, and of the rest some.
func settles(owed []debt, got []string, unordered bool) bool {
	if unordered {
		slices.SortFunc(owed, func(a, b debt) int { return strings.Compare(a.text, b.text) })
		got = slices.Sorted(slices.Values(got))
	}
	// reach[j] tells whether the debts so far can be settled by exactly the first j lines.
	reach := make([]bool, len(got)+1)
	reach[0] = true
	for _, debt := range owed {
		next := make([]bool, len(got)+1)
		for j, reached := range reach {
			if reached && debt.optional {
				next[j] = true
			}
			if reached && j < len(got) && got[j] == debt.text {
				next[j+1] = true
			}
		}
		reach = next
	}
	return reach[len(got)]
}

func texts(owed []debt) []string {
	words := make([]string, len(owed))
	for i, debt := range owed {
		words[i] = debt.text
	}
	return words
}

func listed(words []string) string {
	if len(words) == 0 {
		return "nothing of the kind"
	}
	return strings.Join(words, ", then ")
}

// line is a frame in words. Answers, counts and kinds that the model does not know have none.
func (r *run) line(o probe.Object) (line, bool) {
	text := func(member string) string {
		value, _ := o.Text(member)
		return value
	}
	channel := r.name(text("channel"))
	switch o.Kind {
	case "channel.message":
		return channelLine(channel, r.name(text("from")), text("text")), true
	case "peer.message":
		return peerLine(r.name(text("from")), text("text")), true
	case "channel.member_joined":
		return memberLine(channel, r.name(text("uid")), "joins"), true
	case "channel.member_left":
		return memberLine(channel, r.name(text("uid")), "leaves"), true
	case "login.kicked":
		return line{"kicked", "login.kicked " + text("reason")}, true
	}
	return line{}, false
}

// frame judges one frame by what came before it.
func (h *hearing) frame(a *actor, o probe.Object) error {
	id, _ := o.Text("channel")
	channel, gets := h.name(id), a.name+" gets "+o.String()
	if o.ID != 0 {
		return h.answer(a, o)
	}
	if strings.HasPrefix(o.Kind, "channel.") && a.watch[channel] == nil && len(h.steps) == 1 {
		return found(h.last, a.name+" gets nothing of a channel before the answer to its join or after the one to its leave", gets)
	}
	seq, _ := o.Int("seq")
	switch o.Kind {
	case "peer.message":
		if seq != a.peerSeq+1 {
			return found(h.last, fmt.Sprintf("%s's next peer message has the seq %d", a.name, a.peerSeq+1), gets)
		}
		a.peerSeq = seq
	case "channel.message":
		if seq <= a.cursors[channel] {
			return found(h.last, fmt.Sprintf("%s's next message of %s has a seq above its cursor %d", a.name, channel, a.cursors[channel]), gets)
		}
		a.cursors[channel] = seq
		said, _ := h.line(o)
		place := fmt.Sprint(channel, " ", seq)
		if before, ok := h.said[place]; ok && before != said.text {
			return found(h.last, fmt.Sprintf("the seq %d of %s is %s for all members", seq, channel, before), gets)
		}
		h.said[place] = said.text
	case "channel.member_count":
		return h.count(a, channel, o)
	}
	return nil
}

// leaves tells whether a user leaves the channel of a path at once with something else.
func (h *hearing) leaves(user, path string) bool {
	channel, _, _ := strings.Cut(path, " ")
	return len(h.steps) > 1 && slices.ContainsFunc(h.steps, func(s Step) bool {
		return s.Verb == Leaves && s.User == user && s.Channel == channel
	})
}

// answer follows the answers of the acting user into and out of its channels.
func (h *hearing) answer(a *actor, o probe.Object) error {
	step, open := h.answers[request{a.name, o.ID}]
	if !open {
		return found(h.last, a.name+" gets one answer to each request", a.name+" gets "+o.String())
	}
	delete(h.answers, request{a.name, o.ID})
	switch o.Kind {
	case "channel.join.ok":
		a.enter(step, o, h.state.room(step.Channel))
	case "channel.leave.ok":
		delete(a.watch, step.Channel)
	}
	return nil
}

// enter begins the watch on a channel that was joined.
func (a *actor) enter(step Step, o probe.Object, room *room) {
	a.watch[step.Channel] = room.watch()
	if _, known := a.cursors[step.Channel]; !known || step.Verb == Joins {
		a.cursors[step.Channel], _ = o.Int("seq")
	}
}

// settle puts the watch right when answers overtook each other.
func (h *hearing) settle(a *actor) {
	channels := h.state.user(a.name).channels
	if len(h.steps) > 1 {
		for channel := range a.watch {
			a.watch[channel] = &count{told: -1}
		}
	}
	maps.DeleteFunc(a.watch, func(channel string, _ *count) bool { return !channels[channel] })
	for channel := range channels {
		if a.watch[channel] == nil {
			a.watch[channel] = h.state.room(channel).watch()
		}
	}
}

// watch is what one knows who has just joined or resumed: nothing yet, and the number that there is now may be told.
func (r *room) watch() *count { return &count{told: -1, from: len(r.counts) - 1} }

// count judges a number of members: one that the channel has had since the last one told, and no number twice.
func (h *hearing) count(a *actor, channel string, o probe.Object) error {
	told, _ := o.Int("count")
	watch, gets := a.watch[channel], a.name+" gets "+o.String()
	if watch == nil || len(h.steps) > 1 && (h.acts(a.name) || woven(h.steps)) {
		if watch != nil {
			watch.told = -1
		}
		return nil // what is told while users come and go at once is not followed
	}
	if int(told) == watch.told {
		return found(h.last, fmt.Sprintf("%s is not told again that %s has %d members", a.name, channel, told), gets)
	}
	since := h.state.room(channel).counts[watch.from:]
	at := slices.Index(since, int(told))
	if at < 0 {
		return found(h.last, fmt.Sprintf("%s is told a number of members that %s has had since, of %v", a.name, channel, since), gets)
	}
	watch.told, watch.from = int(told), watch.from+at
	return nil
}

// retire judges the end of a connection that the user has no more.
func (h *hearing) retire(ctx context.Context, n int, a *actor, conn *probe.Conn, heard, code int) error {
	ctx, cancel := h.within(ctx)
	defer cancel()
	got, _, err := conn.AwaitClose(ctx)
	if err != nil {
		h.missing = errors.Is(err, context.DeadlineExceeded)
		return found(n, fmt.Sprintf("the old connection of %s is closed with %d", a.name, code), reason(err))
	}
	if got != code {
		return found(n, fmt.Sprintf("the old connection of %s is closed with %d", a.name, code), fmt.Sprintf("it is closed with %d", got))
	}
	var last []string
	for _, frame := range conn.Inbox()[heard:] {
		switch line, ok := h.line(frame); {
		case ok:
			last = append(last, line.text)
		case frame.ID != 0 && h.answers[request{a.name, frame.ID}].Verb == LogsOut:
			last = nil // what came before the answer was on its way
			delete(h.answers, request{a.name, frame.ID})
		case code == 1000 || len(last) > 0:
			last = append(last, frame.String())
		}
	}
	var owed []string
	if code == 4200 {
		owed = []string{"login.kicked REMOTE_LOGIN"}
	}
	if !slices.Equal(last, owed) {
		return found(n, fmt.Sprintf("the old connection of %s gets %s before its end", a.name, listed(owed)), "it gets "+listed(last))
	}
	return nil
}
