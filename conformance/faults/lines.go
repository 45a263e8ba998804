package faults

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// line is a command, reply or event between the suite and an adapter, decoded.
type line map[string]any

// text returns a member that is a string, or "".
func (l line) text(name string) string {
	text, _ := l[name].(string)
	return text
}

// number returns a member that is an integer, or 0.
func (l line) number(name string) int64 {
	number, _ := l[name].(json.Number)
	n, _ := number.Int64()
	return n
}

// with returns a copy with one member changed, or added.
func (l line) with(name string, value any) line {
	changed := maps.Clone(l)
	changed[name] = value
	return changed
}

// inside returns the object in a member, empty when there is none.
func (l line) inside(name string) line {
	object, _ := l[name].(map[string]any)
	return object
}

// code returns the code of a reply that is an error, and 0 for any other line.
func (l line) code() int64 { return l.inside("error").number("code") }

// succeeded tells whether a reply is a success.
func (l line) succeeded() bool { return l["ok"] != nil }

// ok returns the body of a reply that is a success.
func ok(members map[string]any) line {
	if members == nil {
		members = map[string]any{}
	}
	return line{"ok": members}
}

// failed returns the body of a reply that is an error of the API.
func failed(op string, code int, name string) line {
	return line{"error": map[string]any{"op": op, "code": code, "name": name}}
}

// talk is what passes between the suite and one adapter, with what a rewriter of lines needs to know of earlier ones.
type talk struct {
	// asked are the commands without a reply, as the suite wrote them.
	asked map[int64]line
	// own are the commands of the rewriter; what each returns for its reply is passed on to the suite instead.
	own map[int64]func(reply line) []line
	// users are the uids that clients have logged in with last, and states the last state that each was said to be in.
	users, states map[string]string
	// rooms are the createChannel commands, by the handle of the channel object.
	rooms map[string]line
	// listeners are the names of the listeners of each client and channel object.
	listeners map[string][]string
	// contents are the createMessage commands and message events, by client and handle.
	contents map[[2]string]line
	// seen and held belong to the fault.
	seen map[string]int
	held []line
}

// rewriting is the rewriting of one line. For a reply, asked is the command that it answers, else nil.
type rewriting func(t *talk, asked, l line) []line

// overheard makes a rewriting of all lines into one that is planted. What it changes counts as an activation.
func overheard(rewrite rewriting) func(*Counter) Lines {
	return func(counter *Counter) Lines {
		t := &talk{
			asked: make(map[int64]line), own: make(map[int64]func(line) []line), users: make(map[string]string), states: make(map[string]string),
			rooms: make(map[string]line), listeners: make(map[string][]string), contents: make(map[[2]string]line), seen: make(map[string]int),
		}
		return func(_ bool, raw []byte) [][]byte {
			l := readLine(raw)
			if l == nil {
				return [][]byte{raw}
			}
			asked := t.learn(l)
			if answer, own := t.own[l.number("seq")]; own {
				delete(t.own, l.number("seq"))
				return writeLines(answer(l))
			}
			before := writeLine(l)
			after := writeLines(rewrite(t, asked, l))
			if len(after) == 1 && bytes.Equal(before, after[0]) {
				return [][]byte{raw}
			}
			counter.Hit()
			return after
		}
	}
}

func readLine(raw []byte) (l line) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if decoder.Decode(&l) != nil {
		return nil
	}
	return l
}

func writeLines(lines []line) (texts [][]byte) {
	for _, l := range lines {
		texts = append(texts, writeLine(l))
	}
	return texts
}

func writeLine(l line) []byte {
	text, err := json.Marshal(l)
	if err != nil {
		panic("faults: a line: " + err.Error())
	}
	return text
}

