"""The command line: what may be typed, and the frozen command that comes of it.

Knows options, environment names and where a link may come from; opens no connection.
"""

import argparse
import getpass
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from client.cli.exits import TABLE
from client.content import check_nick, check_text
from client.errors import LinkError, UsageError
from client.link import Link, create_link, parse_link
from client.words import normalise

DEFAULT_RELAY = "http://127.0.0.1:8000"
# A file of one link is short; anything longer is the wrong file.
_MAX_LINK_FILE_CHARS = 4096

_ABOUT_LINKS = """\
Where the link comes from: LINK, else --link-file FILE, else BEACON_LINK, else a prompt.
Whoever has the link can enter, and other users of this machine can read a command line
(with ps): prefer BEACON_LINK or --link-file to writing LINK out.
"""


@dataclass(frozen=True)
class New:
    """`beacon new`: ``link`` is the fresh one."""

    link: Link = field(repr=False)


@dataclass(frozen=True)
class Join:
    """`beacon join`."""

    link: Link = field(repr=False)
    expect_words: tuple[str, ...] | None
    nick: str | None


@dataclass(frozen=True)
class Send:
    """`beacon send`; without ``text``, the lines of standard input."""

    link: Link = field(repr=False)
    expect_words: tuple[str, ...] | None
    text: str | None = field(repr=False)
    wait: bool


@dataclass(frozen=True)
class Tail:
    """`beacon tail`; ``count`` of messages and ``timeout_s`` are None where there is no end."""

    link: Link = field(repr=False)
    expect_words: tuple[str, ...] | None
    as_json: bool
    count: int | None
    timeout_s: float | None


Command = New | Join | Send | Tail


def parse(
    argv: Sequence[str], environ: Mapping[str, str], ask: Callable[[], str | None]
) -> Command:
    """Read a command line; ``ask`` prompts for a link, or returns None where nobody can answer.

    Raises UsageError. What argparse itself refuses, and --help, end the process as usual.
    """
    top = _top()
    if not argv:
        top.error(f"which command? {', '.join(_PARSERS)}; see --help")
    # No subparsers: those cannot take options between positional arguments.
    name, rest, texts = top.parse_args(argv[:1]).command, list(argv[1:]), []
    if name == "send" and "--" in rest:
        # argparse forgets about "--" where options may stand between the others.
        cut = rest.index("--")
        rest, texts = rest[:cut], rest[cut + 1 :]
    options = _PARSERS[name]().parse_intermixed_args(rest)
    if name == "new":
        relay = options.relay or environ.get("BEACON_RELAY") or DEFAULT_RELAY
        return New(create_link(relay, insecure_relay=options.insecure_relay))
    # All that can be wrong without the link is said before anybody is asked for it.
    words = None if options.expect_words is None else normalise(options.expect_words)
    match name:
        case "join":
            nick = None if options.nick is None else check_nick(options.nick)
            return Join(_link(options, environ, ask), words, nick)
        case "send":
            link_text, text = _split(options.words + texts, options, environ)
            options.link = link_text
            text = None if text in (None, "-") else _check_argument(text)
            return Send(_link(options, environ, ask), words, text, not options.no_wait)
        case _:
            link = _link(options, environ, ask)
            return Tail(link, words, options.json, options.count, options.timeout)


