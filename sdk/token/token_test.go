package token_test

import (
	"bytes"
	"compress/zlib"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rtmkit/rtmkit/sdk/token"
)

const (
	appID       = "0123456789abcdef0123456789abcdef"
	certificate = "fedcba9876543210fedcba9876543210"
	issued      = 1_700_000_000
	day         = 86_400

	// Two tokens made by an independent implementation: minted at issued for alice, one hour of privilege, salt 1.
	vector006 = "0060123456789abcdef0123456789abcdefIABP4UZfe1BNSMfYHbdqjBWDvm4ullMq1jtYXMT4rfkgike8jicAAAAAEAABAAAAgEJVZQEA6AMQ/1Nl"
	vector007 = "007eJxTYFDaGL/34+zu9Ky7P2d3NrFs477StPjrD7asZ0+VuFbfuCuiwGBgaGRsYmpmbmGZmJSckpqGzmf4GJwqwMfAwMgAwkwMjAyMDCA+K0NiTmZyKgCXTh7M"
)

var (
	app     = token.App{ID: appID, Certificate: certificate}
	options = token.Options{IssuedAt: at(issued), Lifetime: time.Hour, Salt: 1}
)

func at(seconds int64) time.Time { return time.Unix(seconds, 0) }

func TestTokensOfOtherBuildersVerify(t *testing.T) {
	grant, err := token.Verify(vector006, app, "alice", at(issued))
	if want := (token.Grant{Format: token.Format006, ExpiresAt: at(issued + day)}); err != nil || grant != want {
		t.Errorf("006: got %+v, %v (%s); want %+v", grant, err, token.Reason(err), want)
	}
	grant, err = token.Verify(vector007, app, "alice", at(issued))
	if want := (token.Grant{Format: token.Format007, ExpiresAt: at(issued + 3600), EnforcedInSession: true}); err != nil || grant != want {
		t.Errorf("007: got %+v, %v (%s); want %+v", grant, err, token.Reason(err), want)
	}
}

func TestMintedTokensAreThoseOfOtherBuilders(t *testing.T) {
	got, err := token.Mint006(app, "alice", options)
	if err != nil || got != vector006 {
		t.Errorf("006: got %q, %v; want %q", got, err, vector006)
	}
	got, err = token.Mint007(app, "alice", options)
	if err != nil {
		t.Fatal(err)
	}
	// Deflate differs between libraries, so what counts is the content.
	if g, w := content007(t, got), content007(t, vector007); !bytes.Equal(g, w) {
		t.Errorf("007: content %x, want %x", g, w)
	}
}

func TestTokenFitsOneAppOneCertificateOneUserOnly(t *testing.T) {
	other := strings.Repeat("f", 32)
	for _, text := range []string{vector006, vector007} {
		for name, c := range map[string]struct {
			app token.App
			uid string
		}{
			"other uid":              {app, "bob"},
			"uid in another case":    {app, "Alice"},
			"empty uid":              {app, ""},
			"uid of 65 bytes":        {app, strings.Repeat("a", 65)},
			"other certificate":      {token.App{ID: appID, Certificate: other}, "alice"},
			"certificate upper case": {token.App{ID: appID, Certificate: strings.ToUpper(certificate)}, "alice"},
			"no certificate":         {token.App{ID: appID}, "alice"},
			"other app":              {token.App{ID: other, Certificate: certificate}, "alice"},
			"app upper case":         {token.App{ID: strings.ToUpper(appID), Certificate: certificate}, "alice"},
		} {
			if grant, err := token.Verify(text, c.app, c.uid, at(issued)); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s, %s: got %+v, %v; want ErrInvalid", text[:3], name, grant, err)
			}
		}
	}
}

func TestTokenExpiresExactlyAtItsEnd(t *testing.T) {
	for _, c := range []struct {
		name, text string
		end        int64
	}{
		{"006 lives 24 h whatever its privilege says", vector006, issued + day},
		{"007 lives as long as it says", vector007, issued + 3600},
		{"007 for a month lives 24 h", token007(3600*24*30, 3600*24*30, "alice"), issued + day},
		{"007 with an absolute time for a duration lives 24 h", token007(issued+3600, issued+3600, "alice"), issued + day},
		{"007 with the largest numbers lives 24 h", token007(1<<32-1, 1<<32-1, "alice"), issued + day},
		{"007 ends with its privilege", token007(3600, 60, "alice"), issued + 60},
		{"007 ends before its privilege", token007(60, 3600, "alice"), issued + 60},
		{"007 with duration 0 is expired at once", token007(0, 3600, "alice"), issued},
		{"007 with privilege 0 is expired at once", token007(3600, 0, "alice"), issued},
	} {
		if grant, err := token.Verify(c.text, app, "alice", at(c.end).Add(-1)); c.end > issued && (err != nil || !grant.ExpiresAt.Equal(at(c.end))) {
			t.Errorf("%s: just before its end got %+v, %v", c.name, grant, err)
		}
		if _, err := token.Verify(c.text, app, "alice", at(c.end)); !errors.Is(err, token.ErrExpired) {
			t.Errorf("%s: at its end got %v, want ErrExpired", c.name, err)
		}
	}
}

