package main

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

var updateFrames = flag.Bool("update-frames", false, "write the frames of the live view anew")

var liveNow = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// livedSecond is a plausible second of a run of channel messages to ten members each.
func livedSecond(second int) loadgen.Progress {
	wave := 1 + 0.6*math.Sin(float64(second)/3)
	return loadgen.Progress{
		Phase: "measure", Elapsed: time.Duration(second) * time.Second, Total: 42 * time.Second,
		InPhase: time.Duration(second-4) * time.Second, PhaseTotal: 30 * time.Second,
		Offered: 1000, Sent: 998, Acked: 990, Delivered: 9_720, Expected: 10_000, InFlight: 1_234, Metric: "channel.deliver",
		P50: time.Duration(250 * wave * float64(time.Microsecond)), P99: time.Duration(2.4 * wave * float64(time.Millisecond)), Max: 14 * time.Millisecond,
		LagP99: time.Duration(130 * wave * float64(time.Microsecond)), LagLimit: 2 * time.Millisecond,
	}
}

// lived is a model that has seen so many seconds of a run, on a terminal of this size.
func lived(t *testing.T, seconds, width, height int, change func(*loadgen.Progress)) liveModel {
	t.Helper()
	messages := []tea.Msg{tea.WindowSizeMsg{Width: width, Height: height}}
	for s := range seconds {
		at := livedSecond(s + 1)
		if change != nil {
			change(&at)
		}
		messages = append(messages, tickMsg{now: liveNow.Add(time.Duration(s) * time.Second)}, secondMsg(at))
	}
	return after(t, newLiveModel("fanout", "ws://127.0.0.1:8080/rtm/v1"), messages...)
}

func after(t *testing.T, m liveModel, messages ...tea.Msg) liveModel {
	t.Helper()
	for _, msg := range messages {
		next, _ := m.Update(msg)
		m = next.(liveModel)
	}
	return m
}

