"""The members of a channel, the counts they were told, and its last messages (#channel)."""

import collections
import time

from frames import encode


class Channel:
    """The members of a channel, the counts they were told, and its recent messages."""

    def __init__(self, server, key):
        self.server = server
        self.key = key  # (app id, channel id)
        self.name = key[1]
        self.position = server.next_seq()  # above every seq of an earlier life of the id
        self.members = {}  # session -> the count it was told last
        # The last messages: seq, time, sender, frame.
        self.history = collections.deque(maxlen=server.limits["replay_messages"])
        self.counted_at = float("-inf")
        self.count_timer = None
        self.empty_since = None

    def broadcast(self, frame, but):
        data = encode(frame)
        for session in list(self.members):
            if session is not but:
                session.send(data)

    def tells_events(self, count):
        """#member-events: `count` is taken with the one who comes or goes."""
        return count <= self.server.limits["members"]

    def add(self, session, id, after):
        self.members[session] = None
        session.channels[self.name] = self
        count = len(self.members)
        session.send(encode({"kind": "channel.join.ok", "id": id, "seq": self.position,
                             "count": count}))
        self.send_count(session)
        self.replay(session, after)
        if self.tells_events(count):
            self.broadcast({"kind": "channel.member_joined", "channel": self.name,
                            "uid": session.uid}, session)
        self.count_changed()

    def remove(self, session):
        if self.tells_events(len(self.members)):
            self.broadcast({"kind": "channel.member_left", "channel": self.name,
                            "uid": session.uid}, session)
        del self.members[session]
        del session.channels[self.name]
        if self.members:
            self.count_changed()
        else:
            # The messages can still be asked for by a join with `after`, so the channel
            # is forgotten when the last of them is too old.
            self.empty_since = self.server.loop.time()
            self.server.loop.call_later(self.server.seconds("replay_ms"), self.forget,
                                        self.empty_since)

    def forget(self, since):
        if not self.members and self.empty_since == since:
            del self.server.channels[self.key]

    # -- messages

    def publish(self, sender, payload):
        self.position = self.server.next_seq()
        frame = {"kind": "channel.message", "channel": self.name, "from": sender.uid,
                 "seq": self.position, "ts": time.time_ns() // 1_000_000, **payload}
        self.history.append((self.position, self.server.loop.time(), sender.uid, encode(frame)))
        self.broadcast(frame, sender)

    def replay(self, session, cursor, backlog=False):
        """#channel-replay: what is behind the cursor, and young enough, and not the user's own."""
        oldest = self.server.loop.time() - self.server.seconds("replay_ms")
        for seq, at, uid, data in self.history:
            if 0 < cursor < seq and at >= oldest and uid != session.uid:
                session.send(data, backlog)

    # -- counts

    def send_count(self, session):
        self.members[session] = len(self.members)
        return session.send(encode({"kind": "channel.member_count", "channel": self.name,
                                    "count": len(self.members)}))

    def count_changed(self):
        """#member-count: the first change at once, further ones when the time is over.

        The timer is set anew each time, because the interval depends on the count of now.
        """
        if self.count_timer:
            self.count_timer.cancel()
            self.count_timer = None
        large = not self.tells_events(len(self.members))
        interval = self.server.seconds("count_interval_large_ms" if large
                                       else "count_interval_ms")
        wait = self.counted_at + interval - self.server.loop.time()
        if wait <= 0:
            self.tell_count()
        else:
            self.count_timer = self.server.loop.call_later(wait, self.tell_count)

    def tell_count(self):
        self.count_timer = None
        for session, known in list(self.members.items()):
            # A member whose link is lost gets its count after the resume.
            if known != len(self.members) and session.connection:
                self.send_count(session)
                self.counted_at = self.server.loop.time()
