package conformance

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// shownFrames is how many frames of a spec the console shows, from the end.
const shownFrames = 30

// Print writes the result for a terminal: what was not met, each with its frames and the command to repeat it, and one
// line for each profile.
func Print(w io.Writer, result *reports.Conformance) error {
	var text strings.Builder
	for i := range result.Requirements {
		row := &result.Requirements[i]
		switch row.Verdict {
		case reports.Fail, reports.Flaky, reports.StaleKnownFail, reports.Warn, reports.Info, reports.Error:
			text.WriteString(Explain(row) + "\n")
		case reports.Blocked:
			fmt.Fprintf(&text, "BLOCKED %s: %s\n", row.ID, row.Reason)
		}
	}
	for _, profile := range result.Profiles {
		fmt.Fprintf(&text, "%-12s %-15s %s\n", profile.Name, profile.Verdict, countWords(profile.Counts))
	}
	fmt.Fprintf(&text, "%d requirements: %s (seed %d, %v)\n", len(result.Requirements), countWords(result.Counts()),
		result.Seed, result.EndedAt.Sub(result.StartedAt).Round(time.Millisecond))
	_, err := io.WriteString(w, text.String())
	return err
}

func countWords(counts map[reports.Verdict]int) string {
	var words []string
	for _, verdict := range reports.Verdicts() {
		if counts[verdict] > 0 {
			words = append(words, fmt.Sprintf("%d %s", counts[verdict], verdict))
		}
	}
	return strings.Join(words, ", ")
}

func writeFrames(text *strings.Builder, frames []reports.Frame) {
	if hidden := len(frames) - shownFrames; hidden > 0 {
		fmt.Fprintf(text, "       (%d earlier frames not shown)\n", hidden)
		frames = frames[hidden:]
	}
	for _, frame := range frames {
		payload := frame.Payload
		if len(payload) > 300 {
			payload = strings.ToValidUTF8(payload[:300], "") + "…"
		}
		fmt.Fprintf(text, "       %9.3fms %s %s %s\n", float64(frame.AtNS)/1e6, frame.Actor, frame.Direction, payload)
	}
}
