package token_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/rtmkit/rtmkit/sdk/token"
)

func ExampleVerify() {
	app := token.App{ID: "0123456789abcdef0123456789abcdef", Certificate: "fedcba9876543210fedcba9876543210"}
	minted := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	text, err := token.Mint007(app, "alice", token.Options{IssuedAt: minted, Lifetime: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}

	grant, err := token.Verify(text, app, "alice", minted.Add(time.Minute))
	fmt.Println(grant.Format, grant.ExpiresAt.UTC().Format(time.TimeOnly), grant.EnforcedInSession, err)

	_, err = token.Verify(text, app, "alice", minted.Add(time.Hour))
	fmt.Println(errors.Is(err, token.ErrExpired))

	_, err = token.Verify(text, app, "mallory", minted)
	fmt.Printf("to the client: %v; to the log: %s\n", err, token.Reason(err))
	// Output:
	// 007 13:00:00 true <nil>
	// true
	// to the client: token: invalid; to the log: the token holds no RTM login privilege for this uid
}

func ExampleMint006() {
	app := token.App{ID: "0123456789abcdef0123456789abcdef", Certificate: "fedcba9876543210fedcba9876543210"}
	text, err := token.Mint006(app, "alice", token.Options{IssuedAt: time.Unix(1_700_000_000, 0), Lifetime: time.Hour, Salt: 1})
	fmt.Println(text[:35], len(text), err)
	// Output: 0060123456789abcdef0123456789abcdef 115 <nil>
}

func ExampleApp() {
	app := token.App{ID: "0123456789abcdef0123456789abcdef", Certificate: "fedcba9876543210fedcba9876543210"}
	fmt.Printf("%v %+v\n", app, app)
	// Output: app 0123456789abcdef0123456789abcdef app 0123456789abcdef0123456789abcdef
}
