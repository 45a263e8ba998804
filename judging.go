package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/conformance"
	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/sdk/token"
)

// judging says who is judged and by which means. As JSON it tells a worker process to judge the same; it then holds an
// app's certificate, so it travels through a pipe and never stands on a command line.
type judging struct {
	Server       string           `json:"server"`
	TLS          tlsFlags         `json:"tls"`
	AppID        string           `json:"app_id"`
	OtherAppID   string           `json:"other_app_id,omitempty"`
	TokenCommand string           `json:"token_command,omitempty"`
	TokenAppID   string           `json:"token_app_id,omitempty"`
	Certificate  string           `json:"certificate,omitempty"` // of TokenAppID
	Adapter      []string         `json:"adapter,omitempty"`     // the command of a client under test
	Subjects     []string         `json:"subjects,omitempty"`
	Timeouts     adapter.Timeouts `json:"timeouts"`
	SlowFactor   float64          `json:"slow_factor,omitempty"`
	Strict       bool             `json:"strict,omitempty"`
	Claims       []string         `json:"claims,omitempty"`
}

// config returns the configuration of the suite, without what only the process that a person started has.
func (j judging) config() (conformance.Config, error) {
	cfg := conformance.Config{
		Server: j.Server, AppID: j.AppID, OtherAppID: j.OtherAppID,
		TokenApp: token.App{ID: j.TokenAppID, Certificate: j.Certificate},
		Subjects: j.Subjects, ClientTimeouts: j.Timeouts, SlowFactor: j.SlowFactor, Strict: j.Strict, Claims: j.Claims,
		SuiteVersion: version,
	}
	if len(j.Adapter) > 0 {
		cfg.Adapter = &adapter.Command{Args: j.Adapter}
	}
	var err error
	cfg.TLS, err = j.TLS.config()
	if j.TokenCommand != "" {
		cfg.Token = tokenCommandFor(j.TokenCommand, j.AppID)
	}
	return cfg, err
}

// workerEndsWithin is how long a worker may take to end its client under test after its
// standard input has ended.
const workerEndsWithin = 5 * time.Second

// startWorker starts a process of this program that judges the same.
func (j judging) startWorker(context.Context) (*conformance.Worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, &conformance.SuiteError{Problem: fmt.Sprintf("the rtmkit binary cannot be found: %v", err)}
	}
	cmd := exec.Command(self, "conform", "worker")
	// A Ctrl-C on the terminal reaches the worker through its parent.
	cmd.SysProcAttr = ownGroup()
	logs := new(tail)
	cmd.Stderr = logs
	// A grandchild that keeps standard error open must not keep Wait from returning.
	cmd.WaitDelay = time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, &conformance.SuiteError{Problem: err.Error()}
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, &conformance.SuiteError{Problem: err.Error()}
	}
	if err := cmd.Start(); err != nil {
		return nil, &conformance.SuiteError{Problem: fmt.Sprintf("a worker cannot be started: %v", err)}
	}
	stop := func() {
		// A client under test has a process group of its own, which only the worker can end.
		kill := time.AfterFunc(workerEndsWithin, func() { killGroup(cmd.Process.Pid) })
		defer kill.Stop()
		_ = cmd.Wait()
	}
	if err := json.NewEncoder(in).Encode(j); err != nil {
		_ = in.Close()
		stop()
		return nil, &conformance.SuiteError{Problem: fmt.Sprintf("a worker did not take its orders (%v): %s", err, logs)}
	}
	return &conformance.Worker{In: in, Out: out, Stop: stop, Diagnosis: logs.String}, nil
}

type conformWorkerCommand struct{}

// Run does parts of another run: the first line of its input says who is judged, the others what.
func (conformWorkerCommand) Run(a *app) error {
	in := bufio.NewReader(a.stdin)
	line, err := in.ReadBytes('\n')
	var orders judging
	if err == nil {
		err = json.Unmarshal(line, &orders)
	}
	if err != nil {
		return fail(exitUsage, "conform worker is started by conform run only: %w", err)
	}
	cfg, err := orders.config()
	if err == nil {
		err = conformance.Work(a.ctx, cfg, in, a.stdout)
	}
	return err
}

// tlsFlags say how to trust a wss server.
type tlsFlags struct {
	TLSCA    string `name:"tls-ca" type:"existingfile" placeholder:"FILE" help:"Trust the certificate authorities in this PEM file."`
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

// tokenCommandFor returns a source of tokens that runs command in a shell.
func tokenCommandFor(command, appID string) func(ctx context.Context, uid string) (string, error) {
	return func(ctx context.Context, uid string) (string, error) {
		cmd := exec.CommandContext(ctx, "sh", "-c", command)
		cmd.Env = append(os.Environ(), "RTM_APP_ID="+appID, "RTM_UID="+uid)
		// What the shell started must not keep a run waiting that has ended.
		cmd.WaitDelay = time.Second
		out, diagnosis := new(tail), new(tail)
		cmd.Stdout, cmd.Stderr = out, diagnosis
		switch err := cmd.Run(); {
		case ctx.Err() != nil:
			return "", fmt.Errorf("the token command did not end in time (%w): %s", context.Cause(ctx), diagnosis)
		case err != nil:
			return "", fmt.Errorf("the token command failed (%w): %s", err, diagnosis)
		}
		text := strings.TrimSpace(string(out.kept))
		if text == "" || len(out.kept) == tailBytes || strings.ContainsAny(text, " \t\n") {
			return "", errors.New("the token command must print one token and nothing else")
		}
		return text, nil
	}
}