func TestForgedTokenIsInvalidEvenWhenItIsOldToo(t *testing.T) {
	stranger := token.App{ID: appID, Certificate: strings.Repeat("f", 32)}
	for _, text := range []string{vector006, vector007} {
		if _, err := token.Verify(text, stranger, "alice", at(issued+10*day)); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", text[:3], err)
		}
	}
}

func TestEveryChangedCharacterMakesATokenInvalid(t *testing.T) {
	for _, text := range []string{vector006, vector007} {
		for i := range len(text) {
			for _, with := range []byte("A0z/=\n") {
				changed := text[:i] + string(with) + text[i+1:]
				if changed == text || sameContent(changed, text) {
					continue
				}
				if grant, err := token.Verify(changed, app, "alice", at(issued)); !errors.Is(err, token.ErrInvalid) {
					t.Fatalf("%s with %q at %d: got %+v, %v; want ErrInvalid", text[:3], with, i, grant, err)
				}
			}
			if _, err := token.Verify(text[:i], app, "alice", at(issued)); !errors.Is(err, token.ErrInvalid) {
				t.Fatalf("%s cut to %d: got %v, want ErrInvalid", text[:3], i, err)
			}
		}
		for _, tail := range []string{"A", "AAAA", "=", "\n", " "} {
			if _, err := token.Verify(text+tail, app, "alice", at(issued)); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s followed by %q: got %v, want ErrInvalid", text[:3], tail, err)
			}
		}
	}
}

// The cases below carry a right signature, so only the strictness of the parser can refuse them.
func TestWellSignedButMalformedTokensAreInvalid(t *testing.T) {
	login := service(2, 1, 3600, str("alice"))
	cases := map[string]struct{ text, reason string }{
		"006 with a byte after its privileges": {sealed006("alice", append(message006(issued+day, 1000, issued), 0), 0), "length"},
		"006 with a privilege too few":         {sealed006("alice", message006(issued+day, 1000, issued)[:10], 0), "length"},
		"006 without the login privilege":      {sealed006("alice", message006(issued+day, 1, issued), 0), "privilege"},
		"006 with a user beside the account":   {sealed006("alice", message006(issued+day, 1000, issued), 7), "another uid"},
		"006 with a privilege twice":           {sealed006("alice", message006(issued+day, 1000, issued, 1000, issued), 0), "length"},
		"007 without services":                 {sealed007(body007(3600, 0)), "no RTM login privilege"},
		"007 for another user":                 {sealed007(body007(3600, 1, service(2, 1, 3600, str("bob")))), "no RTM login privilege"},
		"007 with another RTM privilege only":  {sealed007(body007(3600, 1, service(2, 9, 3600, str("alice")))), "no RTM login privilege"},
		"007 with a byte after its services":   {sealed007(body007(3600, 1, login, []byte{0})), "length"},
		"007 with a service too few":           {sealed007(body007(3600, 2, login)), "length"},
		"007 with a cut service":               {sealed007(body007(3600, 1, login[:len(login)-1])), "length"},
		"007 with RTM behind an unknown kind":  {sealed007(body007(3600, 2, service(99, 1, 3600), login)), "no RTM login privilege"},
		"007 that inflates beyond its bound":   {sealed007(append(body007(3600, 1, login), make([]byte, 64<<10)...)), "inflates"},
		"007 with bytes after the zlib stream": {"007" + base64.StdEncoding.EncodeToString(append(packed007(body007(3600, 1, login)), 0)), "follow"},
		"a text beyond any token":              {"006" + strings.Repeat("A", token.MaxTextLen), "longer"},
		"another format":                       {"008" + vector007[3:], "neither"},
		"nothing":                              {"", "neither"},
	}
	for name, c := range cases {
		_, err := token.Verify(c.text, app, "alice", at(issued))
		if !errors.Is(err, token.ErrInvalid) || !strings.Contains(token.Reason(err), c.reason) {
			t.Errorf("%s: got %v (%q), want ErrInvalid for the reason %q", name, err, token.Reason(err), c.reason)
		}
	}
}

