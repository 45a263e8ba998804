package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/rtmkit/rtmkit/conformance/probe"
	"github.com/rtmkit/rtmkit/conformance/specs"
	"github.com/rtmkit/rtmkit/reports"
)

// Replayed is what became of a trace that was played to a server again.
type Replayed struct {
	// Same counts the frames that the server sent as they were recorded.
	Same int
	// Different counts those that came otherwise or not at all.
	Different int
	// Skipped counts what cannot be sent again: frames that were cut or hidden in the trace, or that are no text.
	Skipped int
}

// Replay plays a wire trace to a server without the suite: every connection of the trace is opened, what it sent is sent
// again in the same order, and each frame that it received is awaited and compared. Every step is written to out as it
// happens, with both frames where they differ. Values that differ between two servers by nature are not compared: times,
// sequence numbers, sessions, and what a server says of itself. A login gets the app id and the token of the
// configuration, and a resume the session that the same connection's user was given this time. A connection that ended
// without a close frame is skipped: a trace does not tell who ended it.
//
// Errors are those of [Run]. That the server behaves otherwise than recorded is a result and not an error.
func Replay(ctx context.Context, cfg Config, trace reports.Trace, out io.Writer) (Replayed, error) {
	if err := cfg.check(); err != nil {
		return Replayed{}, err
	}
	env := new(specs.Env)
	cfg.fill(env)
	if _, err := cfg.preflight(ctx, env); err != nil {
		return Replayed{}, err
	}
	r := &replay{config: &cfg, env: env, out: out, actors: make(map[string]*replayActor), sessions: make(map[string]string)}
	defer r.close()
	fmt.Fprintf(out, "%s  %s\n", trace.ID, trace.Spec)
	for _, frame := range trace.Frames {
		if err := r.step(ctx, frame); err != nil {
			return r.count, err
		}
	}
	return r.count, ctx.Err()
}

// replay is the state of one replay.
type replay struct {
	config *Config
	env    *specs.Env
	out    io.Writer
	actors map[string]*replayActor
	// sessions are the sessions of this time, by uid.
	sessions map[string]string
	count    Replayed
}

// replayActor is one connection of the trace.
type replayActor struct {
	conn *probe.Conn
	uid  string
}

// close logs everybody out, so that the next replay does not meet the sessions of this one.
func (r *replay) close() {
	for _, actor := range r.actors {
		_, _ = actor.conn.Start("logout")
		_ = actor.conn.Close()
	}
}

func (r *replay) actor(ctx context.Context, name string) (*replayActor, error) {
	if actor := r.actors[name]; actor != nil {
		return actor, nil
	}
	dialling, cancel := context.WithTimeout(ctx, r.env.Answer())
	defer cancel()
	conn, err := probe.Dial(dialling, r.config.Server, probe.Options{Actor: name, TLS: r.config.TLS, AutoPong: true})
	if err != nil {
		return nil, &UnreachableError{Server: r.config.Server, Problem: fmt.Sprintf("the connection of %s fails: %v", name, err), Err: err}
	}
	r.actors[name] = &replayActor{conn: conn}
	return r.actors[name], nil
}

// step does again what one frame of the trace shows.
func (r *replay) step(ctx context.Context, frame reports.Frame) error {
	actor, err := r.actor(ctx, frame.Actor)
	if err != nil {
		return err
	}
	if frame.Direction == reports.Received {
		return r.compare(ctx, actor, frame)
	}
	text, ok, err := r.again(ctx, actor, frame)
	if err != nil {
		return err
	}
	if !ok {
		r.count.Skipped++
		r.line(frame.Actor, "->", "(cannot be sent again) "+frame.Payload)
		return nil
	}
	r.line(frame.Actor, "->", reports.Redact(text))
	if err := actor.conn.SendText(text); err != nil {
		r.line(frame.Actor, "!!", err.Error())
	}
	return nil
}