// plain is what the model draws, without its colours.
func plain(m liveModel) string {
	var b strings.Builder
	text := m.View().Content
	for i := 0; i < len(text); i++ {
		if text[i] == '\x1b' {
			i += strings.IndexByte(text[i:], 'm')
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func TestTheDashboardLooksAsDrawn(t *testing.T) {
	trouble := func(p *loadgen.Progress) {
		p.LagP99, p.Delivered = 6*time.Millisecond, 4_000
		p.Failures = []reports.ErrorCount{{Op: "peer.send", Class: "ack_timeout", Code: 2, Count: 1_402}, {Op: "login", Class: "dial", Count: 3}, {Class: "kicked", Count: 2}, {Class: "read_error", Count: 1}}
	}
	for name, m := range map[string]liveModel{
		"80x24":            lived(t, 17, 80, 24, nil),
		"120x40":           lived(t, 80, 120, 40, nil),
		"80x24-trouble":    lived(t, 30, 80, 24, trouble),
		"40x10":            lived(t, 9, 40, 10, trouble),
		"80x24-connecting": after(t, newLiveModel("fanout", "ws://127.0.0.1:8080/rtm/v1"), tea.WindowSizeMsg{Width: 80, Height: 24}),
	} {
		got, file := plain(m), filepath.Join("testdata", "live", name+".txt")
		if *updateFrames {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestTheDashboardFitsAnyTerminal(t *testing.T) {
	for width := 1; width < 200; width += 7 {
		for height := 1; height < 40; height += 3 {
			m := lived(t, 3, width, height, func(p *loadgen.Progress) {
				p.Failures = []reports.ErrorCount{{Op: "peer.send", Class: "ack_timeout", Count: math.MaxInt64}}
			})
			lines := strings.Split(strings.TrimSuffix(m.View().Content, "\n"), "\n")
			if len(lines) > max(height-2, 1) {
				t.Errorf("%d×%d: %d lines", width, height, len(lines))
			}
			for _, line := range lines {
				if w := lipgloss.Width(line); w > max(width, 21) {
					t.Errorf("%d×%d: a line of %d cells: %q", width, height, w, line)
				}
			}
		}
	}
}

func TestTheDashboardTakesAnySecond(t *testing.T) {
	for name, at := range map[string]loadgen.Progress{
		"nothing":        {},
		"no total":       {Phase: "connect", Elapsed: time.Second},
		"more than all":  {Offered: 1, Sent: 100, Acked: 100, Delivered: 1e12, Expected: 1},
		"late by hours":  {LagP99: time.Hour, LagLimit: 1, P50: time.Hour, P99: 1},
		"beyond its end": {Elapsed: time.Hour, Total: time.Second, InPhase: time.Hour, PhaseTotal: 1},
	} {
		m := after(t, newLiveModel("x", "y"), secondMsg(at), secondMsg(at), tickMsg{now: liveNow.Add(time.Hour)})
		if got := plain(m); !strings.Contains(got, "x") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestTheClockOfTheDashboardMovesBetweenTwoSeconds(t *testing.T) {
	m := lived(t, 10, 80, 24, nil)
	for passed, want := range map[time.Duration][2]string{0: {"10 of 42 s", "24 s left"}, 1100 * time.Millisecond: {"11 of 42 s", "23 s left"}, time.Minute: {"12 of 42 s", "22 s left"}} {
		got := plain(after(t, m, tickMsg{now: m.now.Add(passed)}))
		if !strings.Contains(got, want[0]) || !strings.Contains(got, want[1]) {
			t.Errorf("%v after the last second it does not say %q:\n%s", passed, want, got)
		}
	}
}

func TestTheLampHasTheLimitsOfValidity(t *testing.T) {
	for lag, want := range map[time.Duration]string{time.Millisecond: "on schedule", time.Millisecond + 1: "degraded", 2 * time.Millisecond: "degraded", 2*time.Millisecond + 1: "invalid"} {
		if got := lampOf(loadgen.Progress{LagP99: lag, LagLimit: 2 * time.Millisecond}).words; !strings.Contains(got, want) {
			t.Errorf("a lag of %v: %s, want %s", lag, got, want)
		}
	}
}

func TestAnInterruptedRunSaysSoAndAnEndedOneIsWipedAway(t *testing.T) {
	m := after(t, lived(t, 5, 80, 24, nil), tickMsg{now: liveNow, interrupted: true})
	if !strings.Contains(plain(m), "interrupted, measure") {
		t.Errorf("it does not say that it was interrupted:\n%s", plain(m))
	}
	next, cmd := m.Update(endMsg{})
	if cmd == nil || next.View().Content != "" {
		t.Errorf("at the end %q is left", next.View().Content)
	}
}

func TestWithoutATerminalALineTellsEveryTenSeconds(t *testing.T) {
	for github, want := range map[bool]string{
		false: "fanout load …\nmeasure   10 of 42 s  998 sent/s  9720 delivered/s  channel.deliver p50 221 µs p99 2.13 ms  lag p99 115 µs\nmeasure   20 of 42 s  998 sent/s  9720 delivered/s  channel.deliver p50 306 µs p99 2.94 ms  lag p99 159 µs\n",
		true:  "::group::fanout load\nmeasure   10 of 42 s  998 sent/s  9720 delivered/s  channel.deliver p50 221 µs p99 2.13 ms  lag p99 115 µs\nmeasure   20 of 42 s  998 sent/s  9720 delivered/s  channel.deliver p50 306 µs p99 2.94 ms  lag p99 159 µs\n::endgroup::\n",
	} {
		var b bytes.Buffer
		seconds := make(chan loadgen.Progress)
		end := plainLines(&b, "fanout", github, seconds)
		for s := range 25 {
			seconds <- livedSecond(s + 1)
		}
		end()
		if b.String() != want {
			t.Errorf("got\n%s\nwant\n%s", b.String(), want)
		}
	}
}

func TestAPlainLineTellsTrouble(t *testing.T) {
	at := livedSecond(10)
	at.LagP99 = 3 * time.Millisecond
	at.Failures = []reports.ErrorCount{{Op: "login", Class: "dial", Count: 3}}
	if got := plainLine(at); !strings.HasSuffix(got, "lag p99 3.00 ms  too late: this makes a run invalid  3 × login dial") {
		t.Error(got)
	}
}

// stopped is a terminal that takes nothing, as after Ctrl-S, until it is let go.
type stopped struct{ let chan struct{} }

func (s stopped) Write(b []byte) (int, error) {
	<-s.let
	return len(b), nil
}

func TestAStoppedTerminalDoesNotHoldTheRunUp(t *testing.T) {
	terminal := stopped{make(chan struct{})}
	seconds := make(chan loadgen.Progress, 2)
	end := dashboard(t.Context(), terminal, newLiveModel("x", "y"), seconds)
	progress := keep(seconds)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := range 10_000 {
			progress(livedSecond(s))
		}
	}()
	<-done // Or the test never ends.
	end()
	close(terminal.let)
}

func TestTheDashboardDrawsAndLeavesTheTerminalAsItWas(t *testing.T) {
	var b bytes.Buffer
	seconds := make(chan loadgen.Progress)
	end := dashboard(t.Context(), &b, newLiveModel("fanout", "ws://x/"), seconds)
	for s := range 3 {
		seconds <- livedSecond(s + 1)
	}
	end()
	for _, mode := range []string{"\x1b[?25l", "\x1b[?1049h", "\x1b[?1000h", "\x1b[?2004h"} {
		if n := strings.Count(b.String(), mode); n > strings.Count(b.String(), strings.NewReplacer("l", "h", "h", "l").Replace(mode)) {
			t.Errorf("%q was set %d times and not taken back in %q", mode, n, b.String())
		}
	}
}
