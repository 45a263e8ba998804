package faults

import (
	"slices"
	"strings"
	"unicode"
)

// loginIDFaults are broken servers: the rules for a uid and an app id at the login.
var loginIDFaults = slices.Concat(strayCharacters("login", "uid", "login.uid", "RTM-LOGIN-008", marks), []Fault{
	refusedUID("login.uid-of-64-bytes", "A uid of 64 bytes is refused.", "RTM-LOGIN-002",
		func(uid string) bool { return len(uid) == 64 }),
	acceptedID("login", "uid", "login.uid-of-65-bytes", "A uid of 65 bytes is cut to 64 and accepted.", "RTM-LOGIN-003", tooLong, first64),
	acceptedID("login", "uid", "login.empty-uid", "A user without a name gets one.", "RTM-LOGIN-004", empty, renamed),
	acceptedID("login", "uid", "login.null-uid", "The uid null is accepted.", "RTM-LOGIN-005", null, renamed),
	refusedUID("login.null-in-any-case", "The word null is refused in every case.", "RTM-LOGIN-006",
		func(uid string) bool { return strings.EqualFold(uid, "null") && !null(uid) }),
	refusedUID("login.null-behind-spaces", "The word null is refused with spaces around it too.", "RTM-LOGIN-006",
		func(uid string) bool { return null(strings.TrimSpace(uid)) && !null(uid) }),
	refusedUID("login.undefined-uid", "The word undefined is refused.", "RTM-LOGIN-006",
		func(uid string) bool { return uid == "undefined" }),
	refusedUID("login.uid-with-comma", "A comma is missing in the alphabet of ids.", "RTM-LOGIN-007",
		func(uid string) bool { return strings.Contains(uid, ",") }),
	refusedUID("login.uid-with-upper-z", "The last letter is missing in the alphabet of ids.", "RTM-LOGIN-007",
		func(uid string) bool { return strings.Contains(uid, "Z") }),
	refusedUID("login.uid-of-dots", "The uids . and .. are taken for folders and refused.", "RTM-LOGIN-015",
		func(uid string) bool { return uid == "." || uid == ".." }),
	refusedUID("login.uid-of-a-hash", "The uid # is taken for the end of a path and refused.", "RTM-LOGIN-015",
		func(uid string) bool { return uid == "#" }),
	spacedUID("login.uid-loses-its-first-spaces", "Leading spaces of a uid are cut off.", func(uid string) string {
		if cut := strings.TrimLeft(uid, " "); !null(cut) {
			return cut
		}
		return uid
	}),
	spacedUID("login.uid-loses-its-last-spaces", "Trailing spaces of a uid are cut off.",
		func(uid string) string { return strings.TrimRight(uid, " ") }),
	spacedUID("login.uid-loses-double-spaces", "Repeated spaces in a uid are made one.", func(uid string) string {
		for strings.Contains(uid, "  ") {
			uid = strings.ReplaceAll(uid, "  ", " ")
		}
		return uid
	}),
	acceptedID("peer.send", "to", "login.spaces-of-a-receiver", "The spaces around the uid of a receiver are cut off.", "RTM-LOGIN-012",
		func(uid string) bool { return strings.TrimSpace(uid) != uid }, strings.TrimSpace),
	{
		Name: "login.receivers-in-any-case", Text: "A receiver is looked up without regard to case.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-014"},
		Plant: stateless(func(l *Link) {
			l.OnClient = func(f *Frame) bool {
				if twin := inAnotherCase(l, l.App, f.Text("to")); f.Is("peer.send") && twin != nil {
					l.Activate()
					f.Set("to", twin.UID)
				}
				return true
			}
		}),
	},
	{
		Name: "login.evicts-in-any-case", Text: "A login ends the session of a user whose uid differs in case.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-014"},
		Plant: stateless(func(l *Link) {
			l.OnClient = func(f *Frame) bool {
				if twin := inAnotherCase(l, f.Text("app_id"), f.Text("uid")); f.Is("login") && twin != nil {
					l.Activate()
					twin.evict()
				}
				return true
			}
		}),
	},
	{
		Name: "login.app-id-of-33-characters", Text: "An app id that is too long is cut and accepted.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-016"},
		Plant: fromClient(kind("login").and(func(f *Frame) bool { return len(f.Text("app_id")) > 32 }), func(_ *Link, f *Frame) bool {
			f.Set("app_id", f.Text("app_id")[:32])
			return true
		}),
	},
	{
		Name: "login.app-id-is-any-argument", Text: "A malformed app id is refused as an invalid argument.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-016"},
		Plant:  fromServer(refusal("login", 4), failWith(3, "LOGIN_ERR_INVALID_ARGUMENT")),
	},
	{
		Name: "login.uid-counts-in-every-app", Text: "A login ends the session of a user of another app who has the same uid.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-017"},
		Plant: stateless(func(l *Link) {
			l.OnClient = func(f *Frame) bool {
				for _, other := range l.Proxy.Links() {
					if f.Is("login") && other.UID != "" && other.UID == f.Text("uid") && other.App != f.Text("app_id") {
						l.Activate()
						other.evict()
					}
				}
				return true
			}
		}),
	},
	{
		Name: "login.messages-cross-apps", Text: "A peer message reaches a user of another app too.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-017"},
		Plant: func(*Proxy) func(*Link) {
			extra := make(insertions)
			return func(l *Link) {
				extra.plant(l)
				l.OnClient = before(l.OnClient, func(f *Frame) {
					for _, other := range l.Proxy.Links() {
						if f.Is("peer.send") && other.UID == f.Text("to") && other.App != l.App {
							l.Activate()
							extra.insert(other, l.UID, f.Text("text"))
						}
					}
				})
			}
		},
	},
	{
		Name: "login.uid-of-another-type", Text: "A uid that is not a string is written as one and accepted.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-033"},
		Plant: fromClient(kind("login").and(func(f *Frame) bool { return f.Has("uid") && !isText(f, "uid") && !isNull(f, "uid") }), func(_ *Link, f *Frame) bool {
			f.Set("uid", "user "+strings.Trim(string(f.members["uid"]), `{}[]"`))
			return true
		}),
	},
	{
		Name: "login.no-uid", Text: "A login without a uid opens a session for a made-up user.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-033"},
		Plant: fromClient(kind("login").and(func(f *Frame) bool { return !f.Has("uid") || isNull(f, "uid") }), func(_ *Link, f *Frame) bool {
			f.Set("uid", "somebody")
			return true
		}),
	},
}, strayCharacters("login", "uid", "login.uid", "RTM-LOGIN-009", foreign), strayCharacters("login", "uid", "login.uid", "RTM-LOGIN-010", controls),
	strayCharacters("login", "uid", "login.uid", "RTM-LOGIN-011", spaces))

