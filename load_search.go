package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

type loadSearchCommand struct {
	Workload string `arg:"" help:"peer, channel, another ready workload by name, or the path of a workload file; its rates are scaled together by one factor."`

	SLO []loadgen.Threshold `name:"slo" sep:"none" placeholder:"EXPR" help:"Limit that a trial has to keep, such as \"peer.ack.p99 < 20ms\"; repeatable. Without it those of the workload, and without any a p99 under 20 ms."`

	From      loadgen.Rate  `placeholder:"N/s" help:"Lowest rate, over all traffic (default: 1000/s for peer, 100/s for channel, a tenth of its rate for a file)."`
	To        loadgen.Rate  `placeholder:"N/s" help:"Highest rate (default: 200000/s, or what a run can hold)."`
	Trial     time.Duration `default:"5s" placeholder:"DURATION" help:"Length of the first trials."`
	Final     time.Duration `default:"15s" placeholder:"DURATION" help:"Length of the last trials, which confirm the answer."`
	Clients   *int          `placeholder:"N" help:"Logged-in clients, for peer and channel."`
	Channels  *int          `placeholder:"N" help:"Number of channels, for channel."`
	Members   *int          `placeholder:"N" help:"Members of each channel, for channel."`
	Size      *int          `placeholder:"BYTES" help:"Payload size, for peer and channel."`
	Width     float64       `default:"0.03" placeholder:"SHARE" help:"How narrow the interval has to become, as a share of the rate."`
	MaxTrials int           `default:"40" placeholder:"N" help:"Give up after this many trials."`
	Pause     time.Duration `default:"2s" placeholder:"DURATION" help:"Rest between trials for a server that is not started anew."`

	Server        string `placeholder:"URL" help:"Server under load; without it a reference server is started for each trial."`
	ServerCommand string `placeholder:"CMD" help:"Command that starts a server for each trial and prints {\"ready\":\"ws://…\"} when it accepts connections; it is ended by SIGTERM."`
	ServerPID     int    `placeholder:"PID" help:"Process id of a --server on this machine, for its CPU and memory."`
	AppID         string `default:"${app_id}" placeholder:"ID" help:"App to log in to."`
	TokenCommand  string `placeholder:"CMD" help:"Command that prints a token for the app RTM_APP_ID and the user RTM_UID of its environment."`
	tlsFlags

	Out string `placeholder:"DIR" help:"Folder, new or empty, for the result and for a run folder of each trial."`
}

// Run looks for the highest rate that the server carries.
func (c *loadSearchCommand) Run(a *app) error {
	w, err := c.workload()
	if err != nil {
		return err
	}
	if err := c.check(&w); err != nil {
		return err
	}
	base, err := c.options(a)
	if err != nil {
		return err
	}
	if base.Floor, err = (&loadRunCommand{}).floor(a, w); err != nil {
		return err
	}
	if base.Floor != nil {
		if err := w.CheckFloor(base.Floor); err != nil {
			return fail(exitUsage, "%w", err)
		}
	}
	if err := (&loadRunCommand{Out: c.Out}).freshOut(); err != nil {
		return err
	}
	kind, err := w.KindSHA256()
	if err != nil {
		return err
	}
	h := &hunt{loadSearchCommand: c, app: a, base: base, workload: w, result: &reports.Search{
		Schema: reports.SearchSchema, ToolVersion: version, Workload: w.Name, KindSHA256: kind,
		Environment: reports.CollectEnvironment(), StartedAt: time.Now().UTC(), Command: a.command(), Notes: c.notes(w, base.Floor),
		Demands: demandTexts(w), Metric: primaryMetric(w), FromPerS: float64(c.From), ToPerS: float64(c.To), Width: c.Width,
	}}
	err = h.run()
	if len(h.result.Trials) == 0 && err != nil {
		return err
	}
	if c.Out != "" {
		if wrote := reports.WriteSearch(c.Out, h.result); wrote != nil {
			return fail(exitBroken, "the search could not be written: %w", wrote)
		}
	}
	writeSearch(a.stdout, h.result)
	if c.Out != "" {
		fmt.Fprintf(a.stdout, "report  %s\n", filepath.Join(c.Out, reports.PageFile))
	}
	if err != nil {
		return err
	}
	return verdict(searchCode(h.result))
}

