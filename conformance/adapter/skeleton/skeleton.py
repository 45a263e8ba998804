"""An adapter between rtmkit's conformance suite and a client SDK, for Python 3.9 or later.

As it stands it passes the handshake and answers everything else "unsupported". Fill in part one, claim profiles in
ABOUT, and judge the SDK with

    rtmkit conform run --client -- python3 adapter.py

The protocol is conformance/adapter/ADAPTER.md: commands come as JSON lines on stdin, replies and events go out as JSON
lines on stdout. An adapter obeys and reports; it never judges, repeats or mends what the SDK does.
"""

import asyncio
import base64
import itertools
import json
import os
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

# ----------------------------------------------------------------------------------------------------------------------
# Part one: yours. Each TODO is one call of your SDK. A method that still raises Unsupported is a feature that the SDK
# does not have, and the suite then does not judge what needs it.
#
# The methods run in an asyncio loop, each in a task of its own. When a call of your SDK blocks instead, write
# `await blocking(self.sdk.login, uid, token)`; events may be told from any thread.

# TODO: from acme_rtm import AcmeClient, AcmeError


class Unsupported(Exception):
    """Raised by what the SDK cannot do."""


ABOUT = {
    "sdk": "TODO",  # the name of your SDK
    "version": "0.0.0",  # TODO: its version
    "language": "python",
    "profiles": [],  # TODO: what it claims to keep: core, channels, limits, tokens, order, reconnect
    # "timeouts": {"login_ms": 12000, "send_ms": 10000},  # TODO: only if your SDK does not let its user choose them
}


class Client:
    def create(self, url, app_id, timeouts):
        """Make a client of your SDK; open no connection. The wished timeouts {login_ms, send_ms} may be missing."""
        raise Unsupported
        # TODO: self.sdk = AcmeClient(app_id, url=url, login_timeout=timeouts.get("login_ms", 12000) / 1000)

    def listen(self, tell):
        """Register one listener for every event of the client. `tell` writes an event."""
        raise Unsupported
        # TODO:
        # on = self.sdk.on
        # on("connection_state_changed", lambda state, why: tell("ConnectionStateChanged", state=state, reason=why))
        # on("message", lambda message, uid: tell("MessageFromPeer", **{"from": uid}, **self.received(message)))
        # on("token_expired", lambda: tell("TokenExpired"))
        # on("token_will_expire", lambda: tell("TokenPrivilegeWillExpire"))

    def remove_all_listeners(self):
        raise Unsupported  # TODO: self.sdk.remove_all_listeners()

    def state(self):
        """Return the state as the API writes it: DISCONNECTED, CONNECTING, CONNECTED, RECONNECTING or ABORTED."""
        raise Unsupported  # TODO: return self.sdk.state

    async def login(self, uid, token):
        """An empty token stands for none."""
        raise Unsupported  # TODO: await self.sdk.login(uid, token or None)

    async def logout(self):
        raise Unsupported  # TODO: await self.sdk.logout()

    async def renew_token(self, token):
        raise Unsupported  # TODO: await self.sdk.renew_token(token)

    def create_message(self, text, raw, description):
        """Make a message object: of a text, or of bytes with a description when the text is None."""
        raise Unsupported  # TODO: return self.sdk.raw(raw, description) if text is None else self.sdk.text(text)

    async def send_peer(self, to, message):
        """Return hasPeerReceived. None stands for something that is no message: give it to the SDK as it is."""
        raise Unsupported  # TODO: return (await self.sdk.send_to_peer(to, message)).has_peer_received

    async def member_counts(self, ids):
        """Return a dict from channel id to number."""
        raise Unsupported  # TODO: return await self.sdk.member_counts(ids)

    async def close(self):
        """Give up everything the client holds, whatever its state. Nothing judges this, but it must be done somehow."""
        raise Unsupported  # TODO: await self.sdk.close()

    def received(self, message):
        """Describe a message of the SDK, and keep the object itself, since what the suite may send back is that."""
        members = {"message": keep(self, message)}
        # TODO: members["server_received_ms"] = message.server_received_ms
        # TODO: members["text"] = message.text, or
        #       members["raw"], members["description"] = base64.b64encode(message.raw).decode(), message.description
        return members


