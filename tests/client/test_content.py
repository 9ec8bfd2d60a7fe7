"""Contents: one spelling each, and what is none (PROTOCOL 9, R21)."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import content
from client.content import Ask, Content, Nick, Other, Pulse, Repair, Text, Void
from client.errors import FrameError, UsageError
from client.mls import CONTENT_OVERHEAD

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/content.json").read_text())
KINDS = {kind.__name__.lower(): kind for kind in (Text, Nick, Void, Other, Pulse, Ask, Repair)}
COUNTERS = st.tuples(st.integers(0, 2**40), st.integers(1, 2**40))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=500)


def build(fields: dict[str, object]) -> Content | Other:
    values = dict(fields)
    kind = KINDS[str(values.pop("type"))]
    for name in ("received", "holes"):
        if name in values:
            values[name] = tuple(map(tuple, values[name]))  # type: ignore[call-overload]
    if "parts" in values:
        parts: list[tuple[int, str]] = values["parts"]  # type: ignore[assignment]
        values["parts"] = tuple((counter, bytes.fromhex(sealed)) for counter, sealed in parts)
    made: Content | Other = kind(**values)  # type: ignore[assignment,arg-type]
    return made


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_vectors(vector: dict[str, object]) -> None:
    data = bytes.fromhex(str(vector["hex"]))
    if "error" in vector:
        assert vector["error"] == FrameError.__name__
        with pytest.raises(FrameError):
            content.parse(data)
        return
    expected = build(vector["fields"])  # type: ignore[arg-type]
    assert content.parse(data) == expected
    if not isinstance(expected, Other):
        assert content.serialize(expected) == data


@given(COUNTERS, st.none() | st.sampled_from(["Ada", "\u00c5sa", "\u4e2d \U0001f600"]), TEXTS)
def test_what_is_said_is_read_as_it_was_said(
    numbers: tuple[int, int], nick: str | None, text: str
) -> None:
    base, more = numbers
    said = Text(base + more, base, nick, text)
    assert content.parse(content.serialize(said)) == said


@given(st.binary(max_size=300))
def test_any_bytes_are_a_content_or_a_frame_error(data: bytes) -> None:
    for candidate in (data, len(data).to_bytes(2, "big") + data):
        with contextlib.suppress(FrameError):
            content.parse(candidate)


@pytest.mark.parametrize("char", ["\x01", "\x7f", '"', "\u00e4", "\u4e2d", "\U0001f600"])
def test_r21_500_characters_always_fit_one_frame(char: str) -> None:
    longest = 2**53 - 1
    said = Text(longest, longest - 1, "\U0001f600" * 32, content.check_text(char * 500))
    assert len(content.serialize(said)) + CONTENT_OVERHEAD <= 4096


@pytest.mark.parametrize("text", ["x" * 501, "\ud800", "a\udfff"])
def test_r21_what_may_not_be_sent(text: str) -> None:
    with pytest.raises(UsageError):
        content.check_text(text)


@pytest.mark.parametrize("text", ["", " ", "x" * 500, "\U0001f600" * 500, "\x00\x1b[31m"])
def test_r21_what_may_be_sent_is_not_touched(text: str) -> None:
    assert content.check_text(text) == text


@pytest.mark.parametrize(
    "nick", ["", " a", "a ", "a\n", "\x1b", "a\u202e", "\u200b", "\u2028", "\ud800", "n" * 33]
)
def test_nicknames_that_could_deceive_are_refused(nick: str) -> None:
    with pytest.raises(UsageError):
        content.check_nick(nick)


@pytest.mark.parametrize("nick", ["a", "Ada Lovelace", "\u00c5sa", "\u4e2d\u6587", "n" * 32])
def test_nicknames_of_all_scripts(nick: str) -> None:
    assert content.check_nick(nick) == nick
