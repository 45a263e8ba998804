package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

type loadCommand struct {
	AB        loadABCommand        `cmd:"" name:"ab" help:"Compare two builds of a server by interleaved runs."`
	Calibrate loadCalibrateCommand `cmd:"" help:"Measure the floor of this host: a workload against a server that does next to nothing."`
	Compare   loadCompareCommand   `cmd:"" help:"Compare stored runs of two builds of a server."`
	K8s       loadK8sCommand       `cmd:"" name:"k8s" help:"Print a Kubernetes manifest that plays a workload in parts."`
	Lint      loadLintCommand      `cmd:"" help:"Check workload files without running them."`
	Merge     loadMergeCommand     `cmd:"" help:"Put the run folders of all shards of a run together."`
	Null      loadNullCommand      `cmd:"" hidden:"" help:"Be that server."`
	Run       loadRunCommand       `cmd:"" help:"Run a workload: a ready one by name, or a YAML file."`
	Schema    loadSchemaCommand    `cmd:"" help:"Print the JSON Schema of workload files, for editors."`
	Search    loadSearchCommand    `cmd:"" help:"Find the highest rate that a server carries."`
	Show      loadShowCommand      `cmd:"" help:"Print a ready workload, or list them all."`
	Verify    loadVerifyCommand    `cmd:"" help:"Derive every number of run folders again from their raw files."`
	Export    loadExportCommand    `cmd:"" help:"Write the numbers of stored runs for benchstat, Prometheus or a benchmark action."`
}

type loadRunCommand struct {
	Workload string `arg:"" help:"peer, channel, the name of another ready workload (see load show), or the path of a workload file."`

	Rate     *loadgen.Rate  `placeholder:"N/s" help:"Messages per second over all clients (default 1000/s)."`
	Duration *time.Duration `placeholder:"DURATION" help:"Length of the measured phase (default 10s)."`
	Clients  *int           `placeholder:"N" help:"Logged-in clients (default: 100 for peer, as few as the channels need for channel)."`
	Channels *int           `placeholder:"N" help:"Number of channels (default 10)."`
	Members  *int           `placeholder:"N" help:"Members of each channel (default 100)."`
	Size     *int           `placeholder:"BYTES" help:"Payload size (default 64)."`

	Threshold []loadgen.Threshold `sep:"none" placeholder:"EXPR" help:"Limit that the run has to keep besides those of the workload, such as \"peer.ack.p99 < 50ms\"; repeatable."`

	Server        string `placeholder:"URL" help:"Server under load; without it the reference server is started for the run."`
	ServerCommand string `placeholder:"CMD" help:"Command that starts the server and prints {\"ready\":\"ws://…\"} when it accepts connections; it is ended by SIGTERM."`
	ServerPID     int    `placeholder:"PID" help:"Process id of a server on this machine, for its CPU and memory."`
	ServerMetrics string `placeholder:"URL" help:"Prometheus metrics of the server, for its CPU and memory, such as http://127.0.0.1:9090/metrics."`
	AppID         string `default:"${app_id}" placeholder:"ID" help:"App to log in to."`
	TokenCommand  string `placeholder:"CMD" help:"Command that prints a token for the app RTM_APP_ID and the user RTM_UID of its environment."`
	tlsFlags
	shardFlags
	clientFlags

	Floor string `type:"existingfile" placeholder:"FILE" help:"Floor of this host that load calibrate wrote; without it the one in the user's cache is taken, if there is one."`
	Out   string `placeholder:"DIR" help:"Run folder, new or empty: manifest, histograms, ledger, report."`
}