// workload returns the workload, at a rate ten times that at which the search begins.
func (c *loadSearchCommand) workload() (loadgen.Workload, error) {
	run := loadRunCommand{Workload: c.Workload, Clients: c.Clients, Channels: c.Channels, Members: c.Members, Size: c.Size}
	if c.Workload == "peer" {
		run.Rate = new(loadgen.Rate(10_000))
	}
	w, err := run.workload()
	w.Thresholds = c.demands(w)
	return w, err
}

// defaultSLO is what a server has to keep where nobody says more. It leaves slack: what is looked for is the knee, where
// latencies grow without end, and not the load at which they begin to rise.
const defaultSLO = ".p99 < 20ms"

// demands are the thresholds of every trial. A trial runs to its end whatever it breaks, and one with too few samples
// says nothing about a limit.
func (c *loadSearchCommand) demands(w loadgen.Workload) []loadgen.Threshold {
	list := c.SLO
	if len(list) == 0 {
		list = w.Thresholds
	}
	if len(list) == 0 {
		for _, of := range []struct {
			op     loadgen.Op
			metric string
		}{{loadgen.OpPeer, "peer.ack"}, {loadgen.OpChannel, "channel.deliver"}} {
			if slices.ContainsFunc(w.Traffic, func(t loadgen.Traffic) bool { return t.Op == of.op }) {
				t, err := loadgen.ParseThreshold(of.metric + defaultSLO)
				if err != nil {
					panic(err) // it stands here
				}
				list = append(list, t)
			}
		}
	}
	list = slices.Clone(list)
	for i := range list {
		list[i].Abort, list[i].After, list[i].AllowInsufficient = false, 0, true
	}
	return list
}

// options are those of every trial.
func (c *loadSearchCommand) options(a *app) (loadgen.Options, error) {
	o := loadgen.Options{URL: c.Server, AppID: c.AppID, ServerPID: c.ServerPID, ToolVersion: version, Command: a.command()}
	switch {
	case c.Server != "" && c.ServerCommand != "":
		return o, fail(exitUsage, "--server and --server-command exclude each other; give the one that fits")
	case c.Server == "" && c.ServerPID != 0:
		return o, fail(exitUsage, "--server-pid belongs to a --server; the process of a command is known")
	case c.Server == "" && c.ServerCommand == "" && c.TokenCommand != "":
		return o, fail(exitUsage, "--token-command belongs to a --server or a --server-command")
	}
	if c.Server != "" {
		if err := loadgen.CheckURL(c.Server); err != nil {
			return o, fail(exitUsage, "--server: %w", err)
		}
	}
	if c.TokenCommand != "" {
		source := tokenCommandFor(c.TokenCommand, c.AppID)
		o.Token = func(uid string) (string, error) { return source(a.ctx, uid) }
	}
	var err error
	o.TLS, err = c.tlsFlags.config()
	return o, err
}

// check fills in the range, shortens the warm-up of a long workload to the length of a trial, and refuses flags that make
// no sense.
func (c *loadSearchCommand) check(w *loadgen.Workload) error {
	if err := w.CheckScalable(); err != nil {
		return fail(exitUsage, "%w", err)
	}
	switch {
	case c.Trial <= 0 || c.Final < c.Trial:
		return fail(exitUsage, "--trial %v, --final %v: the last trials are at least as long as the first, and those longer than 0", c.Trial, c.Final)
	case !(c.Width >= 0.005 && c.Width <= 1):
		return fail(exitUsage, "--width %v: give a share of the rate from 0.005 to 1, such as 0.03", c.Width)
	case c.MaxTrials < 1 || c.MaxTrials > 1000:
		return fail(exitUsage, "--max-trials %d: give a number from 1 to 1000", c.MaxTrials)
	case c.From < 0 || c.To < 0 || c.Pause < 0:
		return fail(exitUsage, "--from, --to and --pause must not be negative")
	}
	w.Phases.Warmup = min(w.Phases.Warmup, c.Trial)
	if c.From == 0 {
		c.From = w.TotalRate() / 10
	}
	if c.To == 0 {
		c.To = max(200_000, c.From)
		for c.To > c.From && w.Scaled(c.To, c.Final).Check() != nil {
			c.To = max(c.To/2, c.From)
		}
	}
	if c.To < c.From {
		return fail(exitUsage, "--to %v is below --from %v", c.To, c.From)
	}
	for _, rate := range []loadgen.Rate{c.From, c.To} {
		for _, length := range []time.Duration{c.Trial, c.Final} {
			if err := w.Scaled(rate, length).Check(); err != nil {
				return fail(exitUsage, "a trial of %v at %v: %w", length, rate, err)
			}
		}
	}
	return nil
}

