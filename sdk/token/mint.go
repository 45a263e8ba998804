package token

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// Expired as an Options.Lifetime mints a token whose duration is 0: expired from the start. The vendor's builders do
// the same when they are given 0.
const Expired time.Duration = -1

// Options say how a token is minted. The zero value mints a token that is issued now and lives for MaxLifetime.
type Options struct {
	// IssuedAt is the minting time, cut to whole seconds; the zero time means now.
	IssuedAt time.Time

	// Lifetime is how long the login privilege lasts from IssuedAt: whole seconds, zero for MaxLifetime, [Expired] for
	// none. Format 007 stores it as it is, also above MaxLifetime, where verification treats it as MaxLifetime. In
	// format 006 it has no effect on verification: such a token lives 24 hours from IssuedAt, as the service has it.
	Lifetime time.Duration

	// Salt makes two tokens for the same user and second differ; 0 means a random one.
	Salt uint32
}

// plan is Options made definite: times as the formats store them.
type plan struct{ issued, lifetime, salt uint32 }

func (o Options) plan(app App, uid string) (plan, error) {
	if err := app.Check(); err != nil {
		return plan{}, err
	}
	if uid == "" || len(uid) > maxUIDLen {
		return plan{}, fmt.Errorf("token: the uid has %d bytes; it must have 1 to %d", len(uid), maxUIDLen)
	}
	issued, lifetime, salt := o.IssuedAt, o.Lifetime, o.Salt
	if issued.IsZero() {
		issued = time.Now()
	}
	switch lifetime {
	case 0:
		lifetime = MaxLifetime
	case Expired:
		lifetime = 0
	}
	if lifetime < 0 || lifetime%time.Second != 0 {
		return plan{}, fmt.Errorf("token: the lifetime %v is not a whole number of seconds; tokens count in seconds", lifetime)
	}
	for salt == 0 {
		var b [4]byte
		if _, err := rand.Read(b[:]); err != nil {
			return plan{}, fmt.Errorf("token: no randomness for the salt: %w", err)
		}
		salt = binary.LittleEndian.Uint32(b[:])
	}
	start, seconds := issued.Unix(), int64(lifetime/time.Second)
	if start < 0 || seconds > math.MaxUint32 || start > math.MaxUint32-seconds-int64(MaxLifetime/time.Second) {
		return plan{}, errors.New("token: the minting time and the lifetime do not fit the 32 bits that tokens have for them")
	}
	return plan{uint32(start), uint32(seconds), salt}, nil
}
