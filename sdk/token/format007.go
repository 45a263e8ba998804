package token

import (
	"bytes"
	"compress/zlib"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// Services of format 007 and the key of the RTM login privilege. Types beyond these two follow RTM in a token.
const (
	serviceRTC        = 1
	serviceRTM        = 2
	privilegeLogin007 = 1
)

// Mint007 makes a token of format 007 that lets uid log in to app for opts.Lifetime from opts.IssuedAt. It fails,
// without naming the certificate, when app, uid or opts cannot stand in a token.
func Mint007(app App, uid string, opts Options) (string, error) {
	p, err := opts.plan(app, uid)
	if err != nil {
		return "", err
	}
	body := appendStr(nil, app.ID)
	body = binary.LittleEndian.AppendUint32(body, p.issued)
	body = binary.LittleEndian.AppendUint32(body, p.lifetime)
	body = binary.LittleEndian.AppendUint32(body, p.salt)
	body = binary.LittleEndian.AppendUint16(body, 1)
	body = binary.LittleEndian.AppendUint16(body, serviceRTM)
	body = appendPrivilege(body, privilegeLogin007, p.lifetime)
	body = appendStr(body, uid)

	var packed bytes.Buffer
	deflate := zlib.NewWriter(&packed)
	content := append(appendStr(nil, sign007(app, p.issued, p.salt, body)), body...)
	if _, err := deflate.Write(content); err != nil {
		return "", fmt.Errorf("token: compress: %w", err)
	}
	if err := deflate.Close(); err != nil {
		return "", fmt.Errorf("token: compress: %w", err)
	}
	return Format007 + base64.StdEncoding.EncodeToString(packed.Bytes()), nil
}

func verify007(text string, app App, uid string, now time.Time) (Grant, error) {
	packed, ok := decodeBase64(text)
	if !ok {
		return Grant{}, invalid("the content is not Base64")
	}
	raw, err := inflate(packed)
	if err != nil {
		return Grant{}, err
	}
	content := cursor{rest: raw}
	signature, body := content.str(), content.rest
	fields := cursor{rest: body}
	appID, issued, lifetime, salt := fields.str(), fields.uint32(), fields.uint32(), fields.uint32()
	services := fields.uint16()
	if content.bad || fields.bad {
		return Grant{}, invalid("the content ends too early")
	}
	if string(appID) != app.ID {
		return Grant{}, invalid("the token names another app id")
	}
	if !hmac.Equal(signature, sign007(app, issued, salt, body)) {
		return Grant{}, invalid("the signature does not match")
	}
	privilege, login := findLogin(&fields, services, uid)
	if fields.bad {
		return Grant{}, invalid("the services have the wrong length")
	}
	if !login {
		return Grant{}, invalid("the token holds no RTM login privilege for this uid")
	}
	// The widths matter: 32-bit seconds are added in 64 bits, and durations are capped first.
	const day = uint32(MaxLifetime / time.Second)
	expiresAt := time.Unix(int64(issued)+int64(min(lifetime, privilege, day)), 0)
	if !now.Before(expiresAt) {
		return Grant{}, expired(expiresAt)
	}
	return Grant{Format: Format007, ExpiresAt: expiresAt, EnforcedInSession: true}, nil
}

// findLogin walks the services and returns the longest login privilege, in seconds, that they give uid. It stops before
// the first service of an unknown type. Otherwise everything has to be read to the end, or the cursor is spoilt.
func findLogin(fields *cursor, services uint16, uid string) (longest uint32, found bool) {
	for range services {
		kind := fields.uint16()
		if fields.bad {
			return 0, false
		}
		switch kind {
		case serviceRTC:
			fields.privilege(0)
			fields.str()
			fields.str()
		case serviceRTM:
			seconds, login := fields.privilege(privilegeLogin007)
			user := fields.str()
			if login && !fields.bad && string(user) == uid {
				longest, found = max(longest, seconds), true
			}
		default:
			return longest, found
		}
	}
	if !fields.done() {
		fields.bad = true
	}
	return longest, found
}

// inflate unpacks one zlib stream of at most maxContentLen bytes with nothing behind it.
func inflate(packed []byte) ([]byte, error) {
	source := bytes.NewReader(packed)
	stream, err := zlib.NewReader(source)
	if err != nil {
		return nil, invalid("the content is not a zlib stream")
	}
	content, err := io.ReadAll(io.LimitReader(stream, maxContentLen+1))
	switch {
	case err != nil:
		return nil, invalid("the zlib stream is damaged")
	case len(content) > maxContentLen:
		return nil, invalid("the content inflates to more than any token holds")
	case source.Len() > 0:
		return nil, invalid("bytes follow the zlib stream")
	}
	return content, nil
}

func sign007(app App, issued, salt uint32, body []byte) []byte {
	key := sum(binary.LittleEndian.AppendUint32(nil, issued), []byte(app.Certificate))
	key = sum(binary.LittleEndian.AppendUint32(nil, salt), key)
	return sum(key, body)
}

func sum(key, data []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(data)
	return mac.Sum(nil)
}
