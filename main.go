// Command rtmkit judges and measures real-time messaging (RTM) servers and
// clients: a reference server, a conformance suite, a load generator and the
// reports of both, in one binary.
//
// Exit codes are the same for every subcommand, see [exitCode].
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
)

// version is the version of the toolkit: of the suite, the server, the generator
// and the reports alike, because a gate that mixes versions proves nothing.
const version = "0.1.0"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// exitCode is what a process tells the CI job that started it.
type exitCode int

// The exit codes. When several apply, the one that stands last in [gravity] wins.
const (
	exitOK          exitCode = 0   // everything asked for was judged or measured, and held
	exitViolated    exitCode = 1   // judged, and a requirement, threshold or comparison did not hold
	exitUsage       exitCode = 2   // a flag, file or workload is wrong; nothing was started
	exitUnreachable exitCode = 3   // the subject under test could not be reached or does not speak the protocol
	exitBroken      exitCode = 4   // rtmkit itself or its surroundings failed: a report that could not be written, a panic
	exitAccounting  exitCode = 5   // messages were lost, duplicated, reordered, leaked or falsely receipted, or the ledger does not balance
	exitInvalid     exitCode = 6   // the load run cannot be trusted: the generator did not keep its schedule
	exitInterrupted exitCode = 130 // stopped by a signal; what was done is written
)

// gravity orders the exit codes from harmless to grave.
var gravity = []exitCode{exitOK, exitInvalid, exitAccounting, exitViolated, exitUsage, exitUnreachable, exitBroken, exitInterrupted}

// graver returns the graver of two exit codes.
func graver(a, b exitCode) exitCode {
	if slices.Index(gravity, a) > slices.Index(gravity, b) {
		return a
	}
	return b
}

// failure is an error with the exit code that it stands for.
type failure struct {
	code exitCode
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// fail returns an error that ends the process with code and one sentence.
func fail(code exitCode, format string, args ...any) error {
	return &failure{code, fmt.Errorf(format, args...)}
}

// verdict ends the process with code after the command has said everything itself.
func verdict(code exitCode) error {
	if code == exitOK {
		return nil
	}
	return &failure{code, nil}
}

// app is what a subcommand sees of the process.
type app struct {
	ctx    context.Context // ends at the first SIGINT or SIGTERM
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	args   []string // the command line behind the program's name, for reports
}

// command returns the command line as one would type it again.
func (a *app) command() string {
	words := []string{"rtmkit"}
	for _, arg := range a.args {
		words = append(words, quoted(arg))
	}
	return strings.Join(words, " ")
}

// commands is the command line of rtmkit; each field is a subcommand with a file
// of its own.
type commands struct {
	Adapter adapterCommand `cmd:"" help:"Put a client SDK in any language under test."`
	Check   checkCommand   `cmd:"" help:"Judge and measure the reference pair on this machine, and write a report."`
	Conform conformCommand `cmd:"" help:"Judge servers and clients against the numbered requirements."`
	Load    loadCommand    `cmd:"" help:"Measure a server under load, compare builds, and find what it carries."`
	Report  reportCommand  `cmd:"" help:"Render, annotate, compare, merge and verify stored results."`
	Serve   serveCommand   `cmd:"" help:"Run the reference server."`
	Token   tokenCommand   `cmd:"" help:"Mint and verify access tokens."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// run is the whole program with its surroundings as arguments.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(stderr, "rtmkit: internal error: %v\n%s", r, debug.Stack())
			code = int(exitBroken)
		}
	}()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal the default returns, so that a second one ends the
	// process at once.
	context.AfterFunc(ctx, stop)

	exited := -1
	parser, err := commandLine(kong.Writers(stdout, stderr), kong.Exit(func(code int) { exited = code }))
	if err != nil {
		fmt.Fprintf(stderr, "rtmkit: internal error: %v\n", err)
		return int(exitBroken)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "rtmkit: %v; see rtmkit %s\n", err, helpFor(err))
		return int(exitUsage)
	}
	err = parsed.Run(&app{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr, args: args})
	if err == nil {
		return int(exitOK)
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{exitBroken, err}
	}
	if f.err != nil {
		fmt.Fprintf(stderr, "rtmkit: %v\n", f.err)
	}
	return int(f.code)
}

// commandLine returns the parser of all subcommands.
func commandLine(options ...kong.Option) (*kong.Kong, error) {
	return kong.New(new(commands), append(options,
		kong.Name("rtmkit"),
		kong.Description("Judges and measures real-time messaging servers and clients."),
		kong.Vars(serveDefaults()), kong.Vars{"app_id": defaultAppID, "workers": defaultWorkers, "set": catalogue.CurrentSet},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.ValueFormatter(helpOf),
	)...)
}

// helpOf returns the help of a flag, with the default that kong leaves out where a placeholder stands.
func helpOf(value *kong.Value) string {
	if value.Flag == nil || value.Flag.PlaceHolder == "" || value.Default == "" || value.Default == "0" {
		return value.Help
	}
	return strings.TrimSuffix(value.Help, ".") + " (default " + value.Default + ")."
}

// helpFor returns the help command for the place where parsing stopped.
func helpFor(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if node := parse.Context.Selected(); node != nil {
			return node.FullPath()[len("rtmkit "):] + " --help"
		}
	}
	return "--help"
}

type versionCommand struct{}

// Run prints the version and what the binary was built with.
func (versionCommand) Run(a *app) error {
	fmt.Fprintf(a.stdout, "rtmkit %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
