package rtm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestErrorSaysOperationCodeOriginAndWhatToDo(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(io.ErrUnexpectedEOF)
	for _, test := range []struct {
		err  error
		want string
	}{
		{refuse(wire.JoinExceedLimit, "the client is in %d channels; leave one first", 20),
			"rtm: channel.join: JOIN_CHANNEL_ERR_EXCEED_LIMIT (5, said by the client): the client is in 20 channels; leave one first"},
		{refusedByServer(wire.KindPeerSend, wire.Refuse(1, wire.PeerTooOften, "slow down")),
			"rtm: peer.send: PEER_MESSAGE_ERR_TOO_OFTEN (5, said by the server): slow down; call less often; Limits().Calls has the announced rates"},
		{timedOut(wire.KindPeerSend, 10*time.Second, true),
			"rtm: peer.send: PEER_MESSAGE_ERR_TIMEOUT (2, said by the client): no answer within 10s; the outcome is unknown: the server may or may not have acted on it"},
		{cancelled(wire.KindLogout, ctx, false), "rtm: logout: nothing was sent: unexpected EOF"},
		{notLoggedIn(wire.KindPeerSend, Aborted),
			"rtm: peer.send: PEER_MESSAGE_ERR_USER_NOT_LOGGED_IN (102, said by the client): the server ended the session; call Logout and then Login"},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestCodesAreFoundThroughWrapping(t *testing.T) {
	err := fmt.Errorf("my app: %w", failed(wire.KindPeerSend, "", io.EOF))
	if got, ok := CodeOf(err); !ok || got != wire.PeerFailure || !errors.Is(err, wire.PeerFailure) || !errors.Is(err, io.EOF) {
		t.Fatal(got, ok)
	}
	// A number means nothing without its operation (rule 224).
	if errors.Is(err, wire.JoinFailure) || errors.Is(err, wire.Code{}) {
		t.Fatal("found a code of another operation")
	}
	if got, ok := CodeOf(io.EOF); ok {
		t.Fatal(got)
	}
	if got, ok := CodeOf(&Error{Op: wire.KindLogout, Err: io.EOF}); ok || errors.Is(&Error{}, wire.Code{}) {
		t.Fatal(got)
	}
}

func TestEveryOperationHasItsCodes(t *testing.T) {
	for _, kind := range wire.Kinds() {
		if !kind.Request() || kind == wire.KindPing || kind == wire.KindLogin || kind == wire.KindLogout {
			continue
		}
		for name, code := range map[string]wire.Code{"timeout": timeouts[kind], "failure": failures[kind], "102": notLoggedIn(kind, Disconnected).Code} {
			if code.Op != kind || code.Name == "" {
				t.Errorf("%s has no code for %s", kind, name)
			}
		}
	}
}

func TestStatesAndReasonsHaveTheVendorsWords(t *testing.T) {
	var words []string
	for s := Disconnected; s <= Aborted; s++ {
		words = append(words, s.String())
	}
	if got := strings.Join(words, " "); got != "DISCONNECTED CONNECTING CONNECTED RECONNECTING ABORTED" || State(9).String() != "UNKNOWN" {
		t.Fatal(got)
	}
	if ReasonTokenExpired.String() != "TOKEN_EXPIRED" {
		t.Fatal(ReasonTokenExpired)
	}
}
