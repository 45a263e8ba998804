"""One connection: frames in and out, pings, silence, and how it ended."""

import asyncio
import json

import websockets
from websockets.exceptions import ConnectionClosed, WebSocketException

SUBPROTOCOL = "rtm.v1.json"
FRAME_BYTES = 4 << 20  # the largest frame that is read
REASONS = {4200: "REMOTE_LOGIN", 4201: "BANNED_BY_SERVER", 4202: "TOKEN_EXPIRED", 4203: "REMOTE_LOGIN"}


class Lost(Exception):
    """Why a link is no more. The code is that of its close frame, 0 when there was none."""

    def __init__(self, code=0, since=None, lasted=0.0):
        super().__init__(f"the link was lost with {code}")
        self.code = code
        # Of the close, or of the last contact when the link fell silent.
        self.since = asyncio.get_running_loop().time() if since is None else since
        self.lasted = lasted
        self.terminal = 4200 <= code <= 4299 or code in (1003, 1007, 1009)
        self.later = 4100 <= code <= 4199
        self.reason = REASONS.get(code, "INTERRUPTED")


class Link:
    """A connection. Its user sets on_frame and on_close, which is called once, and not after close()."""

    def __init__(self):
        self.on_frame = self.on_close = None
        self._loop = asyncio.get_running_loop()
        self._opened = self._contact = self._sent = self._loop.time()
        self._outbox = asyncio.Queue()
        self._socket = None
        self._tasks = []
        self._timers = {}

    async def open(self, url):
        try:
            self._socket = await websockets.connect(
                url,
                subprotocols=[SUBPROTOCOL],
                compression=None,
                ping_interval=None,  # a frame of the protocol does it
                close_timeout=1,
                max_size=FRAME_BYTES,
            )
        except (OSError, asyncio.TimeoutError, WebSocketException) as error:
            raise Lost() from error
        if self._socket.subprotocol != SUBPROTOCOL:
            self.close(1000)
            raise Lost()
        self._tasks = [asyncio.ensure_future(self._read()), asyncio.ensure_future(self._write())]

    async def _read(self):
        try:
            while self._tasks:
                data = await self._socket.recv()
                self._contact = self._loop.time()
                try:
                    frame = decode(data)
                except (ValueError, RecursionError):
                    self._drop(4204)  # bad frame: reconnect as after a lost link
                    return
                self.on_frame(frame)
        except ConnectionClosed as closed:
            self._over(closed.rcvd.code if closed.rcvd else 0)

    async def _write(self):
        try:
            while True:
                await self._socket.send(await self._outbox.get())
        except ConnectionClosed:
            pass  # the reader tells it

    def send(self, frame):
        """Send a frame behind all earlier ones."""
        self._outbox.put_nowait(json.dumps(frame, ensure_ascii=False, separators=(",", ":")))
        self._sent = self._loop.time()

    def watch(self, interval, threshold, ping):
        """Begin to ping, and to give the link up when nothing comes. Times are in seconds."""

        def idle():
            if self._loop.time() - self._sent >= interval:
                self.send(ping())
            later("ping", self._sent + interval, idle)

        def silent():
            if self._loop.time() - self._contact < threshold:
                later("silence", self._contact + threshold, silent)
            else:
                # A busy process may not have read yet what has come: look once more.
                later("silence", self._loop.time() + 0.02, truly)

        def truly():
            if self._loop.time() - self._contact < threshold:
                later("silence", self._contact + threshold, silent)
            else:
                self._drop(1000, since=self._contact)

        def later(name, when, call):
            self._timers[name] = self._loop.call_at(when, call)

        later("ping", self._sent + interval, idle)
        later("silence", self._contact + threshold, silent)

    def close(self, code):
        self.on_close = None
        self._drop(code)

    def _drop(self, code, since=None):
        if self._socket is not None:
            closing = asyncio.ensure_future(_goodbye(self._socket, code))
            _closing.add(closing)
            closing.add_done_callback(_closing.discard)
        self._over(0, since)

    def _over(self, code, since=None):
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._timers, self._tasks = {}, []
        tell, self.on_close = self.on_close, None
        if tell:
            tell(Lost(code, since, self._loop.time() - self._opened))


