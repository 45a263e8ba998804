"""What calls fail with."""

# The errors that a client makes by itself; those of the server bring their names along.
NAMES = {
    "client.new": {1: "CREATE_INSTANCE_ERR_INVALID_ARGUMENT"},
    "channel.new": {1: "CREATE_CHANNEL_ERR_INVALID_ARGUMENT"},
    "login": {
        1: "LOGIN_ERR_UNKNOWN",
        3: "LOGIN_ERR_INVALID_ARGUMENT",
        8: "LOGIN_ERR_ALREADY_LOGIN",
        9: "LOGIN_ERR_TIMEOUT",
    },
    "logout": {102: "LOGOUT_ERR_USER_NOT_LOGGED_IN"},
    "token.renew": {
        1: "RENEW_TOKEN_ERR_FAILURE",
        2: "RENEW_TOKEN_ERR_INVALID_ARGUMENT",
        102: "RENEW_TOKEN_ERR_USER_NOT_LOGGED_IN",
    },
    "peer.send": {
        1: "PEER_MESSAGE_ERR_FAILURE",
        2: "PEER_MESSAGE_ERR_TIMEOUT",
        6: "PEER_MESSAGE_ERR_INVALID_USERID",
        7: "PEER_MESSAGE_ERR_INVALID_MESSAGE",
        102: "PEER_MESSAGE_ERR_USER_NOT_LOGGED_IN",
    },
    "channel.send": {
        1: "CHANNEL_MESSAGE_ERR_FAILURE",
        2: "CHANNEL_MESSAGE_ERR_TIMEOUT",
        4: "CHANNEL_MESSAGE_ERR_INVALID_MESSAGE",
        5: "CHANNEL_MESSAGE_ERR_NOT_IN_CHANNEL",
        102: "CHANNEL_MESSAGE_ERR_USER_NOT_LOGGED_IN",
    },
    "channel.join": {
        1: "JOIN_CHANNEL_ERR_FAILURE",
        4: "JOIN_CHANNEL_TIMEOUT",
        5: "JOIN_CHANNEL_ERR_EXCEED_LIMIT",
        6: "JOIN_CHANNEL_ERR_ALREADY_JOINED",
        102: "JOIN_CHANNEL_ERR_USER_NOT_LOGGED_IN",
        202: "JOIN_CHANNEL_ERR_ALREADY_JOINED_CHANNEL_OF_SAME_ID",
    },
    "channel.leave": {
        1: "LEAVE_CHANNEL_ERR_FAILURE",
        3: "LEAVE_CHANNEL_ERR_NOT_IN_CHANNEL",
        102: "LEAVE_CHANNEL_ERR_USER_NOT_LOGGED_IN",
    },
    "channel.members": {
        1: "GET_MEMBERS_ERR_FAILURE",
        3: "GET_MEMBERS_ERR_TIMEOUT",
        5: "GET_MEMBERS_ERR_NOT_IN_CHANNEL",
        102: "GET_MEMBERS_ERR_USER_NOT_LOGGED_IN",
    },
    "channel.count": {
        1: "GET_CHANNEL_MEMBER_COUNT_ERR_FAILURE",
        2: "GET_CHANNEL_MEMBER_COUNT_ERR_INVALID_ARGUMENT",
        4: "GET_CHANNEL_MEMBER_COUNT_ERR_TIMEOUT",
        5: "GET_CHANNEL_MEMBER_COUNT_ERR_EXCEED_LIMIT",
        102: "GET_CHANNEL_MEMBER_COUNT_ERR_USER_NOT_LOGGED_IN",
    },
}

# The code of each operation that had no answer in time; the others have only their code 1.
TIMEOUTS = {"peer.send": 2, "channel.send": 2, "channel.join": 4, "channel.members": 3, "channel.count": 4}


class RtmError(Exception):
    """A call failed. `indefinite` says that it may have had its effect all the same."""

    def __init__(self, op, code, message, name=None, indefinite=False):
        self.op, self.code, self.indefinite = op, code, indefinite
        self.name = name or NAMES.get(op, {}).get(code, "UNKNOWN")
        super().__init__(f"{op}: {self.name} ({code}): {message}")


def refusal(op, frame):
    """Return the error that an error frame of the server stands for."""
    return RtmError(op, frame.get("code", 1), frame.get("message", ""), name=frame.get("name"))
