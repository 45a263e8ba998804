"""A small RTM client for Python 3.9 or later, written from PROTOCOL.md alone on top of `websockets`.

It is an example to read and to judge, not a product; README.md says what it leaves out. Everything runs in one asyncio
loop. Listeners are plain functions; they are called in the order of their registration, before the call settles that
caused them.
"""

import asyncio
import random
import re

from channel import RtmChannel
from errors import TIMEOUTS, RtmError, refusal
from ids import is_id
from link import Link, Lost
from listeners import Listeners
from message import RtmMessage, payload

DEFAULT_LIMITS = {
    "channels": 20,
    "message_bytes": 32768,
    "id_bytes": 64,
    "count_channels": 32,
    "reconnect_threshold_ms": 4000,
    "ping_interval_ms": 2500,
    "login_timeout_ms": 10000,
}
HELD = 1000  # requests that may wait for a link
KICKS = ("REMOTE_LOGIN", "BANNED_BY_SERVER", "TOKEN_EXPIRED")


class Session:
    """One login, until logout or abort, over as many links as it takes."""

    def __init__(self, uid, token):
        self.uid, self.token = uid, token
        self.id = ""
        self.link = None
        self.peer_seq = self.acked = 0
        self.waiting = {}  # requests on the wire, by id
        self.held = []  # requests that wait for a link
        self.tries = 0
        self.task = None  # what works on the next link
        self.saying = None  # the timer of RECONNECTING
        self.renewed = asyncio.Event()
        self.begun = self.leaving = self.over = False


class Request:
    """A request that has no answer yet. It gets its id when it is sent, so that ids count upwards on the wire."""

    def __init__(self, op, members, settled):
        self.op, self.members, self.settled = op, members, settled
        self.id = None
        self.timer = None
        self.future = asyncio.get_running_loop().create_future()


