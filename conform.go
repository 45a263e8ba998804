package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/conformance"
	"github.com/rtmkit/rtmkit/reports"
)

type conformCommand struct {
	Run      conformRunCommand      `cmd:"" help:"Judge the reference pair, a server, or a client adapter."`
	Matrix   conformMatrixCommand   `cmd:"" help:"Judge every client of a list against every server, and draw the grid."`
	List     conformListCommand     `cmd:"" help:"List the requirements."`
	Explain  conformExplainCommand  `cmd:"" help:"Say what a requirement asks for, where it comes from and how it is judged."`
	Selftest conformSelftestCommand `cmd:"" help:"Prove that the suite catches what it claims to catch."`
	Plant    conformPlantCommand    `cmd:"" help:"Stand a server up that has one fault, to try out what notices it."`
	Replay   conformReplayCommand   `cmd:"" help:"Play a recorded wire trace to a server, without the suite."`
	Scenario scenarioCommand        `cmd:"" help:"Play a scenario of several users and compare what the server does with the model."`
	Worker   conformWorkerCommand   `cmd:"" hidden:"" help:"Do parts of another run."`
}

type conformRunCommand struct {
	subjectFlags

	Profile []string `placeholder:"NAME" help:"Judge this profile only; repeatable. rtmkit conform list names them."`
	Only    []string `placeholder:"ID" help:"Judge these requirements only; repeatable, * and ? are wildcards."`
	Skip    []string `placeholder:"ID" help:"Leave these requirements out; repeatable."`
	Slow    bool     `help:"Judge also what takes longer than 5 s with the limits that the server announces."`
	Strict  bool     `help:"Let the violation of a SHOULD, and a profile that was judged in part only, fail the run."`
	Repeat  int      `default:"1" placeholder:"N" help:"Judge everything this often, in other orders; what differs is flaky and fails the run."`
	Set     string   `placeholder:"VERSION" help:"Frozen set of requirements that decides; what is newer is judged and fails nothing (default ${set})."`

	KnownFailures      string `type:"existingfile" placeholder:"FILE" help:"YAML list of requirements that are known not to be met, each with id, reason and until, a day, and if you like issue and observed."`
	WriteKnownFailures string `placeholder:"FILE" help:"Write what fails now as such a list; its reasons are left to be written."`

	Seed    int64  `placeholder:"N" help:"Order of the specs; 0 takes a new one."`
	Workers int    `default:"${workers}" placeholder:"N" help:"Judge this many parts of the run at a time."`
	Out     string `placeholder:"DIR" help:"Write report.json, junit.xml, summary.md and index.html here."`
}

// Help says more than a line below the name of the command.
func (conformRunCommand) Help() string {
	return `Without a flag the reference pair is judged. --server or --server-command names a server to judge; with --client it is the server that the client is judged against.

Exit codes: 0 everything that was judged held; 1 something did not hold, or nothing was judged; 2 a flag or file is wrong; 3 the server cannot be reached or speaks another protocol, or the adapter broke; 4 rtmkit itself failed; 130 interrupted.`
}

// defaultWorkers is how many parts of a run are judged at a time. Nearly all of a run
// is waiting, so it is more than there are cores.
const defaultWorkers = "8"

// Run judges and says what it found.
func (c *conformRunCommand) Run(a *app) error {
	if c.Workers < 1 || c.Workers > 64 {
		return fail(exitUsage, "--workers %d: give a number from 1 to 64", c.Workers)
	}
	if c.Repeat < 1 || c.Repeat > 1000 {
		return fail(exitUsage, "--repeat %d: give a number from 1 to 1000", c.Repeat)
	}
	if err := prepareOut(c.Out); err != nil {
		return err
	}
	report, code, err := c.judge(a)
	if err != nil {
		return &failure{code, err}
	}
	if err := finish(report, code, c.Out); err != nil {
		return err
	}
	if err := c.writeKnownFailures(report.Conformance); err != nil {
		return err
	}
	conformance.Print(a.stdout, report.Conformance)
	c.printPlaces(a, report.Conformance)
	return verdict(code)
}

