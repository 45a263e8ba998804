package adapter

import (
	"context"
	"encoding/base64"
	"errors"
)

// Post is a message that is made and sent in one go.
type Post struct {
	// Peer is the user that it goes to. It is empty when Channel is set.
	Peer string
	// Channel is the channel object that it goes to, one of the same client.
	Channel Channel
	// Text is what a text message holds.
	Text string
	// Raw is what a raw message holds; nil makes a text message.
	Raw []byte
	// Answered is told once what came of it: the receipt of a peer message, or an error as of [Client.SendToPeer]. It is
	// called from the goroutine that reads the adapter's lines, right after the reply was read, or from another one when
	// the adapter has ended; it must return soon and not call the client. When the reply never comes, it is not called
	// before the adapter ends.
	Answered func(received bool, err error)
}

// Poster sends messages without waiting for the answers, for those who send more than one at a time and in order. The
// clients that [Program.NewClient] makes are posters.
type Poster interface {
	// Post hands the commands that make and send the message to the adapter. Messages that are posted one after the other
	// reach the adapter in that order. It waits as long as the adapter does not take more lines. When it returns an error,
	// Answered is not called.
	//
	// The message is named before the adapter has agreed to make it, so a client whose SDK has no messages of the kind must
	// not post them: [Client.NewRaw] finds out.
	Post(ctx context.Context, post Post) error
}

var _ Poster = (*remoteClient)(nil)

// Post implements [Poster].
func (c *remoteClient) Post(ctx context.Context, post Post) error {
	name := handle("m")
	made := &command{Cmd: "createMessage", Client: &c.handle, Message: quoted(name), content: content{Text: &post.Text}}
	if post.Raw != nil {
		made.content = content{Raw: new(base64.StdEncoding.EncodeToString(post.Raw)), Description: new("")}
	}
	var ok struct {
		HasPeerReceived bool `json:"hasPeerReceived"`
	}
	sent := &command{Cmd: "sendPeer", Client: &c.handle, To: &post.Peer, Message: quoted(name)}
	into := any(&ok)
	if post.Channel != nil {
		room, own := post.Channel.(*remoteChannel)
		if !own || room.client != c {
			return errors.New("adapter: the channel object belongs to another client")
		}
		sent = &command{Cmd: "sendChannel", Channel: &room.handle, Message: quoted(name)}
		into = nil
	}
	if err := c.life.post(ctx, made, &asked{cmd: made.Cmd, then: func(error) {}}); err != nil {
		return err
	}
	return c.life.post(ctx, sent, &asked{cmd: sent.Cmd, into: into, then: func(err error) {
		post.Answered(err == nil && (into == nil || ok.HasPeerReceived), err)
	}})
}

// post asks a question whose answer nobody waits for.
func (l *life) post(ctx context.Context, c *command, question *asked) error {
	_, err := l.ask(ctx, c, question)
	if err == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, open := l.waiting[question.seq]; !open && question.seq > 0 {
		return nil // It was told that the life is over.
	}
	delete(l.waiting, question.seq)
	return err
}

// Gone is closed when the adapter as it runs now has ended, fallen silent or broken the protocol; then [Program.Down] or
// [Program.Err] says so. It is also closed by [Program.Close] and [Program.Restart].
func (p *Program) Gone() <-chan struct{} { return p.current().over }
