package faults

import (
	"html"
	"strings"
	"time"
)

// now is the time as frames write it.
func now() int64 { return time.Now().UnixMilli() }

// channelMessageFaults are broken servers: the messages of channels.
var channelMessageFaults = []Fault{
	{
		Name: "channel.message-to-one", Text: "A message reaches only one of the other members.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-004"},
		Plant: following(func(*roster) func(*Link, *Frame) bool {
			type message struct {
				channel string
				seq     int64
			}
			first := make(map[message]*Link)
			return func(l *Link, f *Frame) bool {
				if !f.Is("channel.message") {
					return true
				}
				key := message{f.Text("channel"), f.Int("seq")}
				if first[key] == nil {
					first[key] = l
				}
				if first[key] == l {
					return true
				}
				l.Activate()
				return false
			}
		}),
	},
	{
		Name: "channel.ts-in-seconds", Text: "The time of a message is in seconds.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-004"},
		Plant: fromServer(kind("channel.message"), func(_ *Link, f *Frame) bool {
			f.Set("ts", f.Int("ts")/1000)
			return true
		}),
	},
	{
		Name: "channel.text-escaped", Text: "The text of a message arrives escaped for HTML.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-004"},
		Plant: fromServer(kind("channel.message").and(hasText), func(_ *Link, f *Frame) bool {
			f.Set("text", html.EscapeString(f.Text("text")))
			return true
		}),
	},
	{
		Name: "channel.text-in-ascii", Text: "Characters outside ASCII arrive as question marks.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-004"},
		Plant: fromServer(kind("channel.message").and(hasText), func(_ *Link, f *Frame) bool {
			f.Set("text", strings.Map(func(r rune) rune {
				if r > 0x7f {
					return '?'
				}
				return r
			}, f.Text("text")))
			return true
		}),
	},
	{
		Name: "channel.from-nobody", Text: "A message does not name its sender.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-004"},
		Plant:  fromServer(kind("channel.message"), remove("from")),
	},
	{
		Name: "channel.from-believed", Text: "The sender that a request claims is believed.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-042"},
		Plant: func(*Proxy) func(*Link) {
			claims := make(map[string]string)
			return func(l *Link) {
				l.OnClient = func(f *Frame) bool {
					if f.Is("channel.send") && f.Has("from") {
						claims[l.UID+"\n"+f.Text("text")] = f.Text("from")
					}
					return true
				}
				l.OnServer = func(f *Frame) bool {
					if claim, ok := claims[f.Text("from")+"\n"+f.Text("text")]; ok && f.Is("channel.message") {
						l.Activate()
						f.Set("from", claim)
					}
					return true
				}
			}
		},
	},
	{
		Name: "channel.echo", Text: "The sender gets its own message.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-005"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				asked := l.Asked(f)
				if asked == nil || !f.Is("channel.send.ok") {
					return true
				}
				l.Activate()
				return behind(l, f, r.message(l.UID, asked, now()))
			}
		}),
	},
	{
		Name: "channel.send-alone-refused", Text: "Sending fails when nobody else is in the channel.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-006"},
		Plant: refusing("channel.send", 1, "CHANNEL_MESSAGE_ERR_FAILURE", func(r *roster, _ *Link, asked, _ *Frame) bool {
			return len(r.members(asked.Text("channel"))) == 1
		}),
	},
	{
		Name: "channel.stranger-sends", Text: "One who is no member sends with success.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-007"},
		Plant:  accepting("channel.send", 5, nil, anyRequest),
	},
	{
		Name: "channel.membership-before-arguments", Text: "Who is no member is told so before an invalid message is.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-082"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				asked := l.Asked(f)
				if asked == nil || !refusal("channel.send", 4)(f) || r.in[place{l, asked.Text("channel")}] {
					return true
				}
				l.Activate()
				return failWith(5, "CHANNEL_MESSAGE_ERR_NOT_IN_CHANNEL")(l, f)
			}
		}),
	},
	{
		Name: "channel.both-payloads", Text: "A message with both text and bytes is accepted.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-036"},
		Plant:  accepting("channel.send", 4, nil, func(asked *Frame) bool { return asked.Has("text") && asked.Has("raw") }),
	},
	{
		Name: "channel.no-payload", Text: "A message with neither text nor bytes is accepted.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-036"},
		Plant:  accepting("channel.send", 4, nil, func(asked *Frame) bool { return !asked.Has("text") && !asked.Has("raw") }),
	},
	{
		Name: "channel.raw-for-urls", Text: "Bytes arrive in the Base64 alphabet for URLs.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-037"},
		Plant: fromServer(kind("channel.message").and(hasRaw), func(_ *Link, f *Frame) bool {
			f.Set("raw", strings.NewReplacer("+", "-", "/", "_").Replace(f.Text("raw")))
			return true
		}),
	},
	{
		Name: "channel.description-lost", Text: "The description of bytes is lost.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-037"},
		Plant:  fromServer(kind("channel.message").and(hasRaw), remove("description")),
	},
	{
		Name: "channel.disorder", Text: "Two messages of one sender that follow each other closely change places.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-038"},
		Plant: following(func(*roster) func(*Link, *Frame) bool {
			held := make(map[place]*Frame)
			return func(l *Link, f *Frame) bool {
				if !f.Is("channel.message") {
					return true
				}
				at := place{l, f.Text("channel")}
				if first := held[at]; first != nil {
					delete(held, at)
					l.Activate()
					// The numbers stay where they are: what is out of order are the messages, not the numbers.
					seq := first.Int("seq")
					first.Set("seq", f.Int("seq"))
					f.Set("seq", seq)
					return behind(l, f, first)
				}
				first := f.clone()
				held[at] = first
				l.After(50*time.Millisecond, func() {
					if held[at] == first {
						delete(held, at)
						l.Send(ToClient, first)
					}
				})
				return false
			}
		}),
	},
	{
		Name: "channel.seq-stands", Text: "All messages of a channel carry the same number.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-039"},
		Plant: following(func(*roster) func(*Link, *Frame) bool {
			first := make(map[string]int64)
			return func(l *Link, f *Frame) bool {
				if !f.Is("channel.message") {
					return true
				}
				if first[f.Text("channel")] == 0 {
					first[f.Text("channel")] = f.Int("seq")
				}
				l.Activate()
				f.Set("seq", first[f.Text("channel")])
				return true
			}
		}),
	},
	{
		Name: "channel.join-tells-too-high-seq", Text: "The position that a join tells lies above that of the next message.",
		Subject: Server, Breaks: []string{"RTM-CHANNEL-039"},
		Plant: fromServer(kind("channel.join.ok"), func(_ *Link, f *Frame) bool {
			f.Set("seq", f.Int("seq")+1<<40)
			return true
		}),
	},
	{
		Name: "channel.join-tells-no-seq", Text: "A join tells no position.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-039"},
		Plant:  fromServer(kind("channel.join.ok"), remove("seq")),
	},
	{
		Name: "channel.message-leaks", Text: "A message also reaches members of the sender's other channels.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-043"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				asked := l.Asked(f)
				if asked == nil || !f.Is("channel.send.ok") {
					return true
				}
				for other := range r.in {
					if other.link != l && r.in[place{l, other.channel}] && !r.in[place{other.link, asked.Text("channel")}] {
						l.Activate()
						other.link.Send(ToClient, r.message(l.UID, asked, now()))
					}
				}
				return true
			}
		}),
	},
	{
		Name: "channel.largest-message-refused", Text: "A text of exactly the announced size is refused.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-034"},
		Plant: refusing("channel.send", 4, "CHANNEL_MESSAGE_ERR_INVALID_MESSAGE", func(r *roster, _ *Link, asked, _ *Frame) bool {
			return int64(len(asked.Text("text"))) == r.limit("message_bytes")
		}),
	},
	{
		Name: "channel.largest-message-cut", Text: "A text of exactly the announced size loses its last character.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-034"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				if text := f.Text("text"); f.Is("channel.message") && int64(len(text)) == r.limit("message_bytes") {
					l.Activate()
					f.Set("text", text[:len(text)-1])
				}
				return true
			}
		}),
	},
	{
		Name: "channel.too-large-accepted", Text: "A text above the announced size is accepted.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-035"},
		Plant:  accepting("channel.send", 4, nil, func(asked *Frame) bool { return len(asked.Text("text")) > 0 && !asked.Has("raw") }),
	},
	{
		Name: "channel.too-large-too-often", Text: "A text above the announced size gets the code for too many calls.",
		Subject: Server, Breaks: []string{"RTM-CHANNEL-035"},
		Plant: fromServer(refusal("channel.send", 4), refused("channel.send", 3, "CHANNEL_MESSAGE_ERR_TOO_OFTEN")),
	},
}

func hasText(f *Frame) bool { return f.Has("text") }

func hasRaw(f *Frame) bool { return f.Has("raw") }
