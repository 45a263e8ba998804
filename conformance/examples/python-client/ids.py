"""User and channel ids."""

import re

_alphabet = re.compile(r"[A-Za-z0-9 !#$%&()+\-:;<=.>?@\[\]^_{}|~,]+")


def is_id(value, limits):
    return (isinstance(value, str) and _alphabet.fullmatch(value) is not None
            and len(value) <= limits["id_bytes"] and value != "null")
