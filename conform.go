package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rtmkit/rtmkit/conformance"
	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/token"
)

type conformCommand struct {
	Run  conformRunCommand  `cmd:"" help:"Judge the reference pair, or the server at --server."`
	List conformListCommand `cmd:"" help:"List the requirements."`
}

// defaultAppID is the app that specs and load use where none is given. Servers that
// are open to every app take it.
const defaultAppID = "0123456789abcdef0123456789abcdef"

// tlsFlags say how to trust a wss server.
type tlsFlags struct {
	TLSCA    string `type:"existingfile" placeholder:"FILE" help:"Trust the certificate authorities in this PEM file."`
	Insecure bool   `help:"Do not verify the server's TLS certificate."`
}

func (f tlsFlags) config() (*tls.Config, error) {
	if f.TLSCA == "" && !f.Insecure {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: f.Insecure}
	if f.TLSCA != "" {
		pem, err := os.ReadFile(f.TLSCA)
		if err != nil {
			return nil, fail(exitUsage, "--tls-ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fail(exitUsage, "--tls-ca %s: it holds no certificate in PEM form", f.TLSCA)
		}
	}
	return config, nil
}

type conformRunCommand struct {
	Server       string `placeholder:"URL" help:"Server under test, ws:// or wss://; without it the reference pair is judged."`
	AppID        string `default:"${app_id}" placeholder:"ID" help:"App in which the specs log in."`
	OtherAppID   string `placeholder:"ID" help:"A second, open app of the server, for the profile apps."`
	TokenCommand string `placeholder:"CMD" help:"Command that prints a token for the app RTM_APP_ID and the user RTM_UID of its environment."`
	TokenAppID   string `placeholder:"ID" help:"App with a certificate, for the profile tokens; the suite mints its tokens itself."`
	TokenAppFile string `type:"existingfile" placeholder:"FILE" help:"File with the certificate of --token-app-id."`
	tlsFlags

	Profile    []string `placeholder:"NAME" help:"Judge this profile only; repeatable."`
	Only       []string `placeholder:"ID" help:"Judge these requirements only; repeatable, * and ? are wildcards."`
	Skip       []string `placeholder:"ID" help:"Leave these requirements out; repeatable."`
	Slow       bool     `help:"Judge also what takes longer than 5 s with the limits that the server announces."`
	SlowFactor float64  `default:"1" placeholder:"X" help:"Stretch every waiting time, for a slow server or machine."`
	Strict     bool     `help:"Let the violation of a SHOULD fail the run."`
	Seed       int64    `placeholder:"N" help:"Order of the specs; 0 takes a new one."`
	Out        string   `placeholder:"DIR" help:"Write report.json, junit.xml, summary.md and index.html here."`
}

// Run judges and says what it found.
func (c *conformRunCommand) Run(a *app) error {
	cfg, err := c.config(a)
	if err != nil {
		return err
	}
	if err := prepareOut(c.Out); err != nil {
		return err
	}
	if c.Server == "" {
		pair, err := startPair(a.ctx)
		if err != nil {
			return err
		}
		defer pair.stop()
		pair.judge(&cfg)
	}
	started := time.Now()
	result, err := judge(a, cfg)
	code := exitCode(conformance.ExitCode(result, err))
	if err != nil {
		return fail(code, "%s", strings.TrimPrefix(err.Error(), "conformance: "))
	}
	report := newReport(a, started)
	report.Conformance = result
	if err := finish(report, code, c.Out); err != nil {
		return err
	}
	conformance.Print(a.stdout, result)
	if c.Out != "" {
		fmt.Fprintf(a.stdout, "report  %s\n", filepath.Join(c.Out, "index.html"))
	}
	return verdict(code)
}

func (c *conformRunCommand) config(a *app) (conformance.Config, error) {
	cfg := conformance.Config{
		Server: c.Server, AppID: c.AppID, OtherAppID: c.OtherAppID,
		Profiles: c.Profile, Only: c.Only, Skip: c.Skip,
		Slow: c.Slow, SlowFactor: c.SlowFactor, Strict: c.Strict, Seed: c.Seed,
		SuiteVersion: version, Command: a.command(), Repeat: c.repeat(),
	}
	var err error
	if cfg.TLS, err = c.tlsFlags.config(); err != nil {
		return cfg, err
	}
	if c.Server == "" && (c.TokenCommand != "" || c.TokenAppID != "" || c.OtherAppID != "") {
		return cfg, fail(exitUsage, "--token-command, --token-app-id and --other-app-id belong to a --server; the reference pair has apps of its own")
	}
	if c.TokenCommand != "" {
		cfg.Token = tokenCommandFor(c.TokenCommand, c.AppID)
	}
	if (c.TokenAppID == "") != (c.TokenAppFile == "") {
		return cfg, fail(exitUsage, "--token-app-id and --token-app-file go together; give both or neither")
	}
	if c.TokenAppID != "" {
		cfg.TokenApp, err = certificateFlags{AppID: c.TokenAppID, CertificateFile: c.TokenAppFile}.app()
	}
	return cfg, err
}

// repeat returns the command that judges one requirement alone, against the same
// server with the same means.
func (c *conformRunCommand) repeat() func(id string) string {
	words := []string{"rtmkit", "conform", "run"}
	flag := func(name, value string) {
		if value != "" {
			words = append(words, "--"+name, quoted(value))
		}
	}
	flag("server", c.Server)
	if c.AppID != defaultAppID {
		flag("app-id", c.AppID)
	}
	flag("other-app-id", c.OtherAppID)
	flag("token-command", c.TokenCommand)
	flag("token-app-id", c.TokenAppID)
	flag("token-app-file", c.TokenAppFile)
	flag("tls-ca", c.TLSCA)
	if c.Insecure {
		words = append(words, "--insecure")
	}
	if c.Slow {
		words = append(words, "--slow")
	}
	command := strings.Join(words, " ")
	return func(id string) string { return command + " --only " + id }
}

// tokenCommandFor returns a source of tokens that runs command in a shell.
func tokenCommandFor(command, appID string) func(ctx context.Context, uid string) (string, error) {
	return func(ctx context.Context, uid string) (string, error) {
		cmd := exec.CommandContext(ctx, "sh", "-c", command)
		cmd.Env = append(os.Environ(), "RTM_APP_ID="+appID, "RTM_UID="+uid)
		var out, diagnosis bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &diagnosis
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("the token command failed (%w): %s", err, reports.Redact(strings.TrimSpace(diagnosis.String())))
		}
		text := strings.TrimSpace(out.String())
		if text == "" || strings.ContainsAny(text, " \t\n") {
			return "", errors.New("the token command must print one token and nothing else")
		}
		return text, nil
	}
}

