package faults

import "slices"

// receipts are the peer messages that have no answer yet, by the link of their sender, in sending order.
type receipts struct {
	proxy *Proxy
	open  map[*Link][]*Frame
	// done are those that the proxy has answered itself.
	done map[*Frame]bool
}

func newReceipts(p *Proxy) *receipts {
	return &receipts{proxy: p, open: make(map[*Link][]*Frame), done: make(map[*Frame]bool)}
}

// plant keeps the list, and swallows a second answer.
func (r *receipts) plant(l *Link) {
	l.OnClient = func(f *Frame) bool {
		if f.Is("peer.send") {
			r.open[l] = append(r.open[l], l.Asked(f))
		}
		return true
	}
	l.OnServer = func(f *Frame) bool {
		sent := l.Asked(f)
		if sent == nil || !sent.Is("peer.send") || f.ID == 0 {
			return true
		}
		r.open[l] = slices.DeleteFunc(r.open[l], func(open *Frame) bool { return open == sent })
		return !r.done[sent]
	}
}

// of returns the open messages to the user of a link.
func (r *receipts) of(l *Link) (open []*Frame) {
	for _, sender := range r.proxy.Links() {
		for _, sent := range r.open[sender] {
			if sender.App == l.App && sent.Text("to") == l.UID {
				open = append(open, sent)
			}
		}
	}
	return open
}

// oldest returns the oldest open message from a user to the user of a link.
func (r *receipts) oldest(l *Link, from string) (sender *Link, id int64) {
	for _, sender := range r.proxy.Links() {
		for _, sent := range r.open[sender] {
			if sender.UID == from && sender.App == l.App && sent.Text("to") == l.UID {
				return sender, sent.ID
			}
		}
	}
	return nil, 0
}

// answered takes note that the proxy has answered a message.
func (r *receipts) answered(sender *Link, id int64) {
	for _, sent := range r.open[sender] {
		if sent.ID == id {
			r.done[sent] = true
		}
	}
	r.open[sender] = slices.DeleteFunc(r.open[sender], func(sent *Frame) bool { return sent.ID == id })
}
