package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/conformance"
	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

type loadABCommand struct {
	Workload string `arg:"" help:"peer, channel, or the path of a workload file."`

	Base string `short:"a" required:"" placeholder:"SIDE" help:"The trusted build: a command that starts its server and prints {\"ready\":\"ws://…\"}, or the URL of one that runs."`
	Head string `short:"b" required:"" placeholder:"SIDE" help:"The build in question, in the same way."`
	APID int    `name:"a-pid" placeholder:"PID" help:"Process of the server at the URL of -a, for its CPU time."`
	BPID int    `name:"b-pid" placeholder:"PID" help:"Process of the server at the URL of -b, for its CPU time."`

	Blocks    int      `default:"6" placeholder:"N" help:"Blocks of four runs, two of each side."`
	MaxBlocks int      `placeholder:"N" help:"While something is open, add blocks up to this many (default: none)."`
	Gate      []string `sep:"none" placeholder:"METRIC.STAT=MARGIN" help:"Gate this number with this margin, such as peer.ack.p90=20%, or not at all: peer.ack.p50=off; repeatable."`
	Noise     string   `placeholder:"FILE" help:"File with the noise of hosts: read for a comparison, and added to where a build is compared with itself (-a and -b alike)."`
	Strict    bool     `help:"Fail also when the runs do not tell."`
	Seed      int64    `placeholder:"N" help:"Order of the runs in their blocks; 0 takes a new one."`

	Warmup  *time.Duration `placeholder:"DURATION" help:"Warm-up of each run (default 2s, or as the workload file says)."`
	Measure *time.Duration `placeholder:"DURATION" help:"Measured phase of each run (default 6s, or as the workload file says)."`
	Rate    *loadgen.Rate  `placeholder:"N/s" help:"Messages per second over all clients (default 1000/s)."`
	Clients *int           `placeholder:"N" help:"Logged-in clients (default: 100 for peer, as few as the channels need for channel)."`

	AppID        string `default:"${app_id}" placeholder:"ID" help:"App to log in to."`
	TokenCommand string `placeholder:"CMD" help:"Command that prints a token for the app RTM_APP_ID and the user RTM_UID of its environment."`
	tlsFlags

	Out string `required:"" placeholder:"DIR" help:"New or empty folder: ab.json, ab.md, index.html and a folder for each run."`
}

// retriesPerBlock is how many invalid runs of a block are repeated before the block is
// dropped.
const retriesPerBlock = 2

// Run plays the blocks that the plan asks for and says whether head is worse than base.
func (c *loadABCommand) Run(a *app) error {
	if c.MaxBlocks == 0 {
		c.MaxBlocks = c.Blocks
	}
	workload, err := c.workload()
	if err != nil {
		return err
	}
	x := &experiment{app: a, command: c, workload: workload, progress: newProgress(a.stderr)}
	if x.gate, err = c.newGate(a, workload); err != nil {
		return err
	}
	if err := (&loadRunCommand{Out: c.Out}).freshOut(); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s, up to %d runs of %v\n", workload.Name, 4*c.MaxBlocks, workload.Phases.Warmup+workload.Phases.Measure)
	for _, said := range append(x.gate.Plan.Sentences(), x.gate.Notes...) {
		fmt.Fprintln(a.stdout, said)
	}
	err = x.play()
	return x.close(err)
}

// workload is what every run plays.
func (c *loadABCommand) workload() (loadgen.Workload, error) {
	run := loadRunCommand{Workload: c.Workload, Rate: c.Rate, Clients: c.Clients}
	w, err := run.workload()
	if err != nil {
		return w, err
	}
	if c.Workload == "peer" || c.Workload == "channel" {
		w.Phases.Warmup, w.Phases.Measure = 2*time.Second, 6*time.Second
	}
	w.Phases.Warmup, w.Phases.Measure = or(c.Warmup, w.Phases.Warmup), or(c.Measure, w.Phases.Measure)
	if err := w.Check(); err != nil {
		return w, fail(exitUsage, "%w", err)
	}
	return w, nil
}

// primaryMetric is the metric that a workload is about.
func primaryMetric(w loadgen.Workload) string {
	if slices.ContainsFunc(w.Traffic, func(t loadgen.Traffic) bool { return t.Op == loadgen.OpPeer }) {
		return "peer.ack"
	}
	return "channel.deliver"
}

