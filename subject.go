package main

import (
	"strconv"
	"time"

	"github.com/rtmkit/rtmkit/conformance/adapter"
)

// defaultAppID is the app that specs and load use where none is given. Servers that
// are open to every app take it.
const defaultAppID = "0123456789abcdef0123456789abcdef"

// serverFlags say which server is judged, or judged against.
type serverFlags struct {
	Server        string  `placeholder:"URL" help:"URL of the server, ws:// or wss://; without it the reference server is started."`
	ServerCommand string  `placeholder:"CMD" help:"Command that starts the server and prints {\"ready\":\"ws://…\"} when it accepts connections; it is ended by SIGTERM."`
	AppID         string  `default:"${app_id}" placeholder:"ID" help:"App in which the specs log in."`
	OtherAppID    string  `placeholder:"ID" help:"A second, open app of the server, for the profile apps."`
	TokenCommand  string  `placeholder:"CMD" help:"Command that prints a token for the app RTM_APP_ID and the user RTM_UID of its environment."`
	TokenAppID    string  `placeholder:"ID" help:"App with a certificate, for the profile tokens; the suite mints its tokens itself."`
	TokenAppFile  string  `type:"existingfile" placeholder:"FILE" help:"File with the certificate of --token-app-id."`
	Limits        string  `default:"short" enum:"short,published" help:"Waiting times of a reference server that is started: short, or those that the protocol publishes, such as a grace of 30 s."`
	SlowFactor    float64 `default:"1" placeholder:"X" help:"Stretch every waiting time by this factor, for a slow server or machine."`
	tlsFlags
}

// wishedTimeouts are what a client under test is asked for towards a server of somebody
// else: short enough to be waited for, long enough for a server that is far away.
var wishedTimeouts = adapter.Timeouts{Login: 3 * time.Second, Send: 3 * time.Second}

// subjectFlags say who is judged: a server, a client, or the reference pair.
type subjectFlags struct {
	serverFlags
	Claim  []string `placeholder:"NAME" help:"Profile that the server under test claims; repeatable. What it claims must work, what it does not claim must be refused as specified. Without it all is judged that can be."`
	Client bool     `help:"Judge the client adapter whose command stands behind --, for example --client -- node adapter.mjs."`
	// alone says that the reference server is judged without the client.
	alone   bool
	Command []string `arg:"" optional:"" name:"command" help:"Command of the client adapter, behind --client --."`
}

// subject is who is judged in this run, ready to be judged.
type subject struct {
	judging
	notes []string
	// stop ends what was started for it.
	stop func()
	// died tells whether a server that was started for it ended by itself.
	died func() error
}

// pairCalls says whether the server of a reference pair enforces its call limits: on or off.
type pairCalls string

// open starts what has to be started, the reference pair if the flags name neither server nor client.
func (f *subjectFlags) open(a *app, calls pairCalls) (*subject, error) {
	if f.Client != (len(f.Command) > 0) {
		return nil, fail(exitUsage, "--client and the command of an adapter go together: --client -- node adapter.mjs")
	}
	if f.Client && len(f.Claim) > 0 {
		return nil, fail(exitUsage, "--claim is about a server; a client adapter tells its claims in its hello")
	}
	subjects := []string{"server"}
	switch {
	case f.Client:
		subjects = []string{"client"}
	case f.Server == "" && f.ServerCommand == "" && !f.alone:
		subjects = []string{"server", "client"}
	}
	s, err := f.serverFlags.open(a, calls)
	if err == nil {
		s.Subjects, s.Adapter, s.Claims = subjects, f.Command, f.Claim
		if f.Client && s.Timeouts == (adapter.Timeouts{}) {
			s.Timeouts = wishedTimeouts
		}
	}
	return s, err
}

// open starts the server that the flags name, or the reference server.
func (f *serverFlags) open(a *app, calls pairCalls) (*subject, error) {
	own := f.Server == "" && f.ServerCommand == ""
	switch {
	case own && (f.TokenCommand != "" || f.TokenAppID != "" || f.OtherAppID != ""):
		return nil, fail(exitUsage, "--token-command, --token-app-id and --other-app-id belong to a --server; the reference pair has apps of its own")
	case !own && f.Limits == "published":
		return nil, fail(exitUsage, "--limits belongs to the reference server; a server under test announces its own")
	case f.Server != "" && f.ServerCommand != "":
		return nil, fail(exitUsage, "--server and --server-command exclude each other; give the one that fits")
	case f.SlowFactor <= 0:
		return nil, fail(exitUsage, "--slow-factor %v: give a number above 0", f.SlowFactor)
	case (f.TokenAppID == "") != (f.TokenAppFile == ""):
		return nil, fail(exitUsage, "--token-app-id and --token-app-file go together; give both or neither")
	}
	s := &subject{stop: func() {}, died: func() error { return nil }}
	s.judging = judging{
		Server: f.Server, TLS: f.tlsFlags, AppID: f.AppID, OtherAppID: f.OtherAppID, TokenCommand: f.TokenCommand, SlowFactor: f.SlowFactor,
	}
	if f.TokenAppID != "" {
		app, err := certificateFlags{AppID: f.TokenAppID, CertificateFile: f.TokenAppFile}.app()
		if err != nil {
			return nil, err
		}
		s.TokenAppID, s.Certificate = app.ID, app.Certificate
	}
	switch {
	case own:
		pair, err := startPair(a.ctx, calls, f.Limits)
		if err != nil {
			return nil, err
		}
		s.stop, s.died = pair.stop, pair.died
		pair.judge(s)
	case f.ServerCommand != "":
		server, err := startCommand(a.ctx, f.ServerCommand, "the server of --server-command")
		if err != nil {
			return nil, err
		}
		s.stop, s.died, s.Server = server.stop, server.died, server.url
	}
	return s, nil
}

// words are the flags as one would type them again.
func (f *serverFlags) words() []string {
	var words []string
	flag := func(name, value string) {
		if value != "" {
			words = append(words, "--"+name, quoted(value))
		}
	}
	flag("server", f.Server)
	flag("server-command", f.ServerCommand)
	if f.AppID != defaultAppID {
		flag("app-id", f.AppID)
	}
	flag("other-app-id", f.OtherAppID)
	flag("token-command", f.TokenCommand)
	flag("token-app-id", f.TokenAppID)
	flag("token-app-file", f.TokenAppFile)
	flag("tls-ca", f.TLSCA)
	if f.Limits == "published" {
		words = append(words, "--limits", f.Limits)
	}
	if f.SlowFactor != 1 && f.SlowFactor != 0 {
		words = append(words, "--slow-factor", strconv.FormatFloat(f.SlowFactor, 'g', -1, 64))
	}
	if f.Insecure {
		words = append(words, "--insecure")
	}
	return words
}

// words are the flags as one would type them again.
func (f *subjectFlags) words() []string {
	words := f.serverFlags.words()
	for _, claim := range f.Claim {
		words = append(words, "--claim", claim)
	}
	return words
}

// adapterWords are the end of the command line, behind all flags.
func (f *subjectFlags) adapterWords() string {
	if !f.Client {
		return ""
	}
	words := " --client --"
	for _, word := range f.Command {
		words += " " + quoted(word)
	}
	return words
}
