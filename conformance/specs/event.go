package specs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/rtmkit/rtmkit/conformance/adapter"
)

// EventMatcher picks events.
type EventMatcher struct {
	what  string
	match func(adapter.Event) bool
}

// On matches events of one kind.
func On(kind string) EventMatcher {
	return EventMatcher{kind, func(e adapter.Event) bool { return e.Kind == kind }}
}

// OnState matches a change to this state for this reason; an empty reason stands for any.
func OnState(state, reason string) EventMatcher {
	return EventMatcher{strings.TrimSpace(adapter.StateChanged + " " + state + " " + reason), func(e adapter.Event) bool {
		return e.Kind == adapter.StateChanged && e.State == state && (reason == "" || e.Reason == reason)
	}}
}

// OnText matches a message with this text, from a peer or a channel.
func OnText(text string) EventMatcher {
	return EventMatcher{fmt.Sprintf("a message %q", text), func(e adapter.Event) bool {
		return e.Message != nil && e.Message.Text() == text
	}}
}

// OnMember matches a member event about a user.
func OnMember(kind, uid string) EventMatcher {
	return EventMatcher{kind + " " + uid, func(e adapter.Event) bool { return e.Kind == kind && e.UID == uid }}
}

// Heard returns the events of one kind, as their words.
func Heard(kind string, heard []adapter.Event) []string {
	words := []string{}
	for _, event := range heard {
		if event.Kind == kind {
			words = append(words, event.String())
		}
	}
	return words
}

// States returns the states and reasons of the state changes among events, such as "CONNECTED LOGIN_SUCCESS".
func States(heard []adapter.Event) []string {
	words := []string{}
	for _, event := range heard {
		if event.Kind == adapter.StateChanged {
			words = append(words, event.State+" "+event.Reason)
		}
	}
	return words
}

// events collects what listeners get.
type events struct {
	mu      sync.Mutex
	changed chan struct{}
	list    []adapter.Event
	taken   int
}

func (q *events) init() { q.changed = make(chan struct{}) }

func (q *events) put(event adapter.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, event)
	close(q.changed)
	q.changed = make(chan struct{})
}

func (q *events) all() []adapter.Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.list)
}

func (q *events) until(ctx context.Context, matcher EventMatcher) ([]adapter.Event, error) {
	for {
		q.mu.Lock()
		changed := q.changed
		if i := slices.IndexFunc(q.list[q.taken:], matcher.match); i >= 0 {
			found := slices.Clone(q.list[q.taken : q.taken+i+1])
			q.taken += i + 1
			q.mu.Unlock()
			return found, nil
		}
		came := slices.Clone(q.list[q.taken:])
		q.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			if len(came) == 0 {
				return nil, fmt.Errorf("%w; no other event came", context.Cause(ctx))
			}
			words := make([]string, len(came))
			for i, event := range came {
				words[i] = event.String()
			}
			return nil, fmt.Errorf("%w; the events were %s", context.Cause(ctx), strings.Join(words, ", "))
		}
	}
}
