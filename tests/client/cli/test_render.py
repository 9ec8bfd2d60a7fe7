"""How events look to people, whatever others put into them."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from client.cli.render import (
    _TAG_COLOURS,
    LINE_BREAK_MARK,
    Piece,
    clean,
    colour_of,
    describe,
    name,
    roster,
    to_ansi,
    to_hex,
    to_pieces,
)
from client.event import (
    Event,
    Member,
    Message,
    Presence,
    State,
    Status,
)
from client.link import Tag
from tests.client.cli.events import ALL, ANN, HOSTILE, PLACE


@pytest.mark.parametrize(("event", "line"), [(e, line) for e, line, _ in ALL], ids=repr)
def test_line_of_each_event(event: Event, line: str | None) -> None:
    pieces = to_pieces(event, 100.0)
    assert (None if pieces is None else to_ansi(pieces, coloured=False)) == line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \u00e9 \u65e5\u672c \U0001f600", "plain \u00e9 \u65e5\u672c \U0001f600"),
        ("  spaces  stay  ", "  spaces  stay  "),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x9d0;title\x9ctext", "text"),
        ("\x1bPq#0\x1b\\after", "after"),
        ("\x1b(Bx\x1b7y\x1bcz", "xyz"),
        ("\x1b\x1b[31m[32mx", "[32mx"),
        ("never ended \x1b]0;words", "never ended 0;words"),
        ("a\x00b\x07c\x08d\x7fe\x85f", "abcde\u21b5f"),
        (
            "one\ntwo\r\nthree\rfour\u2028five\u2029six",
            "one\u21b5two\u21b5three\u21b5four\u21b5five\u21b5six",
        ),
        ("fine\n0x3f8a: forged", "fine\u21b50x3f8a: forged"),
        ("a\tb", "a b"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\u2066iso\u2069 \u200emark\u200f", "iso mark"),
        ("zero\u200bwidth\ufeff\u2060\u00ad", "zerowidth"),
        ("pay\u200dpal \u200c", "paypal "),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
        ("\u00e9\u200d\u202e", "\u00e9"),
        ("\u00e9\u200d", "\u00e9"),
        ("\ud800", ""),
        ("\U000e0041", ""),
    ],
    ids=ascii,
)
def test_cleaned_text(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(HOSTILE)
@example("\x1b\x1b]\x1b[m\x07")
def test_nothing_that_a_terminal_acts_on_is_left(text: str) -> None:
    shown = clean(text)
    kept = [char for char in shown if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert set(kept) <= {"\u200c", "\u200d"}
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    for one, other in pairwise(shown):
        if other in "\u200c\u200d":
            assert not one.isascii()


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))))
def test_text_without_controls_is_shown_as_it_is(text: str) -> None:
    assert clean(text) == text


@given(st.none() | HOSTILE, HOSTILE)
def test_a_line_begins_with_its_senders_tag_whatever_they_chose(
    nick: str | None, text: str
) -> None:
    pieces = to_pieces(Message(ANN, nick, text, *PLACE), 0.0)
    assert pieces is not None
    line = to_ansi(pieces, coloured=False)
    assert line.startswith(("0x3f8a: ", "0x3f8a ("))
    assert len(line.splitlines()) == 1


def test_nickname_of_nothing_visible_is_none() -> None:
    assert to_ansi(name(ANN, "\u202e \u200b"), coloured=False) == "0x3f8a"
    assert to_ansi(name(ANN, "ann", me=True), coloured=False) == "0x3f8a (ann, you)"


def test_roster_has_us_first_and_says_who_is_not_quite_here() -> None:
    members = [
        Member(Tag("0x0001"), "bob", Presence.PRESENT, me=False, heard=True),
        Member(Tag("0x0002"), None, Presence.AWAY, me=False, heard=True),
        Member(Tag("0x0003"), None, Presence.PRESENT, me=False, heard=False),
        Member(Tag("0x0004"), None, Presence.PRESENT, me=True, heard=True),
        Member(Tag("0x0005"), None, Presence.PRESENT, me=False, heard=True, silent=True),
        Member(Tag("0x0006"), None, Presence.AWAY, me=False, heard=True, silent=True),
    ]
    assert [to_ansi(line, coloured=False) for line in roster(members)] == [
        "*   0x0004 (you)",
        "*   0x0001 (bob)",
        "*   0x0002 away",
        "*   0x0003 not heard yet",
        "*   0x0005 silent",
        "*   0x0006 away",
    ]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (State(Status.CONNECTING), "connecting"),
        (State(Status.CONNECTED), "connected"),
        (State(Status.RECONNECTING, None), "reconnecting"),
        (State(Status.RECONNECTING, 9.0), "reconnecting"),
        (State(Status.RECONNECTING, 10.2), "reconnecting"),
        (State(Status.RECONNECTING, 12.6), "reconnecting in 3 s"),
        (State(Status.CLOSED), "closed"),
    ],
)
def test_state_in_words(state: State, said: str) -> None:
    assert describe(state, 10.0) == said


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", _TAG_COLOURS)
def test_colour_of_a_tag_can_be_read_on_black_and_on_white(colour: int) -> None:
    light = luminance(to_hex(colour))
    assert (light + 0.05) / 0.05 >= 4
    assert 1.05 / (light + 0.05) >= 4


def test_colour_of_a_tag_is_steady_and_only_where_wanted() -> None:
    # A change of the list changes everybody's colour: that is worth noticing.
    assert colour_of("0x3f8a") == 97
    assert len({colour_of(f"0x{i:04x}") for i in range(64)}) == len(_TAG_COLOURS)
    pieces = [Piece("0x3f8a", 31), Piece(": hi")]
    assert to_ansi(pieces, coloured=True) == "\x1b[38;5;31m0x3f8a\x1b[39m: hi"
    assert to_ansi(pieces, coloured=False) == "0x3f8a: hi"
    assert to_hex(16) == "#000000"
    assert to_hex(231) == "#ffffff"
    assert LINE_BREAK_MARK == "\u21b5"
