package adapter

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// hear takes one line of the adapter. The error says what is wrong with it, as the deed of a [BrokenError].
func (l *life) hear(line []byte) error {
	l.mu.Lock()
	l.unasked++
	flood := l.unasked > floodLines
	l.mu.Unlock()
	if flood {
		return fmt.Errorf("wrote more than %d lines after its last command", floodLines)
	}
	members, err := object(line)
	if err != nil {
		return wrote(err)
	}
	switch {
	case members["event"] != nil:
		return l.hearEvent(line, members)
	case members["seq"] != nil:
		return l.hearReply(line, members)
	}
	return errors.New(`wrote an object that is neither a reply, with the member "seq", nor an event, with the member "event"`)
}

func wrote(err error) error { return fmt.Errorf("wrote %w", err) }

// hearReply takes a reply.
func (l *life) hearReply(line []byte, members map[string]jsontext.Value) error {
	if err := (shape{may: []string{"ok", "error", "unsupported"}}).check(members, "seq"); err != nil {
		return wrote(err)
	}
	if failed := members["error"]; failed != nil {
		inside, err := object(failed)
		if err == nil {
			err = shape{need: []string{"op", "code", "name"}, may: []string{"native", "indefinite"}}.check(inside)
		}
		if err != nil {
			return fmt.Errorf("wrote a reply whose error is %w", err)
		}
	}
	var said reply
	if err := decode(line, &said); err != nil {
		return wrote(err)
	}
	question, err := l.asked(said.Seq)
	if err != nil {
		return err
	}
	answered := fmt.Sprintf("answered seq %d (%s)", said.Seq, question.cmd)
	switch {
	case len(members) == 1:
		return errors.New(answered + " with none of ok, error and unsupported")
	case len(members) > 2:
		return errors.New(answered + " with more than one of ok, error and unsupported")
	case members["unsupported"] != nil && !said.Unsupported:
		return errors.New(answered + " with an unsupported that is not true")
	case said.Unsupported:
		question.settle(fmt.Errorf("%s: %w", question.cmd, ErrUnsupported))
	case said.Error != nil:
		question.settle(&Error{
			Op: said.Error.Op, Code: said.Error.Code, Name: said.Error.Name,
			Native: l.program.secrets.redact(said.Error.Native), Indefinite: said.Error.Indefinite,
		})
	default:
		if err := l.fill(question, said.OK); err != nil {
			return fmt.Errorf("%s with an ok that is %w", answered, err)
		}
		question.settle(nil)
	}
	return nil
}

// asked returns the command with this number and strikes it off.
func (l *life) asked(seq int64) (*asked, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	question, open := l.waiting[seq]
	switch {
	case open:
		delete(l.waiting, seq)
		return question, nil
	case seq >= 1 && seq <= l.seq:
		return nil, fmt.Errorf("answered seq %d twice", seq)
	}
	return nil, fmt.Errorf("answered seq %d, which no command had", seq)
}

// fill gives the caller the ok, unless he has gone.
func (l *life) fill(question *asked, ok jsontext.Value) error {
	members, err := object(ok)
	if err != nil {
		return err
	}
	if known, exists := commands[question.cmd]; exists {
		if err := known.ok.check(members); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if question.gone || question.into == nil {
		return nil
	}
	if err := decode(ok, question.into); err != nil {
		return err
	}
	if said, ok := question.into.(*hello); ok {
		return said.check()
	}
	return nil
}

// hearEvent takes an event and calls the listener that it names.
func (l *life) hearEvent(line []byte, members map[string]jsontext.Value) error {
	var named struct {
		Event jsontext.Value `json:"event"`
	}
	named.Event = members["event"]
	var kind string
	if err := decode(named.Event, &kind); err != nil {
		return errors.New(`wrote an object whose member "event" is not a text`)
	}
	known, exists := eventShapes[kind]
	if !exists {
		return fmt.Errorf("wrote the event %q, which this protocol does not know", kind)
	}
	if err := known.check(members, "event"); err != nil {
		return wrote(err)
	}
	var said notice
	if err := decode(line, &said); err != nil {
		return wrote(err)
	}
	l.mu.Lock()
	listeners, client, id, err := l.listeners(&said)
	if err != nil || client.closed {
		l.mu.Unlock()
		return err
	}
	deliver := listeners[said.Listener]
	l.mu.Unlock()
	if deliver == nil {
		return fmt.Errorf("wrote an event for the listener %q, which was not registered there", said.Listener)
	}
	event := Event{Kind: kind, Listener: said.Listener, Channel: id}
	if said.Message != nil {
		if event.Message, err = received(client, &said); err != nil {
			return err
		}
	}
	for _, member := range []struct {
		from *string
		to   *string
	}{{said.State, &event.State}, {said.Reason, &event.Reason}, {said.UID, &event.UID}, {said.From, &event.From}} {
		if member.from != nil {
			*member.to = *member.from
		}
	}
	if said.Count != nil {
		event.Count = *said.Count
	}
	deliver(event)
	return nil
}

// listeners returns the listeners of the object that an event names, its client, and the id of a channel. The lock is
// held.
func (l *life) listeners(said *notice) (map[string]func(Event), *remoteClient, string, error) {
	if said.Channel == "" {
		client, known := l.clients[said.Client]
		if !known {
			return nil, nil, "", fmt.Errorf("wrote an event of the client %q, which does not exist", said.Client)
		}
		return client.listeners, client, "", nil
	}
	room, known := l.rooms[said.Channel]
	if !known {
		return nil, nil, "", fmt.Errorf("wrote an event of the channel object %q, which does not exist", said.Channel)
	}
	return room.listeners, room.client, room.id, nil
}

// received returns the message of an event.
func received(client *remoteClient, said *notice) (Message, error) {
	if !strings.HasPrefix(*said.Message, "r") {
		return nil, fmt.Errorf("wrote the handle %q for a received message; such handles begin with r", *said.Message)
	}
	text, raw, description, err := said.content.read()
	if err != nil {
		return nil, fmt.Errorf("wrote an event of which %w", err)
	}
	message := &remoteMessage{client: client, handle: *said.Message, text: text, raw: raw, description: description}
	if said.Received != nil && *said.Received != 0 {
		message.at = time.UnixMilli(*said.Received)
	}
	return message, nil
}
