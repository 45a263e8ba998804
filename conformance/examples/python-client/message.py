"""Messages."""

import base64
import binascii


class RtmMessage:
    """Either a text, or bytes with a description. A message that was received cannot be sent."""

    def __init__(self, text=None, raw=None, description="", received_ms=None):
        self.text, self.raw, self.description = text, raw, description
        self.server_received_ms = received_ms  # None for a message of one's own

    @classmethod
    def of(cls, frame):
        """Return the message that a frame brings, or None if it brings none."""
        text, raw, description = frame.get("text"), frame.get("raw"), frame.get("description", "")
        if (text is None) == (raw is None) or (raw is None and description):
            return None
        try:
            data = None if raw is None else base64.b64decode(raw, validate=True)
        except binascii.Error:
            return None
        return cls(text, data, description, frame.get("ts", 0))


def payload(message, message_bytes):
    """Return the members that carry a message of one's own, or None if it may not be sent."""
    if not isinstance(message, RtmMessage) or message.server_received_ms is not None:
        return None
    try:
        if message.raw is None:
            return {"text": message.text} if len(message.text.encode()) <= message_bytes else None
        if len(message.raw) + len(message.description.encode()) > message_bytes:
            return None
    except (AttributeError, UnicodeEncodeError):  # no text, or one with half a surrogate pair
        return None
    members = {"raw": base64.b64encode(message.raw).decode()}
    return {**members, "description": message.description} if message.description else members
