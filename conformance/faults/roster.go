package faults

import "encoding/json"

// place is a channel of one link.
type place struct {
	link    *Link
	channel string
}

// roster follows who is in which channel, by the answers that pass, and what the server announced.
type roster struct {
	proxy  *Proxy
	limits map[string]json.RawMessage
	// in are the places that are taken now, and was those that were given up by a leave.
	in, was map[place]bool
	// joins, leaves and failures count the answers to requests of a link, failures those to joins.
	joins, leaves, failures map[*Link]int64
	// seq is the highest number that was told of a channel.
	seq map[string]int64
}

// following plants a rewriting of the server's frames that knows who is in which channel. The outer function is called
// once for each proxy, so that state lives in what it returns. The rewriting counts its activations itself, and returns
// false to swallow the frame.
func following(plant func(r *roster) func(l *Link, f *Frame) bool) Plant {
	return func(p *Proxy) func(*Link) {
		r := &roster{
			proxy: p, limits: make(map[string]json.RawMessage), in: make(map[place]bool), was: make(map[place]bool),
			joins: make(map[*Link]int64), leaves: make(map[*Link]int64), failures: make(map[*Link]int64), seq: make(map[string]int64),
		}
		rewrite := plant(r)
		return func(l *Link) {
			l.OnServer = func(f *Frame) bool {
				if l.Own(f) {
					return false
				}
				r.learn(l, f)
				return rewrite(l, f)
			}
		}
	}
}

func (r *roster) learn(l *Link, f *Frame) {
	asked := l.Asked(f)
	switch {
	case f.Is("login.ok"):
		f.Get("limits", &r.limits)
	case f.Is("channel.message"):
		r.seq[f.Text("channel")] = max(r.seq[f.Text("channel")], f.Int("seq"))
	case asked == nil:
	case f.Is("channel.join.ok"):
		channel := asked.Text("channel")
		r.in[place{l, channel}] = true
		r.joins[l]++
		r.seq[channel] = max(r.seq[channel], f.Int("seq"))
	case f.Is("channel.leave.ok"):
		delete(r.in, place{l, asked.Text("channel")})
		r.was[place{l, asked.Text("channel")}] = true
		r.leaves[l]++
	case f.Is("error") && asked.Is("channel.join"):
		r.failures[l]++
	}
}

// limit returns an announced number.
func (r *roster) limit(name string) (n int64) {
	_ = json.Unmarshal(r.limits[name], &n)
	return n
}

// call returns how many calls of a name pass in a window, 0 when the server announced no such limit.
func (r *roster) call(name string) int64 {
	var calls []struct {
		Call  string `json:"call"`
		Count int64  `json:"count"`
	}
	_ = json.Unmarshal(r.limits["calls"], &calls)
	for _, call := range calls {
		if call.Call == name {
			return call.Count
		}
	}
	return 0
}

// members returns the open links in a channel, the oldest first.
func (r *roster) members(channel string) []*Link {
	return r.links(func(l *Link) bool { return r.in[place{l, channel}] })
}

// gone returns the open links that have left a channel and not joined again.
func (r *roster) gone(channel string) []*Link {
	return r.links(func(l *Link) bool { return r.was[place{l, channel}] && !r.in[place{l, channel}] })
}

func (r *roster) links(pick func(*Link) bool) []*Link {
	var links []*Link
	for _, l := range r.proxy.Links() {
		if pick(l) {
			links = append(links, l)
		}
	}
	return links
}

// channels returns how many channels a link is in.
func (r *roster) channels(l *Link) (n int64) {
	for place := range r.in {
		if place.link == l {
			n++
		}
	}
	return n
}

// message returns the channel message that members get for a request to send, or for a message that they got before.
func (r *roster) message(from string, sent *Frame, ts int64) *Frame {
	message := compose("channel.message", map[string]any{
		"channel": sent.Text("channel"), "from": from, "seq": r.seq[sent.Text("channel")] + 1, "ts": ts,
	})
	for _, name := range []string{"text", "raw", "description"} {
		if sent.Has(name) {
			message.Set(name, sent.Text(name))
		}
	}
	return message
}

// memberEvent returns the notice that a user came or went.
func memberEvent(kind, channel, uid string) *Frame {
	return compose(kind, map[string]any{"channel": channel, "uid": uid})
}

// compose returns a frame of this kind without an id.
func compose(kind string, members map[string]any) *Frame {
	f := newFrame([]byte("{}"))
	f.Set("kind", kind)
	for name, value := range members {
		f.Set(name, value)
	}
	return f
}

// behind passes a frame of the server on and sends another one after it.
func behind(l *Link, f, next *Frame) bool {
	l.Send(ToClient, f.clone())
	l.Send(ToClient, next)
	return false
}

// anyRequest picks every request.
func anyRequest(*Frame) bool { return true }

// accepting plants a success in place of an error: for the requests that the condition holds for, where the server
// refused them with this code.
func accepting(op string, code int64, members map[string]any, which func(asked *Frame) bool) Plant {
	answer := instead(op+".ok", members)
	return following(func(*roster) func(*Link, *Frame) bool {
		return func(l *Link, f *Frame) bool {
			asked := l.Asked(f)
			if asked == nil || !refusal(op, code)(f) || !which(asked) {
				return true
			}
			l.Activate()
			return answer(l, f)
		}
	})
}

// refusing plants an error in place of a success, for the requests that the condition holds for.
func refusing(op string, code int64, name string, which func(r *roster, l *Link, asked, answer *Frame) bool) Plant {
	answer := refused(op, code, name)
	return following(func(r *roster) func(*Link, *Frame) bool {
		return func(l *Link, f *Frame) bool {
			asked := l.Asked(f)
			if asked == nil || !f.Is(op+".ok") || !which(r, l, asked, f) {
				return true
			}
			l.Activate()
			return answer(l, f)
		}
	})
}

// refused is the rewriting of an answer into an error.
func refused(op string, code int64, name string) func(*Link, *Frame) bool {
	return instead("error", map[string]any{"op": op, "code": code, "name": name, "message": "refused"})
}
