// Package token verifies and mints the access tokens that RTM logins carry, in the two formats found in the field:
// 006 (AccessToken) and 007 (AccessToken2), each with the RTM login privilege.
//
// A token binds one application and one user id to a span of time, under a secret that only the application's owner
// and the service know: the certificate. [Verify] answers whether a text is such a token, [Mint006] and [Mint007] make
// one. The byte layouts are those of the vendor's published builders, so tokens minted by the public npm and Go
// packages verify here and the other way round.
//
// The package keeps the certificate out of everything it prints, compares signatures in constant time, bounds what it
// reads before it reads it, and imports the standard library only.
package token

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

const (
	// MaxLifetime is the longest time a token grants, counted from its minting: 24 hours. Longer durations in a token
	// of format 007 are treated as 24 hours, as the service does.
	MaxLifetime = 24 * time.Hour

	// MaxTextLen is the longest token text, in bytes, that Verify looks at. Real tokens with the RTM privilege take 140
	// to 300 bytes; the room above is for tokens that carry privileges of other services as well.
	MaxTextLen = 8192

	// maxContentLen bounds, in bytes, what the compressed content of a token of format 007 may inflate to.
	maxContentLen = 64 << 10

	// maxUIDLen is the limit of a user id in bytes. It also closes the one ambiguity of format 006, whose signed bytes
	// hold application, user and privileges without separators.
	maxUIDLen = 64

	// secretLen is the length of an application id and of a certificate, in characters.
	secretLen = 32
)

// The two token formats, as they stand in the first three characters of a token and in [Grant].Format.
const (
	// Format006 is the older format: valid for 24 hours from minting, looked at only when a client logs in.
	Format006 = "006"
	// Format007 is the newer format: it carries its own duration, and its end is enforced in a running session.
	Format007 = "007"
)

var (
	// ErrInvalid is what [Verify] answers for a text that is no token of this application and this user: malformed,
	// forged, minted for another application or user, or without the RTM login privilege. Test with errors.Is.
	ErrInvalid = errors.New("token: invalid")

	// ErrExpired is what [Verify] answers for a genuine token of this application and user whose time is over. Test with
	// errors.Is. A text that is not genuine is ErrInvalid, whatever its times say.
	ErrExpired = errors.New("token: expired")
)

// App is an application of the service: the id that clients name, and the secret that tokens are signed with.
//
// Printing an App, in any way package fmt, slog or encoding/json knows, shows the id only.
type App struct {
	// ID is the application id: 32 letters and digits, compared as written.
	ID string `json:"id"`

	// Certificate is the secret: 32 hexadecimal characters. It enters signatures as text, so its case matters. Empty
	// means that the application uses no tokens; nothing verifies and nothing can be minted then.
	Certificate string `json:"-"`
}

// Check reports, without naming any value, what keeps the App from minting and verifying tokens: an id that is not 32
// letters and digits, or a certificate that is not 32 hexadecimal characters.
func (a App) Check() error {
	if len(a.ID) != secretLen || strings.ContainsFunc(a.ID, notAlphanumeric) {
		return errors.New("token: the app id must be 32 letters and digits")
	}
	if a.Certificate == "" {
		return errors.New("token: the app has no certificate, so it uses no tokens; set its 32 hexadecimal characters")
	}
	if len(a.Certificate) != secretLen || strings.ContainsFunc(a.Certificate, notHex) {
		return errors.New("token: the app certificate must be 32 hexadecimal characters")
	}
	return nil
}

// String returns the application id; the certificate is left out.
func (a App) String() string { return "app " + a.ID }

// Format prints what String returns for every verb and flag, so that no formatting reaches the certificate.
func (a App) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(a.String())) }

// LogValue makes slog record the application id alone.
func (a App) LogValue() slog.Value { return slog.StringValue(a.ID) }

// Grant is what a verified token allows.
type Grant struct {
	// Format is the token's format, Format006 or Format007.
	Format string

	// ExpiresAt is the moment, with a resolution of one second, from which the token is expired. For format 007 this is
	// the earlier of the token's and the login privilege's end, and at most MaxLifetime after minting. For format 006 it
	// is the end written in the token, which every known builder sets to 24 hours after minting.
	ExpiresAt time.Time

	// EnforcedInSession tells whether a running session must end at ExpiresAt: true for format 007, false for 006, whose
	// expiry is noticed at the next login or resume only.
	EnforcedInSession bool
}

// refusal is an error with two faces: Error is fit for the other side of a connection, reason for the operator's log.
type refusal struct {
	kind   error
	reason string
}

func (r *refusal) Error() string { return r.kind.Error() }
func (r *refusal) Unwrap() error { return r.kind }

func invalid(reason string) error { return &refusal{ErrInvalid, reason} }

func expired(end time.Time) error {
	return &refusal{ErrExpired, "the token ended at " + end.UTC().Format(time.RFC3339)}
}

// Reason returns in one sentence why err, an error of [Verify], refused a token: for an operator's log or a test, never
// for the client, whom it would help to forge. It holds neither the token nor the certificate. For any other error it
// returns "".
func Reason(err error) string {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.reason
	}
	return ""
}

// Verify answers whether text is a token that lets uid log in to app at the time now, and until when.
//
// The error matches [ErrExpired] for a genuine token whose time is over and [ErrInvalid] for everything else; both
// print without detail, which [Reason] gives. A token is genuine when its signature over application, user and
// privileges is the one that the app's certificate makes. The minting time is not compared with now, so clocks may
// differ between minter and verifier.
//
// In format 007 services that come after one of a kind this package does not know are not seen: such a service has no
// length to skip it by. Builders write the RTM service in second place at the latest, so well-formed tokens lose nothing.
func Verify(text string, app App, uid string, now time.Time) (Grant, error) {
	if err := app.Check(); err != nil {
		return Grant{}, invalid(strings.TrimPrefix(err.Error(), "token: "))
	}
	if uid == "" || len(uid) > maxUIDLen {
		return Grant{}, invalid("the uid is not 1 to 64 bytes long")
	}
	if len(text) > MaxTextLen {
		return Grant{}, invalid("the text is longer than any token")
	}
	switch {
	case strings.HasPrefix(text, Format006):
		return verify006(text[len(Format006):], app, uid, now)
	case strings.HasPrefix(text, Format007):
		return verify007(text[len(Format007):], app, uid, now)
	}
	return Grant{}, invalid("the text starts with neither 006 nor 007")
}

// decodeBase64 reads the standard alphabet with padding and, unlike the standard decoder, passes over no line breaks:
// one content has one text.
func decodeBase64(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	return b, err == nil
}

func notAlphanumeric(r rune) bool {
	return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
}

func notHex(r rune) bool {
	return !('0' <= r && r <= '9' || 'a' <= r && r <= 'f' || 'A' <= r && r <= 'F')
}