// printPlaces says where the report is, and how a failure can be seen again without
// the suite.
func (c *conformRunCommand) printPlaces(a *app, result *reports.Conformance) {
	if c.Out == "" {
		return
	}
	for _, row := range result.Requirements {
		if row.Verdict == reports.Fail && row.Subject == "server" {
			words := append([]string{"rtmkit", "conform", "replay", quoted(filepath.Join(c.Out, reports.WireFolder, row.ID+".jsonl"))}, c.serverFlags.words()...)
			fmt.Fprintf(a.stdout, "replay  %s\n", strings.Join(words, " "))
			break
		}
	}
	fmt.Fprintf(a.stdout, "report  %s\n", filepath.Join(c.Out, reports.PageFile))
}

// judge starts what has to be started, judges, and ends it again.
func (c *conformRunCommand) judge(a *app) (*reports.Report, exitCode, error) {
	failed := func(err error) (*reports.Report, exitCode, error) {
		if a.ctx.Err() != nil {
			return nil, exitInterrupted, errors.New("interrupted before anything was judged")
		}
		code := exitBroken
		if f := new(failure); errors.As(err, &f) {
			code = f.code
		}
		return nil, code, err
	}
	var known []conformance.KnownFailure
	if c.KnownFailures != "" {
		var err error
		if known, err = conformance.ReadKnownFailures(c.KnownFailures, time.Now()); err != nil {
			return failed(fail(exitUsage, "--known-failures %s", withoutPackage(err)))
		}
	}
	subject, err := c.open(a, pairCalls("on"))
	if err != nil {
		return failed(err)
	}
	defer subject.stop()
	cfg, err := c.config(a, subject)
	if err != nil {
		return failed(err)
	}
	cfg.KnownFailures = known
	report := newReport(a, time.Now())
	result, err := judge(a, cfg)
	code := exitCode(conformance.ExitCode(result, err))
	if err != nil {
		if died := subject.died(); died != nil {
			return failed(died)
		}
		return failed(fail(code, "%s", withoutPackage(err)))
	}
	report.Conformance = result
	return report, code, nil
}

func (c *conformRunCommand) config(a *app, subject *subject) (conformance.Config, error) {
	if c.Seed == 0 {
		// Chosen here, so that the command that repeats a failure can name it.
		c.Seed = conformance.NewSeed()
	}
	subject.Strict = c.Strict
	cfg, err := subject.config()
	if err != nil {
		return cfg, err
	}
	cfg.Profiles, cfg.Only, cfg.Skip, cfg.Slow, cfg.Seed = c.Profile, c.Only, c.Skip, c.Slow, c.Seed
	cfg.Workers, cfg.StartWorker, cfg.Repeats, cfg.Set = c.Workers, subject.startWorker, c.Repeat, c.Set
	cfg.Command, cfg.Repeat, cfg.Notes = a.command(), c.again(), subject.notes
	return cfg, nil
}

// writeKnownFailures writes what fails, for a list that somebody has yet to complete.
func (c *conformRunCommand) writeKnownFailures(result *reports.Conformance) error {
	if c.WriteKnownFailures == "" {
		return nil
	}
	var list bytes.Buffer
	err := conformance.WriteKnownFailures(&list, result, time.Now().AddDate(0, 3, 0))
	if err == nil {
		err = os.WriteFile(c.WriteKnownFailures, list.Bytes(), 0o644)
	}
	if err != nil {
		return fail(exitBroken, "--write-known-failures %s: %w", c.WriteKnownFailures, plainPath(err))
	}
	return nil
}

// again returns the command that judges one requirement alone, against the same
// subject with the same means.
func (c *conformRunCommand) again() func(id string) string {
	words := append([]string{"rtmkit", "conform", "run"}, c.subjectFlags.words()...)
	if c.Slow {
		words = append(words, "--slow")
	}
	if c.Strict {
		words = append(words, "--strict")
	}
	words = append(words, "--seed", strconv.FormatInt(c.Seed, 10))
	command := strings.Join(words, " ")
	adapter := c.adapterWords()
	return func(id string) string { return command + " --only " + id + adapter }
}

// judge runs the suite and shows its progress.
func judge(a *app, cfg conformance.Config) (*reports.Conformance, error) {
	p := newProgress(a.stderr)
	p.begin("conformance", -1)
	defer p.end()
	cfg.Progress = func(at conformance.Progress) {
		p.at(at.Done, at.Total, strings.Join(at.IDs, " "))
	}
	return conformance.Run(a.ctx, cfg)
}
