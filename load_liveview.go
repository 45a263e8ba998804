package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

// liveModel is what the dashboard knows of a run. It is a value: Update returns the next one, and View draws it, both
// without a look at the clock or the run.
type liveModel struct {
	name, target  string
	width, height int
	history       []loadgen.Progress // the last seconds, the newest last
	arrived       time.Time          // when the newest came
	now           time.Time
	interrupted   bool
	ended         bool
}

type (
	secondMsg loadgen.Progress
	tickMsg   struct {
		now         time.Time
		interrupted bool
	}
	endMsg struct{}
)

// maxHistory is how many seconds the sparklines reach back.
const maxHistory = 60

// maxFailures is how many kinds of failures are shown; the report has all.
const maxFailures = 3

func newLiveModel(name, target string) liveModel {
	return liveModel{name: name, target: target, width: 80, height: 24}
}

// Init asks for nothing.
func (m liveModel) Init() tea.Cmd { return nil }

// Update takes a second of the run, the time, or another size of the terminal.
func (m liveModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case secondMsg:
		older := m.history[max(0, len(m.history)-maxHistory+1):]
		m.history = append(older[:len(older):len(older)], loadgen.Progress(msg))
		m.arrived = m.now
	case tickMsg:
		m.now, m.interrupted = msg.now, msg.interrupted
	case endMsg:
		m.ended = true
		return m, tea.Quit
	}
	return m, nil
}

// View draws the dashboard. The cursor stays visible, below it.
func (m liveModel) View() tea.View {
	frame := ""
	if !m.ended {
		frame = m.frame()
	}
	view := tea.NewView(frame)
	view.Cursor = tea.NewCursor(0, strings.Count(frame, "\n"))
	view.Cursor.Blink = false
	view.DisableBracketedPasteMode = true // Nothing is read.
	return view
}

// The colours are the terminal's own, so that they fit its theme. What they say stands in words as well.
var (
	bold   = lipgloss.NewStyle().Bold(true)
	faint  = lipgloss.NewStyle().Faint(true)
	green  = lipgloss.NewStyle().Foreground(lipgloss.Green)
	yellow = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	red    = lipgloss.NewStyle().Foreground(lipgloss.Red)
	blue   = lipgloss.NewStyle().Foreground(lipgloss.Blue)
	cyan   = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
)

// maxWidth keeps the lines readable on a wide terminal.
const maxWidth = 118

// frame is the picture: lines that fit the terminal, the important ones first where it is low.
func (m liveModel) frame() string {
	width := max(min(m.width, maxWidth)-2, 20)
	if len(m.history) == 0 {
		return clipped(bold.Render(m.name)+faint.Render("  "+m.target)+"\n"+faint.Render("connecting …")+"\n", width, m.height)
	}
	at := m.history[len(m.history)-1]
	lines := []string{m.head(at, width), m.bar(at, width), ""}
	lines = append(lines, rates(at, width)...)
	lines = append(lines, "", latencyLine(at), lampLine(at))
	if len(m.history) > 1 {
		lines = append(lines, "", m.spark("p99", width, cyan, func(p loadgen.Progress) time.Duration { return p.P99 }),
			m.spark("p50", width, green, func(p loadgen.Progress) time.Duration { return p.P50 }),
			m.spark("lag", width, yellow, func(p loadgen.Progress) time.Duration { return p.LagP99 }))
	}
	if len(at.Failures) > 0 {
		lines = append(lines, "", failureLine(at))
	}
	return clipped(strings.Join(lines, "\n")+"\n", width, m.height)
}

// clipped cuts the frame to a size, so that no line wraps and nothing scrolls away.
func clipped(frame string, width, height int) string {
	lines := strings.Split(strings.TrimSuffix(frame, "\n"), "\n")
	lines = lines[:min(len(lines), max(height-2, 1))]
	for i := range lines {
		lines[i] = " " + lipgloss.NewStyle().MaxWidth(width).Render(lines[i])
	}
	return strings.Join(lines, "\n") + "\n"
}

// elapsed is how much of the run has passed; between two seconds the clock tells.
func (m liveModel) since() time.Duration { return max(0, min(m.now.Sub(m.arrived), 2*time.Second)) }

// head names the run, its phase, and how long it will last.
func (m liveModel) head(at loadgen.Progress, width int) string {
	phase := at.Phase
	if m.interrupted {
		phase = "interrupted, " + phase
	}
	if left := at.PhaseTotal - at.InPhase - m.since(); at.PhaseTotal > 0 && left > 0 && !m.interrupted {
		phase += fmt.Sprintf("  %.0f s left", math.Ceil(left.Seconds()))
	}
	style := bold
	if m.interrupted {
		style = yellow
	}
	name := bold.Render(m.name) + "  " + faint.Render(m.target)
	room := width - lipgloss.Width(phase) - 2
	name = lipgloss.NewStyle().MaxWidth(room).Render(name)
	return name + strings.Repeat(" ", max(2, width-lipgloss.Width(name)-lipgloss.Width(phase))) + style.Render(phase)
}

