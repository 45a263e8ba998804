#!/usr/bin/env python3
"""A minimal server for the rtmkit protocol, version 1, written from PROTOCOL.md alone.

It keeps everything in memory and in one thread. Comments name the clause of PROTOCOL.md that
they follow, as in "#grace".
"""

import argparse
import asyncio
import json
import logging
import secrets
import signal
import sys
import time
import urllib.parse

from channel import Channel
from codes import BadFrame, OperationError
from connection import PATH, Connection
from frames import CLIENT_KINDS, encode, error_frame, read_payload
from limits import CLOSE_WAIT, LIMITS, MAX_INTEGER, is_app_id, is_id
from session import Session

PRODUCT = {"name": "rtmkit-python-example", "version": "1"}


class Server:
    """All users and channels, and one method for each kind of request."""

    def __init__(self, limits, origins):
        self.limits = limits
        self.origins = origins
        self.loop = asyncio.get_running_loop()
        self.connections = set()
        self.sessions = {}  # (app id, uid) -> Session
        self.channels = {}  # (app id, channel id) -> Channel
        self.seq = 0

    def seconds(self, limit):
        return self.limits[limit] / 1000

    def next_seq(self):
        """A channel position: the clock, so that it grows over a restart too."""
        self.seq = max(self.seq + 1, time.time_ns() // 1000)
        return self.seq

    def origin_allowed(self, headers):
        """#origin: the server's own host, or one that the operator named."""
        host = headers.get_all("Host")[0] if headers.get_all("Host") else ""
        return all(origin in self.origins
                   or urllib.parse.urlsplit(origin).netloc.lower() == host.lower() != ""
                   for origin in headers.get_all("Origin"))

    def handle(self, connection, frame):
        """Runs one request and answers it; the checks stand in the order of #error-order."""
        kind = frame["kind"]
        if kind == "peer.ack":
            if connection.session:
                connection.session.acknowledge(frame["seq"])
            elif frame["seq"]:
                raise BadFrame("an acknowledgement without a session")
            return
        if kind not in CLIENT_KINDS:
            if frame["id"]:
                connection.send(error_frame(frame["id"], "frame", 1, "unknown kind"))
            return
        operation = getattr(self, "do_" + kind.replace(".", "_"))
        try:
            if kind in ("login", "token.renew"):  # their arguments come first
                operation(connection, frame)
            elif connection.session is None:
                raise OperationError(102, "not logged in")
            else:
                operation(connection.session, frame)
        except OperationError as exc:
            connection.send(error_frame(frame["id"], kind, exc.code, exc.message))

    def answer(self, to, frame, **members):
        to.send(encode({"kind": frame["kind"] + ".ok", "id": frame["id"], **members}))

    def payload(self, frame, code):
        payload = read_payload(frame, self.limits["message_bytes"])
        if payload is None:
            raise OperationError(code, "invalid message")
        return payload

    def joined(self, session, frame, code):
        channel = session.channels.get(frame["channel"])
        if channel is None:
            raise OperationError(code, "not a member")
        return channel

    # -- login and logout

    def do_ping(self, session, frame):
        session.send(encode({"kind": "pong", "id": frame["id"]}))

    def do_login(self, connection, frame):
        if not is_id(frame["uid"]):
            raise OperationError(3, "bad uid")
        if not is_app_id(frame["app_id"]):
            raise OperationError(4, "malformed app id")
        if connection.session:
            raise OperationError(8, "this connection is logged in")
        key = frame["app_id"], frame["uid"]
        old, resume = self.sessions.get(key), frame["resume"]
        if old and secrets.compare_digest(old.id.encode(), resume["session"].encode()):
            self.resume(connection, old, frame["id"], resume)
            return
        if old:
            old.kick()
        session = self.sessions[key] = Session(self, key)
        session.attach(connection)
        self.answer_login(session, frame["id"], False)

    def resume(self, connection, session, id, resume):
        """#resume and #resume-takes-over."""
        # Judged before anything changes: nothing of a bad frame takes effect.
        if resume["peer_seq"] > session.written_seq:
            raise BadFrame("peer_seq was never sent")
        old = session.detach()
        if old:
            old.close(4203)
        # Before the new link is there: an answer to the user itself is then a late one,
        # behind `login.ok`.
        session.acknowledge(resume["peer_seq"])
        cursors = {}
        for item in resume["channels"]:
            cursors.setdefault(item["channel"], item["seq"])
        for name in list(session.channels):
            if name not in cursors:
                session.channels[name].remove(session)
        session.attach(connection)
        missing = [name for name in cursors if name not in session.channels]
        self.answer_login(session, id, True, **({"missing": missing} if missing else {}))
        session.send_late()
        here = [(session.channels[name], seq) for name, seq in cursors.items()
                if name in session.channels]
        for channel, seq in here:
            channel.replay(session, seq, backlog=True)
        for channel, _ in here:
            channel.send_count(session)

    def answer_login(self, session, id, resumed, **missing):
        session.send(encode({
            "kind": "login.ok", "id": id, "session": session.id, "resumed": resumed,
            "server_ts": time.time_ns() // 1_000_000, "server": PRODUCT,
            "limits": {**self.limits, "calls": []}, **missing}))

    def do_logout(self, session, frame):
        connection = session.connection
        session.end(logout=True)
        self.answer(connection, frame)
        connection.close(1000)

    def do_token_renew(self, connection, frame):
        if not frame["token"]:
            raise OperationError(2, "the token is empty")
        if connection.session is None:
            raise OperationError(102, "not logged in")
        self.answer(connection, frame)  # every app is open: any token will do

    # -- peer messages and channels

    def do_peer_send(self, session, frame):
        if not is_id(frame["to"]):
            raise OperationError(6, "bad uid")
        payload = self.payload(frame, 7)
        receiver = self.sessions.get((session.app, frame["to"]))
        if receiver:
            receiver.deliver(session, frame["id"], payload)
        else:
            session.answer_peer_send(frame["id"], False)

    def do_channel_join(self, session, frame):
        if not is_id(frame["channel"]):
            raise OperationError(3, "bad channel id")
        if frame["channel"] in session.channels:
            raise OperationError(6, "already a member")
        if len(session.channels) >= self.limits["channels"]:
            raise OperationError(5, "too many channels")
        key = session.app, frame["channel"]
        channel = self.channels.get(key)
        if channel is None:
            channel = self.channels[key] = Channel(self, key)
        channel.add(session, frame["id"], frame["after"])

    def do_channel_leave(self, session, frame):
        self.joined(session, frame, 3).remove(session)
        self.answer(session, frame)

    def do_channel_send(self, session, frame):
        payload = self.payload(frame, 4)  # an argument, and so before the membership
        channel = self.joined(session, frame, 5)
        channel.publish(session, payload)
        self.answer(session, frame)

    def do_channel_members(self, session, frame):
        channel = self.joined(session, frame, 5)
        uids = [member.uid for member in channel.members]
        self.answer(session, frame, members=uids[:self.limits["members"]])

    def do_channel_count(self, session, frame):
        names = frame["channels"]
        if not names or not all(map(is_id, names)):
            raise OperationError(2, "no channel or a bad id")
        if len(names) > self.limits["count_channels"]:
            raise OperationError(5, "too many channels")
        channels = [self.channels.get((session.app, name)) for name in names]
        self.answer(session, frame,
                    counts=[len(channel.members) if channel else 0 for channel in channels])

    # -- the end

    async def drain(self):
        """Closes all with 4100, and cuts whoever does not answer in time."""
        for connection in list(self.connections):
            if connection.upgraded:
                connection.close(4100)
            else:
                connection.transport.abort()
        until = self.loop.time() + CLOSE_WAIT + 0.2  # each close cuts by itself after that
        while self.connections and self.loop.time() < until:
            await asyncio.sleep(0.02)


def parse_arguments():
    def positive(text):
        if not 0 < int(text) <= MAX_INTEGER:
            raise ValueError(text)
        return int(text)

    parser = argparse.ArgumentParser(description="A minimal rtmkit server, in memory.")
    parser.add_argument("--port", type=int, default=0, help="0 (the default): a free port")
    parser.add_argument("--allow-origin", action="append", default=[], metavar="ORIGIN",
                        help="a browser's Origin to accept; may be given again")
    for name, default in LIMITS.items():
        if name == "id_bytes":
            continue
        parser.add_argument("--" + name.replace("_", "-"), type=positive, default=default,
                            metavar="N", help=f"default {default}")
    options = parser.parse_args()
    limits = {name: getattr(options, name, fixed) for name, fixed in LIMITS.items()}
    if limits["ping_interval_ms"] >= limits["silence_ms"]:
        parser.error("--ping-interval-ms must be below --silence-ms")
    return options, limits


async def main():
    options, limits = parse_arguments()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO,
                        format="%(asctime)s %(name)s %(message)s")
    # The library logs each upgrade, and as an error what is only a late ping of a client
    # whose connection is being closed.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(limits, options.allow_origin)
    listener = await loop.create_server(lambda: Connection(server), "127.0.0.1", options.port)
    port = listener.sockets[0].getsockname()[1]
    print(json.dumps({"ready": f"ws://127.0.0.1:{port}{PATH}"}, separators=(",", ":")),
          flush=True)
    await stop.wait()
    listener.close()
    await server.drain()


if __name__ == "__main__":
    asyncio.run(main())
