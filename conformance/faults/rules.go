package faults

// match picks frames.
type match func(f *Frame) bool

// kind picks frames of these kinds.
func kind(kinds ...string) match { return func(f *Frame) bool { return f.Is(kinds...) } }

// refusal picks the error answers of one operation with one code; 0 stands for any.
func refusal(op string, code int64) match {
	return func(f *Frame) bool {
		return f.Is("error") && f.Text("op") == op && (code == 0 || f.Int("code") == code)
	}
}

// and picks what a match and a further condition pick.
func (m match) and(more match) match { return func(f *Frame) bool { return m(f) && more(f) } }

// stateless is a plant whose links need nothing but one hook.
func stateless(link func(l *Link)) Plant {
	return func(*Proxy) func(*Link) { return link }
}

// fromServer plants a rewriting of the server's frames that match. The rewriting returns false to swallow the frame.
func fromServer(m match, rewrite func(l *Link, f *Frame) bool) Plant {
	return stateless(func(l *Link) {
		l.OnServer = func(f *Frame) bool {
			if l.Own(f) || !m(f) {
				return true
			}
			l.Activate()
			return rewrite(l, f)
		}
	})
}

// fromClient plants a rewriting of the client's frames that match. The rewriting returns false to swallow the frame.
func fromClient(m match, rewrite func(l *Link, f *Frame) bool) Plant {
	return stateless(func(l *Link) {
		l.OnClient = func(f *Frame) bool {
			if !m(f) {
				return true
			}
			l.Activate()
			return rewrite(l, f)
		}
	})
}

// swallow is the rewriting that loses a frame.
func swallow(*Link, *Frame) bool { return false }

// set is the rewriting that changes one member.
func set(name string, value any) func(*Link, *Frame) bool {
	return func(_ *Link, f *Frame) bool {
		f.Set(name, value)
		return true
	}
}

// remove is the rewriting that loses one member.
func remove(name string) func(*Link, *Frame) bool {
	return func(_ *Link, f *Frame) bool {
		f.Delete(name)
		return true
	}
}

// instead is the rewriting of an answer into another one under the same id; members follow the kind.
func instead(kind string, members map[string]any) func(*Link, *Frame) bool {
	return func(_ *Link, f *Frame) bool {
		answer := newFrame([]byte("{}"))
		answer.Set("kind", kind)
		answer.Set("id", f.ID)
		for name, value := range members {
			answer.Set(name, value)
		}
		f.SetPayload(answer.Payload)
		return true
	}
}

// twice is the rewriting that sends a frame of the server a second time.
func twice(l *Link, f *Frame) bool {
	l.Send(ToClient, f.clone())
	return true
}
