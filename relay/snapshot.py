"""A room as plain values, and back: what a node hands to one that comes to the room later.

Knows which classes a room's state is made of, by their slots; never what a value means. What comes
from settings or from the process (limits, random values, the bound on all rings) is not state: it
is left out, and whoever loads brings its own.
"""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from relay.limits import Bucket
from relay.pace import Pace
from relay.ring import Ring, Rings
from relay.room import Draw, Room, RoomLimits
from relay.seat import Held, Seats
from relay.turn import Newcomer, Turns
from relay.wire import RoomId

_STATE: dict[type, frozenset[str]] = {
    Room: frozenset(("_draw", "_limits", "_room_id")),
    Ring: frozenset(("_rings",)),
    Seats: frozenset(("_away_s",)),
    Turns: frozenset(("_limits",)),
    Pace: frozenset(),
    Bucket: frozenset(("_rate",)),
    Held: frozenset(),
    Newcomer: frozenset(),
}
_CLASSES = tuple(_STATE)
_SLOTS = {
    kind: tuple(sorted(set(kind.__slots__) - left_out))  # type: ignore[attr-defined]
    for kind, left_out in _STATE.items()
}
_TUPLE, _LIST, _DICT, _ORDERED, _SET, _OBJECT = range(6)
_KINDS: dict[type, int] = {
    tuple: _TUPLE,
    list: _LIST,
    dict: _DICT,
    OrderedDict: _ORDERED,
    set: _SET,
}
_PLAIN = (int, float, bytes, str, bool, type(None))

# Nodes whose rooms are made of other things cannot read each other's.
FORMAT = blake2b(
    repr([(kind.__name__, slots) for kind, slots in _SLOTS.items()]).encode(), digest_size=8
).hexdigest()


def dump(room: Room) -> Any:
    """Return a room's state as nested lists of numbers, bytes, text and None."""
    return _dump(room)


def load(value: Any, room_id: RoomId, limits: RoomLimits, rings: Rings, draw: Draw) -> Room:
    """Build a room from what ``dump`` returned; it behaves as that one did from then on."""
    # Made as any room is, and then given what the other one had come to.
    room = Room(room_id, limits, rings, draw)
    _fill(room, value)
    return room


def _dump(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        return value
    kind = type(value)
    if kind in _STATE:
        fields = [_dump(getattr(value, slot)) for slot in _SLOTS[kind]]
        return [_OBJECT, _CLASSES.index(kind), *fields]
    items = value.items() if isinstance(value, dict) else value
    code = _KINDS[kind]
    if code in (_DICT, _ORDERED):
        return [code, *([_dump(key), _dump(item)] for key, item in items)]
    # The order of a set is nobody's: sorted, so that one state has one spelling.
    return [code, *map(_dump, sorted(items) if code == _SET else items)]


_BUILD: dict[int, Callable[[Any], Any]] = {
    _TUPLE: tuple,
    _LIST: list,
    _DICT: dict,
    _ORDERED: OrderedDict,
    _SET: set,
}


def _load(value: Any, old: Any) -> Any:
    if not isinstance(value, list):
        return value
    code = value[0]
    if code == _OBJECT:
        kind: Any = _CLASSES[value[1]]
        thing = old if isinstance(old, kind) else kind.__new__(kind)
        _fill(thing, value)
        return thing
    if code in (_DICT, _ORDERED):
        return _BUILD[code]([(_load(key, None), _load(item, None)) for key, item in value[1:]])
    return _BUILD[code]([_load(item, None) for item in value[1:]])


def _fill(thing: Any, value: Any) -> None:
    for slot, item in zip(_SLOTS[type(thing)], value[2:], strict=True):
        setattr(thing, slot, _load(item, getattr(thing, slot, None)))
    if isinstance(thing, Ring):
        thing.register()
