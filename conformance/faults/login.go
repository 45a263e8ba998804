package faults

// loginFaults are broken servers: sessions.
var loginFaults = []Fault{
	{
		Name: "login.uid-of-65-bytes", Text: "A uid of 65 bytes is cut to 64 and accepted.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-003"},
		Plant: fromClient(kind("login").and(func(f *Frame) bool { return len(f.Text("uid")) == 65 }), func(_ *Link, f *Frame) bool {
			f.Set("uid", f.Text("uid")[:64])
			return true
		}),
	},
	{
		Name: "login.evicts-without-a-word", Text: "An evicted session is closed without login.kicked.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-021"},
		Plant:  fromServer(kind("login.kicked"), swallow),
	},
}