// Run plays the workload and prints what it measured.
func (c *loadRunCommand) Run(a *app) error {
	workload, err := c.workload()
	if err == nil {
		err = addThresholds(&workload, c.Threshold)
	}
	if err != nil {
		return err
	}
	options, err := c.options(a)
	if err != nil {
		return err
	}
	if options.Floor, err = c.floor(a, workload); err != nil {
		return err
	}
	if options.Floor != nil {
		if err := workload.CheckFloor(options.Floor); err != nil {
			return fail(exitUsage, "%w", err)
		}
	}
	if err := c.freshOut(); err != nil {
		return err
	}
	if c.Server == "" {
		server, err := startUnderLoad(a.ctx, c.ServerCommand)
		if err != nil {
			return err
		}
		defer server.stop()
		if options.URL, options.ServerPID = server.url, server.pid; c.ServerCommand == "" {
			options.loadChild(server)
		}
	}
	stop, died, err := c.underLoad(a, &options.Options, workload)
	if err != nil {
		return err
	}
	defer stop()
	started := time.Now()
	load, err := measureLive(a, workload, options.Options)
	if load == nil {
		return loadFailure(err)
	}
	code := loadCode(load, err)
	if down := died(); down != nil && err == nil {
		err, code = fmt.Errorf("the client under load: %w", down), graver(code, exitUnreachable)
	}
	report := newReport(a, started)
	report.Loads = []reports.Load{*load}
	written := finish(report, code, c.Out)
	writeLoads(a.stdout, report.Loads)
	writeFloors(a.stdout, report.Loads)
	if c.Out != "" && written == nil {
		fmt.Fprintf(a.stdout, "report  %s\n", filepath.Join(c.Out, reports.PageFile))
	}
	if err != nil {
		return fail(code, "%w", err)
	}
	if written != nil {
		return written
	}
	return verdict(code)
}

// workload turns the argument and the flags into a workload that can run.
func (c *loadRunCommand) workload() (loadgen.Workload, error) {
	given := map[string]bool{
		"--rate": c.Rate != nil, "--duration": c.Duration != nil, "--clients": c.Clients != nil,
		"--channels": c.Channels != nil, "--members": c.Members != nil, "--size": c.Size != nil,
	}
	var w loadgen.Workload
	switch c.Workload {
	case "peer":
		if given["--channels"] || given["--members"] {
			return w, fail(exitUsage, "--channels and --members belong to load run channel; peer messages have no channel")
		}
		w = loadgen.Peer(or(c.Rate, 1000), or(c.Duration, 10*time.Second), or(c.Clients, 100))
	case "channel":
		w = loadgen.Fanout(or(c.Rate, 1000), or(c.Duration, 10*time.Second), or(c.Channels, 10), or(c.Members, 100))
		w.Sessions.Count = or(c.Clients, w.Sessions.Count)
	default:
		if shelved, ok := loadgen.FromShelf(c.Workload); ok {
			return c.shelved(shelved, given)
		}
		for name, set := range given {
			if set {
				return w, fail(exitUsage, "%s goes with peer and channel only; %s is taken for a workload file, which says it itself", name, c.Workload)
			}
		}
		w, err := loadgen.ReadWorkload(c.Workload)
		if errors.Is(err, os.ErrNotExist) {
			return w, fail(exitUsage, "%s: there is no such workload file and no ready workload of that name; there are: channel, %s", c.Workload, shelfNames())
		}
		if err != nil {
			return w, fail(exitUsage, "%w", err)
		}
		return w, nil
	}
	w.Traffic[0].Payload.Bytes = or(c.Size, w.Traffic[0].Payload.Bytes)
	if err := w.Check(); err != nil {
		return w, fail(exitUsage, "%w", err)
	}
	return w, nil
}

// shelved returns a ready workload, with its rate and length as the flags say.
func (c *loadRunCommand) shelved(s loadgen.Shelved, given map[string]bool) (loadgen.Workload, error) {
	for _, name := range []string{"--clients", "--channels", "--members", "--size"} {
		if given[name] {
			return loadgen.Workload{}, fail(exitUsage, "%s goes with peer and channel only; for another %s, change a copy of what load show %s prints", name, s.Name, s.Name)
		}
	}
	w, err := s.Workload()
	if err != nil {
		return w, fail(exitBroken, "%w", err)
	}
	if !given["--rate"] && !given["--duration"] {
		return w, nil
	}
	if len(w.Traffic) > 1 {
		return w, fail(exitUsage, "--rate and --duration do not say what is to become of the %d traffic entries of %s; change a copy of what load show %s prints", len(w.Traffic), s.Name, s.Name)
	}
	if err := w.CheckScalable(); err != nil {
		return w, fail(exitUsage, "--rate and --duration: %w", err)
	}
	w.Traffic[0].Rate, w.Phases.Measure = or(c.Rate, w.Traffic[0].Rate), or(c.Duration, w.Phases.Measure)
	if err := w.Check(); err != nil {
		return w, fail(exitUsage, "%w", err)
	}
	return w, nil
}

