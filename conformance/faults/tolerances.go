package faults

// tolerances are odd and legal subjects.
var tolerances = []Tolerance{
	{
		Name: "relay", Text: "Everything passes as it is, through a proxy.", Subject: Server,
		Plant: stateless(func(l *Link) {
			l.OnServer = func(*Frame) bool { l.Activate(); return true }
		}),
	},
	{
		Name: "little-server", Text: "A server that claims core alone refuses the rest as specified (unknown-kinds, resume, call-limits).",
		Subject: Server, Claims: little, Plant: stateless(littleServer),
	},
	{
		Name: "little-client", Text: "A client that claims core alone answers the rest with unsupported, as the adapter protocol says.",
		Subject: Client, Claims: little, Lines: littleClient,
	},
}