// newGate returns the gate before its first run, with its plan.
func (c *loadABCommand) newGate(a *app, w loadgen.Workload) (*reports.Gate, error) {
	primary := primaryMetric(w)
	g := &reports.Gate{
		Schema: reports.GateSchema, ToolVersion: version, StartedAt: time.Now().UTC(),
		Environment: reports.CollectEnvironment(), Command: a.command(), Workload: w.Name, Paired: true,
		Base: reports.GateServer{Source: c.Base}, Head: reports.GateServer{Source: c.Head}, Seed: c.Seed, Curve: primary,
	}
	if c.same() {
		g.Notes = append(g.Notes, "A build is compared with itself: whatever differs is noise.")
	}
	if g.Seed == 0 {
		g.Seed = conformance.NewSeed()
	}
	observed := runtime.GOOS == "linux" && (!isURL(c.Base) || c.APID != 0) && (!isURL(c.Head) || c.BPID != 0)
	if !isURL(c.Base) && c.APID != 0 || !isURL(c.Head) && c.BPID != 0 {
		return nil, fail(exitUsage, "--a-pid and --b-pid belong to URLs; the process of a command is known")
	}
	if isURL(c.Base) != isURL(c.Head) {
		g.Notes = append(g.Notes, "One side is started anew for every run and the other is not.")
	}
	var rules []reports.GateRule
	if observed {
		rules = append(rules, reports.GateRule{Name: reports.ServerCPU, Margin: reports.CPUMargin})
	} else {
		g.Notes = append(g.Notes, "The CPU time of the servers is not observed and so not gated; give commands, or --a-pid and --b-pid on Linux.")
	}
	rules = append(rules, reports.GateRule{Name: primary + ".p50", Margin: reports.LatencyMargin})
	for _, text := range c.Gate {
		rule, err := reports.ParseGateRule(text)
		switch {
		case err != nil:
			return nil, fail(exitUsage, "--gate %w", err)
		case rule.Name == reports.ServerCPU && !observed && rule.Margin > 0:
			return nil, fail(exitUsage, "--gate %s: the CPU time of a server at a URL is not observed; give --a-pid and --b-pid, on Linux", text)
		}
		rules = reports.WithRule(rules, rule)
	}
	if err := c.readNoise(g, w, rules); err != nil {
		return nil, err
	}
	plan, err := reports.NewGatePlan(rules, c.Blocks, c.MaxBlocks)
	if err != nil {
		return nil, fail(exitUsage, "--blocks, --max-blocks: %w", err)
	}
	g.Plan = plan
	return g, nil
}

// readNoise takes what is known of this host into the gate, and refuses to gate what
// the host cannot tell.
func (c *loadABCommand) readNoise(g *reports.Gate, w loadgen.Workload, rules []reports.GateRule) error {
	text, err := w.YAML()
	if err != nil {
		return fail(exitUsage, "%w", err)
	}
	if c.Noise != "" {
		noise, err := c.noise()
		if err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		g.Noise = noise.Of(g.Environment.Fingerprint(), hex.EncodeToString(sum[:]))
		if g.Noise == nil && !c.same() {
			g.Notes = append(g.Notes, fmt.Sprintf("%s does not know the noise of this host under this workload; compare a build with itself to learn it.", c.Noise))
		}
	}
	for _, rule := range rules {
		if err := g.Noise.CheckTail(rule); err != nil {
			return fail(exitUsage, "--gate %w; see --noise", err)
		}
		if detectable, known := g.Noise.Detectable(rule.Name); known && detectable >= rule.Margin {
			g.Notes = append(g.Notes, fmt.Sprintf("This host could not tell a change of %s below %.1f %% from noise with %d blocks; with a margin of %.3g %% expect no verdict on it.",
				rule.Name, 100*detectable, g.Noise.Blocks, 100*rule.Margin))
		}
	}
	return nil
}

// noise reads the file of --noise; one that a comparison of identical builds is to
// make is empty.
func (c *loadABCommand) noise() (*reports.Noise, error) {
	noise, err := reports.ReadNoise(c.Noise)
	if errors.Is(err, os.ErrNotExist) && c.same() {
		return &reports.Noise{Schema: reports.NoiseSchema}, nil
	}
	return noise, asUsage(err)
}

