"""Channel objects."""

import asyncio

from errors import RtmError
from listeners import Listeners
from message import RtmMessage, payload


class RtmChannel(Listeners):
    """A channel object.

    Events: message (message, uid), member_joined (uid), member_left (uid), member_count (count).
    """

    def __init__(self, client, channel_id):
        super().__init__()
        self._client = client
        self.id = channel_id
        self.joined = False
        self.cursor = 0  # the highest seq seen

    async def join(self):
        client = self._client
        session = client.need("channel.join")
        other = client.channels.get(self.id)
        if other is self:
            raise RtmError("channel.join", 6, "the channel is joined, or will be soon")
        if other:
            raise RtmError("channel.join", 202, "another object of this channel is joined")
        if len(client.channels) >= client.limits["channels"]:
            raise RtmError("channel.join", 5, "leave another channel first")
        client.channels[self.id] = self

        def settled(answer):
            self.joined, self.cursor = True, answer.get("seq", 0)

        try:
            await client.request(session, "channel.join", {"channel": self.id}, settled)
        except (RtmError, asyncio.CancelledError):
            if not session.over:
                self.free()
            raise

    async def leave(self):
        """Leave the channel. No event of it comes from now on."""
        session = self._client.need("channel.leave")
        if not self.joined:
            raise RtmError("channel.leave", 3, "the channel is not joined")
        self.free()
        # Without a link there is nothing to send: the resume leaves what it does not name.
        if session.link:
            await self._client.request(session, "channel.leave", {"channel": self.id})

    async def send(self, message):
        client = self._client
        session = client.need("channel.send")
        content = payload(message, client.limits["message_bytes"])
        if content is None:
            raise RtmError("channel.send", 4, "this is no message that can be sent")
        if not self.joined:
            raise RtmError("channel.send", 5, "the channel is not joined")
        await client.request(session, "channel.send", {"channel": self.id, **content})

    async def members(self):
        """Return the uids of the members."""
        session = self._client.need("channel.members")
        if not self.joined:
            raise RtmError("channel.members", 5, "the channel is not joined")
        answer = await self._client.request(session, "channel.members", {"channel": self.id})
        return answer.get("members", [])

    def take(self, kind, frame, own_uid):
        """Take a frame of the server for this channel."""
        if kind == "channel.message":
            if frame.get("seq", 0) <= self.cursor:
                return
            self.cursor = frame["seq"]
            message = RtmMessage.of(frame)
            if message:
                self._emit("message", message, frame.get("from", ""))
        elif kind == "channel.member_count":
            self._emit("member_count", frame.get("count", 0))
        elif kind == "channel.member_joined" and frame.get("uid") != own_uid:
            self._emit("member_joined", frame.get("uid", ""))
        elif kind == "channel.member_left" and frame.get("uid") != own_uid:
            self._emit("member_left", frame.get("uid", ""))

    def free(self):
        self.joined = False
        if self._client.channels.get(self.id) is self:
            del self._client.channels[self.id]
