"""JSON of a stranger in one reading: no second meaning, and no more work than its length.

Knows JSON, a length and a depth; never what a message is.
"""

import json
import re
from typing import NoReturn

from relay.errors import MessageError

# A string that does not end goes to the end: looking for its end anew from each quote inside of it
# would cost 4,096 bytes of quotes 50 ms.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?')
_BRACKET = re.compile(rb"[\[\]{}]")


def read_json(data: bytes, max_bytes: int, max_depth: int) -> object:
    """Read ASCII of so many bytes and brackets in each other; raise MessageError for all else."""
    if len(data) > max_bytes or not data.isascii() or _is_too_deep(data, max_depth):
        raise MessageError
    try:
        # Not as bytes: in those json would look for UTF-16 as well, where a quote can hide from the
        # count above.
        value: object = json.loads(
            data.decode(), object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant
        )
        # A lone surrogate has an escape in ASCII but no UTF-8.
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError as exc:
        raise MessageError from exc
    return value


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MessageError
    return value


def _refuse_constant(_: str) -> NoReturn:
    raise MessageError


def _is_too_deep(data: bytes, max_depth: int) -> bool:
    """Count brackets outside strings, before the parser recurses into them."""
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", data)):
        depth += 1 if bracket in b"[{" else -1
        if depth > max_depth:
            return True
    return False
