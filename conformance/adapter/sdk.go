package adapter

import (
	"context"
	"errors"
	"time"

	rtm "github.com/rtmkit/rtmkit/sdk"
)

// NewSDK makes a client of this project's own SDK. It does not space logins by half a second, since that spacing is one
// reading of the published rate and is not judged, and it reconnects without long pauses.
func NewSDK(_ context.Context, options Options) (Client, error) {
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

type sdkClient struct{ client *rtm.Client }

func (c *sdkClient) Login(ctx context.Context, uid, token string) error {
	return sdkError(c.client.Login(ctx, uid, token))
}

func (c *sdkClient) Logout(ctx context.Context) error { return sdkError(c.client.Logout(ctx)) }

func (c *sdkClient) RenewToken(ctx context.Context, token string) error {
	return sdkError(c.client.RenewToken(ctx, token))
}

func (c *sdkClient) NewText(_ context.Context, text string) (Message, error) {
	return rtm.NewText(text), nil
}

func (c *sdkClient) NewRaw(_ context.Context, raw []byte, description string) (Message, error) {
	return rtm.NewRaw(raw, description), nil
}

func (c *sdkClient) SendToPeer(ctx context.Context, peer string, message Message) (bool, error) {
	receipt, err := c.client.SendToPeer(ctx, peer, sdkMessage(message))
	return receipt.HasPeerReceived, sdkError(err)
}

func (c *sdkClient) NewChannel(_ context.Context, id string) (Channel, error) {
	channel, err := c.client.NewChannel(id)
	if err != nil {
		return nil, sdkError(err)
	}
	return &sdkChannel{channel}, nil
}

func (c *sdkClient) MemberCounts(ctx context.Context, channels ...string) (map[string]int, error) {
	counts, err := c.client.MemberCounts(ctx, channels...)
	return counts, sdkError(err)
}

func (c *sdkClient) State(context.Context) (string, error) { return c.client.State().String(), nil }

func (c *sdkClient) Listen(_ context.Context, name string, deliver func(Event)) error {
	c.client.OnConnectionStateChanged(func(state rtm.State, reason rtm.Reason) {
		deliver(Event{Kind: StateChanged, Listener: name, State: state.String(), Reason: reason.String()})
	})
	c.client.OnMessage(func(message *rtm.Message, peer string) {
		deliver(Event{Kind: MessageFromPeer, Listener: name, Message: message, From: peer})
	})
	c.client.OnTokenExpired(func() { deliver(Event{Kind: TokenExpired, Listener: name}) })
	c.client.OnTokenWillExpire(func(time.Duration) { deliver(Event{Kind: TokenWillExpire, Listener: name}) })
	return nil
}

func (c *sdkClient) RemoveAllListeners(context.Context) error {
	c.client.RemoveAllListeners()
	return nil
}

func (c *sdkClient) Close() error { return c.client.Close() }

type sdkChannel struct{ channel *rtm.Channel }

func (c *sdkChannel) ID() string { return c.channel.ID() }

func (c *sdkChannel) Join(ctx context.Context) error { return sdkError(c.channel.Join(ctx)) }

func (c *sdkChannel) Leave(ctx context.Context) error { return sdkError(c.channel.Leave(ctx)) }

func (c *sdkChannel) Send(ctx context.Context, message Message) error {
	return sdkError(c.channel.Send(ctx, sdkMessage(message)))
}

func (c *sdkChannel) Members(ctx context.Context) ([]string, error) {
	members, err := c.channel.Members(ctx)
	return members, sdkError(err)
}

func (c *sdkChannel) Listen(_ context.Context, name string, deliver func(Event)) error {
	id := c.ID()
	c.channel.OnMessage(func(message *rtm.Message, member string) {
		deliver(Event{Kind: ChannelMessage, Listener: name, Channel: id, Message: message, From: member})
	})
	c.channel.OnMemberJoined(func(uid string) { deliver(Event{Kind: MemberJoined, Listener: name, Channel: id, UID: uid}) })
	c.channel.OnMemberLeft(func(uid string) { deliver(Event{Kind: MemberLeft, Listener: name, Channel: id, UID: uid}) })
	c.channel.OnMemberCount(func(count int) {
		deliver(Event{Kind: MemberCountUpdated, Listener: name, Channel: id, Count: count})
	})
	return nil
}

func (c *sdkChannel) RemoveAllListeners(context.Context) error {
	c.channel.RemoveAllListeners()
	return nil
}

// sdkMessage returns the SDK's own message; what is not a message is one without contents.
func sdkMessage(message Message) *rtm.Message {
	if own, ok := message.(*rtm.Message); ok {
		return own
	}
	return new(rtm.Message)
}

// sdkError turns an error of the SDK into one of the suite; nil and what is not the SDK's stay as they are.
func sdkError(err error) error {
	failure := new(rtm.Error)
	if !errors.As(err, &failure) {
		return err
	}
	return &Error{Op: string(failure.Op), Code: failure.Code.Number, Name: failure.Code.Name, Native: err.Error()}
}
