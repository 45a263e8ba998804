package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows long work: a bar that moves on a terminal, one plain line now and
// then elsewhere, so that a CI log stays readable.
type progress struct {
	w     io.Writer
	tty   bool
	bar   *progressbar.ProgressBar
	title string
	line  time.Time // when the last plain line was written
}

// plainEvery is the least time between two plain lines of one phase.
const plainEvery = 5 * time.Second

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, tty: ok && term.IsTerminal(int(f.Fd()))}
}

// begin starts a phase of total steps; a total of zero or less is not known yet.
func (p *progress) begin(title string, total int) {
	p.title, p.line = title, time.Now()
	if !p.tty {
		fmt.Fprintf(p.w, "%s …\n", title)
		return
	}
	p.bar = progressbar.NewOptions(total,
		progressbar.OptionSetWriter(p.w),
		progressbar.OptionSetWidth(28),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionThrottle(80*time.Millisecond),
		progressbar.OptionSetTheme(progressbar.ThemeUnicode),
		progressbar.OptionSetDescription(pad(title)),
	)
}

// at tells how far the phase is and what is going on.
func (p *progress) at(done, total int, note string) {
	if p.tty {
		if p.bar == nil {
			return
		}
		if total > 0 && p.bar.GetMax() != total {
			p.bar.ChangeMax(total)
		}
		p.bar.Describe(pad(p.title) + " " + note)
		p.bar.Set(done)
		return
	}
	if time.Since(p.line) >= plainEvery {
		p.line = time.Now()
		fmt.Fprintf(p.w, "%s  %d of %d  %s\n", p.title, done, total, note)
	}
}

// end closes the phase and clears its bar.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Finish()
		p.bar.Clear()
		p.bar = nil
	}
}

func pad(title string) string {
	return title + strings.Repeat(" ", max(0, 14-len([]rune(title))))
}
