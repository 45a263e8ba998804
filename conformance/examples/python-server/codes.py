"""The close codes and errors of PROTOCOL.md that this server gives (#close-codes, #error-codes)."""

CLOSE_NAMES = {
    1000: "normal", 1003: "unsupported_data", 1007: "bad_utf8", 1009: "too_big",
    4000: "slow_consumer", 4001: "silent", 4002: "internal", 4003: "login_timeout",
    4100: "draining", 4200: "remote_login", 4203: "superseded", 4204: "bad_frame",
}

ERROR_NAMES = {
    ("frame", 1): "FRAME_ERR_UNKNOWN_KIND",
    ("ping", 102): "PING_ERR_USER_NOT_LOGGED_IN",
    ("login", 3): "LOGIN_ERR_INVALID_ARGUMENT",
    ("login", 4): "LOGIN_ERR_INVALID_APP_ID",
    ("login", 8): "LOGIN_ERR_ALREADY_LOGIN",
    ("logout", 102): "LOGOUT_ERR_USER_NOT_LOGGED_IN",
    ("token.renew", 2): "RENEW_TOKEN_ERR_INVALID_ARGUMENT",
    ("token.renew", 102): "RENEW_TOKEN_ERR_USER_NOT_LOGGED_IN",
    ("peer.send", 2): "PEER_MESSAGE_ERR_TIMEOUT",
    ("peer.send", 6): "PEER_MESSAGE_ERR_INVALID_USERID",
    ("peer.send", 7): "PEER_MESSAGE_ERR_INVALID_MESSAGE",
    ("peer.send", 102): "PEER_MESSAGE_ERR_USER_NOT_LOGGED_IN",
    ("channel.send", 4): "CHANNEL_MESSAGE_ERR_INVALID_MESSAGE",
    ("channel.send", 5): "CHANNEL_MESSAGE_ERR_NOT_IN_CHANNEL",
    ("channel.send", 102): "CHANNEL_MESSAGE_ERR_USER_NOT_LOGGED_IN",
    ("channel.join", 3): "JOIN_CHANNEL_ERR_INVALID_ARGUMENT",
    ("channel.join", 5): "JOIN_CHANNEL_ERR_EXCEED_LIMIT",
    ("channel.join", 6): "JOIN_CHANNEL_ERR_ALREADY_JOINED",
    ("channel.join", 102): "JOIN_CHANNEL_ERR_USER_NOT_LOGGED_IN",
    ("channel.leave", 3): "LEAVE_CHANNEL_ERR_NOT_IN_CHANNEL",
    ("channel.leave", 102): "LEAVE_CHANNEL_ERR_USER_NOT_LOGGED_IN",
    ("channel.members", 5): "GET_MEMBERS_ERR_NOT_IN_CHANNEL",
    ("channel.members", 102): "GET_MEMBERS_ERR_USER_NOT_LOGGED_IN",
    ("channel.count", 2): "GET_CHANNEL_MEMBER_COUNT_ERR_INVALID_ARGUMENT",
    ("channel.count", 5): "GET_CHANNEL_MEMBER_COUNT_ERR_EXCEED_LIMIT",
    ("channel.count", 102): "GET_CHANNEL_MEMBER_COUNT_ERR_USER_NOT_LOGGED_IN",
}


class BadFrame(Exception):
    """A breach of #strictness: the connection is closed with 4204."""


class OperationError(Exception):
    """A request that is answered with an `error` frame."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message
