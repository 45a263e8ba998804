package adapter

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ProtocolVersion is the version of the adapter protocol that this package speaks, see ADAPTER.md.
const ProtocolVersion = 1

// MaxLine is how long a line may be, in bytes without the line break: 1 MiB.
const MaxLine = 1 << 20

// shape says which members a command, the ok of its reply or an event has.
type shape struct {
	need []string // every one of them
	may  []string // and any of these
}

// commands are the commands of the protocol. The word "object" stands for one of client and channel, "content" for text
// or for raw with its description.
var commands = map[string]struct{ asks, ok shape }{
	"hello":              {shape{need: []string{"protocol"}}, shape{need: []string{"sdk", "version", "language", "profiles"}, may: []string{"timeouts"}}},
	"createClient":       {asks: shape{need: []string{"client", "url", "app_id", "timeouts"}}},
	"listen":             {asks: shape{need: []string{"object", "listener"}}},
	"removeAllListeners": {asks: shape{need: []string{"object"}}},
	"state":              {shape{need: []string{"client"}}, shape{need: []string{"state"}}},
	"login":              {asks: shape{need: []string{"client", "uid", "token"}}},
	"logout":             {asks: shape{need: []string{"client"}}},
	"renewToken":         {asks: shape{need: []string{"client", "token"}}},
	"createMessage":      {asks: shape{need: []string{"client", "message", "content"}}},
	"sendPeer":           {shape{need: []string{"client", "to", "message"}}, shape{need: []string{"hasPeerReceived"}}},
	"memberCounts":       {shape{need: []string{"client", "channels"}}, shape{need: []string{"counts"}}},
	"createChannel":      {asks: shape{need: []string{"client", "channel", "id"}}},
	"joinChannel":        {asks: shape{need: []string{"channel"}}},
	"leaveChannel":       {asks: shape{need: []string{"channel"}}},
	"sendChannel":        {asks: shape{need: []string{"channel", "message"}}},
	"members":            {shape{need: []string{"channel"}}, shape{need: []string{"members"}}},
	"close":              {asks: shape{need: []string{"client"}}},
}

// claimed names the profile without which a command is unsupported.
var claimed = map[string]string{
	"memberCounts": "channels", "createChannel": "channels", "joinChannel": "channels", "leaveChannel": "channels",
	"sendChannel": "channels", "members": "channels", "renewToken": "tokens",
}

// eventShapes are the events of the protocol with their members.
var eventShapes = map[string]shape{
	StateChanged:       {need: []string{"client", "listener", "state", "reason"}},
	MessageFromPeer:    {need: []string{"client", "listener", "message", "from", "content", "server_received_ms"}},
	TokenExpired:       {need: []string{"client", "listener"}},
	TokenWillExpire:    {need: []string{"client", "listener"}},
	ChannelMessage:     {need: []string{"channel", "listener", "message", "from", "content", "server_received_ms"}},
	MemberJoined:       {need: []string{"channel", "listener", "uid"}},
	MemberLeft:         {need: []string{"channel", "listener", "uid"}},
	MemberCountUpdated: {need: []string{"channel", "listener", "count"}},
}

// command is a line from the suite.
type command struct {
	Seq      int64          `json:"seq"`
	Cmd      string         `json:"cmd"`
	Protocol int            `json:"protocol,omitzero"`
	Client   *string        `json:"client,omitzero"`
	Channel  *string        `json:"channel,omitzero"`
	Listener *string        `json:"listener,omitzero"`
	URL      *string        `json:"url,omitzero"`
	AppID    *string        `json:"app_id,omitzero"`
	UID      *string        `json:"uid,omitzero"`
	Token    *string        `json:"token,omitzero"`
	To       *string        `json:"to,omitzero"`
	ID       *string        `json:"id,omitzero"`
	Channels []string       `json:"channels,omitzero"`
	Message  jsontext.Value `json:"message,omitzero"`
	Timeouts *millis        `json:"timeouts,omitzero"`
	content
}

// content is what is in a message.
type content struct {
	Text        *string `json:"text,omitzero"`
	Raw         *string `json:"raw,omitzero"`
	Description *string `json:"description,omitzero"`
}

// millis are timeouts on a line; a timeout that is missing is not chosen.
type millis struct {
	Login int64 `json:"login_ms,omitzero"`
	Send  int64 `json:"send_ms,omitzero"`
}

func toMillis(t Timeouts) millis { return millis{t.Login.Milliseconds(), t.Send.Milliseconds()} }

func (m *millis) timeouts() Timeouts {
	if m == nil {
		return Timeouts{}
	}
	return Timeouts{time.Duration(m.Login) * time.Millisecond, time.Duration(m.Send) * time.Millisecond}
}

// reply is a line from the adapter that answers a command.
type reply struct {
	Seq         int64          `json:"seq"`
	OK          jsontext.Value `json:"ok,omitzero"`
	Error       *failure       `json:"error,omitzero"`
	Unsupported bool           `json:"unsupported,omitzero"`
}

// failure is an [Error] on a line.
type failure struct {
	Op         string `json:"op"`
	Code       int    `json:"code"`
	Name       string `json:"name"`
	Native     string `json:"native,omitzero"`
	Indefinite bool   `json:"indefinite,omitzero"`
}

// notice is a line from the adapter that tells of an event.
type notice struct {
	Event    string  `json:"event"`
	Client   string  `json:"client,omitzero"`
	Channel  string  `json:"channel,omitzero"`
	Listener string  `json:"listener"`
	State    *string `json:"state,omitzero"`
	Reason   *string `json:"reason,omitzero"`
	UID      *string `json:"uid,omitzero"`
	Count    *int    `json:"count,omitzero"`
	Message  *string `json:"message,omitzero"`
	From     *string `json:"from,omitzero"`
	Received *int64  `json:"server_received_ms,omitzero"`
	content
}