// same reports whether a build is compared with itself.
func (c *loadABCommand) same() bool { return c.Base == c.Head }

// keepNoise adds what a comparison of identical builds has shown to the file.
func (c *loadABCommand) keepNoise(a *app, g *reports.Gate) error {
	if c.Noise == "" || !c.same() {
		return nil
	}
	noise, err := c.noise()
	if err != nil {
		return err
	}
	if err := noise.Keep(g); err != nil {
		fmt.Fprintf(a.stderr, "rtmkit: --noise %s is left as it was: %v\n", c.Noise, err)
		return nil
	}
	if err := reports.WriteNoise(c.Noise, noise); err != nil {
		return fail(exitBroken, "%w", err)
	}
	fmt.Fprintf(a.stdout, "noise   %s\n", c.Noise)
	return nil
}

func isURL(side string) bool {
	return strings.HasPrefix(side, "ws://") || strings.HasPrefix(side, "wss://")
}

// experiment is a comparison on its way.
type experiment struct {
	app      *app
	command  *loadABCommand
	workload loadgen.Workload
	gate     *reports.Gate
	progress *progress
}

// play runs blocks until the plan needs no more. After an error, what ran stays in the
// gate.
func (x *experiment) play() error {
	toss := rand.New(rand.NewChaCha8(sha256.Sum256(fmt.Append(nil, x.gate.Seed))))
	if x.progress.tty {
		x.progress.begin("load ab", 1000*4*x.command.MaxBlocks)
		defer x.progress.end()
	}
	for x.gate.Open() {
		order := reports.ABBA
		if toss.IntN(2) == 1 {
			order = reports.BAAB
		}
		x.gate.Blocks = append(x.gate.Blocks, reports.GateBlock{Order: order})
		dropped, err := x.block(order)
		if dropped == "" && err != nil {
			dropped = "The comparison ended here."
		}
		x.drop(dropped)
		x.gate.Judge()
		if err != nil {
			return err
		}
	}
	return nil
}

// block plays the runs of one block, and says why it cannot count.
func (x *experiment) block(order reports.GateOrder) (dropped string, err error) {
	repeated := 0
	for _, side := range order.Sides() {
		for {
			run, err := x.run(side)
			if err != nil {
				return "", err
			}
			if run.Validity != reports.Invalid {
				break
			}
			if repeated == retriesPerBlock {
				return fmt.Sprintf("Run %s is invalid, after %d of the block were repeated.", run.Name, repeated), nil
			}
			repeated++
		}
	}
	return "", nil
}

// drop takes the runs of the last block out of what is judged.
func (x *experiment) drop(why string) {
	if why == "" {
		return
	}
	x.gate.Blocks[len(x.gate.Blocks)-1].Dropped = why
	for i := range x.gate.Runs {
		if r := &x.gate.Runs[i]; r.Block == len(x.gate.Blocks) {
			r.Counted = false
		}
	}
}

// run plays one run of a side against a fresh server, and keeps it.
func (x *experiment) run(side reports.GateSide) (*reports.GateRun, error) {
	a, c, number := x.app, x.command, len(x.gate.Runs)+1
	of, letter := &x.gate.Base, "a"
	flags := loadRunCommand{Server: c.Base, ServerPID: c.APID, AppID: c.AppID, TokenCommand: c.TokenCommand, tlsFlags: c.tlsFlags}
	if side == reports.HeadSide {
		of, letter = &x.gate.Head, "b"
		flags.Server, flags.ServerPID = c.Head, c.BPID
	}
	dir := fmt.Sprintf("%s/%03d", letter, number)
	flags.Out = filepath.Join(c.Out, filepath.FromSlash(dir))
	died := func() error { return nil }
	if !isURL(flags.Server) {
		server, err := startServer(a.ctx, exec.Command("sh", "-c", flags.Server), "the server of -"+letter, exitUnreachable)
		if err != nil {
			return nil, err
		}
		defer server.stop()
		flags.Server, flags.ServerPID, died = server.url, server.pid, server.died
	}
	options, err := flags.options(a)
	if err != nil {
		return nil, err
	}
	options.Progress = x.watch(number-1, dir)
	started := time.Now()
	load, err := loadgen.Run(a.ctx, x.workload, options.Options)
	if load == nil {
		return nil, loadFailure(err)
	}
	report := newReport(a, started)
	report.Loads = []reports.Load{*load}
	if broken := finish(report, loadCode(load, err), flags.Out); err == nil {
		err = broken
	}
	of.Server = load.Manifest.Server
	x.gate.WorkloadSHA256 = load.Manifest.WorkloadSHA256
	load.Dir = dir
	run := reports.NewGateRun(load, side, x.gate.Curve)
	run.Name, run.Block = dir, len(x.gate.Blocks)
	x.gate.Runs = append(x.gate.Runs, run)
	x.tell(&run)
	if err := x.checkRules(); err != nil {
		return nil, err
	}
	switch {
	case err != nil:
		return nil, fail(loadCode(load, err), "run %s: %w", dir, err)
	case a.ctx.Err() != nil:
		return nil, context.Cause(a.ctx)
	}
	return &run, died()
}