def prompt_for_link() -> str | None:
    """Ask the person at the terminal, without an echo; None where there is no terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return None
    os.close(terminal)
    try:
        return getpass.getpass("Link (it is not shown): ")
    except EOFError:
        return None


def _split(
    words: list[str], options: argparse.Namespace, environ: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """Tell LINK from TEXT among what was typed after `send`."""
    elsewhere = bool(options.link_file or environ.get("BEACON_LINK"))
    match words:
        case []:
            return None, None
        case [link, text]:
            return link, text
        case [one] if elsewhere and _looks_like_link(one):
            # Sending a link into another room by mistake would open the one to the other.
            raise UsageError(
                "two links: to send into the second, write `beacon send LINK -`;"
                " to send it as a text, pipe it in"
            )
        case [one] if elsewhere or not _looks_like_link(one):
            return None, one
        case [one]:
            return one, None
        case _:
            raise UsageError("one text at a time: put quotes around it")


def _looks_like_link(text: str) -> bool:
    return text.startswith(("http://", "https://")) and "#" in text


def _check_argument(text: str) -> str:
    try:
        return check_text(text)
    except UsageError as exc:
        raise UsageError(f"the text cannot be sent: {exc}") from exc


def _link(
    options: argparse.Namespace, environ: Mapping[str, str], ask: Callable[[], str | None]
) -> Link:
    if options.link is not None and options.link_file is not None:
        raise UsageError("a link and --link-file: which of the two?")
    text: str | None = options.link
    if text is None and options.link_file is not None:
        text = _read_link_file(Path(options.link_file))
    text = text or environ.get("BEACON_LINK") or ask()
    if not text:
        raise LinkError("no link: give LINK, --link-file FILE or BEACON_LINK")
    return parse_link(text, insecure_relay=options.insecure_relay)


def _read_link_file(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            text = file.read(_MAX_LINK_FILE_CHARS).strip()
    except OSError as exc:
        raise UsageError(f"--link-file: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise LinkError("--link-file: there is no link in it") from exc
    if not text:
        raise LinkError("--link-file: the file is empty")
    return text


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return count


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError
    return seconds


# argparse puts the name of the function into "invalid ... value".
_count.__name__ = "count"
_seconds.__name__ = "number of seconds"


def _top() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="beacon",
        usage="beacon [-h] [--version] COMMAND ...",
        description="End-to-end encrypted, anonymous, ephemeral rooms.",
        epilog="commands:\n"
        "  new     print a fresh link\n"
        "  join    enter a room and talk\n"
        "  send    send a text, or lines from a pipe\n"
        "  tail    print messages as they come\n\n"
        "`beacon COMMAND --help` says more of each.\n\n" + TABLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"beacon {_version()}")
    parser.add_argument("command", metavar="COMMAND", choices=tuple(_PARSERS), help="see below")
    return parser


def _version() -> str:
    try:
        return metadata.version("beacon-relay")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _parser(command: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"beacon {command}",
        description=description,
        epilog=f"{epilog}\n{TABLE}" if epilog else TABLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--insecure-relay",
        action="store_true",
        help="allow plain http beyond this machine: whoever carries the bytes sees who speaks when",
    )
    return parser


def _room_parser(
    command: str, description: str, *, positional_link: bool = True
) -> argparse.ArgumentParser:
    parser = _parser(command, description, _ABOUT_LINKS)
    if positional_link:
        parser.add_argument("link", metavar="LINK", nargs="?", help="the room's link (see below)")
    parser.add_argument("--link-file", metavar="FILE", help="read the link from a file")
    parser.add_argument(
        "--expect-words",
        metavar='"SIX WORDS"',
        help="enter only if the room has these verification words, read out by a member",
    )
    return parser


def _new() -> argparse.ArgumentParser:
    parser = _parser("new", "Print a fresh link. No relay is asked: the room begins when entered.")
    parser.add_argument(
        "--relay", metavar="URL", help=f"default: BEACON_RELAY, else {DEFAULT_RELAY}"
    )
    return parser


def _join() -> argparse.ArgumentParser:
    parser = _room_parser("join", "Enter a room and talk. Inside, /help says what can be typed.")
    parser.add_argument("--nick", metavar="NAME", help="a nickname, told to the room's members")
    return parser


def _send() -> argparse.ArgumentParser:
    parser = _room_parser(
        "send",
        "Send TEXT, or each line of standard input (with - or without TEXT), and leave when all\n"
        "who are here have it, at most 8 s after the relay has ordered the last. Lines are sent\n"
        "as they are; an empty line is a message.",
        positional_link=False,
    )
    parser.add_argument(
        "words", metavar="LINK [TEXT | -]", nargs="*", help="LINK may come from elsewhere"
    )
    parser.add_argument(
        "--no-wait",
        action="store_true",
        help="leave as soon as the relay has ordered all, without waiting for receipts",
    )
    return parser


def _tail() -> argparse.ArgumentParser:
    parser = _room_parser("tail", "Print messages as they come.")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, every event")
    parser.add_argument(
        "--count", metavar="N", type=_count, help="end after N messages", default=None
    )
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=_seconds,
        help="end after S seconds: with code 6 if --count is not reached, else with 0",
    )
    return parser


_PARSERS = {"new": _new, "join": _join, "send": _send, "tail": _tail}
