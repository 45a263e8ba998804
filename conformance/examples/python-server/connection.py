"""One connection: the WebSocket, the clocks, the close.

The WebSocket part is the Sans-I/O layer of the `websockets` library under a plain asyncio
protocol: each frame is handled in one go, in the order in which it came, and the effects of
frames never interleave.
"""

import asyncio
import http
import logging

from websockets.frames import Opcode
from websockets.http11 import Request

from codes import CLOSE_NAMES, BadFrame
from frames import parse_frame
from limits import CLOSE_WAIT, QUEUE_BYTES

try:
    from websockets.server import ServerProtocol  # websockets 11 and later
except ImportError:
    from websockets.server import ServerConnection as ServerProtocol  # the name in 10.4

log = logging.getLogger("server")

PATH, SUBPROTOCOL = "/rtm/v1", "rtm.v1.json"


class Wire(ServerProtocol):
    """The library's WebSocket, with the close reasons of #close-codes."""

    def fail(self, code, reason=""):
        super().fail(code, CLOSE_NAMES.get(code, reason))


class Connection(asyncio.Protocol):
    """One TCP connection: the upgrade, the frames in and out, the clocks, the close."""

    def __init__(self, server):
        self.server = server
        self.loop = asyncio.get_running_loop()
        self.wire = Wire(subprotocols=[SUBPROTOCOL], max_size=server.limits["frame_bytes"])
        self.session = None
        self.upgraded = False
        self.ended = False   # nothing that comes in counts any more
        self.parts = []      # of a fragmented message
        self.queue_limit = QUEUE_BYTES
        self.last_contact = self.loop.time()
        self.timer = None    # the login timeout, later the silence

    # -- asyncio calls these

    def connection_made(self, transport):
        self.transport = transport
        self.server.connections.add(self)
        self.set_timer(self.server.seconds("login_timeout_ms"), self.login_timeout)

    def data_received(self, data):
        self.last_contact = self.loop.time()  # #ping: whatever comes in is contact
        try:
            self.wire.receive_data(data)
        except Exception as exc:  # the library raises many kinds for a bad HTTP request
            log.info("no HTTP request: %r", exc)
            self.transport.abort()
            return
        for event in self.wire.events_received():
            if not self.ended:
                self.handle_event(event)
        self.flush()
        if self.upgraded and self.wire.state.name != "OPEN":
            self.link_ended()  # a close frame came, or the library closed for a breach

    def eof_received(self):
        self.link_ended()
        return False  # asyncio then closes the transport

    def connection_lost(self, exc):
        self.server.connections.discard(self)
        self.link_ended()

    # -- in

    def handle_event(self, event):
        if isinstance(event, Request):
            self.upgrade(event)
        elif event.opcode is Opcode.BINARY:
            self.close(1003)
        elif event.opcode in (Opcode.TEXT, Opcode.CONT):
            self.parts.append(bytes(event.data))
            if event.fin:
                message, self.parts = b"".join(self.parts), []
                self.handle_message(message)

    def upgrade(self, request):
        """#connect and #origin. Extensions are never offered to the library (#compression)."""
        if request.path.split("?")[0] != PATH:
            response = self.wire.reject(http.HTTPStatus.NOT_FOUND, "no such path\n")
        else:
            response = self.wire.accept(request)
            if response.status_code != 101:
                pass  # the library says what is wrong
            elif not self.server.origin_allowed(request.headers):
                response = self.wire.reject(http.HTTPStatus.FORBIDDEN, "foreign origin\n")
            elif self.wire.subprotocol != SUBPROTOCOL:
                response = self.wire.reject(http.HTTPStatus.BAD_REQUEST,
                                            f"the subprotocol {SUBPROTOCOL} is needed\n")
        self.wire.send_response(response)
        if response.status_code == 101:
            self.upgraded = True
            # #login-first: the time runs from the upgrade and from nothing later.
            self.set_timer(self.server.seconds("login_timeout_ms"), self.login_timeout)
        else:
            self.ended = True
            self.loop.call_later(CLOSE_WAIT, self.transport.abort)

    def handle_message(self, message):
        try:
            frame = parse_frame(message.decode())
            self.server.handle(self, frame)
        except UnicodeDecodeError:
            self.close(1007)
        except BadFrame as exc:
            log.info("bad frame: %s", exc)
            self.close(4204)
        except Exception:
            log.exception("internal failure")
            self.close(4002)

    # -- out

    def send(self, data, backlog=False):
        """Writes one encoded frame; False says that it certainly was not written.

        A backlog, which is what follows a resume, does not make a slow consumer by itself: it
        comes in one burst, however fast the client reads.
        """
        if self.ended or self.wire.state.name != "OPEN":
            return False
        if backlog:
            self.queue_limit += len(data)
        elif self.transport.get_write_buffer_size() + len(data) > self.queue_limit:
            self.close(4000)
            return False
        self.wire.send_text(data)
        self.flush()
        return True

    def close(self, code):
        """Sends a close frame; the link counts as lost from here on."""
        if self.ended:
            return
        log.info("closing with %d %s", code, CLOSE_NAMES[code])
        if self.wire.state.name == "OPEN":
            self.wire.send_close(code, CLOSE_NAMES[code])
            self.flush()
        self.link_ended()

    def flush(self):
        for data in self.wire.data_to_send():
            if data:
                self.transport.write(data)
            elif self.transport.can_write_eof() and not self.transport.is_closing():
                # Only half of the way is closed: closing both with bytes unread would
                # reset the connection and could take the close frame with it.
                self.transport.write_eof()

    def link_ended(self):
        """The connection has ended, whatever the reason; the session may go on (#grace)."""
        if self.timer:
            self.timer.cancel()
        if not self.ended:
            self.ended = True
            patience = self.server.seconds("silence_ms")
            self.loop.call_later(CLOSE_WAIT, self.cut, self.loop.time() + patience)
        session, self.session = self.session, None
        if session:
            session.link_lost(self.last_contact)

    def cut(self, until):
        """Ends the TCP connection; a slow reader may read on up to its close frame (#slow-readers)."""
        if self.transport.get_write_buffer_size() and self.loop.time() < until:
            self.loop.call_later(CLOSE_WAIT, self.cut, until)
        else:
            self.transport.abort()

    # -- clocks

    def set_timer(self, delay, callback):
        if self.timer:
            self.timer.cancel()
        self.timer = self.loop.call_later(delay, callback)

    def login_timeout(self):
        if self.upgraded:
            self.close(4003)
        else:
            self.transport.abort()

    def watch_silence(self):
        """Runs from the login on: sleeps until the silence would be long enough."""
        silence = self.server.seconds("silence_ms")
        left = self.last_contact + silence - self.loop.time()
        if left > 0:
            self.set_timer(left, self.watch_silence)
        else:
            self.close(4001)
