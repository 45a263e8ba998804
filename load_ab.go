package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/conformance"
	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

type loadABCommand struct {
	Workload string `arg:"" help:"peer, channel, the name of another ready workload (see load show), or the path of a workload file."`

	Base string `short:"a" required:"" placeholder:"SIDE" help:"The trusted build: a command that starts its server and prints {\"ready\":\"ws://…\"}, or the URL of one that runs."`
	Head string `short:"b" required:"" placeholder:"SIDE" help:"The build in question, in the same way."`

	APID     int    `name:"a-pid" placeholder:"PID" help:"Process of the server at the URL of -a, for its CPU time."`
	BPID     int    `name:"b-pid" placeholder:"PID" help:"Process of the server at the URL of -b, for its CPU time."`
	AMetrics string `name:"a-metrics" placeholder:"URL" help:"Prometheus metrics of the server of -a, for its CPU time; also for a command whose processes do not do the work themselves."`
	BMetrics string `name:"b-metrics" placeholder:"URL" help:"Prometheus metrics of the server of -b."`

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
	x.one = x.run
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
	base, head := c.side(reports.BaseSide), c.side(reports.HeadSide)
	observed := base.observed() && head.observed()
	if !base.remote() && c.APID != 0 || !head.remote() && c.BPID != 0 {
		return nil, fail(exitUsage, "--a-pid and --b-pid belong to URLs; the process of a command is known")
	}
	if base.remote() != head.remote() {
		g.Notes = append(g.Notes, "One side is started anew for every run and the other is not.")
	}
	var rules []reports.GateRule
	if observed {
		rules = append(rules, reports.GateRule{Name: reports.ServerCPU, Margin: reports.CPUMargin})
	} else {
		g.Notes = append(g.Notes, "The CPU time of the servers is not observed and so not gated; give commands or --a-pid and --b-pid, on Linux, or --a-metrics and --b-metrics.")
	}
	rules = append(rules, reports.GateRule{Name: primary + ".p50", Margin: reports.LatencyMargin})
	for _, text := range c.Gate {
		rule, err := reports.ParseGateRule(text)
		switch {
		case err != nil:
			return nil, fail(exitUsage, "--gate %w", err)
		case rule.Name == reports.ServerCPU && !observed && rule.Margin > 0:
			return nil, fail(exitUsage, "--gate %s: the CPU time of the servers is not observed; give commands or --a-pid and --b-pid, on Linux, or --a-metrics and --b-metrics", text)
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

// abSide is one side as its flags say it.
type abSide struct {
	letter, source string
	pid            int
	metrics        string
}

func (c *loadABCommand) side(s reports.GateSide) abSide {
	if s == reports.HeadSide {
		return abSide{"b", c.Head, c.BPID, c.BMetrics}
	}
	return abSide{"a", c.Base, c.APID, c.AMetrics}
}

// remote reports whether the side is a URL and not a command.
func (s abSide) remote() bool {
	return strings.HasPrefix(s.source, "ws://") || strings.HasPrefix(s.source, "wss://")
}

// observed reports whether the CPU time of the side's server can be seen.
func (s abSide) observed() bool {
	return s.metrics != "" || runtime.GOOS == "linux" && (!s.remote() || s.pid != 0)
}
