"""Whose rooms the stages are played with: Python's, JavaScript's, or both in one conversation.

`traced` notes all that rooms do, but for what chance makes of it: the same scenario has the same
trace, whoever's the rooms are.
"""

import contextlib
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from client.effect import Effect, Emit, Finish, Reconnect, Send, Settle
from client.errors import ClientError
from client.link import Link
from client.room import Room
from tests import node
from tests.node_room import NodeRoom

KINDS = ("python", "javascript", "mixed")
_INPUTS = ("connected", "lost", "received", "say", "rename", "tick", "leave")
Draw = Callable[[int], bytes]
Trace = list[str]


class _Maker:
    """Makes rooms of one kind; of the mixed one every second is JavaScript's."""

    def __init__(self, kind: str, first: int = 0, trace: Trace | None = None) -> None:
        assert kind in KINDS, f"BEACON_ROOMS is one of {KINDS}, not {kind!r}"
        self.kind = kind
        self._numbers = itertools.count(first)
        self._trace = trace

    def make(self, link: Link, draw: Draw, **options: object) -> Room:
        number = next(self._numbers)
        is_python = self.kind == "python" or (self.kind == "mixed" and number % 2 == 0)
        cls = Room if is_python else NodeRoom
        if is_python and self._trace is not None:
            draw = _as_node_draws(draw(16))
        room: Any = cls(link, draw, **options)  # type: ignore[arg-type]
        if self._trace is not None:
            for name in _INPUTS:
                setattr(room, name, _noted(room, name, number, self._trace))
        return room  # type: ignore[no-any-return]


_maker = _Maker(os.environ.get("BEACON_ROOMS", "python"))


def make(link: Link, draw: Draw, **options: object) -> Room:
    """Make a room of the kind that is in use."""
    return _maker.make(link, draw, **options)


@contextlib.contextmanager
def using(kind: str, first: int = 0, trace: Trace | None = None) -> Iterator[None]:
    """Let rooms be of a kind, of the mixed one ``first`` (0 or 1) JavaScript's; note a trace."""
    global _maker
    before, _maker = _maker, _Maker(kind, first, trace)
    try:
        yield
    finally:
        _maker = before


def seed(seed: str) -> None:
    """Draw what JavaScript draws from a seed, if its rooms are in use."""
    if _maker.kind != "python":
        node.node().seed(seed)


def _as_node_draws(seed: bytes) -> Draw:
    """Draw as tests/static/bridge.js does."""
    count = itertools.count()
    return lambda length: hashlib.shake_256(f"{seed.hex()} {next(count)}".encode()).digest(length)


def _noted(room: Any, name: str, number: int, trace: Trace) -> Callable[..., Any]:
    put = getattr(room, name)

    def noting(*args: Any, **options: Any) -> Any:
        now = args[-1]
        head = f"{now:.6f} {number} {name}"
        try:
            result = put(*args, **options)
        except ClientError as exc:
            trace.append(f"{head} {_spelt(exc)}")
            raise
        effects = result[1] if name == "say" else result
        trace.extend(f"{head} {_spelt(effect)}" for effect in effects)
        deadline = room.deadline(now)
        trace.append(
            f"{head} {room.phase.name} {room.tag} {room.life} {room.first} {room.fence}"
            f" {room.outstanding} {deadline if deadline is None else f'{deadline:.6f}'}"
        )
        if any(isinstance(effect, Emit) for effect in effects):
            trace.extend(f"{head} {member}" for member in room.members)
        return result

    return noting


def _spelt(effect: Effect | ClientError) -> str:
    """Spell an effect without what is drawn by chance."""
    match effect:
        case Send(data=str(data)):
            fields = json.loads(data)
            return f"send {[(k, v) for k, v in fields.items() if k not in ('signature', 'access')]}"
        case Send(data=bytes(data)):
            # Kind, reference and fence, for a commit its length too; the rest is sealed.
            return f"send {data[: 21 if data[0] == 2 else 17].hex()} of {len(data)}"
        case Emit(event=event):
            return str(event)
        case Settle(reference=reference, outcome=outcome):
            told = outcome if isinstance(outcome, int) else _spelt(outcome)
            return f"settle {reference.hex()} {told}"
        case Reconnect(after_s=after_s):
            return f"reconnect {after_s if after_s is None else float(after_s)}"
        case Finish(error=error):
            return f"finish {_spelt(error)}"
        case ClientError():
            details = (getattr(effect, name, None) for name in ("reason", "retry_after_s"))
            return f"{type(effect).__name__} {[*details]}"
        case _:
            return type(effect).__name__