async def _goodbye(socket, code):
    try:
        await socket.close(code)
    except (OSError, ConnectionClosed):
        pass  # the other side was faster


_closing = set()  # connections that are saying goodbye; a loop keeps no task alive


def _count(value):
    return type(value) is int and 0 <= value < 2**53


def _string(value):
    return isinstance(value, str)


def _flag(value):
    return isinstance(value, bool)


def _list(item):
    return lambda value: isinstance(value, list) and all(map(item, value))


def _object(defined):
    """Return what knows an object whose defined members are right and whose others differ from them in more than case."""

    def good(name, member):
        return defined[name](member) if name in defined else name.lower() not in defined

    return lambda value: isinstance(value, dict) and all(good(name, member) for name, member in value.items())


_numbers = (
    "channels message_bytes id_bytes frame_bytes members count_channels replay_messages replay_ms session_grace_ms "
    "reconnect_threshold_ms ack_timeout_ms ping_interval_ms silence_ms login_timeout_ms token_notice_ms "
    "count_interval_ms count_interval_large_ms"
).split()
_limits = {name: _count for name in _numbers}
_limits["calls"] = _list(_object({"call": _string, "count": _count, "window_ms": _count}))
_payload = {"text": _string, "raw": _string, "description": _string}

# The members of each frame that a server sends, besides `kind` and `id`.
_frames = {
    "error": {"op": _string, "code": _count, "name": _string, "message": _string},
    "pong": {},
    "login.ok": {
        "session": _string,
        "resumed": _flag,
        "server_ts": _count,
        "server": _object({"name": _string, "version": _string}),
        "limits": _object(_limits),
        "missing": _list(_string),
    },
    "logout.ok": {},
    "login.kicked": {"reason": _string},
    "token.will_expire": {"left_ms": _count},
    "token.renew.ok": {},
    "peer.send.ok": {"received": _flag},
    "peer.message": {"seq": _count, "from": _string, "ts": _count, **_payload},
    "channel.join.ok": {"seq": _count, "count": _count},
    "channel.leave.ok": {},
    "channel.send.ok": {},
    "channel.message": {"channel": _string, "from": _string, "seq": _count, "ts": _count, **_payload},
    "channel.members.ok": {"members": _list(_string)},
    "channel.count.ok": {"counts": _list(_count)},
    "channel.member_joined": {"channel": _string, "uid": _string},
    "channel.member_left": {"channel": _string, "uid": _string},
    "channel.member_count": {"channel": _string, "count": _count},
}
_requests = {"login", "ping", "peer.ack"} | {kind[:-3] for kind in _frames if kind.endswith(".ok")}


def _members(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("a member stands twice")
    return {name: value for name, value in pairs if value is not None}  # null counts as absent


def _no_json(constant):
    raise ValueError(f"{constant} is no JSON")


def decode(data):
    """Read a frame strictly. Raises ValueError for what two readers could understand differently."""
    if not isinstance(data, str):
        raise ValueError("a binary message")
    frame = json.loads(data, object_pairs_hook=_members, parse_constant=_no_json)
    json.dumps(frame, ensure_ascii=False).encode()  # refuses half a surrogate pair
    if not _object({"kind": _string})(frame) or "kind" not in frame:
        raise ValueError("no frame")
    kind = frame["kind"]
    if kind in _requests:
        raise ValueError("a kind of the other direction")
    if kind not in _frames:
        return frame
    if not _object({"kind": _string, "id": _count, **_frames[kind]})(frame):
        raise ValueError("a bad member")
    if (kind.endswith(".ok") or kind == "pong") and not frame.get("id"):
        raise ValueError("an answer without an id")
    return frame