// hello is the ok of a hello.
type hello struct {
	SDK      string   `json:"sdk"`
	Version  string   `json:"version"`
	Language string   `json:"language"`
	Profiles []string `json:"profiles"`
	Timeouts *millis  `json:"timeouts,omitzero"`
}

// check finds what the types of a hello allow and the protocol does not.
func (h *hello) check() error {
	switch {
	case h.SDK == "":
		return errors.New("an object that names no SDK")
	case h.Timeouts != nil && (h.Timeouts.Login < 0 || h.Timeouts.Send < 0):
		return errors.New("an object with a timeout below zero")
	}
	return nil
}

// contentOf returns what is in a message, as it stands on a line.
func contentOf(message Message) content {
	raw := message.Raw()
	if raw == nil {
		return content{Text: new(message.Text())}
	}
	return content{Raw: new(base64.StdEncoding.EncodeToString(raw)), Description: new(message.Description())}
}

// read returns the text, or the bytes, which then are not nil, and their description.
func (c content) read() (text string, raw []byte, description string, err error) {
	if c.Text != nil {
		return *c.Text, nil, "", nil
	}
	// The library reads over line breaks.
	if raw, err = base64.StdEncoding.Strict().DecodeString(*c.Raw); err != nil || strings.ContainsAny(*c.Raw, "\r\n") {
		return "", nil, "", errors.New(`the member "raw" is not standard Base64 with padding`)
	}
	if raw == nil {
		raw = []byte{}
	}
	if c.Description != nil {
		description = *c.Description
	}
	return "", raw, description, nil
}

// object reads a line or a member as one JSON object and returns its members. Only those in nullable may be null.
func object(text []byte, nullable ...string) (map[string]jsontext.Value, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		var syntax *jsontext.SyntacticError
		switch {
		case errors.Is(err, jsontext.ErrDuplicateName):
			return nil, errors.New("an object in which a name stands twice")
		case errors.As(err, &syntax):
			return nil, errors.New("something that is not JSON")
		}
		return nil, errors.New("something that is not one JSON object")
	}
	// The library reads null as the zero value, at any depth.
	for from := jsontext.NewDecoder(bytes.NewReader(text)); ; {
		token, err := from.ReadToken()
		if err != nil {
			return members, nil // This is the end, since all of it was read before.
		}
		if at := strings.TrimPrefix(string(from.StackPointer()), "/"); token.Kind() == 'n' && !slices.Contains(nullable, at) {
			return nil, fmt.Errorf("an object whose member %q is null; leave it out", at)
		}
	}
}

// check asks for the members of a shape and for no others; known are members that every line of the kind has.
func (s shape) check(members map[string]jsontext.Value, known ...string) error {
	allowed := slices.Concat(known, s.may)
	has := func(name string) bool { return members[name] != nil }
	for _, name := range s.need {
		switch name {
		case "object":
			allowed = append(allowed, "client", "channel")
			if has("client") == has("channel") {
				return errors.New("an object that needs one of the members \"client\" and \"channel\"")
			}
		case "content":
			allowed = append(allowed, "text", "raw", "description")
			if has("text") == has("raw") {
				return errors.New("an object that needs one of the members \"text\" and \"raw\"")
			}
			if has("text") && has("description") {
				return errors.New("an object with a \"description\" beside \"text\"; it belongs to \"raw\"")
			}
		default:
			allowed = append(allowed, name)
			if !has(name) {
				return fmt.Errorf("an object that lacks the member %q", name)
			}
		}
	}
	for name := range members {
		if !slices.Contains(allowed, name) {
			return fmt.Errorf("an object with the member %q, which this protocol does not know there", name)
		}
	}
	return nil
}

// decode reads a text whose members were checked into a Go value, strictly.
func decode(text []byte, into any) error {
	if err := json.Unmarshal(text, into, json.RejectUnknownMembers(true)); err != nil {
		var semantic *json.SemanticError
		if errors.As(err, &semantic) && semantic.JSONPointer != "" {
			return fmt.Errorf("an object whose member %q has the wrong type", strings.TrimPrefix(string(semantic.JSONPointer), "/"))
		}
		return fmt.Errorf("an object that cannot be read (%w)", err)
	}
	return nil
}

// encode writes a line without its line break. What it is given always can be written, except for invalid UTF-8 and
// for what is too long.
func encode(line any) ([]byte, error) {
	text, err := json.Marshal(line)
	if err != nil {
		return nil, fmt.Errorf("adapter: a line cannot be written: %w", err)
	}
	if len(text) > MaxLine {
		return nil, fmt.Errorf("adapter: a line of %d bytes is longer than the %d that the protocol allows", len(text), MaxLine)
	}
	return text, nil
}

// errLongLine is the error of a line that is longer than [MaxLine].
var errLongLine = errors.New("a line that is longer than 1 MiB")

// lines reads lines, none longer than [MaxLine].
type lines struct{ from *bufio.Reader }

func newLines(from io.Reader) lines { return lines{bufio.NewReaderSize(from, 64<<10)} }

// next returns the next line without its line break, or [errLongLine] with its beginning. What stands before the end
// without a line break comes with [io.ErrUnexpectedEOF].
func (l lines) next() ([]byte, error) {
	var line []byte
	for {
		part, err := l.from.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil && len(line)-1 <= MaxLine:
			return line[:len(line)-1], nil
		case err == nil, len(line) > MaxLine:
			return line, errLongLine
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, io.ErrUnexpectedEOF
		default:
			return line, err
		}
	}
}
