"""Any bytes -> a content or FrameError; serialize(parse(x)) == x for every type that we know."""

import unicodedata

from client import content
from client.content import Ask, Nick, Other, Pulse, Repair, Text, Void
from client.errors import FrameError, UsageError


def run(data: bytes) -> None:
    try:
        said = content.parse(data)
    except FrameError:
        return
    assert 0 <= said.base <= said.counter < 2**53
    if isinstance(said, Text | Nick | Void | Other):
        assert said.base < said.counter, "a counted content comes after its base"
        assert len(content.digest(said)) in (0, 32)
    if isinstance(said, Other):
        assert len(data) <= 2 + 65535, "as long as its head"
        return
    assert content.serialize(said) == data, "another spelling"
    nick = getattr(said, "nick", None)
    if nick is not None:
        _check_nick(nick)
    match said:
        case Text(text=text):
            assert content.check_text(text) == text
            # What passed here is shown to people, and sent again in repairs: it must have UTF-8.
            text.encode()
        case Pulse(received=rows):
            assert len(rows) <= content.MAX_ENTRIES
            assert [leaf for leaf, _, _ in rows] == sorted({leaf for leaf, _, _ in rows})
        case Ask(holes=rows):
            assert len(rows) <= content.MAX_ENTRIES
            assert all(1 <= first <= last for _, first, last in rows)
        case Repair(parts=parts):
            assert len(parts) <= content.MAX_PARTS
            counters = [counter for counter, _ in parts]
            assert counters == sorted(set(counters))


def _check_nick(nick: str) -> None:
    try:
        assert content.check_nick(nick) == nick
    except UsageError as error:
        raise AssertionError("a nickname that nobody may take") from error
    assert 1 <= len(nick) <= 32
    assert not any(unicodedata.category(char)[0] == "C" for char in nick if not _is_open(char))


def _is_open(char: str) -> bool:
    """Unassigned and private characters are no control characters."""
    return unicodedata.category(char) in ("Cn", "Co")