class Channel:
    def create(self, channel_id):
        """Make a channel object of your SDK, which joins nothing. `self.client.sdk` is the client."""
        raise Unsupported  # TODO: self.sdk = self.client.sdk.create_channel(channel_id)

    def listen(self, tell):
        raise Unsupported
        # TODO:
        # on, received = self.sdk.on, self.client.received
        # on("message", lambda message, uid: tell("ChannelMessage", **{"from": uid}, **received(message)))
        # on("member_joined", lambda uid: tell("MemberJoined", uid=uid))
        # on("member_left", lambda uid: tell("MemberLeft", uid=uid))
        # on("member_count", lambda count: tell("MemberCountUpdated", count=count))

    def remove_all_listeners(self):
        raise Unsupported  # TODO: self.sdk.remove_all_listeners()

    async def join(self):
        raise Unsupported  # TODO: await self.sdk.join()

    async def leave(self):
        raise Unsupported  # TODO: await self.sdk.leave()

    async def send(self, message):
        raise Unsupported  # TODO: await self.sdk.send(message)

    async def members(self):
        """Return the uids of the members."""
        raise Unsupported  # TODO: return await self.sdk.members()


def failure(op, error):
    """Turn what a call of the SDK raised into {code, name} as the table of errors in PROTOCOL.md lists them for op.

    Where it lists none, the code is 0 and the name "". "native" is what the SDK said, for reports; "indefinite": True
    says that the outcome is unknown. What is no error of the SDK is a fault of this program: raise it again.
    """
    # TODO: if isinstance(error, AcmeError): return {"code": error.code, "name": error.name, "native": str(error)}
    raise error


# ----------------------------------------------------------------------------------------------------------------------
# Part two: the protocol. There should be nothing to change.

# Only replies and events may stand on stdout, so what an SDK prints goes to stderr.
stdout = os.fdopen(os.dup(1), "wb", buffering=0)
os.dup2(2, 1)
writing = threading.Lock()
clients = {}  # by handle
channels = {}
numbers = itertools.count(1)  # of received messages


def write(line):
    data = json.dumps(line).encode() + b"\n"
    with writing:
        while data:
            data = data[stdout.write(data):]


def die(text):
    print(f"adapter: {text}", file=sys.stderr, flush=True)
    os._exit(1)


async def blocking(call, *arguments):
    """Run a call that blocks in a thread, so that other commands go on meanwhile."""
    return await asyncio.get_running_loop().run_in_executor(None, call, *arguments)


def teller(command, listener):
    """Return the function with which a listener tells its events."""
    whose = "channel" if "channel" in command else "client"
    return lambda event, **members: write({"event": event, whose: command[whose], "listener": listener, **members})


def keep(client, message):
    """Give a received message a handle, by which the suite may name it until its client is closed."""
    handle = f"r{next(numbers)}"
    client.messages[handle] = message
    return handle


def text(c, member):
    value = c.get(member)
    return value if isinstance(value, str) else die(f'{c["cmd"]} has no text "{member}"')


def find(objects, c, member):
    handle = text(c, member)
    return objects[handle] if handle in objects else die(f'{c["cmd"]} names the unknown {member} "{handle}"')


def add(objects, handle, thing):
    if handle in objects:
        die(f'the handle "{handle}" is taken')
    objects[handle] = thing


def create(objects, handle, thing, *arguments):
    """A handle is known from its line on, and forgotten when the SDK refuses to make the object."""
    add(objects, handle, thing)
    try:
        thing.create(*arguments)
    except Unsupported:
        raise
    except Exception:
        del objects[handle]
        raise


def client_of(c):
    return find(clients, c, "client")


def channel_of(c):
    return find(channels, c, "channel")


def subject_of(c):
    return channel_of(c) if "channel" in c else client_of(c)


class Refused:
    """Stands for a message that the SDK refused to make: the refusal belongs to the sends of it."""

    def __init__(self, error):
        self.error = error


def message_of(c, client):
    if c.get("message", "") is None:
        return None
    message = find(client.messages, c, "message")
    if isinstance(message, Refused):
        raise message.error
    return message


async def hello(c):
    if c.get("protocol") != 1:
        raise Unsupported
    return ABOUT


async def create_client(c):
    client = Client()
    client.messages = {}
    create(clients, text(c, "client"), client, text(c, "url"), text(c, "app_id"), c.get("timeouts") or {})


async def listen(c):
    subject_of(c).listen(teller(c, text(c, "listener")))


