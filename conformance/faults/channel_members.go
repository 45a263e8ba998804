package faults

import "slices"

// channelMemberFaults are broken servers: lists and counts of members, and how they are told.
var channelMemberFaults = []Fault{
	{
		Name: "channel.list-without-caller", Text: "The member list leaves the caller out.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-023"},
		Plant: listing(func(_ *roster, l *Link, _ string, members []string) []string {
			return slices.DeleteFunc(members, func(uid string) bool { return uid == l.UID })
		}),
	},
	{
		Name: "channel.list-keeps-who-left", Text: "The member list holds users who have left.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-023"},
		Plant: listing(func(r *roster, _ *Link, channel string, members []string) []string {
			for _, gone := range r.gone(channel) {
				members = append(members, gone.UID)
			}
			return members
		}),
	},
	{
		Name: "channel.list-of-one-less", Text: "The member list is one too short.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-023"},
		Plant: listing(func(_ *roster, _ *Link, _ string, members []string) []string {
			return members[:len(members)-1]
		}),
	},
	{
		Name: "channel.stranger-lists", Text: "One who is no member gets the member list.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-024"},
		Plant:  accepting("channel.members", 5, map[string]any{"members": []string{}}, anyRequest),
	},
	{
		Name: "channel.list-above-limit", Text: "The member list of a large channel holds one more than announced.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-025"},
		Plant: listing(func(r *roster, _ *Link, channel string, members []string) []string {
			for _, member := range r.members(channel) {
				if int64(len(members)) == r.limit("members") && !slices.Contains(members, member.UID) {
					return append(members, member.UID)
				}
			}
			return members
		}),
	},
	{
		Name: "channel.list-repeats", Text: "The member list of a large channel names one member twice.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-025"},
		Plant: listing(func(r *roster, _ *Link, _ string, members []string) []string {
			if int64(len(members)) < r.limit("members") {
				return members
			}
			return append(members[:len(members)-1], members[0])
		}),
	},
	{
		Name: "channel.large-list-refused", Text: "The member list of a large channel fails.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-025"},
		Plant: refusing("channel.members", 1, "GET_MEMBERS_ERR_FAILURE", func(r *roster, _ *Link, asked, _ *Frame) bool {
			return int64(len(r.members(asked.Text("channel")))) > r.limit("members")
		}),
	},
	{
		Name: "channel.joins-told-above-limit", Text: "Joins go on being told above the announced number of members.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-026"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				if asked := l.Asked(f); asked != nil && f.Is("channel.join.ok") && f.Int("count") > r.limit("members") {
					l.Activate()
					tellOthers(r, l, "channel.member_joined", asked.Text("channel"))
				}
				return true
			}
		}),
	},
	{
		Name: "channel.leaves-told-above-limit", Text: "Leaves go on being told above the announced number of members.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-026"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				// The one who leaves counts too.
				asked := l.Asked(f)
				if asked != nil && f.Is("channel.leave.ok") && int64(len(r.members(asked.Text("channel")))) >= r.limit("members") {
					l.Activate()
					tellOthers(r, l, "channel.member_left", asked.Text("channel"))
				}
				return true
			}
		}),
	},
	{
		Name: "channel.joins-untold-at-limit", Text: "The join that brings a channel to the announced number of members is not told.",
		Subject: Server, Breaks: []string{"RTM-CHANNEL-026"},
		Plant: counting(func(r *roster, _ *Link, f *Frame, count int64) bool {
			return f.Is("channel.member_joined") && count == r.limit("members")
		}),
	},
	{
		Name: "channel.count-untold-on-join", Text: "The members are not told the count when somebody joins.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-027"},
		Plant: counting(func(_ *roster, _ *Link, f *Frame, count int64) bool {
			return f.Is("channel.member_count") && f.Int("count") > count
		}),
	},
	{
		Name: "channel.count-untold-on-leave", Text: "The members are not told the count when somebody leaves.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-027"},
		Plant: counting(func(_ *roster, _ *Link, f *Frame, count int64) bool {
			return f.Is("channel.member_count") && f.Int("count") < count
		}),
	},
	{
		Name: "channel.first-count-waits-for-the-next", Text: "The first change of the count is told together with the second.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-081"},
		Plant: counting(func(_ *roster, _ *Link, f *Frame, count int64) bool {
			return f.Is("channel.member_count") && count == 1 && f.Int("count") == 2
		}),
	},
	{
		Name: "channel.count-of-others", Text: "The count that members are told leaves out the member that is told.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-027", "RTM-CHANNEL-028"},
		Plant: fromServer(kind("channel.member_count"), func(_ *Link, f *Frame) bool {
			f.Set("count", f.Int("count")-1)
			return true
		}),
	},
	{
		Name: "channel.count-untold-to-self", Text: "The one who joins is not told the count.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-028"},
		Plant: following(func(*roster) func(*Link, *Frame) bool {
			fresh := make(map[place]bool)
			return func(l *Link, f *Frame) bool {
				asked := l.Asked(f)
				switch {
				case asked != nil && f.Is("channel.join.ok"):
					fresh[place{l, asked.Text("channel")}] = true
				case f.Is("channel.member_count") && fresh[place{l, f.Text("channel")}]:
					delete(fresh, place{l, f.Text("channel")})
					l.Activate()
					return false
				}
				return true
			}
		}),
	},
	{
		Name: "channel.count-told-each-time", Text: "Every change of the count is told at once, however many there are.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-029"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				asked := l.Asked(f)
				switch {
				case f.Is("channel.member_count"):
					return false
				case asked == nil || !f.Is("channel.join.ok", "channel.leave.ok"):
					return true
				}
				l.Activate()
				l.Send(ToClient, f.clone())
				channel := asked.Text("channel")
				for _, member := range r.members(channel) {
					member.Send(ToClient, compose("channel.member_count", map[string]any{"channel": channel, "count": len(r.members(channel))}))
				}
				return false
			}
		}),
	},
	{
		Name: "channel.count-for-members", Text: "A channel that the caller is not in counts 0.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-030"},
		Plant: counts(func(r *roster, l *Link, channels []string, counts []int64) {
			for i, channel := range channels {
				if !r.in[place{l, channel}] {
					counts[i] = 0
				}
			}
		}),
	},
	{
		Name: "channel.counts-in-other-order", Text: "Counts come in another order than asked.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-030"},
		Plant:  counts(func(_ *roster, _ *Link, _ []string, counts []int64) { slices.Reverse(counts) }),
	},
	{
		Name: "channel.count-without-empty", Text: "The count of a channel that nobody is in fails.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-033"},
		Plant: refusing("channel.count", 1, "GET_CHANNEL_MEMBER_COUNT_ERR_FAILURE", func(_ *roster, _ *Link, _, answer *Frame) bool {
			var counts []int64
			return answer.Get("counts", &counts) && slices.Contains(counts, 0)
		}),
	},
	{
		Name: "channel.empty-counts-1", Text: "A channel that nobody is in counts 1.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-033"},
		Plant: counts(func(_ *roster, _ *Link, _ []string, counts []int64) {
			for i := range counts {
				counts[i] = max(1, counts[i])
			}
		}),
	},
}