class RtmClient(Listeners):
    """A client.

    Events: connection_state_changed (state, reason), message (message, uid), token_expired (), token_will_expire ().
    """

    def __init__(self, url, app_id, login_timeout=12.0, send_timeout=10.0):
        super().__init__()
        if not re.fullmatch(r"[A-Za-z0-9]{32}", app_id):
            raise RtmError("client.new", 1, "an app id is 32 ASCII letters and digits")
        self._url, self._app_id = url, app_id
        self._login_timeout, self._send_timeout = login_timeout, send_timeout
        self._logging_in = None  # the session and the future of a login at work
        self._session = None
        self._last_id = 0
        self.limits = DEFAULT_LIMITS
        self.channels = {}  # by id: the objects that are joined or joining
        self.state = "DISCONNECTED"

    async def login(self, uid, token=None):
        if not is_id(uid, self.limits):
            raise RtmError("login", 3, "this is no user id")
        if self.state != "DISCONNECTED":
            raise RtmError("login", 8, "log out first")
        session = Session(uid, token)
        ended = asyncio.get_running_loop().create_future()
        self._logging_in = (session, ended)
        self._set_state("CONNECTING", "LOGIN")
        task = session.task = asyncio.ensure_future(self._first_link(session))
        try:
            await asyncio.wait({task}, timeout=self._login_timeout)
        finally:
            failure = None if session.begun else self._login_failure(task)
            task.cancel()
            self._logging_in = None
            ended.set_result(failure)
            if failure:
                self._set_state("DISCONNECTED", "LOGIN_TIMEOUT" if failure.code == 9 else "LOGIN_FAILURE")
        if failure:
            raise failure

    def _login_failure(self, task):
        if not task.done():
            return RtmError("login", 9, "the server gave no answer in time")
        if task.cancelled():
            return RtmError("login", 1, "the client was closed")
        error = task.exception()
        return error if isinstance(error, RtmError) else RtmError("login", 1, str(error))

    async def _first_link(self, session):
        while True:
            await self._pause(session)
            try:
                return await self._attempt(session)
            except Lost as lost:
                if lost.terminal:
                    raise

    async def logout(self):
        """End the session. Also the way out of ABORTED and RECONNECTING. A login at work is waited for."""
        if self._logging_in:
            failure = await asyncio.shield(self._logging_in[1])
            if failure:
                raise failure
        session = self._session
        if session is None and self.state == "ABORTED":
            return self._set_state("DISCONNECTED", "LOGOUT")
        if session is None or session.leaving:
            raise RtmError("logout", 102, "there is no session")
        session.leaving = True
        if session.link:
            try:
                await self.request(session, "logout", {})
            except RtmError:
                pass  # the user is logged out here all the same, and there after the grace time
        if self._session is session:
            self._end("DISCONNECTED", "LOGOUT")
        elif self.state == "ABORTED":
            self._set_state("DISCONNECTED", "LOGOUT")

    async def renew_token(self, token):
        if not token:
            raise RtmError("token.renew", 2, "the token is empty")
        session = self.need("token.renew")
        if not session.link:
            session.token = token  # for the next attempt
            session.renewed.set()
        await self.request(session, "token.renew", {"token": token})
        session.token = token

    async def send_to_peer(self, uid, message):
        """Send a message to a user and return whether the user has received it."""
        session = self.need("peer.send")
        if not is_id(uid, self.limits):
            raise RtmError("peer.send", 6, "this is no user id")
        content = payload(message, self.limits["message_bytes"])
        if content is None:
            raise RtmError("peer.send", 7, "this is no message that can be sent")
        answer = await self.request(session, "peer.send", {"to": uid, **content})
        return answer.get("received", False)

    def create_channel(self, channel_id):
        if not is_id(channel_id, self.limits):
            raise RtmError("channel.new", 1, "this is no channel id")
        return RtmChannel(self, channel_id)

    async def member_counts(self, ids):
        """Return a dict from channel id to number of members."""
        session = self.need("channel.count")
        if not ids or not all(is_id(channel_id, self.limits) for channel_id in ids):
            raise RtmError("channel.count", 2, "these are no channel ids")
        if len(ids) > self.limits["count_channels"]:
            raise RtmError("channel.count", 5, "too many channels at once")
        answer = await self.request(session, "channel.count", {"channels": list(ids)})
        return dict(zip(ids, answer.get("counts", [])))

    def close(self):
        """Give up everything without a word to the server. No event comes any more."""
        self.remove_all_listeners()
        for channel in self.channels.values():
            channel.remove_all_listeners()
        if self._logging_in:
            self._logging_in[0].task.cancel()
        if self._session:
            self._end("DISCONNECTED", "LOGOUT")

    def _set_state(self, state, reason):
        self.state = state
        self._emit("connection_state_changed", state, reason)

    def need(self, op):
        if self._session is None:
            raise RtmError(op, 102, "there is no session")
        return self._session

    def _next_id(self):
        self._last_id += 1
        return self._last_id

    # Requests ---------------------------------------------------------------------------------------------------------

    def request(self, session, op, members, settled=None):
        """Make a request, or hold it until there is a link again, and return the future of its answer.

        `settled` sees the answer before any later frame is read.
        """
        if len(session.held) >= HELD:
            raise RtmError(op, 1, "the link is lost and too much waits for it")
        request = Request(op, members, settled)
        request.timer = asyncio.get_running_loop().call_later(
            self._send_timeout, self._fail, session, request, TIMEOUTS.get(op, 1), "the server gave no answer in time")
        if session.link:
            self._transmit(session, request)
        else:
            session.held.append(request)
        return request.future

    def _transmit(self, session, request):
        request.id = self._next_id()
        session.waiting[request.id] = request
        session.link.send({"kind": request.op, "id": request.id, **request.members})

    def _settle(self, session, request, answer=None, error=None):
        request.timer.cancel()
        session.waiting.pop(request.id, None)
        if request in session.held:
            session.held.remove(request)
        if request.future.done():  # its caller has gone
            return
        if error:
            request.future.set_exception(error)
        else:
            request.future.set_result(answer)

    def _fail(self, session, request, code, message):
        self._settle(session, request, error=RtmError(request.op, code, message, indefinite=request.id is not None))

    # Links ------------------------------------------------------------------------------------------------------------

    async def _attempt(self, session):
        """Open a link and log in over it. When this returns the session is in force and its link at work."""
        link = Link()
        named = [channel for channel in self.channels.values() if channel.joined]
        answered = asyncio.get_running_loop().create_future()
        login = {"kind": "login", "id": self._next_id(), "app_id": self._app_id, "uid": session.uid}

        def take(frame):
            if answered.done() or frame.get("id") != login["id"]:
                return
            if frame["kind"] == "error":
                answered.set_exception(refusal("login", frame))
            elif frame["kind"] == "login.ok":
                self._begin(session, link, frame, named)
                answered.set_result(None)

        link.on_frame = take
        link.on_close = lambda lost: answered.done() or answered.set_exception(lost)
        if session.token:
            login["token"] = session.token
        if session.id:
            login["resume"] = {
                "session": session.id,
                "peer_seq": session.peer_seq,
                "channels": [{"channel": channel.id, "seq": channel.cursor} for channel in named],
            }
        try:
            await asyncio.wait_for(self._exchange(link, login, answered), self.limits["login_timeout_ms"] / 1000)
        except asyncio.TimeoutError:
            if session.link is not link:
                raise Lost() from None
        finally:
            if session.link is not link:
                link.close(1000)

    async def _exchange(self, link, login, answered):
        await link.open(self._url)
        link.send(login)
        await answered

    def _begin(self, session, link, answer, named):
        """Take up the session over a link that has just logged in, before any further frame of it is read."""
        resumed, first = answer.get("resumed", False), not session.begun
        session.begun = True
        announced = {name: value for name, value in answer.get("limits", {}).items() if type(value) is int and value > 0}
        self.limits = {**DEFAULT_LIMITS, **announced}
        session.id = answer.get("session", "")
        if not resumed:
            session.peer_seq = 0
        session.acked = session.peer_seq
        session.link = link
        link.on_frame = lambda frame: self._take(session, link, frame)
        link.on_close = lambda lost: self._lost(session, lost)
        interval, threshold = self.limits["ping_interval_ms"] / 1000, self.limits["reconnect_threshold_ms"] / 1000
        link.watch(interval, threshold, lambda: {"kind": "ping", "id": self._next_id()})
        if session.saying:
            session.saying.cancel()

        # Answers to what an earlier link carried do not come any more, but for those to peer messages after a resume.
        for request in list(session.waiting.values()):
            if not resumed or request.op != "peer.send":
                self._fail(session, request, TIMEOUTS.get(request.op, 1), "the link was lost before the answer came")
        missing = answer.get("missing", [])
        for channel in list(self.channels.values()):
            if channel.joined and (not resumed or channel.id in missing):
                asyncio.ensure_future(self._rejoin(session, channel, self._join_again(session, channel)))
        for channel in named:
            if resumed and not channel.joined:
                gone = self.request(session, "channel.leave", {"channel": channel.id})
                gone.add_done_callback(lambda future: future.exception())
        held, session.held = session.held, []
        for request in held:
            self._transmit(session, request)

        self._session = session
        if first or self.state == "RECONNECTING":
            self._set_state("CONNECTED", "LOGIN_SUCCESS")

    def _join_again(self, session, channel):
        def settled(answer):
            channel.cursor = min(channel.cursor, answer.get("seq", 0))  # a server that lost the channel counts anew

        return self.request(session, "channel.join", {"channel": channel.id, "after": channel.cursor}, settled)

    async def _rejoin(self, session, channel, joining):
        while True:
            try:
                await joining
                return
            except RtmError as error:
                if not channel.joined or session.over or error.code == 6:
                    return
                # Too often, or no answer: later again. Anything else is a refusal for good.
                if not error.indefinite and error.code not in (1, 7, 8):
                    return channel.free()
            await asyncio.sleep(1)
            if not channel.joined or session.over or not session.link:
                return
            joining = self._join_again(session, channel)

    def _lost(self, session, lost):
        """Begin an outage, or end the session when the close was terminal."""
        if self._session is not session:
            return
        if lost.terminal:
            return self._end("ABORTED", lost.reason)
        session.link = None
        for request in list(session.waiting.values()):
            # Neither needs an answer any more: no resume names a left channel, and none follows a logout.
            if request.op in ("logout", "channel.leave"):
                self._settle(session, request, {})
        if session.leaving:
            return
        said = asyncio.Event()

        def say():
            self._set_state("RECONNECTING", "INTERRUPTED")
            said.set()

        when = lost.since + self.limits["reconnect_threshold_ms"] / 1000
        session.saying = asyncio.get_running_loop().call_at(when, say)
        session.renewed.clear()
        if lost.lasted > 10:
            session.tries = 0
        session.task = asyncio.ensure_future(self._reconnect(session, lost, said))

    async def _reconnect(self, session, lost, said):
        """Get the session a new link, again and again until it works or the session is over."""
        told = False
        while True:
            if isinstance(lost, Lost) and lost.later:
                session.tries = max(session.tries, 5)
            await self._pause(session)
            token = session.token
            try:
                return await self._attempt(session)
            except (Lost, RtmError) as error:
                lost = error
            if isinstance(lost, Lost):
                if lost.terminal:
                    return self._end("ABORTED", lost.reason)
            elif lost.code == 6:
                # The token has ended: nothing helps but a new one.
                await said.wait()
                if not told:
                    self._emit("token_expired")
                told = True
                if session.token == token:
                    await session.renewed.wait()
                session.renewed.clear()

    async def _pause(self, session):
        """The first try comes at once, the next ones after growing and jittered pauses."""
        if session.tries > 0:
            await asyncio.sleep(min(5.0, 0.05 * 2**min(session.tries, 10)) * random.uniform(0.5, 1))
        session.tries += 1

    # Frames of the server ---------------------------------------------------------------------------------------------

    def _take(self, session, link, frame):
        kind = frame["kind"]
        if kind == "peer.message":
            self._peer_message(session, link, frame)
        elif kind == "token.will_expire":
            self._emit("token_will_expire")
        elif kind == "login.kicked":
            reason = frame.get("reason")
            self._end("ABORTED", reason if reason in KICKS else "INTERRUPTED")
        elif "channel" in frame:
            channel = self.channels.get(frame["channel"])
            if channel and channel.joined:
                channel.take(kind, frame, session.uid)
        else:
            request = session.waiting.get(frame.get("id"))
            if request and kind == "error":
                self._settle(session, request, error=refusal(request.op, frame))
            elif request and kind == request.op + ".ok":
                if request.settled:
                    request.settled(frame)
                self._settle(session, request, frame)

    def _peer_message(self, session, link, frame):
        if frame.get("seq", 0) <= session.peer_seq:
            return
        session.peer_seq = frame["seq"]
        asyncio.get_running_loop().call_soon(self._acknowledge, session, link)
        message = RtmMessage.of(frame)
        if message:
            self._emit("message", message, frame.get("from", ""))

    def _acknowledge(self, session, link):
        """One acknowledgement covers all that one turn of the loop brought."""
        if session.link is link and session.acked < session.peer_seq:
            session.acked = session.peer_seq
            link.send({"kind": "peer.ack", "seq": session.acked})

    def _end(self, state, reason):
        session, self._session = self._session, None
        session.over = True
        if session.saying:
            session.saying.cancel()
        if session.task is not asyncio.current_task():
            session.task.cancel()
        if session.link:
            session.link.close(1000)
        for request in [*session.waiting.values(), *session.held]:
            self._fail(session, request, 1, f"the session ended ({reason})")
        for channel in list(self.channels.values()):
            channel.free()
        if reason == "TOKEN_EXPIRED":
            self._emit("token_expired")
        self._set_state(state, reason)
