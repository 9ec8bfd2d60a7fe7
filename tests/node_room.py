"""Rooms of the page's JavaScript, with the interface of client.room.Room, in a process of node.

The other side is tests/static/bridge.js. What tests reach into, in Python's Rooms, is there too, as
a `Thing`.
"""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from client import errors, event
from client.effect import Effect, Emit, Enter, Finish, Reconnect, Send, Settle
from client.errors import ClientError
from client.event import Event, Member, Presence
from client.link import Link, Tag
from client.stay import Phase
from tests.node import NodeError, node
from tests.node_thing import Group, Thing, decode, encode, snake

# Orders that change nothing.
_QUESTIONS = {
    *("get", "deadline", "members", "words", "memberWords", "counts", "size", "authenticator"),
}


class NodeRoom:
    """One room of JavaScript, as client.room.Room is one of Python."""

    def __init__(
        self,
        link: Link,
        draw: Callable[[int], bytes],
        *,
        expect_words: Sequence[str] | None = None,
    ) -> None:
        self._node = node()
        self._id = self._node.new_room()
        self._group: Group | None = None
        self._state: dict[str, Any] = {}
        # What was asked for since anything was done, and cannot have changed since.
        self._known: dict[Any, Any] = {}
        self.listener: Callable[[bytes, bytes], None] | None = None
        self.is_telling = False
        # Told when an account of a sender is begun: its signature key and base.
        self.on_begun: Callable[[bytes, int], None] | None = None
        self._inside = self.value(
            "create",
            scheme=link.scheme,
            host=link.host,
            secret=link.secret.hex(),
            seed=draw(16).hex(),
            expectWords=None if expect_words is None else list(expect_words),
        )
        weakref.finalize(self, self._node.drop, self._id)

    # What a program may ask

    @property
    def phase(self) -> Phase:
        return Phase[self._state["phase"].upper()]

    @property
    def tag(self) -> Tag | None:
        tag = self._state["tag"]
        return None if tag is None else Tag(tag)

    @property
    def life(self) -> str:
        return str(self._state["life"])

    @property
    def first(self) -> bool:
        return bool(self._state["first"])

    @property
    def fence(self) -> int:
        return int(self._state["fence"])

    @property
    def outstanding(self) -> int:
        return int(self._state["outstanding"])

    @property
    def group(self) -> Group | None:
        return self._group

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self._once("words"))

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(
            Member(**(each | {"presence": Presence(each["presence"])}))
            for each in self._once("members")
        )

    def member_words(self, tag: Tag) -> tuple[str, ...]:
        return self.value("memberWords", args=[tag]) or ()

    # Inputs

    def connected(self, now: float) -> list[Effect]:
        return self._input("connected", now)

    def lost(self, now: float) -> list[Effect]:
        return self._input("lost", now)

    def received(self, data: str | bytes, now: float) -> list[Effect]:
        return self._input("received", now, data)

    def say(self, text: str, now: float, *, strict: bool = False) -> tuple[bytes, list[Effect]]:
        answer = self.order("say", args=[text, now, *([{"strict": True}] if strict else [])])
        return decode(self, answer["value"]), self._effects(answer)

    def rename(self, nick: str, now: float) -> list[Effect]:
        return self._input("rename", now, nick)

    def tick(self, now: float) -> list[Effect]:
        return self._input("tick", now)

    def leave(self, now: float) -> list[Effect]:
        return self._input("leave", now)

    def deadline(self, now: float) -> float | None:
        if ("deadline", now) not in self._known:
            self._known["deadline", now] = self.value("deadline", args=[now])
        return self._known["deadline", now]  # type: ignore[no-any-return]

    # Inside

    def __getattr__(self, name: str) -> Any:
        if name not in ("_stay", "_roster", "_talk", "_membership", "_resumption", "_stands"):
            raise AttributeError(name)
        value = getattr(self._inside, name)
        if isinstance(value, Thing):
            # The parts of a room are the same for as long as it lives.
            vars(self)[name] = value
        return value

    def counts(self) -> dict[str, int]:
        """Return how much it holds of what is bounded, as tests.hostile.checks counts it."""
        return dict(self.value("counts"))

    def size(self) -> int:
        """Return roughly how many bytes it holds on to."""
        return int(self.value("size"))

    def order(self, do: str, **more: Any) -> dict[str, Any]:
        """Give an order, note how the room stands then, and raise what it raised."""
        if do not in _QUESTIONS:
            self._known.clear()
        answer = self._node.ask({"do": do, "room": self._id, **more})
        if "state" in answer:
            self._note(answer)
        if answer["error"] is not None:
            raise _error(answer["error"])
        return answer

    def value(self, do: str, **more: Any) -> Any:
        """Give an order that is no input of a room; return what comes of it."""
        return decode(self, self.order(do, **more)["value"])

    def _input(self, do: str, now: float, *args: Any) -> list[Effect]:
        return self._effects(self.order(do, args=[*map(encode, args), now]))

    def _note(self, answer: dict[str, Any]) -> None:
        self._state = answer["state"]
        if self.on_begun is not None:
            for key, base in answer["begun"]:
                self.on_begun(bytes.fromhex(key), base)
        group = answer["group"]
        if group is None:
            self._group = None
        elif self._group is None or self._group._name != group["name"]:
            self._group = Group(self, group["name"], "Group")
        if self.listener is not None:
            self.is_telling = True
            for reference, data in answer["posts"]:
                self.listener(bytes.fromhex(reference["hex"]), bytes.fromhex(data["hex"]))
            self.is_telling = False

    def _once(self, do: str) -> Any:
        if do not in self._known:
            self._known[do] = self.value(do)
        return self._known[do]

    def _effects(self, answer: dict[str, Any]) -> list[Effect]:
        return [self.effect(each) for each in answer["effects"]]

    def effect(self, effect: dict[str, Any]) -> Effect:
        match effect:
            case {"type": "send", "data": str(data), **rest}:
                made: Effect = Send(data)
            case {"type": "send", "data": data, **rest}:
                made = Send(bytes.fromhex(data["hex"]))
            case {"type": "emit", "event": told, **rest}:
                made = Emit(self._event(told))
            case {"type": "settle", "reference": reference, "outcome": outcome, **rest}:
                is_number = isinstance(outcome, int)
                made = Settle(
                    bytes.fromhex(reference["hex"]), outcome if is_number else _error(outcome)
                )
            case {"type": "enter", **rest}:
                made = Enter()
            case {"type": "reconnect", "afterS": after_s, **rest}:
                made = Reconnect(after_s)
            case {"type": "finish", "error": error, **rest}:
                made = Finish(_error(error))
            case _:
                raise NodeError(f"no effect: {effect}")
        assert not rest, f"fields that no effect has: {rest}"
        return made

    def _event(self, told: dict[str, Any]) -> Event:
        values = decode(self, told)
        name = values.pop("type")
        cls = getattr(event, "".join(map(str.capitalize, name.split("_"))))
        assert set(values) == {field.name for field in fields(cls)}, f"{name}: {values}"
        made: Event = cls(**values)
        return made


def _error(error: dict[str, Any]) -> ClientError:
    """Return the error of the same class as in Python; raise NodeError if it is none of ours."""
    cls = getattr(errors, error["class"] or "", None)
    if cls is None:
        raise NodeError(error["message"])
    made: ClientError = cls.__new__(cls)
    made.args = (error["message"],)
    for name, value in error["fields"].items():
        if name != "name":
            setattr(made, snake(name), value)
    return made
