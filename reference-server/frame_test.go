package refserver

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// keepingSink takes everything at once and keeps it.
type keepingSink struct{ bytes.Buffer }

func (s *keepingSink) tryWrite(p []byte) int            { n, _ := s.Write(p); return n }
func (s *keepingSink) SetWriteDeadline(time.Time) error { return nil }

// The list of members is too long to be copied into the queue, and the frame behind it
// in the same read is built before the list is written.
func TestLongAnswerIsNotOverwrittenByTheNextFrame(t *testing.T) {
	b := newBench(t)
	join := (&wire.ChannelJoin{ID: 2, Channel: "lobby"}).Append(nil)
	for i := range 80 {
		c, _ := b.login(fmt.Sprintf("%060d", i))
		b.read(c, join)
	}
	alice, _ := b.login("alice")
	b.read(alice, join)
	sink := new(keepingSink)
	alice.queue.sink = sink
	b.read(alice, (&wire.ChannelMembers{ID: 3, Channel: "lobby"}).Append(nil), (&wire.Ping{ID: 4}).Append(nil))
	got, _ := frames(t, &sink.Buffer)
	if len(got) != 2 {
		t.Fatalf("%d frames came", len(got))
	}
	f, err := wire.Decode([]byte(got[0]))
	if list, ok := f.(*wire.ChannelMembersOK); !ok || len(list.Members) != 81 {
		t.Fatalf("the list of members became %.80s: %v", got[0], err)
	}
}

// endingConn tells its end along with the last bytes.
type endingConn struct {
	net.Conn
	r io.Reader
}

func (c endingConn) Read(p []byte) (int, error) { return c.r.Read(p) }

func TestBytesThatComeWithTheEndAreRead(t *testing.T) {
	var s socket
	s.open(endingConn{r: iotest.DataErrReader(strings.NewReader("the last words"))})
	own := make([]byte, 64)
	if p, err := s.receive(own); string(p) != "the last words" || err != nil {
		t.Fatalf("read %q: %v", p, err)
	}
	if p, err := s.receive(own); len(p) != 0 || err != io.EOF {
		t.Fatalf("then read %q: %v", p, err)
	}
}
