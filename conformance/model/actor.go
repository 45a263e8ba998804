package model

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

// actor is a user of the program with what its client knows.
type actor struct {
	name, uid string
	conn      *probe.Conn
	// heard is how many frames of the connection were judged.
	heard int
	// contact is a time before which the server cannot have counted the silence of the connection.
	contact time.Time
	session string
	ended   string
	// peerSeq is the seq of the last peer message of the session.
	peerSeq int64
	// cursors are the places in the channels that the client has been in.
	cursors map[string]int64
	// watch is what the user was told about the counts of its channels.
	watch map[string]*count
}

// count is what a member knows of the number of members: the last number told, or -1, and the place in the channel's
// counts from which another one may be told.
type count struct {
	told int
	from int
}

// dial gives an actor a new connection.
func (r *run) dial(ctx context.Context, a *actor) error {
	ctx, cancel := r.within(ctx)
	defer cancel()
	ping := r.limits.PingInterval
	if ping <= 0 {
		ping = time.Second // only the witness, until the limits are known
	}
	conn, err := probe.Dial(ctx, r.server.URL, probe.Options{
		Actor: a.name, TLS: r.server.TLS, Trace: r.server.Trace, AutoAck: true, AutoPing: ping, AutoPong: true,
	})
	if err != nil {
		return fmt.Errorf("model: %s cannot connect: %w", a.name, err)
	}
	r.conns = append(r.conns, conn)
	a.conn, a.heard, a.contact = conn, 0, time.Now()
	return nil
}

// tokenError tells that the token source failed, which is no fault of the server.
type tokenError struct{ cause error }

func (e *tokenError) Error() string {
	return fmt.Sprintf("model: the token source failed: %v", e.cause)
}
func (e *tokenError) Unwrap() error { return e.cause }

func (r *run) login(ctx context.Context, a *actor, resume *probe.Resume) (probe.Object, error) {
	credentials := probe.Credentials{AppID: r.server.AppID, UID: a.uid, Resume: resume}
	if r.server.Token != nil {
		token, err := r.server.Token(ctx, a.uid)
		if err != nil {
			return probe.Object{}, &tokenError{err}
		}
		credentials.Token = token
	}
	ctx, cancel := r.within(ctx)
	defer cancel()
	return a.conn.Login(ctx, credentials)
}

// step does one step and judges its answer.
func (r *run) step(ctx context.Context, n int, step Step, done outcome, asked int64, hearing *hearing) error {
	a := r.actors[step.User]
	switch done.link {
	case nothing:
		return nil
	case onCut:
		return r.cut(ctx, n, a)
	case onBare:
		return r.bare(ctx, n, a, step)
	case onNew:
		return r.enter(ctx, n, a, step, done, hearing)
	}
	if step.Verb == LogsIn {
		answer, err := r.login(ctx, a, nil)
		if err != nil {
			return r.unanswered(n, a, done.answer, err)
		}
		return r.answered(n, a, hearing, answer, "login", done)
	}
	if asked == 0 {
		id, err := r.start(a, step)
		if err != nil {
			return found(n, a.name+" can send", err.Error())
		}
		asked = id
	}
	within, cancel := r.within(ctx)
	defer cancel()
	answer, err := a.conn.Answer(within, asked)
	if err != nil {
		return r.unanswered(n, a, done.answer, err)
	}
	if done.missed > 0 && answer.At.Sub(r.began[done.missed-1]) > r.limits.Replay {
		return ErrTooSlow
	}
	if err := r.answered(n, a, hearing, answer, kinds[step.Verb], done); err != nil {
		if r.slowlyAcknowledged(n, step, answer) {
			return ErrTooSlow
		}
		return err
	}
	if step.Verb == LogsOut {
		a.ended, a.session = a.session, ""
		conn := a.conn
		a.conn = nil
		return hearing.retire(ctx, n, a, conn, a.heard, done.farewell)
	}
	return nil
}

// unanswered is the finding that an answer did not come.
func (r *run) unanswered(n int, a *actor, expected string, err error) error {
	if token := new(tokenError); errors.As(err, &token) {
		return err
	}
	r.missing = errors.Is(err, context.DeadlineExceeded)
	return found(n, fmt.Sprintf("%s is answered %s", a.name, expected), reason(err))
}

