package probe

import (
	"encoding/binary"
	"fmt"
	"time"
)

// SendText sends one text message with exactly this text, whatever it is.
func (c *Conn) SendText(text string) error {
	return c.write(text, RawFrame{Opcode: OpText, Payload: []byte(text)}.Bytes())
}

// SendJSON sends one text message with an object of these fields, in this order; see [Encode].
func (c *Conn) SendJSON(fields ...Field) error {
	text, err := Encode(fields...)
	if err != nil {
		return err
	}
	return c.SendText(string(text))
}

// SendBytes sends one final frame with this opcode and payload.
func (c *Conn) SendBytes(opcode byte, payload []byte) error {
	return c.SendFrames(RawFrame{Opcode: opcode, Payload: payload})
}

// SendClose sends a close frame; the connection stays open until the server ends it.
func (c *Conn) SendClose(code int, reason string) error {
	return c.SendBytes(OpClose, ClosePayload(code, reason))
}

// SendFrames sends WebSocket frames, legal or not, in one write.
func (c *Conn) SendFrames(frames ...RawFrame) error {
	var data []byte
	for _, frame := range frames {
		data = append(data, frame.Bytes()...)
	}
	return c.write(describeFrames(frames), data)
}

// SendRaw writes bytes to the connection below WebSocket (inside TLS), such as half a frame.
func (c *Conn) SendRaw(data []byte) error {
	return c.write(describeBytes("raw", data), data)
}

func (c *Conn) write(payload string, data []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.record(ToServer, payload)
	raw := c.ws.NetConn()
	_ = raw.SetWriteDeadline(time.Now().Add(c.options.WriteTimeout))
	if _, err := raw.Write(data); err != nil {
		return fmt.Errorf("probe: %s could not send %s: %w", c.options.Actor, shorten(redact(payload), 80), err)
	}
	return nil
}

func describeFrames(frames []RawFrame) string {
	if len(frames) == 0 {
		return "<no frame>"
	}
	first := frames[0]
	if first.Opcode == OpClose && len(first.Payload) >= 2 {
		return describeClose(int(binary.BigEndian.Uint16(first.Payload)), string(first.Payload[2:]))
	}
	what := fmt.Sprintf("frame opcode %d", first.Opcode)
	if len(frames) > 1 {
		what = fmt.Sprintf("%d frames, first opcode %d", len(frames), first.Opcode)
	}
	if first.Reserved != 0 {
		what += fmt.Sprintf(", reserved bits %d", first.Reserved)
	}
	if first.Unmasked {
		what += ", no mask"
	}
	if first.Claim != 0 {
		what += fmt.Sprintf(", claims %d bytes", first.Claim)
	}
	return describeBytes(what, first.Payload)
}
