package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"time"
)

// privilegeLogin006 is the key of the RTM login privilege in format 006.
const privilegeLogin006 = 1000

// Mint006 makes a token of format 006 that lets uid log in to app for 24 hours from opts.IssuedAt. It fails, without
// naming the certificate, when app, uid or opts cannot stand in a token.
func Mint006(app App, uid string, opts Options) (string, error) {
	p, err := opts.plan(app, uid)
	if err != nil {
		return "", err
	}
	message := binary.LittleEndian.AppendUint32(nil, p.salt)
	message = binary.LittleEndian.AppendUint32(message, p.issued+uint32(MaxLifetime/time.Second))
	message = appendPrivilege(message, privilegeLogin006, p.issued+p.lifetime)

	content := appendStr(nil, sign006(app, uid, message))
	content = binary.LittleEndian.AppendUint32(content, crc32.ChecksumIEEE([]byte(uid)))
	content = binary.LittleEndian.AppendUint32(content, 0)
	content = appendStr(content, message)
	return Format006 + app.ID + base64.StdEncoding.EncodeToString(content), nil
}

func verify006(text string, app App, uid string, now time.Time) (Grant, error) {
	encoded, ours := strings.CutPrefix(text, app.ID)
	if !ours {
		return Grant{}, invalid("the token names another app id")
	}
	raw, ok := decodeBase64(encoded)
	if !ok {
		return Grant{}, invalid("the content is not Base64")
	}
	content := cursor{rest: raw}
	signature, crcAccount, crcUser, message := content.str(), content.uint32(), content.uint32(), content.str()
	if !content.done() {
		return Grant{}, invalid("the content has the wrong length")
	}
	fields := cursor{rest: message}
	_, end := fields.uint32(), fields.uint32()
	_, login := fields.privilege(privilegeLogin006)
	if !fields.done() {
		return Grant{}, invalid("the signed message has the wrong length")
	}
	// RTM tokens hold the account where RTC tokens hold the channel, and leave the user empty.
	if crcAccount != crc32.ChecksumIEEE([]byte(uid)) || crcUser != 0 {
		return Grant{}, invalid("the token was minted for another uid")
	}
	if !hmac.Equal(signature, sign006(app, uid, message)) {
		return Grant{}, invalid("the signature does not match")
	}
	if !login {
		return Grant{}, invalid("the token lacks the RTM login privilege")
	}
	expiresAt := time.Unix(int64(end), 0)
	if !now.Before(expiresAt) {
		return Grant{}, expired(expiresAt)
	}
	return Grant{Format: Format006, ExpiresAt: expiresAt}, nil
}

func sign006(app App, uid string, message []byte) []byte {
	mac := hmac.New(sha256.New, []byte(app.Certificate))
	mac.Write([]byte(app.ID))
	mac.Write([]byte(uid))
	mac.Write(message)
	return mac.Sum(nil)
}