// answered judges an answer.
func (r *run) answered(n int, a *actor, hearing *hearing, answer probe.Object, kind string, done outcome) error {
	hearing.answers[request{a.name, answer.ID}] = r.program[n-1]
	if observed := r.words(answer, kind); !slices.Contains(done.answers(), observed) {
		return found(n, fmt.Sprintf("%s is answered %s", a.name, strings.Join(done.answers(), " or ")), fmt.Sprintf("%s is answered %s", a.name, observed))
	}
	return nil
}

// kinds are the kinds of the requests.
var kinds = map[Verb]string{
	LogsOut: "logout", Joins: "channel.join", Rejoins: "channel.join", Leaves: "channel.leave", Sends: "channel.send",
	Tells: "peer.send", Lists: "channel.members", Counts: "channel.count",
}

// start sends the request of a step.
func (r *run) start(a *actor, step Step) (int64, error) {
	var fields []probe.Field
	switch step.Verb {
	case Tells:
		fields = append(fields, probe.F("to", r.id(step.To)))
	case Counts:
		fields = append(fields, probe.F("channels", []string{r.id(step.Channel)}))
	case LogsOut:
	default:
		fields = append(fields, probe.F("channel", r.id(step.Channel)))
	}
	if step.Verb == Sends || step.Verb == Tells {
		fields = append(fields, probe.F("text", step.Text))
	}
	if cursor, known := a.cursors[step.Channel]; known && step.Verb == Rejoins {
		fields = append(fields, probe.F("after", cursor))
	}
	return a.conn.Start(kinds[step.Verb], fields...)
}

// words is an answer in the words of the model.
func (r *run) words(answer probe.Object, kind string) string {
	if answer.Failed() {
		return refused(int(answer.Code()))
	}
	if answer.Kind != kind+".ok" {
		return answer.String()
	}
	switch kind {
	case "login":
		if answer.Value("resumed") != true {
			return loggedIn
		}
		if missing, _ := answer.Texts("missing"); len(missing) > 0 {
			return fmt.Sprintf("%s, without %s", resumed, r.name(missing[0]))
		}
		return resumed
	case "channel.join":
		return fmt.Sprintf("%v members", answer.Value("count"))
	case "channel.count":
		if counts, _ := answer.Value("counts").([]any); len(counts) == 1 {
			return fmt.Sprintf("%v members", counts[0])
		}
		return answer.String()
	case "channel.members":
		members, _ := answer.Texts("members")
		for i, member := range members {
			members[i] = r.name(member)
		}
		slices.Sort(members)
		return strings.Join(members, " ")
	case "peer.send":
		if answer.Value("received") == true {
			return received
		}
		return "not received"
	}
	return "ok"
}

// bare sends a request without a login, which is refused.
func (r *run) bare(ctx context.Context, n int, a *actor, step Step) error {
	stranger := &actor{name: a.name, uid: a.uid, cursors: a.cursors}
	if err := r.dial(ctx, stranger); err != nil {
		return err
	}
	id, err := r.start(stranger, step)
	if err != nil {
		return found(n, a.name+" can send", err.Error())
	}
	within, cancel := r.within(ctx)
	defer cancel()
	answer, err := stranger.conn.Answer(within, id)
	if err != nil {
		return r.unanswered(n, a, refused(102), err)
	}
	if observed := r.words(answer, kinds[step.Verb]); observed != refused(102) {
		return found(n, fmt.Sprintf("%s, who is not logged in, is answered %s", a.name, refused(102)), "the answer is "+observed)
	}
	return stranger.conn.Close()
}