async def remove_all_listeners(c):
    subject_of(c).remove_all_listeners()


async def state(c):
    return {"state": client_of(c).state()}


async def login(c):
    await client_of(c).login(text(c, "uid"), text(c, "token"))


async def logout(c):
    await client_of(c).logout()


async def renew_token(c):
    await client_of(c).renew_token(text(c, "token"))


async def create_message(c):
    client = client_of(c)
    if "text" in c:
        content = (text(c, "text"), None, None)
    else:
        content = (None, base64.b64decode(text(c, "raw")), c.get("description", ""))
    try:
        message = client.create_message(*content)
    except Unsupported:
        raise
    except Exception as error:
        message = Refused(error)
    add(client.messages, text(c, "message"), message)


async def send_peer(c):
    client = client_of(c)
    return {"hasPeerReceived": await client.send_peer(text(c, "to"), message_of(c, client))}


async def member_counts(c):
    return {"counts": await client_of(c).member_counts(c["channels"])}


async def create_channel(c):
    channel = Channel()
    channel.client = client_of(c)
    create(channels, text(c, "channel"), channel, text(c, "id"))


async def join_channel(c):
    await channel_of(c).join()


async def leave_channel(c):
    await channel_of(c).leave()


async def send_channel(c):
    channel = channel_of(c)
    await channel.send(message_of(c, channel.client))


async def members(c):
    return {"members": await channel_of(c).members()}


async def close(c):
    client = client_of(c)
    del clients[c["client"]]
    for handle in [handle for handle, channel in channels.items() if channel.client is client]:
        del channels[handle]
    await client.close()


# Each command with what does it, what its errors are about, and the profile without which it is unsupported.
COMMANDS = {
    "hello": (hello, None, None),
    "createClient": (create_client, "client.new", None),
    "listen": (listen, None, None),
    "removeAllListeners": (remove_all_listeners, None, None),
    "state": (state, None, None),
    "login": (login, "login", None),
    "logout": (logout, "logout", None),
    "renewToken": (renew_token, "token.renew", "tokens"),
    "createMessage": (create_message, None, None),
    "sendPeer": (send_peer, "peer.send", None),
    "memberCounts": (member_counts, "channel.count", "channels"),
    "createChannel": (create_channel, "channel.new", "channels"),
    "joinChannel": (join_channel, "channel.join", "channels"),
    "leaveChannel": (leave_channel, "channel.leave", "channels"),
    "sendChannel": (send_channel, "channel.send", "channels"),
    "members": (members, "channel.members", "channels"),
    "close": (close, None, None),
}


async def run(c):
    """Do one command and write its reply; later commands do not wait for that."""
    do, op, profile = COMMANDS.get(c["cmd"], (None, None, None))
    reply = {"seq": c["seq"]}
    try:
        if do is None or (profile and profile not in ABOUT["profiles"]):
            raise Unsupported
        try:
            reply["ok"] = await do(c) or {}
        except Unsupported:
            raise
        except Exception as error:
            if op is None:
                raise
            try:
                reply["error"] = {"op": op, **failure(op, error)}
            except Exception:
                cause = "".join(traceback.format_exception(type(error), error, error.__traceback__))
                die(f'{c["cmd"]} raised what failure() does not take for an error of the SDK: {error!r}\n{cause}')
    except Unsupported:
        reply["unsupported"] = True
    except Exception:
        die(traceback.format_exc())
    write(reply)


def read(loop):
    """Read commands, in a thread, and begin them in the loop in the order of their lines."""
    running = set()

    def begin(c):
        task = loop.create_task(run(c))
        running.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(running.discard)

    for line in sys.stdin.buffer:  # which ends lines at \n and nowhere else
        try:
            c = json.loads(line)
        except ValueError as error:
            die(f"a line is not JSON: {error}")
        if not isinstance(c, dict) or type(c.get("seq")) is not int or not isinstance(c.get("cmd"), str):
            die("a command has no seq or no cmd")
        loop.call_soon_threadsafe(begin, c)
    # Behind the first step of what has begun.
    loop.call_soon_threadsafe(loop.call_soon, os._exit, 0)


async def main():
    loop = asyncio.get_running_loop()
    # Commands that block must not keep later ones from a thread.
    loop.set_default_executor(ThreadPoolExecutor(max_workers=128))
    threading.Thread(target=read, args=(loop,), daemon=True).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