// or returns what flag points to, or standard when it was not given.
func or[T any](flag *T, standard T) T {
	if flag == nil {
		return standard
	}
	return *flag
}

// loadOptions are options of a load run together with what the server is.
type loadOptions struct{ loadgen.Options }

func (c *loadRunCommand) options(a *app) (loadOptions, error) {
	options := loadOptions{loadgen.Options{
		URL: c.Server, AppID: c.AppID, ServerPID: c.ServerPID, ServerMetrics: c.ServerMetrics, Dir: c.Out,
		ToolVersion: version, Command: a.command(),
	}}
	var err error
	if err := c.clientFlags.check(c.tlsFlags); err != nil {
		return options, err
	}
	if options.TLS, err = c.tlsFlags.config(); err != nil {
		return options, err
	}
	switch {
	case c.Server != "" && c.ServerCommand != "":
		return options, fail(exitUsage, "--server and --server-command exclude each other; give the one that fits")
	case c.Server == "" && c.ServerPID != 0:
		return options, fail(exitUsage, "--server-pid belongs to a --server; the process of a command is known")
	case c.Server == "" && c.ServerCommand == "" && (c.TokenCommand != "" || c.ServerMetrics != ""):
		return options, fail(exitUsage, "--token-command and --server-metrics belong to a --server or a --server-command")
	}
	if c.ServerPID != 0 && c.ServerMetrics != "" {
		return options, fail(exitUsage, "--server-pid and --server-metrics tell the same; name one of them")
	}
	if c.Server != "" {
		if err := loadgen.CheckURL(c.Server); err != nil {
			return options, fail(exitUsage, "--server: %w", err)
		}
	}
	if options.Shard, err = c.shard(c.Server, time.Now()); err != nil {
		return options, err
	}
	if c.TokenCommand != "" {
		source := tokenCommandFor(c.TokenCommand, c.AppID)
		options.Token = func(uid string) (string, error) { return source(a.ctx, uid) }
	}
	return options, nil
}

// loadChild points the options at a reference server that was started for the run.
func (o *loadOptions) loadChild(server *child) {
	o.URL, o.ServerPID = server.url, server.pid
	o.Notes = append(o.Notes, "The reference server was started for the run, on this machine, with its call limits off.")
}

// freshOut refuses a run folder that already holds something, so that no run is
// written over another.
func (c *loadRunCommand) freshOut() error {
	if err := prepareOut(c.Out); err != nil || c.Out == "" {
		return err
	}
	entries, err := os.ReadDir(c.Out)
	if err != nil {
		return fail(exitUsage, "--out %s: %w", c.Out, plainPath(err))
	}
	if len(entries) > 0 {
		return fail(exitUsage, "--out %s: the folder is not empty; give a new one, so that no run is lost", c.Out)
	}
	return nil
}

// measure runs the workload and shows its progress.
func measure(a *app, w loadgen.Workload, o loadgen.Options) (*reports.Load, error) {
	p := newProgress(a.stderr)
	p.begin(w.Name+" load", 1000)
	defer p.end()
	o.Progress = func(at loadgen.Progress) {
		done := 0
		if at.Total > 0 {
			done = min(int(1000*at.Elapsed/at.Total), 1000)
		}
		note := at.Phase
		if at.P50 > 0 {
			note = fmt.Sprintf("%s  %d sent/s  %d delivered/s  p50 %s  p99 %s", at.Phase, at.Sent, at.Delivered, short(at.P50), short(at.P99))
		}
		p.at(done, 1000, note)
	}
	return loadgen.Run(a.ctx, w, o)
}