// own reports whether each trial has a server of its own.
func (c *loadSearchCommand) own() bool { return c.Server == "" }

func (c *loadSearchCommand) notes(w loadgen.Workload, floor *reports.Floor) []string {
	var notes []string
	switch {
	case c.ServerCommand != "":
		notes = append(notes, "Each trial had a fresh server, started by --server-command on this machine.")
	case c.own():
		notes = append(notes, "Each trial had a fresh reference server, on this machine, with its call limits off.")
	}
	if len(w.Traffic) > 1 {
		notes = append(notes, fmt.Sprintf("The %d entries of the workload were scaled together by one factor, so that their shares stayed as they are; rates are those of all together.", len(w.Traffic)))
	}
	if floor != nil && floor.Bounded {
		notes = append(notes, fmt.Sprintf("Against a null server on this host the generator kept its schedule up to %.0f/s.", floor.ValidPerS))
	}
	return notes
}

// demandTexts say what a trial has to meet.
func demandTexts(w loadgen.Workload) []string {
	var texts []string
	for _, t := range w.Thresholds {
		texts = append(texts, t.String())
	}
	return append(texts, "every message answered, received and in the ledger exactly once", "99.5 % of the offered rate sent",
		"a valid run, not even degraded", "neither the latency nor the number of messages without an answer grows")
}

// noisePause is how long a search waits for whatever else uses the machine.
const noisePause = 2 * time.Second

// hunt is a search on its way.
type hunt struct {
	*loadSearchCommand
	app      *app
	base     loadgen.Options
	workload loadgen.Workload
	result   *reports.Search
}

// run makes the trials. The error says why the search ended early; what it found until then is in the result.
func (h *hunt) run() error {
	answer, err := loadgen.Searcher{
		From: float64(h.From), To: float64(h.To), Width: h.Width, Short: h.Trial, Full: h.Final, MaxTrials: h.MaxTrials, Trial: h.trial,
	}.Search(h.app.ctx)
	h.result.Answer, h.result.EndedAt = answer, time.Now().UTC()
	if h.app.ctx.Err() != nil {
		h.result.Interrupted = true
		return fail(exitInterrupted, "interrupted; what was found until then is the answer so far")
	}
	return err
}

