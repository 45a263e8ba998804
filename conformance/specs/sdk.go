package specs

import (
	"context"
	"errors"
	"time"

	rtm "github.com/rtmkit/rtmkit/sdk"
)

// NewSDKClient makes a client of this project's own SDK. It does not space logins by half a second, since that spacing is
// one reading of the published rate and is not judged, and it reconnects without long pauses.
func NewSDKClient(options ClientOptions) (Client, error) {
	client, err := rtm.New(rtm.Config{
		URL: options.URL, AppID: options.AppID,
		LoginTimeout: options.Timeouts.Login, SendTimeout: options.Timeouts.Send, CallTimeout: options.Timeouts.Send,
		LoginInterval: -1,
		Backoff:       rtm.Backoff{Min: 10 * time.Millisecond, Max: 200 * time.Millisecond},
	})
	if err != nil {
		return nil, sdkError(err)
	}
	return &sdkClient{client}, nil
}

type sdkClient struct{ *rtm.Client }

func (c *sdkClient) Login(ctx context.Context, uid, token string) error {
	return sdkError(c.Client.Login(ctx, uid, token))
}

func (c *sdkClient) Logout(ctx context.Context) error { return sdkError(c.Client.Logout(ctx)) }

func (c *sdkClient) RenewToken(ctx context.Context, token string) error {
	return sdkError(c.Client.RenewToken(ctx, token))
}

func (c *sdkClient) NewText(text string) Message { return rtm.NewText(text) }

func (c *sdkClient) NewRaw(raw []byte, description string) Message {
	return rtm.NewRaw(raw, description)
}

func (c *sdkClient) NoMessage() Message { return new(rtm.Message) }

func (c *sdkClient) SendToPeer(ctx context.Context, peer string, message Message) (bool, error) {
	receipt, err := c.Client.SendToPeer(ctx, peer, message.(*rtm.Message))
	return receipt.HasPeerReceived, sdkError(err)
}

func (c *sdkClient) NewChannel(id string) (Channel, error) {
	channel, err := c.Client.NewChannel(id)
	if err != nil {
		return nil, sdkError(err)
	}
	return &sdkChannel{channel}, nil
}

func (c *sdkClient) MemberCounts(ctx context.Context, channels ...string) (map[string]int, error) {
	counts, err := c.Client.MemberCounts(ctx, channels...)
	return counts, sdkError(err)
}

func (c *sdkClient) State() string { return c.Client.State().String() }

func (c *sdkClient) Listen(name string, deliver func(Event)) {
	c.OnConnectionStateChanged(func(state rtm.State, reason rtm.Reason) {
		deliver(Event{Kind: StateChanged, Listener: name, State: state.String(), Reason: reason.String()})
	})
	c.OnMessage(func(message *rtm.Message, peer string) {
		deliver(Event{Kind: MessageFromPeer, Listener: name, Message: message, UID: peer})
	})
	c.OnTokenExpired(func() { deliver(Event{Kind: TokenExpired, Listener: name}) })
	c.OnTokenWillExpire(func(time.Duration) { deliver(Event{Kind: TokenWillExpire, Listener: name}) })
}

type sdkChannel struct{ *rtm.Channel }

func (c *sdkChannel) Join(ctx context.Context) error { return sdkError(c.Channel.Join(ctx)) }

func (c *sdkChannel) Leave(ctx context.Context) error { return sdkError(c.Channel.Leave(ctx)) }

func (c *sdkChannel) Send(ctx context.Context, message Message) error {
	return sdkError(c.Channel.Send(ctx, message.(*rtm.Message)))
}

func (c *sdkChannel) Members(ctx context.Context) ([]string, error) {
	members, err := c.Channel.Members(ctx)
	return members, sdkError(err)
}

func (c *sdkChannel) Listen(name string, deliver func(Event)) {
	id := c.ID()
	c.OnMessage(func(message *rtm.Message, member string) {
		deliver(Event{Kind: ChannelMessage, Listener: name, Channel: id, Message: message, UID: member})
	})
	c.OnMemberJoined(func(uid string) { deliver(Event{Kind: MemberJoined, Listener: name, Channel: id, UID: uid}) })
	c.OnMemberLeft(func(uid string) { deliver(Event{Kind: MemberLeft, Listener: name, Channel: id, UID: uid}) })
	c.OnMemberCount(func(count int) {
		deliver(Event{Kind: MemberCountUpdated, Listener: name, Channel: id, Count: count})
	})
}

// sdkError turns an error of the SDK into one of the suite; nil and what is not the SDK's stay as they are.
func sdkError(err error) error {
	failure := new(rtm.Error)
	if !errors.As(err, &failure) {
		return err
	}
	return &ClientError{Op: string(failure.Op), Code: failure.Code.Number, Name: failure.Code.Name, Text: err.Error()}
}
