package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// wovenSteps bounds the steps of different users that happen at once: four are in at most 24 orders.
const wovenSteps = 4

// together does the steps that happen at once, the first of which has number n. The requests of one user take effect in
// their order, those of different users in any: what happens in some of the orders only may happen and need not. It reports
// false, and does nothing, when the orders leave different states behind or when there are too many.
func (s *state) together(n int, steps []Step) ([]outcome, bool) {
	orders := interleavings(steps)
	if len(orders) == 0 {
		return nil, false
	}
	var after []*state
	var outcomes [][]outcome
	for _, order := range orders {
		next, done := s.clone(), make([]outcome, len(steps))
		for _, i := range order {
			done[i] = next.apply(n+i, steps[i])
		}
		next.straighten()
		if after = append(after, next); next.fingerprint() != after[0].fingerprint() {
			return nil, false
		}
		outcomes = append(outcomes, done)
	}
	if len(orders) == 1 {
		*s = *after[0]
		return outcomes[0], true
	}
	for name, room := range after[0].rooms {
		var union []int
		for _, next := range after {
			for _, count := range next.rooms[name].counts[len(s.room(name).counts):] {
				if !slices.Contains(union, count) {
					union = append(union, count)
				}
			}
		}
		if len(union) > 0 {
			room.counts = slices.Concat(s.room(name).counts, union, []int{len(room.members)})
		}
	}
	doubt(after)
	*s = *after[0]
	return merge(outcomes), true
}

// doubt notes in the first of the states which messages a user may have seen or not, by the order: what was sent to a channel
// while the user left it.
func doubt(after []*state) {
	for name, user := range after[0].users {
		for channel := range user.seen {
			low, high := user.seen[channel], user.seen[channel]
			for _, next := range after {
				low, high = min(low, next.users[name].seen[channel]), max(high, next.users[name].seen[channel])
			}
			user.seen[channel] = low
			log := after[0].rooms[channel].log
			for i := low; i < high; i++ {
				log[i].doubt = append(slices.Clone(log[i].doubt), name)
			}
		}
	}
}

// merge turns what steps do in each order into what they may do.
func merge(orders [][]outcome) []outcome {
	merged := slices.Clone(orders[0])
	var debts []debt
	seen := make(map[debt]int)
	for _, order := range orders {
		for i, done := range order {
			if !slices.Contains(merged[i].answers(), done.answer) {
				merged[i].others = append(merged[i].others, done.answer)
			}
			if done.missed > 0 && (merged[i].missed == 0 || done.missed < merged[i].missed) {
				merged[i].missed = done.missed
			}
			for _, told := range done.counted {
				if !slices.Contains(merged[i].counted, told) {
					merged[i].counted = append(slices.Clone(merged[i].counted), told)
				}
			}
			for _, debt := range done.owed {
				if seen[debt] == 0 {
					debts = append(debts, debt)
				}
				seen[debt]++
			}
		}
	}
	for i := range merged {
		merged[i].owed = nil
	}
	slices.SortStableFunc(debts, func(a, b debt) int { return a.step - b.step })
	for _, debt := range debts {
		debt.optional = debt.optional || seen[debt] < len(orders)
		merged[0].owed = append(merged[0].owed, debt)
	}
	return merged
}

// interleavings returns the orders in which steps may take effect, as indexes; none when there are too many.
func interleavings(steps []Step) [][]int {
	queues := make(map[string][]int)
	for i, step := range steps {
		queues[step.User] = append(queues[step.User], i)
	}
	if len(queues) > 1 && len(steps) > wovenSteps {
		return nil
	}
	var orders [][]int
	var weave func(order []int)
	weave = func(order []int) {
		if len(order) == len(steps) {
			orders = append(orders, order)
			return
		}
		for _, user := range slices.Sorted(maps.Keys(queues)) {
			queue := queues[user]
			if len(queue) == 0 {
				continue
			}
			queues[user] = queue[1:]
			weave(append(slices.Clone(order), queue[0]))
			queues[user] = queue
		}
	}
	weave(nil)
	return orders
}

// woven tells whether steps of different users happen at once.
func woven(steps []Step) bool {
	return slices.ContainsFunc(steps, func(step Step) bool { return step.User != steps[0].User })
}

func (s *state) clone() *state {
	clone := newState(s.limits)
	for name, user := range s.users {
		copied := *user
		copied.channels, copied.calls, copied.seen = maps.Clone(user.channels), maps.Clone(user.calls), maps.Clone(user.seen)
		copied.held = slices.Clone(user.held)
		clone.users[name] = &copied
	}
	for name, room := range s.rooms {
		copied := *room
		copied.members, copied.log, copied.counts = maps.Clone(room.members), slices.Clone(room.log), slices.Clone(room.counts)
		clone.rooms[name] = &copied
	}
	return clone
}

// straighten puts messages in the order of their steps. Those of different senders that were sent at once have none of their
// own, and nothing else may depend on it.
func (s *state) straighten() {
	byStep := func(a, b message) int { return a.step - b.step }
	for _, user := range s.users {
		slices.SortStableFunc(user.held, byStep)
	}
	for _, room := range s.rooms {
		slices.SortStableFunc(room.log, byStep)
	}
}

// fingerprint is the same for states that are the same, whatever counts they came by.
func (s *state) fingerprint() string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.users)) {
		user := s.users[name]
		fmt.Fprintln(&text, name, user.presence, user.channels, user.held, user.calls, slices.Sorted(maps.Keys(user.seen)))
	}
	for _, name := range slices.Sorted(maps.Keys(s.rooms)) {
		room := s.rooms[name]
		fmt.Fprintln(&text, name, room.members, room.log, room.era)
	}
	return text.String()
}
