package faults

// tolerances are odd and legal subjects.
var tolerances = []Tolerance{
	{
		Name: "relay", Text: "Everything passes as it is, through a proxy.", Subject: Server,
		Plant: stateless(func(l *Link) {
			l.OnServer = func(*Frame) bool { l.Activate(); return true }
		}),
	},
}