// enter logs in on a new connection, with or without a session to resume.
func (r *run) enter(ctx context.Context, n int, a *actor, step Step, done outcome, hearing *hearing) error {
	before, heard, contact := a.conn, a.heard, a.contact
	if err := r.dial(ctx, a); err != nil {
		return err
	}
	answer, err := r.login(ctx, a, r.resumption(a, step))
	if err != nil {
		return r.unanswered(n, a, done.answer, err)
	}
	if done.answer == resumed && before == nil && answer.At.Sub(contact) > r.limits.Grace ||
		done.missed > 0 && answer.At.Sub(r.began[done.missed-1]) > r.limits.Replay {
		return ErrTooSlow
	}
	if err := r.answered(n, a, hearing, answer, "login", done); err != nil {
		return err
	}
	session, _ := answer.Text("session")
	switch same := session == a.session; {
	case done.answer == resumed && !same:
		return found(n, a.name+" gets its session back under the same name", "the session has another name")
	case done.answer == loggedIn && (same || session == a.ended):
		return found(n, a.name+" gets a session of a new name", "the session has the name of an old one")
	case done.answer == loggedIn:
		if a.session != "" {
			a.ended = a.session
		}
		a.session, a.peerSeq, a.watch = session, 0, make(map[string]*count)
	}
	if done.answer == resumed {
		for channel := range a.watch {
			if a.watch[channel] = r.state.room(channel).watch(); !r.state.user(a.name).channels[channel] {
				delete(a.watch, channel)
			}
		}
	}
	if before != nil {
		return hearing.retire(ctx, n, a, before, heard, done.farewell)
	}
	return nil
}

// resumption is what a login of this step asks to resume, or nil.
func (r *run) resumption(a *actor, step Step) *probe.Resume {
	switch step.Verb {
	case ResumesEnded:
		if a.ended == "" {
			return &probe.Resume{Session: "a session that never was"}
		}
		return &probe.Resume{Session: a.ended}
	case Resumes, ResumesWithout:
		if a.session == "" {
			return &probe.Resume{Session: a.ended}
		}
		resume := &probe.Resume{Session: a.session, PeerSeq: a.peerSeq}
		for _, channel := range slices.Sorted(maps.Keys(a.watch)) {
			if channel != step.Channel {
				resume.Channels = append(resume.Channels, probe.Cursor{Channel: r.id(channel), Seq: a.cursors[channel]})
			}
		}
		return resume
	}
	return nil
}

// cut resets an actor's connection and waits until the server knows: from then on it answers a message to the user with
// received false. How soon a server must know is said nowhere, so one that takes too long cannot be judged.
func (r *run) cut(ctx context.Context, n int, a *actor) error {
	_ = a.conn.Cut()
	a.conn = nil
	expected := fmt.Sprintf("a message to %s, whose link is lost, is not received", a.name)
	within, cancel := context.WithTimeout(ctx, min(r.server.Budget, r.limits.Grace/2))
	defer cancel()
	asked := make(map[int64]bool)
	for pause := 5; ; pause *= 2 {
		id, err := r.witness.conn.Start("peer.send", probe.F("to", a.uid), probe.F("text", "are you there?"))
		asked[id] = true
		// The pings are a pause in which the server can take note. It doubles, so that few messages pile up.
		for i := 0; i < pause && err == nil; i++ {
			_, err = r.witness.conn.Ping(within)
		}
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return ErrTooSlow
		case err != nil:
			return found(n, expected, reason(err))
		}
		for _, answer := range r.witness.conn.Pending() {
			switch {
			case asked[answer.ID] && answer.Value("received") == true:
				return found(n, expected, r.witness.name+" is answered "+received)
			case answer.ID == id && answer.Value("received") == false:
				return nil
			}
		}
	}
}

// slowlyAcknowledged tells whether a receipt timed out because this machine took too long to acknowledge.
func (r *run) slowlyAcknowledged(n int, step Step, answer probe.Object) bool {
	if step.Verb != Tells || answer.Code() != 2 || r.actors[step.To].conn == nil {
		return false
	}
	for _, frame := range r.actors[step.To].conn.Inbox() {
		if frame.Kind == "peer.message" && frame.Value("text") == step.Text && frame.At.Sub(r.began[n-1]) > r.limits.AckTimeout/2 {
			return true
		}
	}
	return false
}

// reason is why a wait ended, in short.
func reason(err error) string {
	wait := new(probe.WaitError)
	if !errors.As(err, &wait) {
		return err.Error()
	}
	return wait.Cause.Error()
}
