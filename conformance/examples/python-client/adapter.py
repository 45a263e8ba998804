"""The adapter between rtmkit's conformance suite and the client in rtm.py: the skeleton that
`rtmkit adapter skeleton python` prints, filled in.
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
# Part one: the calls of the client.

from errors import RtmError
from message import RtmMessage
from rtm import RtmClient


class Unsupported(Exception):
    """Raised by what the SDK cannot do."""


ABOUT = {
    "sdk": "rtmkit Python example",
    "version": "0.1.0",
    "language": "python",
    "profiles": ["core", "channels", "limits", "tokens", "order", "reconnect"],
}


class Client:
    def create(self, url, app_id, timeouts):
        login, send = timeouts.get("login_ms", 12000), timeouts.get("send_ms", 10000)
        self.sdk = RtmClient(url, app_id, login_timeout=login / 1000, send_timeout=send / 1000)

    def listen(self, tell):
        on = self.sdk.on
        on("connection_state_changed", lambda state, why: tell("ConnectionStateChanged", state=state, reason=why))
        on("message", lambda message, uid: tell("MessageFromPeer", **{"from": uid}, **self.received(message)))
        on("token_expired", lambda: tell("TokenExpired"))
        on("token_will_expire", lambda: tell("TokenPrivilegeWillExpire"))

    def remove_all_listeners(self):
        self.sdk.remove_all_listeners()

    def state(self):
        return self.sdk.state

    async def login(self, uid, token):
        await self.sdk.login(uid, token or None)

    async def logout(self):
        await self.sdk.logout()

    async def renew_token(self, token):
        await self.sdk.renew_token(token)

    def create_message(self, text, raw, description):
        return RtmMessage(text=text) if raw is None else RtmMessage(raw=raw, description=description)

    async def send_peer(self, to, message):
        return await self.sdk.send_to_peer(to, message)

    async def member_counts(self, ids):
        return await self.sdk.member_counts(ids)

    async def close(self):
        self.sdk.close()

    def received(self, message):
        members = {"message": keep(self, message), "server_received_ms": message.server_received_ms}
        if message.raw is None:
            return {**members, "text": message.text}
        return {**members, "raw": base64.b64encode(message.raw).decode(), "description": message.description}


class Channel:
    def create(self, channel_id):
        self.sdk = self.client.sdk.create_channel(channel_id)

    def listen(self, tell):
        on, received = self.sdk.on, self.client.received
        on("message", lambda message, uid: tell("ChannelMessage", **{"from": uid}, **received(message)))
        on("member_joined", lambda uid: tell("MemberJoined", uid=uid))
        on("member_left", lambda uid: tell("MemberLeft", uid=uid))
        on("member_count", lambda count: tell("MemberCountUpdated", count=count))

    def remove_all_listeners(self):
        self.sdk.remove_all_listeners()

    async def join(self):
        await self.sdk.join()

    async def leave(self):
        await self.sdk.leave()

    async def send(self, message):
        await self.sdk.send(message)

    async def members(self):
        return await self.sdk.members()


def failure(op, error):
    if not isinstance(error, RtmError):
        raise error
    said = {"code": error.code, "name": error.name, "native": str(error)}
    return {**said, "indefinite": True} if error.indefinite else said


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
