"""The strict codec: what a client's frame is, and the canonical form of the server's (#frames)."""

import base64
import binascii
import json

from codes import ERROR_NAMES, BadFrame
from limits import MAX_INTEGER


class Number(str):
    """A JSON number as it was written, because 7 is an id and 7.0 is none."""


# The shape of what a client sends: `str`, `int`, [a list] or {an object}. OPTIONAL is a
# string of which "absent" and "empty" are two things.
OPTIONAL = object()
PAYLOAD = {"text": OPTIONAL, "raw": OPTIONAL, "description": str}
RESUME = {"session": str, "peer_seq": int, "channels": [{"channel": str, "seq": int}]}
CLIENT_KINDS = {
    "ping": {},
    "login": {"app_id": str, "uid": str, "token": str, "resume": RESUME},
    "logout": {},
    "token.renew": {"token": str},
    "peer.send": {"to": str, **PAYLOAD},
    "peer.ack": {"seq": int},
    "channel.join": {"channel": str, "after": int},
    "channel.leave": {"channel": str},
    "channel.send": {"channel": str, **PAYLOAD},
    "channel.members": {"channel": str},
    "channel.count": {"channels": [str]},
}
SERVER_KINDS = {
    "pong", "error", "login.ok", "login.kicked", "logout.ok", "token.will_expire",
    "token.renew.ok", "peer.send.ok", "peer.message", "channel.join.ok", "channel.leave.ok",
    "channel.send.ok", "channel.message", "channel.members.ok", "channel.count.ok",
    "channel.member_joined", "channel.member_left", "channel.member_count",
}


def encode(frame):
    """The canonical form of a frame, as bytes: `json` escapes just as #canonical asks."""
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode()


def unique_members(pairs):
    """An object whose names all differ; `json` alone would let the last one win."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BadFrame("a member name stands twice")
    return members


def no_constant(name):
    raise BadFrame(name + " is no JSON")


def parse_json(text):
    """Reads JSON strictly: numbers stay as written, names are unique, text is Unicode."""
    try:
        value = json.loads(text, object_pairs_hook=unique_members, parse_int=Number,
                           parse_float=Number, parse_constant=no_constant)
        if "\\u" in text:
            encode(value)  # fails on half a surrogate pair, at any depth
    except (ValueError, RecursionError) as exc:
        raise BadFrame(f"no JSON that can be read: {exc}") from None
    return value


def check_case(members, names):
    """Refuses a name that a reader which ignores case would take for a defined one."""
    for member in members:
        for name in names:
            # Of single characters only U+017F and U+212A fold to a letter of ASCII.
            if member != name and len(member) == len(name) and member.casefold() == name:
                raise BadFrame(f"{name} in another case")


def read_value(value, shape):
    """One member by its shape; null is an absent member (#absent-members)."""
    if shape is OPTIONAL:
        return None if value is None else read_value(value, str)
    if shape is str:
        value = "" if value is None else value
        if type(value) is not str:
            raise BadFrame("a string was expected")
        return value
    if shape is int:
        value = Number("0") if value is None else value
        if type(value) is not Number or not value.isdigit() or len(value) > 16:
            raise BadFrame("an integer in digits was expected")
        if int(value) > MAX_INTEGER:
            raise BadFrame("an integer is too large")
        return int(value)
    if isinstance(shape, list):
        value = [] if value is None else value
        if type(value) is not list or None in value:
            raise BadFrame("a list was expected")
        return [read_value(item, shape[0]) for item in value]
    value = {} if value is None else value
    if type(value) is not dict:
        raise BadFrame("an object was expected")
    check_case(value, shape)
    return {name: read_value(value.get(name), inner) for name, inner in shape.items()}


def parse_frame(text):
    """Reads one client frame into a dict with all defined members.

    A frame of an unknown kind has `kind` and `id` only, the id 0 when there was none.
    Raises BadFrame for whatever is no frame of a client.
    """
    value = parse_json(text)
    if type(value) is not dict:
        raise BadFrame("one JSON object was expected")
    check_case(value, ["kind", "id"])  # defined in every frame, whatever its kind
    kind = read_value(value.get("kind"), str)
    if not kind:
        raise BadFrame("kind is missing")
    if kind in SERVER_KINDS:
        raise BadFrame("a kind of the other direction")
    id = read_value(value.get("id"), int)
    is_request = kind in CLIENT_KINDS and kind != "peer.ack"
    if id == 0 and (is_request or value.get("id") is not None):
        raise BadFrame("id is missing or out of range")
    return {"kind": kind, "id": id, **read_value(value, CLIENT_KINDS.get(kind, {}))}


def read_payload(frame, max_bytes):
    """The members of a message that are passed on, or None for an invalid message."""
    text, raw, description = frame["text"], frame["raw"], frame["description"]
    if (text is None) == (raw is None) or (text is not None and description):
        return None
    if text is not None:
        return {"text": text} if len(text.encode()) <= max_bytes else None
    try:
        data = base64.b64decode(raw, validate=True)
    except (binascii.Error, ValueError):
        return None
    # Encoding again finds what b64decode forgives, such as loose bits in the last group.
    if base64.b64encode(data).decode() != raw:
        return None
    if len(data) + len(description.encode()) > max_bytes:
        return None
    return {"raw": raw, "description": description} if description else {"raw": raw}


def error_frame(id, op, code, message):
    return encode({"kind": "error", "id": id, "op": op, "code": code,
                   "name": ERROR_NAMES[op, code], "message": message})