func TestServicesAroundTheLoginAreAccepted(t *testing.T) {
	login := service(2, 1, 3600, str("alice"))
	for name, text := range map[string]string{
		"RTC before RTM":          sealed007(body007(3600, 2, service(1, 1, 60, str("room"), str("7")), login)),
		"unknown kind behind RTM": sealed007(body007(3600, 2, login, service(99, 1, 60, str("?")))),
		"RTM twice":               sealed007(body007(3600, 2, service(2, 1, 60, str("alice")), login)),
	} {
		grant, err := token.Verify(text, app, "alice", at(issued))
		if err != nil || !grant.ExpiresAt.Equal(at(issued+3600)) {
			t.Errorf("%s: got %+v, %v (%s)", name, grant, err, token.Reason(err))
		}
	}
}

func TestMintingRefusesWhatCannotStandInAToken(t *testing.T) {
	for name, c := range map[string]struct {
		app     token.App
		uid     string
		options token.Options
	}{
		"short app id":            {token.App{ID: "abc", Certificate: certificate}, "alice", options},
		"app id with punctuation": {token.App{ID: appID[:31] + "-", Certificate: certificate}, "alice", options},
		"no certificate":          {token.App{ID: appID}, "alice", options},
		"certificate not hex":     {token.App{ID: appID, Certificate: certificate[:31] + "g"}, "alice", options},
		"empty uid":               {app, "", options},
		"long uid":                {app, strings.Repeat("a", 65), options},
		"half a second":           {app, "alice", token.Options{Lifetime: time.Second / 2}},
		"negative lifetime":       {app, "alice", token.Options{Lifetime: -time.Second}},
		"lifetime of 200 years":   {app, "alice", token.Options{Lifetime: 200 * 365 * 24 * time.Hour}},
		"minted before 1970":      {app, "alice", token.Options{IssuedAt: at(-1)}},
	} {
		for format, mint := range mints {
			text, err := mint(c.app, c.uid, c.options)
			if err == nil || text != "" {
				t.Errorf("%s, %s: got %q, %v; want an error", format, name, text, err)
			} else if strings.Contains(err.Error(), certificate[:8]) {
				t.Errorf("%s, %s: the error shows the certificate: %v", format, name, err)
			}
		}
	}
}

func TestTokenMintedExpiredIsExpired(t *testing.T) {
	text, err := token.Mint007(app, "alice", token.Options{IssuedAt: at(issued), Lifetime: token.Expired})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.Verify(text, app, "alice", at(issued)); !errors.Is(err, token.ErrExpired) {
		t.Errorf("got %v, want ErrExpired", err)
	}
}

func TestNothingPrintsTheCertificate(t *testing.T) {
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", app)
		fmt.Fprintf(&out, verb+"\n", &app)
		fmt.Fprintf(&out, verb+"\n", []token.App{app})
		fmt.Fprintf(&out, verb+"\n", struct{ App token.App }{app})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "app", app)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "app", app, "nested", struct{ App token.App }{app})
	if err := json.NewEncoder(&out).Encode(app); err != nil {
		t.Fatal(err)
	}
	for _, uid := range []string{"alice", "bob"} {
		_, err := token.Verify(vector007, app, uid, at(issued+2*day))
		fmt.Fprintf(&out, "%v %s\n", err, token.Reason(err))
	}
	if s := out.String(); strings.Contains(s, certificate) || strings.Contains(s, fmt.Sprintf("%x", certificate)) {
		t.Errorf("the certificate shows in:\n%s", s)
	} else if !strings.Contains(s, appID) {
		t.Errorf("the app id does not show in:\n%s", s)
	}
}

func TestClientFacingErrorsHoldNoReason(t *testing.T) {
	_, err := token.Verify(vector006, app, "bob", at(issued))
	if err.Error() != "token: invalid" || token.Reason(err) == "" {
		t.Errorf("got %q with reason %q", err, token.Reason(err))
	}
	_, err = token.Verify(vector006, app, "alice", at(issued+2*day))
	if err.Error() != "token: expired" || !strings.Contains(token.Reason(err), "2023-11-15") {
		t.Errorf("got %q with reason %q", err, token.Reason(err))
	}
	if got := token.Reason(errors.New("other")); got != "" {
		t.Errorf("reason of a foreign error: %q", got)
	}
}

func TestMintedTokensVerifyUntilTheirEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		format := rapid.SampledFrom([]string{token.Format006, token.Format007}).Draw(t, "format")
		uid := rapid.StringMatching(`[ -~]{1,64}`).Draw(t, "uid")
		start := rapid.Int64Range(0, 1<<32-32*day).Draw(t, "issued")
		lifetime := rapid.Int64Range(1, 30*day).Draw(t, "lifetime")
		text, err := mints[format](app, uid, token.Options{
			IssuedAt: at(start), Lifetime: time.Duration(lifetime) * time.Second, Salt: rapid.Uint32().Draw(t, "salt"),
		})
		if err != nil {
			t.Fatal(err)
		}
		end := start + min(lifetime, day)
		if format == token.Format006 {
			end = start + day
		}
		grant, err := token.Verify(text, app, uid, at(end-1))
		want := token.Grant{Format: format, ExpiresAt: at(end), EnforcedInSession: format == token.Format007}
		if err != nil || grant != want {
			t.Fatalf("before the end: got %+v, %v (%s); want %+v", grant, err, token.Reason(err), want)
		}
		if _, err := token.Verify(text, app, uid, at(end)); !errors.Is(err, token.ErrExpired) {
			t.Fatalf("at the end: got %v", err)
		}
		if _, err := token.Verify(text, app, uid+"x", at(start)); !errors.Is(err, token.ErrInvalid) {
			t.Fatalf("for another uid: got %v", err)
		}
	})
}

