"""Objects of JavaScript that tests reach into, with Python's spelling of their names.

`room._talk.kept` is a `Thing`: it is in the other process, where what is `#private` in the page's
modules is `_private` (tests/static/bridge.js).
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from client.mls import Member as Leaf
from client.mls import Staged
from client.stay import Phase

if TYPE_CHECKING:
    from tests.node_room import NodeRoom

# Where signature keys are keys of Maps and Sets, they are hex.
_KEYED = {"Comings", "Kept", "Ledger", "Pulse", "Roster", "Talk", "Upkeep"}
_HEX_KEY = re.compile(r"(?:[0-9a-f]{2}){8,}")
_KEY_BYTES = 32
# What `len` counts of these classes.
_HOLDERS = {"Outbox": "_queue", "Kept": "_contents"}


class Thing:
    """An object of the other process, by its name there; attributes are fetched when asked for."""

    def __init__(self, room: "NodeRoom", name: int, kind: str) -> None:
        vars(self).update(_room=room, _name=name, _kind=kind)

    def __repr__(self) -> str:
        return f"<JavaScript's {self._kind}>"

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self._ask("get", _HOLDERS[self._kind]))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self._kind == "Stay" and name == "effects":
            answer = self._room.order("get", of=self._name, name=name)
            return [self._room.effect(each) for each in answer["value"]]
        value = self._ask("get", name)
        return Function(self, name) if value is Function else value

    def __setattr__(self, name: str, value: Any) -> None:
        if self._kind == "Stay" and name == "post":
            self._room.listener = value
        else:
            self._ask("set", name, value)

    def _ask(self, do: str, name: str, *values: Any) -> Any:
        args = [self._encode(value) for value in values]
        return self._room.value(do, of=self._name, name=camel(name), args=args)

    def _encode(self, value: Any) -> Any:
        if isinstance(value, bytes) and len(value) == _KEY_BYTES and self._kind in _KEYED:
            return value.hex()
        return encode(value)

    def _order(self, do: str) -> None:
        self._room.order(do, of=self._name)


class Function:
    """A method of a Thing. Keyword arguments are one trailing object there."""

    def __init__(self, thing: Thing, name: str) -> None:
        self._thing = thing
        self._name = name

    def __call__(self, *args: Any, **options: Any) -> Any:
        thing = self._thing
        if thing._kind == "Stay" and self._name == "post" and thing._room.is_telling:
            # It was posted already, and is told to who listens.
            return None
        named = {camel(name): value for name, value in options.items()}
        return thing._ask("call", self._name, *args, *([named] if named else []))


class RemoteDict(dict[Any, Any]):
    """A Map as it was when asked for; `clear` clears it there."""

    thing: Thing

    def clear(self) -> None:
        super().clear()
        self.thing._ask("call", "clear")


class RemoteSet(set[Any]):
    """A Set as it was when asked for; `clear` clears it there."""

    thing: Thing

    def clear(self) -> None:
        super().clear()
        self.thing._ask("call", "clear")


class Plain(dict[str, Any]):
    """An object without a class, by value; its fields are attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Group(Thing):
    """One epoch as a JavaScript room holds it. Its public state is fetched once."""

    def __getattr__(self, name: str) -> Any:
        value = super().__getattr__(name)
        if name == "members":
            value = tuple(Leaf(m["leaf"], m["tag"], m["signature_key"]) for m in value)
        if name in ("epoch", "members", "group_id", "words_context", "confirmed_transcript_hash"):
            vars(self)[name] = value
        return value

    @property
    def authenticator(self) -> bytes:
        # The page has no use for it, and so no name.
        value: bytes = self._room.value("authenticator", of=self._name)
        return value

    def commit(self, removes: Sequence[int], fence: int) -> Staged:
        staged = self._ask("call", "commit", list(removes), fence)
        return Staged(staged["commit"], staged["group_info"], staged["group"])

    @contextlib.contextmanager
    def stranded(self) -> Iterator[None]:
        """Whatever commit comes meanwhile, this group cannot follow it."""
        self._order("strand")
        try:
            yield
        finally:
            self._order("mend")


def encode(value: Any) -> Any:
    """Spell a value for the other process."""
    if isinstance(value, bytes):
        return {"$": "bytes", "hex": value.hex()}
    if isinstance(value, Thing):
        return {"$": "thing", "name": value._name}
    if isinstance(value, Function):
        return {"$": "method", "name": value._thing._name, "method": camel(value._name)}
    if isinstance(value, Phase):
        return value.name.lower()
    if isinstance(value, list | tuple):
        return [encode(each) for each in value]
    return value


def decode(room: "NodeRoom", value: Any) -> Any:
    """Read a value of the other process, bytes and objects in it."""
    if isinstance(value, list):
        return tuple(decode(room, each) for each in value)
    if not isinstance(value, dict):
        return value
    match value.get("$"):
        case None:
            return Plain((snake(name), decode(room, each)) for name, each in value.items())
        case "bytes":
            return bytes.fromhex(value["hex"])
        case "infinity":
            # Never, which is None here.
            return None
        case "function":
            return Function
        case "map" | "set" as kind:
            items = [decode(room, each) for each in value["items"]]
            if kind == "map":
                items = [(_key(key), each) for key, each in items]
            copy = RemoteDict(items) if kind == "map" else RemoteSet(map(_key, items))
            copy.thing = Thing(room, value["name"], kind)
            return copy
        case _:
            group = room.group
            if group is not None and group._name == value["name"]:
                return group
            cls = Group if value["class"] == "Group" else Thing
            return cls(room, value["name"], value["class"])


def _key(key: Any) -> Any:
    is_bytes = isinstance(key, str) and _HEX_KEY.fullmatch(key)
    return bytes.fromhex(key) if is_bytes else key


def camel(name: str) -> str:
    head, *rest = name.lstrip("_").split("_")
    return "_" * (len(name) - len(name.lstrip("_"))) + head + "".join(map(str.capitalize, rest))


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: f"_{match[1].lower()}", name)