func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// loadCode returns the exit code for what a load run returned.
func loadCode(load *reports.Load, err error) exitCode {
	switch loadgen.OutcomeOf(load, err) {
	case loadgen.Passed:
		return exitOK
	case loadgen.ThresholdFailed:
		return exitViolated
	case loadgen.RunInvalid:
		return exitInvalid
	case loadgen.AccountingBreach:
		return exitAccounting
	case loadgen.TargetUnreachable, loadgen.TargetLost:
		return exitUnreachable
	case loadgen.Interrupted:
		return exitInterrupted
	}
	if load != nil {
		return exitBroken // it ran, and then its folder could not be written
	}
	return exitUsage
}

// loadFailure returns the failure of a run that never began.
func loadFailure(err error) error {
	if errors.Is(err, context.Canceled) {
		return fail(exitInterrupted, "interrupted before the load began")
	}
	return fail(loadCode(nil, err), "%w", err)
}

// writeLoads prints load runs for a terminal: rates, latencies, ledger, validity.
func writeLoads(w io.Writer, loads []reports.Load) {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "load\tmetric\tsamples\tp50\tp99\tp99.9\tmax\t")
	for _, load := range loads {
		for _, m := range load.Summary.Metrics {
			if !headline[m.Name] && !slices.ContainsFunc(load.Summary.Operations, func(o reports.Operation) bool { return o.Op == m.Name }) {
				continue
			}
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t\n", load.Manifest.Name, m.Name, m.Count,
				short(time.Duration(m.P50NS)), short(time.Duration(m.P99NS)), short(time.Duration(m.P999NS)), short(time.Duration(m.MaxNS)))
		}
	}
	t.Flush()
	fmt.Fprintln(&b)
	fmt.Fprintln(t, "ledger\tsent\texpected\tdelivered\tlost\tduplicated\treordered\tleaked\tfalse receipts\trun\t")
	for _, load := range loads {
		s := &load.Summary
		for _, row := range s.Ledger {
			fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n", row.Traffic, row.Sent, row.Expected, row.DeliveredOnce,
				row.Lost, row.Duplicated, row.Reordered, row.Leaked, row.FalseReceipts, s.Validity.Verdict)
		}
	}
	t.Flush()
	if slices.ContainsFunc(loads, func(l reports.Load) bool { return len(l.Summary.Operations) > 0 }) {
		fmt.Fprintln(&b)
		fmt.Fprintln(t, "operations\top\tdue\tdone\tfailed\tunfinished\t")
		for _, load := range loads {
			for _, row := range load.Summary.Operations {
				fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t\n", row.Traffic, row.Op, row.Scheduled, row.Done, row.Failed, row.Unfinished)
			}
		}
		t.Flush()
	}
	for _, load := range loads {
		v := &load.Summary.Validity
		for _, reason := range v.Reasons {
			fmt.Fprintf(&b, "%s run %s: %s\n", load.Manifest.Name, v.Verdict, reason)
		}
		writeCause(&b, load.Manifest.Name, load.Summary.Validity)
		for _, e := range load.Summary.Equations {
			if !e.Holds {
				fmt.Fprintf(&b, "%s: %s does not hold: %d and %d\n", load.Manifest.Name, strings.TrimSpace(e.Traffic+" "+e.Text), e.Left, e.Right)
			}
		}
	}
	writeThresholds(&b, loads)
	w.Write(b.Bytes())
}

// writeCause says who held the run up, and by what evidence, unless that stands there as a reason already.
func writeCause(w io.Writer, name string, v reports.Validity) {
	switch {
	case v.Attribution == "":
	case v.Evidence == "" || slices.Contains(v.Reasons, v.Evidence):
		fmt.Fprintf(w, "%s run: most likely cause: %s\n", name, v.Attribution)
	default:
		fmt.Fprintf(w, "%s run: most likely cause: %s: %s\n", name, v.Attribution, v.Evidence)
	}
}

// headline are the metrics that a terminal shows, beside those of the operations that the workload asks for; the page
// shows all.
var headline = map[string]bool{"peer.ack": true, "peer.deliver": true, "channel.deliver": true, "channel.last": true, "lag": true}
