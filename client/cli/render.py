"""How events look to a person: lines of pieces, some of them coloured (pure).

Knows terminals' dangers; prints nothing. What other people chose (nicknames, texts) is cleaned.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from client.event import (
    NOTICES,
    Away,
    Back,
    Delivered,
    EpochChanged,
    Equivocation,
    Event,
    Joined,
    Left,
    Member,
    Message,
    Missing,
    NickChanged,
    Notice,
    Presence,
    State,
    StateChanged,
    Status,
    Superseded,
    Unconfirmed,
)

LINE_BREAK_MARK = "\u21b5"
# Of more members than that, the number says enough.
MAX_NAMED = 8

# Whole sequences go, not just their first character: what is left would be litter in the text.
# CSI, then the strings (DCS, SOS, OSC, PM, APC) that end, then any other escape.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[P\]X^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_BREAKS = re.compile(r"\r\n|[\n\r\v\f\x85\u2028\u2029]")
# ZERO WIDTH (NON-)JOINER: Persian, Indic scripts and emoji need them between their characters;
# elsewhere they would make two words look like one.
_JOINERS = "\u200c\u200d"
_INVISIBLE = ("Cc", "Cf", "Cs")

# From the 256 colours, those that stand out at 4:1 or better on black and on white alike.
_TAG_COLOURS = (131, 130, 64, 28, 29, 30, 31, 27, 63, 99, 97, 133, 164, 162, 132, 161)
_CUBE = (0, 95, 135, 175, 215, 255)


@dataclass(frozen=True)
class Piece:
    """A stretch of a line; ``colour`` is an index of the 256, None for the terminal's own."""

    text: str
    colour: int | None = None


def clean(text: str) -> str:
    """Return one line that cannot move the cursor, turn the text's direction or hide anything.

    Line breaks become a mark, so that no sender can begin a line of its own.
    """
    text = _BREAKS.sub(LINE_BREAK_MARK, _SEQUENCES.sub("", text)).replace("\t", " ")
    kept: list[str] = []
    for index, char in enumerate(text):
        if unicodedata.category(char) not in _INVISIBLE:
            kept.append(char)
        elif char in _JOINERS and kept and not kept[-1].isascii():
            following = text[index + 1 : index + 2]
            if following and _is_visible(following) and not following.isascii():
                kept.append(char)
    return "".join(kept)


def _is_visible(char: str) -> bool:
    return unicodedata.category(char) not in _INVISIBLE


def colour_of(tag: str) -> int:
    """Return a tag's colour, the same at every client and for as long as the tag lives."""
    return _TAG_COLOURS[int(tag, 16) % len(_TAG_COLOURS)]


def to_hex(colour: int) -> str:
    """Spell an index of the 6 x 6 x 6 cube (16 to 231) as ``#rrggbb``."""
    red, green, blue = (_CUBE[(colour - 16) // step % 6] for step in (36, 6, 1))
    return f"#{red:02x}{green:02x}{blue:02x}"


def to_ansi(pieces: Iterable[Piece], *, coloured: bool) -> str:
    """Join a line's pieces, with the escape sequences of their colours if ``coloured``."""
    if not coloured:
        return "".join(piece.text for piece in pieces)
    return "".join(
        piece.text if piece.colour is None else f"\x1b[38;5;{piece.colour}m{piece.text}\x1b[39m"
        for piece in pieces
    )


def name(tag: str, nick: str | None, *, me: bool = False, late: bool = False) -> list[Piece]:
    """Return who it is: the tag first, which nobody chooses, then the nickname."""
    shown = clean(nick or "").strip()
    words = ", ".join(word for word in (shown, "you" if me else "", "late" if late else "") if word)
    return [Piece(tag, colour_of(tag)), *([Piece(f" ({words})")] if words else [])]


def names(members: Iterable[tuple[str, str | None]]) -> list[Piece]:
    """Return several members, by tag and nickname, with commas between."""
    line: list[Piece] = []
    for tag, nick in members:
        line += [*([Piece(", ")] if line else []), *name(tag, nick)]
    return line


def said(
    tag: str, nick: str | None, text: str, *, me: bool = False, late: bool = False
) -> list[Piece]:
    """Return the line of a message."""
    return [*name(tag, nick, me=me, late=late), Piece(f": {clean(text)}")]


def notice(text: str) -> list[Piece]:
    """Return a line that is not anybody's: it begins with a star, where messages have a tag."""
    return [Piece(f"* {text}")]


def to_pieces(event: Event, now: float) -> list[Piece] | None:
    """Return the line that shows an event, None if it has none; ``now`` is monotonic seconds."""
    match event:
        case Message(sender=tag, nick=nick, text=text, late=late):
            return said(tag, nick, text, late=late)
        case Missing(sender=tag, nick=nick, count=count):
            lost = "a message" if count == 1 else f"{count} messages"
            return _about(tag, nick, f"sent {lost} that did not arrive")
        case Delivered():
            return None
        case Equivocation(sender=tag, nick=nick):
            return _about(tag, nick, "sent different messages as one; only the first was shown")
        case Unconfirmed(tags=tags):
            who = (
                [Piece(f"{len(tags)} of those who should be here have")]
                if len(tags) > MAX_NAMED
                else [*names((t, None) for t in tags), Piece(" has" if len(tags) == 1 else " have")]
            )
            return [Piece("* "), *who, Piece(" not been heard yet and may not be here at all")]
        case Superseded():
            return notice("another connection of yours took your seat; this one is over")
        case Joined(tag=tag, nick=nick):
            return _about(tag, nick, "joined")
        case Left(tag=tag, nick=nick):
            return _about(tag, nick, "left")
        case Away(tag=tag, nick=nick):
            return _about(tag, nick, "lost the connection; the seat is kept for a while")
        case Back(tag=tag, previous=previous, nick=nick):
            return _about(tag, nick, "is back" if tag == previous else f"is back, was {previous}")
        case NickChanged(tag=tag, nick=nick):
            return [Piece("* "), *name(tag, None), Piece(f" is now {clean(nick).strip()}")]
        case StateChanged(state=state):
            return notice(describe(state, now))
        case EpochChanged():
            return None
        case Notice(code=code, tag=who):
            about = [] if who is None else [*name(who, None), Piece(": ")]
            return [Piece("* "), *about, Piece(NOTICES.get(code, code))]
        case _ as unreachable:
            assert_never(unreachable)


def _about(tag: str, nick: str | None, what: str) -> list[Piece]:
    return [Piece("* "), *name(tag, nick), Piece(f" {what}")]


def describe(state: State, now: float) -> str:
    """Say how the connection stands, in the words that every client shows."""
    if state.status is Status.RECONNECTING and state.next_retry_at is not None:
        wait = max(0.0, state.next_retry_at - now)
        return f"reconnecting in {wait:.0f} s" if wait >= 0.5 else "reconnecting"
    return state.status.value


def roster(members: Iterable[Member]) -> list[list[Piece]]:
    """Return the lines of `/who`, ourselves first."""
    lines = []
    for member in sorted(members, key=lambda m: (not m.me, m.tag)):
        line = [Piece("*   "), *name(member.tag, member.nick, me=member.me)]
        if member.presence is not Presence.PRESENT:
            line.append(Piece(f" {member.presence.value}"))
        elif not (member.me or member.heard):
            line.append(Piece(" not heard yet"))
        elif member.silent:
            line.append(Piece(" silent"))
        lines.append(line)
    return lines
