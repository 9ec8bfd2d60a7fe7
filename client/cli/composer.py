"""What a typed line means in `beacon join` (pure).

Knows the commands and the limits on what may be said; knows neither room nor terminal.
"""

from dataclasses import dataclass

from client.content import check_nick, check_text
from client.errors import UsageError

HELP = (
    "/who          who is here",
    "/verify       six words that all here must have alike: compare them by voice",
    "/verify TAG   two words by which all here know that member's key",
    "/nick NAME    take a nickname; only the room's members learn it",
    "/send, /drop  say or forget what was held back because somebody joined meanwhile",
    "/quit         leave (also Ctrl-D); nothing stays behind",
    "//text        say something that begins with a slash",
    "Each line is a message, and so is each line of what you paste, once you press Enter.",
    "Ctrl-C clears the line, and leaves when it is empty.",
)


@dataclass(frozen=True)
class Say:
    """Texts to be sent, in this order."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Rename:
    """`/nick`."""

    nick: str


@dataclass(frozen=True)
class Who:
    """`/who`."""


@dataclass(frozen=True)
class Verify:
    """`/verify`, of the room or of one member."""

    tag: str | None = None


@dataclass(frozen=True)
class SendHeld:
    """`/send`."""


@dataclass(frozen=True)
class DropHeld:
    """`/drop`."""


@dataclass(frozen=True)
class Help:
    """`/help`."""


@dataclass(frozen=True)
class Quit:
    """`/quit`."""


Order = Say | Rename | Who | Verify | SendHeld | DropHeld | Help | Quit
_BARE: dict[str, Order] = {
    "/who": Who(),
    "/verify": Verify(),
    "/send": SendHeld(),
    "/drop": DropHeld(),
    "/help": Help(),
    "/quit": Quit(),
}


def read(typed: str) -> Order | None:
    """Return what a typed or pasted text asks for, None if nothing; raise UsageError."""
    if not typed.strip():
        return None
    lines = typed.split("\n")
    if len(lines) > 1:
        # A paste: paths and comments in it may begin with a slash, so nothing is a command.
        return Say(tuple(_check_line(line, number) for number, line in enumerate(lines, 1)))
    if typed.startswith("//"):
        return Say((check_text(typed[1:]),))
    if typed.startswith("/"):
        return _read_command(typed)
    return Say((check_text(typed),))


def _check_line(line: str, number: int) -> str:
    try:
        return check_text(line)
    except UsageError as exc:
        raise UsageError(f"line {number}: {exc}") from exc


def _read_command(typed: str) -> Order:
    word, _, rest = typed.strip().partition(" ")
    if word == "/nick":
        return Rename(check_nick(rest.strip()))
    if word == "/verify" and rest:
        return Verify(rest.strip())
    order = _BARE.get(word)
    if order is None or rest:
        raise UsageError("no such command: see /help; to say it, begin with //")
    return order
