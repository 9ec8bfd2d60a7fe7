"""Faults for harnesses to find: what a parser or machine would do if it were worse than it is.

Each is put in the product's place for the time of one test; a harness that does not notice one is
worth nothing.
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from client import content, link, seal
from client import wire as client_wire
from client.errors import AuthenticationError, CommitRefusedError, FrameError, LinkError
from client.mls import following, framing, groupinfo, inspection, policy, private, tree
from client.mls.codec import Reader
from client.mls.secrettree import SecretTree
from client.room import Room
from client.stay import Stay
from relay import forwarded, frame, head, library, proof, seat, tickets, wire
from relay.errors import AuthenticationError as RelayAuthenticationError
from relay.errors import FrameError as RelayFrameError
from relay.errors import HeadError, MessageError
from relay.fanout import RoomChannel
from relay.limits import Bucket
from relay.ring import Ring
from relay.websocket import Socket

# Put a value in the place of an attribute: pytest's monkeypatch.setattr.
Put = Callable[[object, str, object], None]
Sabotage = Callable[[Put], None]


def raising(owner: object, name: str, declared: type[Exception]) -> Sabotage:
    """Raise another exception where the declared one belongs."""

    def put(set_: Put) -> None:
        former = getattr(owner, name)

        @functools.wraps(former)
        def worse(*of: Any, **named: Any) -> object:
            try:
                return former(*of, **named)
            except declared as exc:
                raise LookupError from exc

        set_(owner, name, worse)

    return put


def lenient(owner: object, name: str, declared: type[Exception]) -> Sabotage:
    """Take a message in other spellings too: with a byte more, or with a bit of its kind set."""

    def put(set_: Put) -> None:
        former = getattr(owner, name)

        def worse(data: Any, *of: Any, **named: Any) -> object:
            for other in (data, *_respelt(data)):
                try:
                    return former(other, *of, **named)
                except declared:
                    continue
            raise declared(*_reasons(declared))

        set_(owner, name, worse)

    return put


def _respelt(data: Any) -> Iterator[Any]:
    if data:
        yield data[:-1]
        yield data[1:]
        yield data.strip()
        if isinstance(data, bytes):
            yield bytes((data[0] & 0x3F,)) + data[1:]
            yield data.replace(b"\n", b"\r\n")


def _reasons(declared: type[Exception]) -> tuple[object, ...]:
    if issubclass(declared, HeadError):
        return (400,)
    return ("refused",) if issubclass(declared, FrameError | LinkError) else ()


def _put(owner: object, name: str, value: object) -> Sabotage:
    return lambda set_: set_(owner, name, value)


def _long_lengths(set_: Put) -> None:
    """Read lengths that are not in their shortest form."""

    def worse(reader: Reader) -> int:
        first = reader.u8()
        if first >> 6 == 3:
            raise FrameError("no such length form")
        value = first & 0x3F
        for _ in range((1 << (first >> 6)) - 1):
            value = value << 8 | reader.u8()
        return value

    set_(Reader, "length", worse)


def _index_errors(set_: Put) -> None:
    """Read beyond the end as the language does."""

    def worse(reader: Reader) -> int:
        reader.at += 1
        return reader._data[reader.at - 1]

    set_(Reader, "u8", worse)


def _reserved_bits(set_: Put) -> None:
    former = frame.Scanner.scan

    def worse(scanner: frame.Scanner, data: bytes, at: int, now: float) -> int:
        if len(data) > at:
            data = data[:at] + bytes((data[at] & 0x8F,)) + data[at + 1 :]
        return former(scanner, data, at, now)

    set_(frame.Scanner, "scan", worse)


def _any_key(set_: Put) -> None:
    former = tickets.Tickets._open

    def worse(self: tickets.Tickets, token: str, layout: Any) -> Any:
        return former(tickets.Tickets(bytes(range(32))), token, layout)

    set_(tickets.Tickets, "_open", worse)


def _forgetful(set_: Put) -> None:
    former = Socket.data_received

    def worse(socket: Socket, data: bytes) -> None:
        former(socket, data)
        socket._held.clear()

    set_(Socket, "data_received", worse)


def _twice(set_: Put) -> None:
    former = RoomChannel.publish

    def worse(channel: RoomChannel, message: bytes, *of: Any) -> None:
        former(channel, message, *of)
        if message[0] == wire.FRAME:
            former(channel, message, *of)

    set_(RoomChannel, "publish", worse)


def _short_replays(set_: Put) -> None:
    former = Ring.since

    def worse(ring: Ring, seq: int) -> Any:
        # As many as there should be, and not those.
        kept = former(ring, seq)
        return kept[1:] + kept[-1:]

    set_(Ring, "since", worse)


def _second_thoughts(set_: Put) -> None:
    """Refuse a commit as one member, and not as the others."""
    former = following._check_path

    def worse(epoch: Any, *of: Any) -> Any:
        if epoch.me == 3:
            raise CommitRefusedError("a matter of taste")
        return former(epoch, *of)

    set_(following, "_check_path", worse)


def _careless(set_: Put) -> None:
    """Change the keys of an epoch while a commit is still judged."""
    former = following.check

    def worse(epoch: Any, *of: Any) -> Any:
        epoch.privates.popitem()
        return former(epoch, *of)

    set_(following, "check", worse)


def _echoes(set_: Put) -> None:
    former = content.parse

    def worse(data: bytes) -> Any:
        said = former(data)
        if isinstance(said, content.Text):
            return content.Text(said.counter, said.base, said.nick, said.text + "!")
        return said

    set_(content, "parse", worse)


def _shortest(padded: bytes) -> bytes:
    return padded[4 : 4 + int.from_bytes(padded[:4], "big")]


def _never(*_: object) -> float:
    return 0.0


def _nothing(*_: object, **__: object) -> None:
    return None


def _from_left(items: Iterable[bytes]) -> Iterator[bytes]:
    return iter(items)


SABOTAGES: dict[str, dict[str, Sabotage]] = {
    "relay_frame": {
        "raises": raising(frame.Scanner, "_judge", RelayFrameError),
        "reserved bits": _reserved_bits,
        "no budget": _put(Bucket, "take", _never),
    },
    "relay_text": {
        "raises": raising(wire, "parse_text", MessageError),
        "lenient": lenient(wire, "parse_text", MessageError),
    },
    "relay_binary": {
        "raises": raising(wire, "parse_binary", MessageError),
        "lenient": lenient(wire, "parse_binary", MessageError),
    },
    "relay_head": {
        "raises": raising(head, "parse", HeadError),
        "lenient": lenient(head, "parse", HeadError),
        "hop's own": _put(head, "_HOP", frozenset()),
    },
    "relay_ticket": {
        "raises": raising(tickets.Tickets, "open_ticket", RelayAuthenticationError),
        "any key": _any_key,
    },
    "relay_proof": {
        "raises": raising(proof, "verify", RelayAuthenticationError),
        "unsigned": _put(proof, "crypto_sign_open", _nothing),
    },
    "relay_forwarded": {
        "raises": _put(forwarded, "_read_address", forwarded.ipaddress.ip_address),
        "from the left": lambda put: put(forwarded.Proxies, "client", _leftmost),
    },
    "relay_socket": {
        "raises": _put(library.Uncommon, "take", None),
        "forgets": _forgetful,
    },
    "relay_room": {
        "raises": _put(seat.Seats, "confirm", None),
        "seats stay": _put(seat.Seats, "free", lambda *_: True),
        "twice": _twice,
        "short replays": _short_replays,
    },
    "client_text": {
        "raises": raising(client_wire, "parse_text", FrameError),
        "lenient": lenient(client_wire, "parse_text", FrameError),
    },
    "client_binary": {
        "raises": raising(client_wire, "parse_binary", FrameError),
        "lenient": lenient(client_wire, "parse_binary", FrameError),
    },
    "client_content": {
        "raises": raising(content, "parse", FrameError),
        "lenient": lenient(content, "parse", FrameError),
    },
    "client_link": {
        "raises": raising(link, "parse_link", LinkError),
        "any host": _put(link, "_HOST", re.compile(".+")),
    },
    "client_seal": {
        "raises": raising(seal, "unseal", AuthenticationError),
        "any padding": _put(seal, "_unpad", _shortest),
    },
    "client_room": {
        "raises": raising(client_wire, "parse_text", FrameError),
        "says more": _echoes,
        "never done": _put(Room, "deadline", lambda room, now: now),
        "malformed": _put(client_wire, "BYE", '{"type": "bye"}'),
        "keeps keys": _put(Stay, "forget", _nothing),
    },
    "mls_inspect": {
        "raises": raising(inspection, "read_group_info", FrameError),
        "believes": _put(inspection, "need", _nothing),
    },
    "mls_follow": {
        "raises": raising(following, "check", CommitRefusedError),
        "taste": _second_thoughts,
        "careless": _careless,
    },
    "mls_open": {
        "raises": raising(private, "read_private", FrameError),
        "again": _put(SecretTree, "commit", _nothing),
        "any padding": lambda put: put(private, "any", _nothing),
    },
    "mls_codec": {"raises": _index_errors, "long lengths": _long_lengths},
    "mls_commit": {
        "raises": raising(framing, "read_public_commit", FrameError),
        "lenient": lenient(framing, "read_public_commit", FrameError),
        "long lengths": _long_lengths,
    },
    "mls_group_info": {
        "raises": raising(groupinfo, "read_group_info", FrameError),
        "lenient": lenient(groupinfo, "read_group_info", FrameError),
        "long lengths": _long_lengths,
    },
    "mls_private": {
        "raises": raising(private, "read_private", FrameError),
        "lenient": lenient(private, "read_private", FrameError),
        "long lengths": _long_lengths,
    },
    "mls_leaf": {
        "raises": raising(tree, "read_leaf", FrameError),
        "long lengths": _long_lengths,
        "any tag": _put(policy, "_TAG", re.compile(rb"[^\0]+")),
    },
    "mls_path": {
        "raises": raising(framing, "read_path", FrameError),
        "long lengths": _long_lengths,
    },
    "mls_proposal": {
        "raises": raising(framing, "read_proposal", FrameError),
        "long lengths": _long_lengths,
    },
    "mls_tree": {
        "raises": raising(policy, "check_tree", CommitRefusedError),
        "long lengths": _long_lengths,
        "stale hashes": lambda put: put(tree, "direct_path", _no_path),
    },
}


def _no_path(*_: object) -> list[int]:
    return []


def _leftmost(proxies: forwarded.Proxies, peer: str, fields: Any) -> str:
    hops = b",".join(value for _, value in fields).split(b",")
    address = proxies._read_hop(hops[0].decode("latin-1").strip())
    return peer if address is None else str(address)