// learn keeps what a line says and returns the command that it answers.
func (t *talk) learn(l line) (asked line) {
	switch l.text("cmd") {
	case "":
		if l["event"] == nil {
			asked = t.asked[l.number("seq")]
			delete(t.asked, l.number("seq"))
			return asked
		}
		if state := l.text("state"); state != "" {
			t.states[l.text("client")] = state
		}
		if l["message"] != nil {
			t.contents[[2]string{t.clientOf(l), l.text("message")}] = maps.Clone(l)
		}
		return nil
	case "login":
		t.users[l.text("client")] = l.text("uid")
	case "createChannel":
		t.rooms[l.text("channel")] = maps.Clone(l)
	case "listen":
		object := objectOf(l)
		t.listeners[object] = append(slices.Clone(t.listeners[object]), l.text("listener"))
	case "createMessage":
		t.contents[[2]string{l.text("client"), l.text("message")}] = maps.Clone(l)
	}
	t.asked[l.number("seq")] = maps.Clone(l)
	return nil
}

// objectOf returns the client or channel object that a line names.
func objectOf(l line) string {
	if channel := l.text("channel"); channel != "" {
		return channel
	}
	return l.text("client")
}

// clientOf returns the client that a line is about, be it through a channel object.
func (t *talk) clientOf(l line) string {
	if client := l.text("client"); client != "" {
		return client
	}
	return t.rooms[l.text("channel")].text("client")
}

// state returns the state of the client that a line is about.
func (t *talk) state(l line) string {
	if state := t.states[t.clientOf(l)]; state != "" {
		return state
	}
	return "DISCONNECTED"
}

// waits tells whether a command of this kind of the same client has no reply yet.
func (t *talk) waits(cmd string, l line) bool {
	for _, open := range t.asked {
		if open.text("cmd") == cmd && t.clientOf(open) == t.clientOf(l) {
			return true
		}
	}
	return false
}

// message returns the createMessage command or the event that a message to be sent comes from.
func (t *talk) message(send line) line {
	return t.contents[[2]string{t.clientOf(send), send.text("message")}]
}

// count returns how often it was called with these words, this call included.
func (t *talk) count(words string) int {
	t.seen[words]++
	return t.seen[words]
}

// command returns a command of the rewriter's own. Its reply is lost.
func (t *talk) command(cmd string, members line) line {
	return t.commandThen(cmd, members, func(line) []line { return nil })
}

// commandThen returns a command of the rewriter's own, in place of whose reply the suite gets others.
func (t *talk) commandThen(cmd string, members line, then func(reply line) []line) line {
	seq := int64(1)<<52 + int64(t.count("own commands"))
	t.own[seq] = then
	own := maps.Clone(members)
	own["seq"], own["cmd"] = seq, cmd
	return own
}

// events returns an event of the rewriter's own for each listener of a client or channel object.
func (t *talk) events(object, kind string, members line) []line {
	var events []line
	for _, listener := range t.listeners[object] {
		own := maps.Clone(members)
		own["event"], own["listener"] = kind, listener
		if t.rooms[object] != nil {
			own["channel"] = object
		} else {
			own["client"] = object
		}
		events = append(events, own)
	}
	return events
}

// only passes one line on.
func only(l line) []line { return []line{l} }

// onCommand plants a rewriting of the commands of one kind.
func onCommand(cmd string, rewrite func(t *talk, c line) []line) func(*Counter) Lines {
	return overheard(func(t *talk, _, l line) []line {
		if l.text("cmd") != cmd {
			return only(l)
		}
		return rewrite(t, l)
	})
}

// onReply plants a rewriting of the replies to commands of one kind.
func onReply(cmd string, rewrite func(t *talk, asked, reply line) []line) func(*Counter) Lines {
	return overheard(func(t *talk, asked, l line) []line {
		if asked.text("cmd") != cmd {
			return only(l)
		}
		return rewrite(t, asked, l)
	})
}

// onEvent plants a rewriting of the events of one kind.
func onEvent(kind string, rewrite func(t *talk, e line) []line) func(*Counter) Lines {
	return overheard(func(t *talk, _, l line) []line {
		if l.text("event") != kind {
			return only(l)
		}
		return rewrite(t, l)
	})
}