// pair is the reference pair under test: the server in a child process, with short
// waiting times, an app that needs tokens, and every other app open.
type pair struct {
	*child
	tokens token.App
	other  string
	dir    string
}

// shortLimits are the waiting times of a server that is judged: long enough for a
// busy machine, short enough for an impatient person.
var shortLimits = []string{
	"--session-grace", "1500ms", "--reconnect-threshold", "400ms", "--ack-timeout", "1200ms",
	"--ping-interval", "150ms", "--silence", "1300ms", "--login-timeout", "700ms", "--token-notice", "3s",
	"--replay-window", "900ms", "--count-interval", "100ms", "--member-limit", "6", "--drain", "1s",
}

// shortTimeouts are those of the SDK beside such a server.
var shortTimeouts = adapter.Timeouts{Login: 1200 * time.Millisecond, Send: 1200 * time.Millisecond}

func startPair(ctx context.Context) (*pair, error) {
	p := &pair{tokens: token.App{ID: randomHex(), Certificate: randomHex()}, other: randomHex()}
	dir, err := os.MkdirTemp("", "rtmkit-")
	if err != nil {
		return nil, fail(exitBroken, "cannot make a temporary folder: %w", err)
	}
	p.dir = dir
	apps := filepath.Join(dir, "apps.yaml")
	text := fmt.Sprintf("apps:\n  - id: %q\n    certificate: %q\n", p.tokens.ID, p.tokens.Certificate)
	if err := os.WriteFile(apps, []byte(text), 0o600); err != nil {
		os.RemoveAll(dir)
		return nil, fail(exitBroken, "cannot write the list of apps: %w", err)
	}
	args := append([]string{"--apps", apps, "--call-limits", "off", "--log-level", "warn"}, shortLimits...)
	if p.child, err = startChild(ctx, args...); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return p, nil
}

func (p *pair) stop() {
	p.child.stop()
	os.RemoveAll(p.dir)
}

// judge points cfg at the pair.
func (p *pair) judge(cfg *conformance.Config) {
	cfg.Server = p.url
	cfg.OtherAppID = p.other
	cfg.TokenApp = p.tokens
	cfg.Subjects = []string{"server", "client"}
	cfg.ClientTimeouts = shortTimeouts
	cfg.Notes = append(cfg.Notes,
		"The server ran with its call limits off, so the profile call-limits is not judged.",
		"The server announced short waiting times ("+strings.Join(shortLimits[:6], " ")+" …), and the client's own timeouts were 1.2 s, by which every wait of the suite goes.")
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

func randomHex() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

type conformListCommand struct {
	Profile string `placeholder:"NAME" help:"Only the requirements of this profile."`
}

// Run prints one line for each requirement.
func (c *conformListCommand) Run(a *app) error {
	all, err := catalogue.Load()
	if err != nil {
		return fail(exitBroken, "%w", err)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	shown := 0
	for _, r := range all.Requirements {
		if c.Profile != "" && r.Profile != c.Profile {
			continue
		}
		shown++
		text := r.Text
		if r.Undecided != "" {
			text += " [undecided]"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ID, strings.ToUpper(string(r.Level)), r.Subject, r.Profile, text)
	}
	if shown == 0 {
		return fail(exitUsage, "--profile %s: no such profile", c.Profile)
	}
	return w.Flush()
}

// prepareOut makes the report folder before any work is done for it.
func prepareOut(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fail(exitUsage, "--out %s: %w; choose a folder that can be written", dir, plainPath(err))
	}
	probe, err := os.CreateTemp(dir, ".writable-")
	if err != nil {
		return fail(exitUsage, "--out %s: %w; choose a folder that can be written", dir, plainPath(err))
	}
	probe.Close()
	os.Remove(probe.Name())
	return nil
}

func plainPath(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// newReport begins the report of this process.
func newReport(a *app, started time.Time) *reports.Report {
	return &reports.Report{
		Schema: reports.ReportSchema, ToolVersion: version, StartedAt: started.UTC(),
		Environment: reports.CollectEnvironment(), Command: a.command(),
	}
}

// finish closes the report with the exit code and writes it to dir, if there is one.
func finish(report *reports.Report, code exitCode, dir string) error {
	report.EndedAt = time.Now().UTC()
	report.ExitCode = int(code)
	report.Interrupted = code == exitInterrupted
	if dir == "" {
		return nil
	}
	if err := reports.Write(dir, report); err != nil {
		return fail(exitBroken, "the report could not be written: %w", err)
	}
	return nil
}

// quoted returns word as a POSIX shell reads it back.
func quoted(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n\"'\\$&|;<>()*?[]{}~#`!") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