// bar shows how much of the whole run has passed.
func (m liveModel) bar(at loadgen.Progress, width int) string {
	passed := at.Elapsed + m.since()
	label := fmt.Sprintf(" %.0f of %.0f s", min(passed, max(at.Total, at.Elapsed)).Seconds(), max(at.Total, at.Elapsed).Seconds())
	return meter(float64(passed)/float64(max(at.Total, at.Elapsed, 1)), width-lipgloss.Width(label), blue) + faint.Render(label)
}

// rates are the bars of this second against what was offered.
func rates(at loadgen.Progress, width int) []string {
	var lines []string
	for _, r := range []struct {
		name     string
		n, whole int64
		style    lipgloss.Style
	}{
		{"offered", at.Offered, at.Offered, faint}, {"sent", at.Sent, at.Offered, blue},
		{"answered", at.Acked, at.Offered, cyan}, {"delivered", at.Delivered, at.Expected, green},
	} {
		share := 0.0
		if r.whole > 0 {
			share = float64(r.n) / float64(r.whole)
		}
		label := fmt.Sprintf("%-9s %11s ", r.name, thousands(r.n)+"/s")
		lines = append(lines, label+meter(share, width-lipgloss.Width(label), r.style))
	}
	return lines
}

// meter is a bar with eighths of a cell.
func meter(share float64, width int, style lipgloss.Style) string {
	width = max(width, 1)
	eighths := int(math.Round(max(0, min(share, 1)) * float64(width*8)))
	full := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		full += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return style.Render(full) + faint.Render(strings.Repeat("·", width-lipgloss.Width(full)))
}

func latencyLine(at loadgen.Progress) string {
	if at.P50 == 0 {
		return faint.Render(fmt.Sprintf("%-9s no sample in this second", at.Metric))
	}
	return fmt.Sprintf("%-9s p50 %s   p99 %s   max %s", at.Metric, bold.Render(short(at.P50)), bold.Render(short(at.P99)), short(at.Max)) +
		faint.Render(fmt.Sprintf("   %s in flight", thousands(at.InFlight)))
}

// lamp says by the limits of validity whether the generator keeps its schedule.
type lamp struct {
	words string
	style lipgloss.Style
	grave bool
}

func lampOf(at loadgen.Progress) lamp {
	switch {
	case at.LagLimit <= 0 || at.LagP99 == 0:
		return lamp{"nothing to send", faint, false}
	case at.LagP99 > at.LagLimit:
		return lamp{"too late: this makes a run invalid", red, true}
	case at.LagP99 > at.LagLimit/2:
		return lamp{"late: this makes a run degraded", yellow, true}
	}
	return lamp{"on schedule", green, false}
}

func lampLine(at loadgen.Progress) string {
	l := lampOf(at)
	line := l.style.Render("● " + l.words)
	if at.LagP99 > 0 {
		line += faint.Render("   lag p99 " + short(at.LagP99) + " of " + short(at.LagLimit))
	}
	return line
}

// spark draws the last minute of a latency, from zero to its peak.
func (m liveModel) spark(name string, width int, style lipgloss.Style, value func(loadgen.Progress) time.Duration) string {
	cells := max(min(width-34, maxHistory), 8)
	seconds := m.history[max(0, len(m.history)-cells):]
	peak := time.Duration(0)
	for _, p := range seconds {
		peak = max(peak, value(p))
	}
	var line strings.Builder
	for _, p := range seconds {
		if v := value(p); v == 0 {
			line.WriteRune(' ')
		} else {
			line.WriteRune([]rune("▁▂▃▄▅▆▇█")[int(7*float64(v)/float64(peak)+0.5)])
		}
	}
	label := fmt.Sprintf("   up to %s in %d s", short(peak), len(seconds))
	return fmt.Sprintf("%-9s ", name) + style.Render(line.String()) + faint.Render(label)
}

func failureLine(at loadgen.Progress) string {
	var words []string
	for _, e := range at.Failures[:min(len(at.Failures), maxFailures)] {
		words = append(words, failureWords(e))
	}
	if more := len(at.Failures) - len(words); more > 0 {
		words = append(words, fmt.Sprintf("%d more", more))
	}
	return red.Render("✗ " + strings.Join(words, " · "))
}

// failureWords names one kind of failure with its count.
func failureWords(e reports.ErrorCount) string {
	words := thousands(e.Count) + " × " + strings.TrimSpace(e.Op+" "+e.Class)
	if e.Code != 0 {
		words += fmt.Sprintf(" %d", e.Code)
	}
	return words
}

// thousands writes a count with commas.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
