package specs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

func registerSlowReaders(env *Env) {
	It("delay nobody", Verifies("RTM-TRANSPORT-073"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		bob, mallory := env.member(ctx, "bob", lobby), env.member(ctx, "mallory", lobby)
		mallory.Conn.PauseReading()

		env.flood(ctx, lobby, func(number int) {
			Observe("the number of the next message that bob gets", bob.nextOf(ctx, lobby, number)).Is(number)
		})
	})

	It("lose nothing silently", Verifies("RTM-TRANSPORT-074"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		mallory := env.member(ctx, "mallory", lobby)
		mallory.Conn.PauseReading()
		paused := time.Now()
		count := env.flood(ctx, lobby, func(int) {})
		late := time.Since(paused) >= env.Limits.Duration("silence_ms")

		mallory.Conn.ResumeReading()

		for i := range count {
			number, code := mallory.nextOrClose(ctx, lobby, i)
			switch {
			case code == 0:
				Observe("the number of the next message that mallory gets", number).Is(i)
			case late:
				// The server need not have waited for so long.
				Observe("the close code", code).IsOneOf(4000, 1006)
				return
			default:
				Observe("the close code", code).Is(4000)
				return
			}
		}
	})
}

const (
	// floodBytes are more than the sockets on the way take up for a reader that has stopped: on Linux up to 4 MiB by
	// default. What a server keeps on top is its own affair.
	floodBytes = 13 << 19
	// floodMessages bounds a flood of small messages.
	floodMessages = 2000
	// floodBatch is how many messages are under way at once: few, because a flood must not outrun those who read.
	floodBatch = 4
	// digits is how long the number is that each message of a flood begins with.
	digits = 4
)

// flood sends more to a channel than a socket holds for a member that does not read, and returns the count of messages.
// Each is accepted, and then arrived is called with its number, before those of the next batch are sent. There are as many
// senders as the call limits ask for, one after the other.
func (e *Env) flood(ctx context.Context, channel string, arrived func(number int)) (count int) {
	GinkgoHelper()
	size, each := e.Limits.Number("message_bytes"), floodMessages
	if limit, limited := e.Limits.Call("send"); limited {
		each = min(each, limit.Count)
	}
	padding := strings.Repeat("x", max(0, size-digits))
	count = min(floodBytes/size, floodMessages)
	for sent := 0; sent < count; {
		sender := e.member(ctx, "alice", channel)
		for end := min(sent+each, count); sent < end; {
			batch := make([]Asked, min(floodBatch, end-sent))
			for i := range batch {
				text := fmt.Sprintf("%0*d%s", digits, sent+i, padding)
				batch[i] = sender.Start("channel.send", probe.F("channel", channel), probe.F("text", text))
			}
			for i, asked := range batch {
				sender.Answer(ctx, asked).OK()
				arrived(sent + i)
			}
			sent += len(batch)
		}
		sender.Logout(ctx).OK()
	}
	return count
}

// nextOf returns the number of the next message of a flood; want is only for the words of a failure.
func (a *Actor) nextOf(ctx context.Context, channel string, want int) int {
	GinkgoHelper()
	number, code := a.nextOrClose(ctx, channel, want)
	if code != 0 {
		fail(1, fmt.Sprintf("%s gets message %d of %s", a.Name, want, channel), fmt.Sprintf("the connection ended with %d", code))
	}
	return number
}

// nextOrClose returns the number of the next message of a flood or, when the connection ends instead, the close code.
func (a *Actor) nextOrClose(ctx context.Context, channel string, want int) (number, code int) {
	GinkgoHelper()
	waiting, cancel := bounded(ctx, a.env.Answer())
	defer cancel()
	message, err := a.Conn.Await(waiting, probe.Kind("channel.message").With("channel", channel))
	if closed := new(probe.ClosedError); errors.As(err, &closed) {
		return 0, closed.Code
	}
	if err != nil {
		missing(ctx, fmt.Sprintf("%s gets message %d of the flood of %s, or the end of the connection", a.Name, want, channel), err)
	}
	text, _ := message.Text("text")
	if _, err := fmt.Sscanf(text[:min(digits, len(text))], "%d", &number); err != nil {
		fail(1, a.Name+" gets a message as it was sent", show(message))
	}
	return number, 0
}
