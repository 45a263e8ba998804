package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/sdk/token"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

type tokenCommand struct {
	Mint   tokenMintCommand   `cmd:"" help:"Mint a token for a user."`
	Verify tokenVerifyCommand `cmd:"" help:"Verify a token and say until when it lasts."`
}

// certificateFlags name an app and where its certificate is. The certificate itself
// is never an argument, because arguments are visible to every process.
type certificateFlags struct {
	AppID           string `required:"" placeholder:"ID" help:"App id: 32 letters and digits."`
	CertificateFile string `type:"existingfile" placeholder:"FILE" xor:"certificate" help:"File with the app certificate."`
	CertificateEnv  string `placeholder:"NAME" xor:"certificate" help:"Environment variable with the app certificate (default: RTMKIT_CERTIFICATE)."`
}

func (f certificateFlags) app() (token.App, error) {
	app := token.App{ID: f.AppID}
	switch {
	case f.CertificateFile != "":
		text, err := os.ReadFile(f.CertificateFile)
		if err != nil {
			return app, fail(exitUsage, "--certificate-file: %w", err)
		}
		app.Certificate = strings.TrimSpace(string(text))
	default:
		name := f.CertificateEnv
		if name == "" {
			name = "RTMKIT_CERTIFICATE"
		}
		if app.Certificate = os.Getenv(name); app.Certificate == "" {
			return app, fail(exitUsage, "the environment variable %s is empty; set it to the certificate or give --certificate-file", name)
		}
	}
	if err := app.Check(); err != nil {
		return app, fail(exitUsage, "%w", err)
	}
	return app, nil
}

type tokenMintCommand struct {
	certificateFlags
	UID    string        `required:"" placeholder:"UID" help:"User id the token is for."`
	TTL    time.Duration `default:"24h" placeholder:"DURATION" help:"How long the token lasts, in whole seconds; 0 mints an expired one. A 006 token always lasts 24 h."`
	Format string        `default:"007" enum:"006,007" help:"Token format: 006 or 007."`
}

// Run prints one token.
func (c *tokenMintCommand) Run(a *app) error {
	app, err := c.app()
	if err != nil {
		return err
	}
	if err := wire.CheckID(c.UID); err != nil {
		return fail(exitUsage, "--uid: %w", err)
	}
	text, err := mint(app, c.UID, c.Format, c.TTL)
	if err != nil {
		return fail(exitUsage, "%w", err)
	}
	fmt.Fprintln(a.stdout, text)
	return nil
}

// mint mints a token that lasts ttl. A ttl of zero or less is one that has ended:
// for 006, whose lifetime is fixed, one that was issued long enough ago.
func mint(app token.App, uid, format string, ttl time.Duration) (string, error) {
	if format == token.Format006 {
		var opts token.Options
		if ttl < token.MaxLifetime {
			opts.IssuedAt = time.Now().Add(ttl - token.MaxLifetime)
		}
		return token.Mint006(app, uid, opts)
	}
	if ttl <= 0 {
		ttl = token.Expired
	}
	return token.Mint007(app, uid, token.Options{Lifetime: ttl})
}

type tokenVerifyCommand struct {
	certificateFlags
	UID   string `required:"" placeholder:"UID" help:"User id that wants to log in."`
	Token string `arg:"" optional:"" help:"The token; read from standard input when absent."`
}

// Run says whether a token lets the user in.
func (c *tokenVerifyCommand) Run(a *app) error {
	app, err := c.app()
	if err != nil {
		return err
	}
	text := c.Token
	if text == "" {
		line, err := bufio.NewReader(io.LimitReader(a.stdin, token.MaxTextLen+2)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fail(exitUsage, "reading the token from standard input: %w", err)
		}
		text = strings.TrimSpace(line)
	}
	grant, err := token.Verify(text, app, c.UID, time.Now())
	if err != nil {
		return fail(exitViolated, "%v: %s", err, token.Reason(err))
	}
	fmt.Fprintf(a.stdout, "valid: format %s, until %s\n", grant.Format, grant.ExpiresAt.Format(time.RFC3339))
	return nil
}