// listing plants a change of member lists.
func listing(change func(r *roster, l *Link, channel string, members []string) []string) Plant {
	return following(func(r *roster) func(*Link, *Frame) bool {
		return func(l *Link, f *Frame) bool {
			asked := l.Asked(f)
			var members []string
			if asked == nil || !f.Is("channel.members.ok") || !f.Get("members", &members) || len(members) == 0 {
				return true
			}
			if changed := change(r, l, asked.Text("channel"), slices.Clone(members)); !slices.Equal(changed, members) {
				l.Activate()
				f.Set("members", changed)
			}
			return true
		}
	})
}

// counts plants a change of the counts of channels.
func counts(change func(r *roster, l *Link, channels []string, counts []int64)) Plant {
	return following(func(r *roster) func(*Link, *Frame) bool {
		return func(l *Link, f *Frame) bool {
			asked := l.Asked(f)
			var channels []string
			var told []int64
			if asked == nil || !f.Is("channel.count.ok") || !asked.Get("channels", &channels) || !f.Get("counts", &told) {
				return true
			}
			if changed := slices.Clone(told); len(channels) == len(told) {
				change(r, l, channels, changed)
				if !slices.Equal(changed, told) {
					l.Activate()
					f.Set("counts", changed)
				}
			}
			return true
		}
	})
}

// counting plants the loss of member events and counts. The condition gets the number of members as the one who is told
// knows it: for a member event with that event, for a count without it.
func counting(lost func(r *roster, l *Link, f *Frame, count int64) bool) Plant {
	return following(func(r *roster) func(*Link, *Frame) bool {
		joined, told := make(map[place]int64), make(map[place]int64)
		return func(l *Link, f *Frame) bool {
			if asked := l.Asked(f); asked != nil && f.Is("channel.join.ok") {
				at := place{l, asked.Text("channel")}
				joined[at], told[at] = f.Int("count"), f.Int("count")
				return true
			}
			at, known := place{l, f.Text("channel")}, int64(0)
			switch {
			case f.Is("channel.member_joined"):
				joined[at]++
				known = joined[at]
			case f.Is("channel.member_left"):
				known = joined[at]
				joined[at]--
			case f.Is("channel.member_count"):
				known = told[at]
				told[at] = f.Int("count")
			default:
				return true
			}
			if !lost(r, l, f, known) {
				return true
			}
			l.Activate()
			return false
		}
	})
}

// tellOthers sends a member event about the user of a link to the other members of the channel.
func tellOthers(r *roster, l *Link, kind, channel string) {
	for _, member := range r.members(channel) {
		if member != l {
			member.Send(ToClient, memberEvent(kind, channel, l.UID))
		}
	}
}
