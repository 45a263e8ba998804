"""What a user has between a login and its end (#login, #peer, #grace)."""

import collections
import secrets
import time

from codes import BadFrame
from frames import encode, error_frame
from limits import INBOX_MESSAGES


class Delivery:
    """A peer message in the receiver's inbox, and what its sender still has to be told."""

    def __init__(self, seq, data, sender, id):
        self.seq, self.data = seq, data
        self.sender, self.id = sender, id
        self.timer = None
        self.answered = False

    def answer(self, received):
        """Answers the sender once: True, False, or None for the timeout error."""
        if self.answered:
            return
        self.answered = True
        if self.timer:
            self.timer.cancel()
        self.sender.answer_peer_send(self.id, received)


class Session:
    """What a user has between a login and its end; it outlives connections."""

    def __init__(self, server, key):
        self.server = server
        self.key = key  # (app id, uid)
        self.app, self.uid = key
        self.id = secrets.token_urlsafe(24)
        self.connection = None
        self.channels = {}
        self.ended = False
        self.grace = None
        self.late = []        # answers to peer.send that came while the link was lost
        self.inbox = collections.deque()  # deliveries without an acknowledgement
        self.last_seq = 0     # given to a peer message
        self.written_seq = 0  # written to a connection; only such a one can be acknowledged

    def send(self, data, backlog=False):
        return self.connection is not None and self.connection.send(data, backlog)

    def attach(self, connection):
        self.connection, connection.session = connection, self
        if self.grace:
            self.grace.cancel()
            self.grace = None
        connection.watch_silence()

    def detach(self):
        """Parts from the connection and returns it, without any grace."""
        connection, self.connection = self.connection, None
        if connection:
            connection.session = None
        return connection

    def link_lost(self, last_contact):
        """#grace: counted from the last contact. The timer runs even when that is over."""
        self.connection = None
        until = last_contact + self.server.seconds("session_grace_ms")
        self.grace = self.server.loop.call_at(until, self.end)

    def end(self, logout=False):
        """The user is offline and in no channel; its senders learn what can be known."""
        self.ended = True
        self.detach()
        if self.grace:
            self.grace.cancel()
        del self.server.sessions[self.key]
        for channel in list(self.channels.values()):
            channel.remove(self)
        for delivery in self.inbox:
            # Without a logout the client may have read a message that it could not
            # acknowledge any more; nobody can tell, so it is the timeout (#peer-timeout).
            delivery.answer(False if logout else None)
        self.inbox.clear()

    def kick(self):
        """#one-session: the uid has logged in elsewhere."""
        connection = self.detach()
        if connection:
            connection.send(encode({"kind": "login.kicked", "reason": "REMOTE_LOGIN"}))
            connection.close(4200)
        self.end()

    # -- peer messages

    def deliver(self, sender, id, payload):
        """Takes a peer message for this user and sees to the answer to its sender."""
        if len(self.inbox) >= INBOX_MESSAGES:
            sender.answer_peer_send(id, False)
            return
        self.last_seq += 1
        data = encode({"kind": "peer.message", "seq": self.last_seq, "from": sender.uid,
                       "ts": time.time_ns() // 1_000_000, **payload})
        delivery = Delivery(self.last_seq, data, sender, id)
        self.inbox.append(delivery)
        if self.send(data):
            self.written_seq = delivery.seq
            delivery.timer = self.server.loop.call_later(
                self.server.seconds("ack_timeout_ms"), delivery.answer, None)
        else:
            delivery.answer(False)  # #peer-held: it stays in the inbox for a resume

    def acknowledge(self, seq):
        """Takes a `peer.ack`, or the `peer_seq` of a resume."""
        if seq > self.written_seq:
            raise BadFrame("an acknowledgement of what was never sent")
        while self.inbox and self.inbox[0].seq <= seq:
            self.inbox.popleft().answer(True)

    def answer_peer_send(self, id, received):
        if self.ended:
            return
        if received is None:
            data = error_frame(id, "peer.send", 2, "no acknowledgement; the outcome is unknown")
        else:
            data = encode({"kind": "peer.send.ok", "id": id, "received": received})
        if not self.send(data):
            self.late.append(data)  # #answers-after-resume

    def send_late(self):
        """The first two parts of what follows a resume: late answers, held messages."""
        late, self.late = self.late, []
        for data in late:
            self.send(data, backlog=True)
        for delivery in self.inbox:
            if self.send(delivery.data, backlog=True):
                self.written_seq = max(self.written_seq, delivery.seq)
