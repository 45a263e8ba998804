package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"

	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

// measureLive runs the workload and shows it while it lasts: as a dashboard on a terminal, else as a line now and then.
// What is shown are copies, taken once a second; a terminal that does not take them costs the run nothing.
func measureLive(a *app, w loadgen.Workload, o loadgen.Options) (*reports.Load, error) {
	// A view that cannot keep up misses seconds.
	seconds := make(chan loadgen.Progress, 16)
	o.Progress = keep(seconds)
	if f, ok := a.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		defer dashboard(a.ctx, f, newLiveModel(w.Name, o.URL), seconds)()
	} else {
		defer plainLines(a.stderr, w.Name, os.Getenv("GITHUB_ACTIONS") == "true", seconds)()
	}
	return loadgen.Run(a.ctx, w, o)
}

// keep returns a function that hands over seconds for as long as somebody takes them, and never waits.
func keep(seconds chan<- loadgen.Progress) func(loadgen.Progress) {
	return func(at loadgen.Progress) {
		select {
		case seconds <- at:
		default:
		}
	}
}

// lineEvery is the time between two plain lines of a run.
const lineEvery = 10 * time.Second

// plainLines writes a line every ten seconds until the returned function is called, which waits for the last one. On
// GitHub the lines fold away.
func plainLines(w io.Writer, name string, github bool, seconds chan loadgen.Progress) (end func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		first, last := name+" load …", ""
		if github {
			first, last = "::group::"+name+" load", "::endgroup::\n"
		}
		fmt.Fprintln(w, first)
		told := time.Duration(0)
		for at := range seconds {
			// Seconds are counted from a begin that lies between two of them.
			if at.Elapsed-told > lineEvery-time.Second/2 {
				told = at.Elapsed
				fmt.Fprintln(w, plainLine(at))
			}
		}
		fmt.Fprint(w, last)
	}()
	return func() {
		close(seconds)
		<-done
	}
}

// plainLine is one second of a run as a line.
func plainLine(at loadgen.Progress) string {
	line := fmt.Sprintf("%-7s %4.0f of %.0f s  %d sent/s  %d delivered/s", at.Phase, at.Elapsed.Seconds(), max(at.Total, at.Elapsed).Seconds(), at.Sent, at.Delivered)
	if at.P50 > 0 {
		line += fmt.Sprintf("  %s p50 %s p99 %s  lag p99 %s", at.Metric, short(at.P50), short(at.P99), short(at.LagP99))
	}
	if lamp := lampOf(at); lamp.grave {
		line += "  " + lamp.words
	}
	for _, e := range at.Failures[:min(len(at.Failures), maxFailures)] {
		line += "  " + failureWords(e)
	}
	return line
}

// frames is how often a second the dashboard is drawn.
const frames = 5

// patience is how long a terminal may take for the last frame. One that was stopped takes for ever.
const patience = time.Second

// dashboard draws the run until the returned function is called. The program behind it only draws: it reads no input,
// so that the terminal stays as it is and Ctrl-C reaches the run as a signal; and it hides no cursor and switches no
// screen, so that nothing has to be restored, however the process ends.
func dashboard(ctx context.Context, out io.Writer, model liveModel, seconds chan loadgen.Progress) (end func()) {
	program := tea.NewProgram(model, tea.WithInput(nil), tea.WithOutput(out), tea.WithoutSignalHandler(), tea.WithFPS(2*frames))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		// Should it fail, the run goes on without it.
		_, _ = program.Run()
	}()
	go func() {
		ticks := time.NewTicker(time.Second / frames)
		defer ticks.Stop()
		for {
			select {
			case at, open := <-seconds:
				if !open {
					program.Send(endMsg{})
					return
				}
				program.Send(secondMsg(at))
			case now := <-ticks.C:
				program.Send(tickMsg{now, ctx.Err() != nil})
			}
		}
	}()
	return func() {
		close(seconds)
		select {
		case <-ended:
		case <-time.After(patience):
			go program.Kill() // It would wait as well.
		}
	}
}