// FuzzVerify searches for a text that crashes the parser, or that verifies without being the content that was minted.
func FuzzVerify(f *testing.F) {
	f.Add(vector006)
	f.Add(vector007)
	f.Add(vector006[:40])
	f.Add("007" + base64.StdEncoding.EncodeToString([]byte("x\x9c")))
	f.Add(sealed007(body007(3600, 2, service(1, 1, 60, str("room"), str("7")), service(2, 1, 3600, str("bob")))))
	f.Fuzz(func(t *testing.T, text string) {
		grant, err := token.Verify(text, app, "alice", at(issued))
		if err == nil && !sameContent(text, vector006) && !sameContent(text, vector007) {
			t.Fatalf("accepted %q: %+v", text, grant)
		}
		if err != nil && !errors.Is(err, token.ErrInvalid) && !errors.Is(err, token.ErrExpired) {
			t.Fatalf("unnamed error %v for %q", err, text)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, text := range []string{vector006, vector007} {
		b.Run(text[:3], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := token.Verify(text, app, "alice", at(issued)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var mints = map[string]func(token.App, string, token.Options) (string, error){
	token.Format006: token.Mint006,
	token.Format007: token.Mint007,
}

// The helpers below write the formats a second time, from their description, so that an error in the package's own
// encoder cannot hide.

func str(s string) []byte { return append(binary.LittleEndian.AppendUint16(nil, uint16(len(s))), s...) }

func mac(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

func message006(end uint32, privileges ...uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 1)
	b = binary.LittleEndian.AppendUint32(b, end)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(privileges)/2))
	for i := 0; i < len(privileges); i += 2 {
		b = binary.LittleEndian.AppendUint16(b, uint16(privileges[i]))
		b = binary.LittleEndian.AppendUint32(b, privileges[i+1])
	}
	return b
}

func sealed006(account string, message []byte, crcUser uint32) string {
	b := str(string(mac([]byte(certificate), append([]byte(appID+account), message...))))
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte(account)))
	b = binary.LittleEndian.AppendUint32(b, crcUser)
	return "006" + appID + base64.StdEncoding.EncodeToString(append(b, str(string(message))...))
}

func service(kind, privilege uint16, seconds uint32, fields ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, kind)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, privilege)
	b = binary.LittleEndian.AppendUint32(b, seconds)
	return append(b, bytes.Join(fields, nil)...)
}

func body007(lifetime uint32, count uint16, services ...[]byte) []byte {
	b := str(appID)
	for _, v := range []uint32{issued, lifetime, 1} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = binary.LittleEndian.AppendUint16(b, count)
	return append(b, bytes.Join(services, nil)...)
}

func packed007(body []byte) []byte {
	k := mac(binary.LittleEndian.AppendUint32(nil, issued), []byte(certificate))
	k = mac(binary.LittleEndian.AppendUint32(nil, 1), k)
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	w.Write(append(str(string(mac(k, body))), body...))
	w.Close()
	return out.Bytes()
}

func sealed007(body []byte) string {
	return "007" + base64.StdEncoding.EncodeToString(packed007(body))
}

func token007(lifetime, privilege uint32, user string) string {
	return sealed007(body007(lifetime, 1, service(2, 1, privilege, str(user))))
}

func content007(t testing.TB, text string) []byte {
	t.Helper()
	content, err := unpack(text)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func unpack(text string) ([]byte, error) {
	if !strings.HasPrefix(text, "007") {
		return nil, errors.New("not 007")
	}
	raw, err := base64.StdEncoding.DecodeString(text[3:])
	if err != nil {
		return nil, err
	}
	r, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	_, err = out.ReadFrom(r)
	return out.Bytes(), err
}

// sameContent tells whether two texts carry the same signed bytes. Only zlib leaves room for that: several streams
// inflate to one content.
func sameContent(a, b string) bool {
	if a == b {
		return true
	}
	ca, errA := unpack(a)
	cb, errB := unpack(b)
	return errA == nil && errB == nil && bytes.Equal(ca, cb)
}