// answering plants another reply where a condition holds.
func answering(cmd string, when func(t *talk, asked, reply line) bool, body line) func(*Counter) Lines {
	return onReply(cmd, func(t *talk, asked, reply line) []line {
		if when(t, asked, reply) {
			return only(body.with("seq", reply["seq"]))
		}
		return only(reply)
	})
}

// withCode is the condition that a reply is an error with this code.
func withCode(code int64) func(*talk, line, line) bool {
	return func(_ *talk, _, reply line) bool { return reply.code() == code }
}

// well is the condition that a reply is a success.
func well(_ *talk, _, reply line) bool { return reply.succeeded() }

// pretending plants a reply to a command that the client never sees, where a condition holds. The client is asked for its
// state instead, which does nothing.
func pretending(cmd string, when func(t *talk, c line) bool, body line) func(*Counter) Lines {
	return overheard(func(t *talk, asked, l line) []line {
		switch {
		case l.text("cmd") == cmd && when(t, l):
			t.asked[l.number("seq")]["pretended"] = true
			return only(line{"seq": l["seq"], "cmd": "state", "client": t.clientOf(l)})
		case asked["pretended"] != nil:
			return only(body.with("seq", l["seq"]))
		}
		return only(l)
	})
}

// always is the condition of a command that always holds.
func always(*talk, line) bool { return true }

// changing plants a change of one member of the events of one kind.
func changing(event, member string, change func(value any) any) func(*Counter) Lines {
	return onEvent(event, func(_ *talk, e line) []line {
		if e[member] == nil {
			return only(e)
		}
		return only(e.with(member, change(e[member])))
	})
}

// to is the change into a fixed value.
func to(value any) func(any) any { return func(any) any { return value } }

// losing plants the loss of events that match.
func losing(event string, when func(t *talk, e line) bool) func(*Counter) Lines {
	return onEvent(event, func(t *talk, e line) []line {
		if when(t, e) {
			return nil
		}
		return only(e)
	})
}

// swapping plants a pair of messages that are handed over in the wrong order: the third and the fourth of each listener.
func swapping(event string) func(*Counter) Lines {
	return onEvent(event, func(t *talk, e line) []line {
		switch t.count(objectOf(e) + " " + e.text("listener")) {
		case 3:
			t.held = append(t.held, e)
			return nil
		case 4:
			for i, held := range t.held {
				if objectOf(held) == objectOf(e) && held["listener"] == e["listener"] {
					t.held = slices.Delete(t.held, i, i+1)
					return []line{e, held}
				}
			}
		}
		return only(e)
	})
}

// copying plants the sending of another message in place of one that is to be sent, where a condition holds: one with
// these contents.
func copying(cmd string, when func(t *talk, c line) bool, contents func(t *talk, c line) line) func(*Counter) Lines {
	return onCommand(cmd, func(t *talk, c line) []line {
		if !when(t, c) {
			return only(c)
		}
		return sendCopy(t, c, contents(t, c))
	})
}

// copyingAndRefusing plants the sending of a copy of each received message, although the call then is refused.
func copyingAndRefusing(cmd string, refusal line) func(*Counter) Lines {
	return overheard(func(t *talk, asked, l line) []line {
		switch {
		case l.text("cmd") == cmd && isReceived(t, l):
			return sendCopy(t, l, contentsOf(t, l))
		case asked.text("cmd") == cmd && isReceived(t, asked):
			return only(refusal.with("seq", l["seq"]))
		}
		return only(l)
	})
}

// sendCopy returns the commands that make a message with these contents and send it in place of another.
func sendCopy(t *talk, send, contents line) []line {
	create := t.command("createMessage", contents)
	create["client"], create["message"] = t.clientOf(send), "copy of "+send.text("message")
	return []line{create, send.with("message", create["message"])}
}

// contentsOf returns the contents of a message to be sent.
func contentsOf(t *talk, send line) line {
	contents := make(line)
	for _, member := range []string{"text", "raw", "description"} {
		if value := t.message(send)[member]; value != nil {
			contents[member] = value
		}
	}
	return contents
}
