package faults

// failWith is the rewriting that changes the code and the name of an error answer.
func failWith(code int, name string) func(*Link, *Frame) bool {
	return func(_ *Link, f *Frame) bool {
		f.Set("code", code)
		f.Set("name", name)
		return true
	}
}

// openDoor is the rewriting of any answer to a login into one that opens a session, as far as the client can see.
func openDoor(l *Link, f *Frame) bool {
	return instead("login.ok", map[string]any{
		"session": "a session that nobody made", "resumed": false, "server_ts": 1700000000000,
		"server": map[string]any{"name": "", "version": ""}, "limits": map[string]any{},
	})(l, f)
}

// answered plants a rewriting of the answers that match, to requests of which something holds.
func answered(m match, about func(l *Link, request *Frame) bool, rewrite func(l *Link, f *Frame) bool) Plant {
	return stateless(func(l *Link) {
		l.OnServer = func(f *Frame) bool {
			request := l.Asked(f)
			if request == nil || !m(f) || !about(l, request) {
				return true
			}
			l.Activate()
			return rewrite(l, f)
		}
	})
}

// closing picks close frames with this code.
func closing(code int) match {
	return func(f *Frame) bool {
		got, _ := f.CloseCode()
		return f.Opcode == OpClose && got == code
	}
}

// recode is the rewriting that changes the code of a close frame.
func recode(code int) func(*Link, *Frame) bool {
	return func(_ *Link, f *Frame) bool {
		_, reason := f.CloseCode()
		f.SetClose(code, reason)
		return true
	}
}

// end ends the session of a link and closes its connection, as the server would.
func (l *Link) end(code int, reason string) {
	l.CloseClient(code, reason)
	l.Request("logout", nil)
}

// evict ends the session of a link as a login elsewhere does.
func (l *Link) evict() {
	l.ToClient(`{"kind":"login.kicked","reason":"REMOTE_LOGIN"}`)
	l.end(4200, "remote_login")
}

// refuse answers a request of the client with an error, in place of the server, and swallows the request.
func (l *Link) refuse(f *Frame, code int, name string) bool {
	l.ToClient(`{"kind":"error","id":%d,"op":%q,"code":%d,"name":%q,"message":"refused"}`, f.ID, f.Kind, code, name)
	return false
}

// before runs one more hook in front of another, which may be nil.
func before(hook func(*Frame) bool, first func(*Frame)) func(*Frame) bool {
	return func(f *Frame) bool {
		first(f)
		return hook == nil || hook(f)
	}
}
