"""The announced limits (#announced-limits), this server's own bounds, and what an id is."""

import re

MAX_INTEGER = 2**53 - 1
ID_BYTES = 64

# Every announced limit with its default, in the order of #announced-limits. The command
# line has one flag for each of them but `id_bytes`, which the protocol fixes.
LIMITS = {
    "channels": 20, "message_bytes": 32768, "id_bytes": ID_BYTES, "frame_bytes": 262144,
    "members": 512, "count_channels": 32, "replay_messages": 32, "replay_ms": 30000,
    "session_grace_ms": 30000, "reconnect_threshold_ms": 4000, "ack_timeout_ms": 9000,
    "ping_interval_ms": 2500, "silence_ms": 6000, "login_timeout_ms": 10000,
    "token_notice_ms": 30000, "count_interval_ms": 1000, "count_interval_large_ms": 3000,
}

# Bounds of this server's own; the protocol leaves their size to it.
QUEUE_BYTES = 4 * 1024 * 1024  # unsent bytes of one connection, then it is a slow consumer
INBOX_MESSAGES = 1000          # peer messages of one session without an acknowledgement
CLOSE_WAIT = 1.0               # seconds for the other side to answer a close frame


def is_id(text):
    """#id-alphabet; all 89 characters are one byte long."""
    return (re.fullmatch(r"[A-Za-z0-9 !#$%&()+\-:;<=.>?@\[\]^_{}|~,]+", text) is not None
            and len(text) <= ID_BYTES and text != "null")


def is_app_id(text):
    return re.fullmatch("[A-Za-z0-9]{32}", text) is not None
