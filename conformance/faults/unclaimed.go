package faults

import (
	"slices"
	"strings"
)

// little is what a subject claims that does as little as it may.
var little = []string{"core"}

// unclaimedFaults are subjects that do what they do not claim, by half or whole.
var unclaimedFaults = []Fault{
	{
		Name: "channel.unclaimed-and-there", Text: "Channels work although the server does not claim them.", Subject: Server,
		Claims: little, Breaks: []string{"RTM-CHANNEL-079"}, Plant: fromServer(kind("channel.join.ok"), keep),
	},
	{
		Name: "login.unclaimed-tokens-checked", Text: "A token is refused although the server does not claim tokens.", Subject: Server,
		Claims: little, Breaks: []string{"RTM-TOKEN-031"},
		Plant: fromClient(kind("login").and(func(f *Frame) bool { return f.Text("token") != "" }), func(l *Link, f *Frame) bool {
			l.ToClient(`{"kind":"error","id":%d,"op":"login","code":5,"name":"LOGIN_ERR_INVALID_TOKEN","message":"refused"}`, f.ID)
			return false
		}),
	},
	{
		Name: "transport.unclaimed-resume", Text: "A lost session is brought back although the server does not claim that.", Subject: Server,
		Claims: little, Breaks: []string{"RTM-TRANSPORT-076"},
		Plant: fromServer(kind("login.ok").and(func(f *Frame) bool { return f.Bool("resumed") }), keep),
	},
	{
		Name: "transport.unclaimed-call-limits", Text: "Call limits are announced although the server does not claim them.", Subject: Server,
		Claims: little, Breaks: []string{"RTM-TRANSPORT-077"},
		Plant: fromServer(kind("login.ok"), func(_ *Link, f *Frame) bool {
			limits := make(map[string]any)
			f.Get("limits", &limits)
			limits["calls"] = []any{map[string]any{"call": "count", "count": 1, "window_ms": 1000}}
			f.Set("limits", limits)
			return true
		}),
	},
	{
		Name: "channel.client-unclaimed-objects", Text: "Channel objects can be made although the client does not claim channels.", Subject: Client,
		Claims: little, Breaks: []string{"RTM-CHANNEL-080"}, Lines: claimingLittle("createChannel"),
	},
	{
		Name: "channel.client-unclaimed-counts", Text: "Members can be counted although the client does not claim channels.", Subject: Client,
		Claims: little, Breaks: []string{"RTM-CHANNEL-080"}, Lines: claimingLittle("memberCounts"),
	},
	{
		Name: "token.client-unclaimed-renewal", Text: "A token can be renewed although the client does not claim tokens.", Subject: Client,
		Claims: little, Breaks: []string{"RTM-TOKEN-032"}, Lines: claimingLittle("renewToken"),
	},
}

// keep is the rewriting that leaves a frame as it is: the subject has the defect by itself.
func keep(*Link, *Frame) bool { return true }

// littleServer refuses all that is not of the profile core, as the protocol says.
func littleServer(l *Link) {
	l.OnClient = func(f *Frame) bool {
		switch {
		case strings.HasPrefix(f.Kind, "channel."):
			l.Activate()
			l.ToClient(`{"kind":"error","id":%d,"op":"frame","code":1,"name":"FRAME_ERR_UNKNOWN_KIND","message":"no channels here"}`, f.ID)
			return false
		case f.Is("login") && f.Has("resume"):
			l.Activate()
			f.Delete("resume")
		}
		return true
	}
	l.OnServer = func(f *Frame) bool {
		limits := make(map[string]any)
		if f.Is("login.ok") && f.Get("limits", &limits) {
			limits["calls"] = []any{}
			f.Set("limits", limits)
		}
		return true
	}
}

// ofProfile are the commands of a profile that an adapter must refuse which does not claim it.
var ofProfile = map[string]string{
	"createChannel": "channels", "joinChannel": "channels", "leaveChannel": "channels", "sendChannel": "channels", "members": "channels",
	"memberCounts": "channels", "renewToken": "tokens",
}

// littleClient makes an adapter claim no more than core and keep to that.
var littleClient = claimingLittle()

// claimingLittle plants an adapter that claims no more than core, and offers these commands all the same.
func claimingLittle(offered ...string) func(*Counter) Lines {
	return overheard(func(_ *talk, asked, l line) []line {
		switch cmd := asked.text("cmd"); {
		case cmd == "hello" && l.succeeded():
			return only(l.with("ok", l.inside("ok").with("profiles", little)))
		case ofProfile[cmd] != "" && !slices.Contains(offered, cmd):
			return only(line{"seq": l["seq"], "unsupported": true})
		}
		return only(l)
	})
}