// checkRules refuses a number that somebody asked for and that the runs do not have.
func (x *experiment) checkRules() error {
	for _, text := range x.command.Gate {
		rule, err := reports.ParseGateRule(text)
		if err == nil {
			err = x.gate.CheckRule(rule)
		}
		if err != nil {
			return fail(exitUsage, "--gate %w", err)
		}
	}
	return nil
}

// watch returns what shows a run on a terminal; elsewhere every run is one line.
func (x *experiment) watch(before int, dir string) func(loadgen.Progress) {
	if !x.progress.tty {
		return nil
	}
	return func(at loadgen.Progress) {
		done := 0
		if at.Total > 0 {
			done = min(int(1000*at.Elapsed/at.Total), 1000)
		}
		note := fmt.Sprintf("block %d, run %s  %s", len(x.gate.Blocks), dir, at.Phase)
		x.progress.at(1000*before+done, 1000*max(4*x.command.MaxBlocks, before+1), note)
	}
}

// tell writes the line of a run.
func (x *experiment) tell(run *reports.GateRun) {
	if x.progress.tty {
		return
	}
	words := fmt.Sprintf("block %d of %d  %s  %s", run.Block, x.command.MaxBlocks, run.Name, run.Validity)
	for _, rule := range x.gate.Plan.Rules {
		if value := run.Values[rule.Name]; value > 0 {
			words += fmt.Sprintf("  %s %s", rule.Name, short(time.Duration(value)))
		}
	}
	if run.Validity != reports.Valid {
		words += "  " + strings.Join(run.Reasons, "; ")
	}
	fmt.Fprintln(x.app.stderr, words)
}

// close writes the gate and says how it ends.
func (x *experiment) close(err error) error {
	g := x.gate
	g.EndedAt, g.Interrupted = time.Now().UTC(), x.app.ctx.Err() != nil
	if len(g.Runs) == 0 && err != nil && !g.Interrupted {
		return err
	}
	if err != nil && !g.Interrupted {
		g.Notes = append(g.Notes, "The comparison ended early: "+err.Error()+".")
	}
	g.Judge()
	if broken := reports.WriteGate(x.command.Out, g); broken != nil {
		return fail(exitBroken, "the comparison could not be written: %w", broken)
	}
	if broken := x.command.keepNoise(x.app, g); broken != nil {
		return broken
	}
	return x.app.end(g, x.command.Out, x.command.Strict, err)
}

// end prints a gate and returns what its process ends with.
func (a *app) end(g *reports.Gate, out string, strict bool, err error) error {
	fmt.Fprintln(a.stdout)
	a.stdout.Write(g.Text())
	if out != "" {
		fmt.Fprintf(a.stdout, "report  %s\n", filepath.Join(out, reports.PageFile))
	}
	switch {
	case g.Interrupted:
		return verdict(exitInterrupted)
	case err != nil:
		return err
	case g.Verdict == reports.Regressed:
		return verdict(exitViolated)
	case g.Paired && g.Starved():
		return fail(exitInvalid, "too few valid runs for a verdict; give more --blocks, a lower rate or a quieter machine")
	case g.Verdict == reports.Inconclusive && strict:
		return verdict(exitViolated)
	case g.Verdict == reports.Inconclusive:
		fmt.Fprintln(a.stderr, "rtmkit: NOT PROVEN EITHER WAY: this passes, and it is no evidence that head is as good as base; take more runs, or --strict to fail here")
	}
	return nil
}