// trial plays one trial and keeps its row.
func (h *hunt) trial(_ context.Context, step reports.SearchStep, rate float64, length time.Duration) (loadgen.TrialResult, error) {
	if n := len(h.result.Trials); n > 0 && h.result.Trials[n-1].Verdict == reports.TrialNoisy && !rest(h.app.ctx, noisePause) {
		return loadgen.TrialResult{}, h.app.ctx.Err()
	}
	options := h.base
	died := func() error { return nil }
	if h.own() {
		server, err := startUnderLoad(h.app.ctx, h.ServerCommand)
		if err != nil {
			return loadgen.TrialResult{}, err
		}
		defer server.stop()
		options.URL, options.ServerPID, died = server.url, server.pid, server.died
	} else if len(h.result.Trials) > 0 && !rest(h.app.ctx, h.Pause) {
		return loadgen.TrialResult{}, h.app.ctx.Err()
	}
	folder := ""
	if h.Out != "" {
		folder = fmt.Sprintf("trials/%02d-%.0f", len(h.result.Trials)+1, rate)
		options.Dir = filepath.Join(h.Out, filepath.FromSlash(folder))
	}
	w := h.workload.Scaled(loadgen.Rate(rate), length)
	started := time.Now()
	load, err := measure(h.app, w, options)
	if h.app.ctx.Err() != nil {
		return loadgen.TrialResult{}, h.app.ctx.Err()
	}
	if unfit := new(loadgen.WorkloadError); errors.As(err, &unfit) && len(h.result.Trials) > 0 {
		// The server announces limits that no higher rate can keep.
		return h.note(reports.SearchTrial{RatePerS: rate, LengthNS: int64(length), Step: step, Verdict: reports.TrialFailed, Criterion: unfit.Error()}), nil
	}
	if err != nil {
		return loadgen.TrialResult{}, cmp.Or(died(), fail(loadCode(load, err), "%w", err))
	}
	h.result.Target, h.result.Server = load.Manifest.Target, load.Manifest.Server
	trial := loadgen.JudgeTrial(load, length)
	if step == reports.StepConfirm {
		h.doubt(load)
	}
	trial.RatePerS, trial.Step, trial.Run = rate, step, folder
	if err := died(); err != nil {
		// Whatever was lost with it, its end is the finding.
		trial.Verdict, trial.Criterion = reports.TrialFailed, err.Error()
	}
	if folder != "" {
		report := newReport(h.app, started)
		report.Loads = []reports.Load{*load}
		if err := finish(report, loadCode(load, nil), options.Dir); err != nil {
			return loadgen.TrialResult{}, err
		}
	}
	return h.note(trial), nil
}

// doubt notes which limits had too few samples even in a trial that confirms.
func (h *hunt) doubt(load *reports.Load) {
	for _, t := range load.Summary.Thresholds {
		note := fmt.Sprintf("%s was not judged even in the last trials, which had too few samples; give a longer --final.", t.Expr)
		if t.Insufficient && !slices.Contains(h.result.Notes, note) {
			h.result.Notes = append(h.result.Notes, note)
		}
	}
}

// note keeps the row of a trial and tells of it at once.
func (h *hunt) note(t reports.SearchTrial) loadgen.TrialResult {
	h.result.Trials = append(h.result.Trials, t)
	line := fmt.Sprintf("%s %.0f/s for %v: %s", t.Step, t.RatePerS, time.Duration(t.LengthNS), t.Verdict)
	if t.Criterion != "" {
		line += ", " + t.Criterion
	}
	fmt.Fprintln(h.app.stderr, line)
	return loadgen.TrialResult{Verdict: t.Verdict, Criterion: t.Criterion}
}

// rest waits, and reports whether it could to the end.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// searchCode returns the exit code for what a search found.
func searchCode(s *reports.Search) exitCode {
	switch {
	case s.Interrupted:
		return exitInterrupted
	case s.Lost():
		return exitAccounting
	case s.NeverValid():
		return exitInvalid
	case s.Answer.RatePerS == 0:
		return exitViolated
	}
	return exitOK
}

// writeSearch prints a search for a terminal.
func writeSearch(w io.Writer, s *reports.Search) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "rate\tlength\tstep\tverdict\t%s p50\tp99\tachieved\tlag p99\tin flight\treason\n", s.Metric)
	for _, trial := range s.Trials {
		reason, _, _ := strings.Cut(trial.Criterion, "; ") // the first; the page has all
		fmt.Fprintf(t, "%.0f/s\t%v\t%s\t%s\t%s\t%s\t%.0f/s\t%s\t%+.0f/s\t%s\n", trial.RatePerS, time.Duration(trial.LengthNS), trial.Step, trial.Verdict,
			short(time.Duration(trial.P50NS)), short(time.Duration(trial.P99NS)), trial.AchievedPerS, short(time.Duration(trial.LagP99NS)), trial.InFlightPerS, reason)
	}
	t.Flush()
	for _, note := range s.Notes {
		fmt.Fprintln(w, "note: "+note)
	}
	if s.Answer.FailsPerS > 0 && s.Answer.RatePerS > 0 {
		fmt.Fprintf(w, "interval  %.0f/s passes, %.0f/s does not\n", s.Answer.RatePerS, s.Answer.FailsPerS)
	}
	fmt.Fprintf(w, "%s: %s. %s\n", s.Workload, s.Title(), s.Sentence())
}
