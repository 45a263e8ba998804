package faults

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
	"time"
)

// credential is what a token says of itself. A proxy has no certificate, so nothing of it is verified.
type credential struct {
	format string
	app    string
	// names tells whether the token is for this uid.
	names func(uid string) bool
	// issued is when the life of the token begins, for format 007 only.
	issued time.Time
	// life is how long it lasts from then, for format 007 only.
	life time.Duration
	// privilege is when the login privilege ends, for format 006 only.
	privilege time.Time
	// end is when the token ends by its own account.
	end time.Time
}

// maxInflated bounds what a token of format 007 is unpacked to.
const maxInflated = 1 << 16

// credentialOf reads the token of a login or a renewal, and reports whether it is one as far as can be seen.
func credentialOf(request *Frame) (c credential, ok bool) {
	text := request.Text("token")
	switch {
	case strings.HasPrefix(text, "006") && len(text) > 35:
		return credential006(text)
	case strings.HasPrefix(text, "007"):
		return credential007(text)
	}
	return credential{}, false
}

func credential006(text string) (c credential, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(text[35:])
	if err != nil {
		return credential{}, false
	}
	content := fields{rest: raw}
	content.text()
	sum := content.uint32()
	content.uint32()
	message := fields{rest: content.text()}
	message.uint32()
	end := message.uint32()
	privilege := message.privilege(1000)
	c = credential{
		format: "006", app: text[3:35], end: seconds(end), privilege: seconds(privilege),
		names: func(uid string) bool { return crc32.ChecksumIEEE([]byte(uid)) == sum },
	}
	return c, !content.short && !message.short
}

func credential007(text string) (c credential, ok bool) {
	packed, err := base64.StdEncoding.DecodeString(text[3:])
	if err != nil {
		return credential{}, false
	}
	stream, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return credential{}, false
	}
	raw, err := io.ReadAll(io.LimitReader(stream, maxInflated))
	if err != nil {
		return credential{}, false
	}
	content := fields{rest: raw}
	content.text()
	app := string(content.text())
	issued, life := content.uint32(), content.uint32()
	content.uint32()
	content.uint16()
	content.uint16()
	life = min(life, content.privilege(1))
	user := string(content.text())
	c = credential{
		format: "007", app: app, issued: seconds(issued), life: time.Duration(life) * time.Second,
		names: func(uid string) bool { return uid == user },
	}
	c.end = c.issued.Add(c.life)
	return c, !content.short
}

func seconds(unix uint32) time.Time { return time.Unix(int64(unix), 0) }

// fields reads the little-endian fields of a token.
type fields struct {
	rest  []byte
	short bool
}

func (f *fields) take(n int) []byte {
	if f.short || n > len(f.rest) {
		f.short = true
		return make([]byte, min(n, 4))
	}
	head := f.rest[:n]
	f.rest = f.rest[n:]
	return head
}

func (f *fields) uint16() uint16 { return binary.LittleEndian.Uint16(f.take(2)) }
func (f *fields) uint32() uint32 { return binary.LittleEndian.Uint32(f.take(4)) }
func (f *fields) text() []byte   { return f.take(int(f.uint16())) }

// privilege reads a map of privileges and returns the value of one.
func (f *fields) privilege(wanted uint16) (value uint32) {
	for range f.uint16() {
		if key, each := f.uint16(), f.uint32(); key == wanted {
			value = each
		}
		if f.short {
			break
		}
	}
	return value
}