// characters are a kind of characters that no id may hold.
type characters struct {
	name, words string
	in          func(r rune) bool
}

// one is a single character.
func one(name string, character rune) characters {
	return characters{name, "the character " + name, func(r rune) bool { return r == character }}
}

var (
	marks = []characters{
		one("quote", '"'), one("apostrophe", '\''), one("asterisk", '*'), one("slash", '/'), one("backslash", '\\'), one("backtick", '`'),
	}
	foreign = []characters{
		{"foreign-letter", "a letter outside ASCII", func(r rune) bool { return r > unicode.MaxASCII && unicode.IsLetter(r) }},
		{"emoji", "an emoji", func(r rune) bool { return r > unicode.MaxASCII && unicode.IsSymbol(r) }},
		{"combining-mark", "a combining mark", unicode.IsMark},
		one("zero-width-space", '\u200b'),
	}
	controls = []characters{
		{"control", "an ASCII control character", func(r rune) bool { return r < ' ' && !unicode.IsSpace(r) }},
		one("del", '\x7f'),
		{"c1-control", "a C1 control character", func(r rune) bool { return r >= 0x80 && r < 0xa0 }},
	}
	spaces = []characters{
		{"ascii-space", "a tab or a line break", func(r rune) bool { return r != ' ' && r <= unicode.MaxASCII && unicode.IsSpace(r) }},
		{"unicode-space", "a space outside ASCII", func(r rune) bool { return r >= 0xa0 && (unicode.IsSpace(r) || r == '\ufeff') }},
	}
)

// strayCharacters are faults that accept an id in a member of a request with characters that no id may hold.
func strayCharacters(request, member, name, id string, kinds []characters) []Fault {
	var faults []Fault
	for _, each := range kinds {
		bad := func(id string) bool { return strings.ContainsFunc(id, each.in) }
		mend := func(id string) string {
			return strings.Map(func(r rune) rune {
				if each.in(r) {
					return 'x'
				}
				return r
			}, id)
		}
		faults = append(faults, acceptedID(request, member, name+"-with-"+each.name, "A uid with "+each.words+" is accepted.", id, bad, mend))
	}
	return faults
}

// What makes an id bad, and what a careless server makes of it.
func empty(id string) bool     { return id == "" }
func null(id string) bool      { return id == "null" }
func tooLong(id string) bool   { return len(id) == 65 }
func first64(id string) string { return id[:64] }
func renamed(id string) string { return "user " + id }

// acceptedID is a fault that accepts a bad id in a member of a request, by making a good one of it.
func acceptedID(request, member, name, text, id string, bad func(string) bool, mend func(string) string) Fault {
	return Fault{
		Name: name, Text: text, Subject: Server, Breaks: []string{id},
		Plant: fromClient(kind(request).and(func(f *Frame) bool { return isText(f, member) && bad(f.Text(member)) }), func(_ *Link, f *Frame) bool {
			f.Set(member, mend(f.Text(member)))
			return true
		}),
	}
}

// refusedUID is a fault that refuses a good uid, by making a bad one of it.
func refusedUID(name, text, id string, good func(string) bool) Fault {
	return acceptedID("login", "uid", name, text, id, good, func(string) string { return "" })
}

// spacedUID is a fault that changes the spaces of a uid at the login.
func spacedUID(name, text string, change func(string) string) Fault {
	return acceptedID("login", "uid", name, text, "RTM-LOGIN-012",
		func(uid string) bool { return change(uid) != uid }, change)
}

// inAnotherCase returns the newest link of a user of this app whose uid differs from this one in case only, or nil.
func inAnotherCase(l *Link, app, uid string) *Link {
	for _, other := range slices.Backward(l.Proxy.Links()) {
		if other != l && other.App == app && other.UID != uid && strings.EqualFold(other.UID, uid) {
			return other
		}
	}
	return nil
}

// isText tells whether a member is a string.
func isText(f *Frame, name string) bool { return strings.HasPrefix(string(f.members[name]), `"`) }

// isNull tells whether a member is null.
func isNull(f *Frame, name string) bool { return string(f.members[name]) == "null" }