// again returns the text of a frame to be sent, with the secrets of this time in the place of those that the trace hides,
// and whether it can be sent. The error is that of the token source.
func (r *replay) again(ctx context.Context, actor *replayActor, frame reports.Frame) (text string, ok bool, err error) {
	object, err := probe.Decode([]byte(frame.Payload))
	var members map[string]json.RawMessage
	if err != nil || object.Kind != "login" || json.Unmarshal([]byte(frame.Payload), &members) != nil {
		return frame.Payload, frame.Whole(), nil
	}
	put := func(into map[string]json.RawMessage, name, value string) {
		encoded, _ := json.Marshal(value)
		into[name] = encoded
	}
	if uid, ok := object.Text("uid"); ok {
		actor.uid = uid
	}
	put(members, "app_id", r.config.AppID)
	if delete(members, "token"); r.env.Token != nil {
		token, err := r.env.Token(ctx, actor.uid)
		if err != nil {
			return "", false, &UsageError{fmt.Sprintf("the token source failed: %v", err)}
		}
		put(members, "token", token)
	}
	var resume map[string]json.RawMessage
	if json.Unmarshal(members["resume"], &resume) == nil && resume != nil {
		put(resume, "session", r.sessions[actor.uid])
		members["resume"], _ = json.Marshal(resume)
	}
	encoded, err := json.Marshal(members)
	return string(encoded), err == nil, nil
}

// compare waits for the frame that the trace shows next.
func (r *replay) compare(ctx context.Context, actor *replayActor, frame reports.Frame) error {
	waiting, cancel := context.WithTimeout(ctx, r.env.Answer())
	defer cancel()
	if words, isClose := strings.CutPrefix(frame.Payload, "<close "); isClose {
		recorded, _, _ := strings.Cut(strings.TrimSuffix(words, ">"), " ")
		got, reason, err := actor.conn.AwaitClose(waiting)
		observed := fmt.Sprintf("<close %d %s>", got, reason)
		if err != nil {
			observed = err.Error()
		}
		r.judge(frame, observed, err == nil && recorded == fmt.Sprint(got))
		return ctx.Err()
	}
	recorded, err := probe.Decode([]byte(frame.Payload))
	if err != nil {
		r.count.Skipped++
		r.line(frame.Actor, "<-", "(cannot be compared) "+frame.Payload)
		return nil
	}
	matcher := probe.Matching(recorded.Kind, func(o probe.Object) bool { return o.Kind == recorded.Kind && o.ID == recorded.ID })
	if recorded.ID != 0 {
		matcher = probe.Matching(fmt.Sprintf("an answer to request %d", recorded.ID), func(o probe.Object) bool { return o.ID == recorded.ID })
	}
	got, err := actor.conn.Await(waiting, matcher)
	if err != nil {
		r.judge(frame, err.Error(), false)
		return ctx.Err()
	}
	if session, ok := got.Text("session"); ok && got.Kind == "login.ok" {
		r.sessions[actor.uid] = session
	}
	r.judge(frame, reports.Redact(string(got.Raw)), sameFrame([]byte(frame.Payload), got.Raw))
	return nil
}

// judge writes what came in the place of a recorded frame.
func (r *replay) judge(frame reports.Frame, observed string, same bool) {
	if same {
		r.count.Same++
		r.line(frame.Actor, "<-", observed)
		return
	}
	r.count.Different++
	r.line(frame.Actor, "<-", observed)
	r.line(strings.Repeat(" ", len(frame.Actor)), "≠ ", "recorded was "+frame.Payload)
}

func (r *replay) line(actor, arrow, text string) {
	fmt.Fprintf(r.out, "  %s %s %s\n", actor, arrow, strings.ToValidUTF8(text, "\uFFFD"))
}

// byNature are the members that differ between two servers, or two runs, that do the same.
var byNature = []string{"ts", "seq", "server_ts", "session", "server", "limits", "message", "left_ms"}

// sameFrame compares two frames without what differs by nature.
func sameFrame(recorded, got []byte) bool {
	var a, b map[string]any
	if json.Unmarshal(recorded, &a) != nil || json.Unmarshal(got, &b) != nil {
		return string(recorded) == string(got)
	}
	for _, name := range byNature {
		delete(a, name)
		delete(b, name)
	}
	return reflect.DeepEqual(a, b)
}
