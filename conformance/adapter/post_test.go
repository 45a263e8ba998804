package adapter

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// scripted is an adapter that answers hello, the probe and what makes things, and hands every send to a function.
func scripted(send func(seq int64, line string, out io.Writer)) Command {
	return Command{InProcess: func(_ context.Context, stdin io.Reader, stdout io.Writer) error {
		for lines := bufio.NewScanner(stdin); lines.Scan(); {
			var c struct {
				Seq int64
				Cmd string
			}
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				return err
			}
			switch {
			case c.Cmd == "hello":
				fmt.Fprintf(stdout, `{"seq":%d,"ok":{"sdk":"s","version":"1","language":"go","profiles":[]}}`+"\n", c.Seq)
			case strings.HasPrefix(c.Cmd, "x-"):
				fmt.Fprintf(stdout, `{"seq":%d,"unsupported":true}`+"\n", c.Seq)
			case strings.HasPrefix(c.Cmd, "send"):
				send(c.Seq, lines.Text(), stdout)
			default:
				fmt.Fprintf(stdout, `{"seq":%d,"ok":{}}`+"\n", c.Seq)
			}
		}
		return nil
	}}
}

// poster starts the adapter and makes a client.
func poster(t *testing.T, command Command) (*Program, Poster) {
	t.Helper()
	program, err := Start(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	client, err := program.NewClient(t.Context(), Options{URL: "ws://127.0.0.1:1/", AppID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	return program, client.(Poster)
}

func TestPostsReachTheAdapterInOrderAndAreAnsweredInAny(t *testing.T) {
	const posts = 50
	var waiting []int64
	var to []string
	_, client := poster(t, scripted(func(seq int64, line string, out io.Writer) {
		var c struct{ To string }
		_ = json.Unmarshal([]byte(line), &c)
		waiting, to = append(waiting, seq), append(to, c.To)
		if len(waiting) < posts {
			return // Nobody who waits for an answer would get here again.
		}
		for i := len(waiting) - 1; i >= 0; i-- {
			switch i % 3 {
			case 0:
				fmt.Fprintf(out, `{"seq":%d,"ok":{"hasPeerReceived":true}}`+"\n", waiting[i])
			case 1:
				fmt.Fprintf(out, `{"seq":%d,"ok":{"hasPeerReceived":false}}`+"\n", waiting[i])
			default:
				fmt.Fprintf(out, `{"seq":%d,"error":{"op":"peer.send","code":5,"name":"PEER_MESSAGE_ERR_TOO_OFTEN"}}`+"\n", waiting[i])
			}
		}
	}))
	type answer struct {
		post     int
		received bool
		err      error
	}
	answers := make(chan answer, 2*posts)
	for i := range posts {
		err := client.Post(t.Context(), Post{Peer: fmt.Sprint("u", i), Text: "hi", Answered: func(received bool, err error) {
			answers <- answer{i, received, err}
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := posts - 1; i >= 0; i-- {
		a := <-answers
		refused := new(Error)
		if a.post != i || a.received != (i%3 == 0) || (a.err == nil) != (i%3 != 2) || a.err != nil && (!errors.As(a.err, &refused) || refused.Code != 5) {
			t.Errorf("post %d is answered by %+v", i, a)
		}
	}
	for i, peer := range to {
		if peer != fmt.Sprint("u", i) {
			t.Fatalf("post %d went to %s", i, peer)
		}
	}
}

func TestPostsLearnThatTheAdapterHasEnded(t *testing.T) {
	stop := errors.New("enough")
	ended := make(chan struct{})
	program, client := poster(t, Command{InProcess: func(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
		in, out := io.Pipe()
		go func() {
			lines := bufio.NewScanner(stdin)
			for sends := 0; sends < 3 && lines.Scan(); {
				if strings.Contains(lines.Text(), `"sendPeer"`) {
					sends++
				}
				fmt.Fprintln(out, lines.Text())
			}
			out.Close()
		}()
		_ = scripted(func(int64, string, io.Writer) {}).InProcess(ctx, in, stdout)
		return stop
	}})
	answers := make(chan error, 10)
	for range 3 {
		if err := client.Post(t.Context(), Post{Peer: "u", Text: "hi", Answered: func(_ bool, err error) { answers <- err }}); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		<-program.Gone()
		close(ended)
	}()
	for range 3 {
		if err, down := <-answers, new(DownError); !errors.As(err, &down) {
			t.Errorf("a post is answered with %v", err)
		}
	}
	<-ended
	err := client.Post(t.Context(), Post{Peer: "u", Text: "hi", Answered: func(bool, error) { t.Error("a post that failed was answered") }})
	if down := new(DownError); !errors.As(err, &down) || program.Down() == nil {
		t.Errorf("a post behind the end: %v", err)
	}
	if len(answers) > 0 {
		t.Error("a post was answered twice")
	}
}

func TestPostThatTheAdapterDoesNotTakeGivesUpWithItsContext(t *testing.T) {
	release := make(chan struct{})
	_, client := poster(t, scripted(func(int64, string, io.Writer) { <-release }))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var err error
	for range 1000 {
		if err = client.Post(ctx, Post{Peer: "u", Text: "hi", Answered: func(bool, error) {}}); err != nil {
			break
		}
	}
	close(release)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestPostsLearnThatTheAdapterHasBrokenTheProtocol(t *testing.T) {
	_, client := poster(t, scripted(func(_ int64, _ string, out io.Writer) { fmt.Fprintln(out, "good morning") }))
	answers := make(chan error, 1)
	if err := client.Post(t.Context(), Post{Peer: "u", Text: "hi", Answered: func(_ bool, err error) { answers <- err }}); err != nil {
		t.Fatal(err)
	}
	if err, broken := <-answers, new(BrokenError); !errors.As(err, &broken) || !strings.Contains(broken.Line, "good morning") {
		t.Errorf("the post is answered with %v", err)
	}
}
