"""One process: a dict of Room.

Knows rooms by id and their channels; the rules are room's, the connections websocket's.
"""

from collections.abc import Callable
from typing import assert_never

from relay.broker import Channel, Luggage, Port
from relay.effect import Close, Effect, Publish, Seat, Send
from relay.errors import CloseCode, Reason, RefusedError
from relay.pressure import Pressure
from relay.ring import RingLimits, Rings
from relay.room import Draw, Room, RoomLimits
from relay.tickets import Ticket
from relay.wheel import IDLE, Wheel
from relay.wire import Commit, Offer, Reference, RoomId, Tag, serialize_ack

# What a session waits before it asks again a relay that has all the rooms it may have.
ROOMS_RETRY_S = 5.0


class Home:
    """A room with its channel and the places in it, as it waits in the wheel."""

    __slots__ = ("channel", "places", "room", "room_id", "turn")

    def __init__(self, room_id: RoomId, room: Room, channel: Channel) -> None:
        self.room_id = room_id
        self.room = room
        self.channel = channel
        self.places: dict[Tag, MemoryPlace] = {}
        self.turn = IDLE

    def perform(self, effects: list[Effect]) -> None:
        """Give what follows from an operation to the channel, in order."""
        channel = self.channel
        for effect in effects:
            match effect:
                case Send(tag, message):
                    channel.send(tag, message)
                case Publish(message, origin, own):
                    channel.publish(message, origin, own)
                case Seat(tag):
                    channel.seat(tag)
                case Close(tag, code):
                    self.close(tag, code)
                case unreachable:
                    assert_never(unreachable)

    def close(self, tag: Tag, code: CloseCode) -> None:
        """End whoever is in a place, and know the place no more."""
        self.places.pop(tag, None)
        self.channel.close(tag, code)

    def vacate(self, tag: Tag, place: "MemoryPlace") -> bool:
        """Know a place no more; False if it is not known: gone already, or resumed by another."""
        if self.places.get(tag) is not place:
            return False
        del self.places[tag]
        self.channel.detach(tag)
        return True


class MemoryPlace:
    """A session's tag and the room that it is in (see broker.Place)."""

    __slots__ = ("_broker", "_home", "_room", "_tag")

    def __init__(self, broker: "MemoryBroker", home: Home, tag: Tag) -> None:
        self._broker = broker
        self._home = home
        self._room = home.room
        self._tag = tag

    @property
    def fence(self) -> int:
        """The room's fence."""
        return self._room.fence

    def send(self, message: bytes) -> None:
        """See Place."""
        self._home.channel.send(self._tag, message)

    def post(self, reference: Reference, fence: int, sealed: bytes, now: float) -> int:
        """See Place; hot: no effects (STYLE 2.8)."""
        tag, home = self._tag, self._home
        seq, frame = self._room.post(tag, reference, fence, sealed, now)
        ack = serialize_ack(reference, seq)
        if frame is None:
            home.channel.send(tag, ack)
        else:
            home.channel.publish(frame, tag, (ack,))
            if home.turn == IDLE:
                self._broker.settle(home)
        return seq

    def commit(self, message: Commit, now: float) -> None:
        """See Place."""
        self._perform(self._room.commit(self._tag, message, now))

    def offer(self, message: Offer, now: float) -> None:
        """See Place."""
        self._perform(self._room.offer(self._tag, message, now))

    def need(self, now: float) -> None:
        """See Place."""
        self._perform(self._room.need(self._tag))

    @property
    def luggage(self) -> object:
        """See Place."""
        return self._room.luggage(self._tag)

    def keep(self, luggage: Luggage) -> None:
        """See Place."""
        self._room.keep(self._tag, luggage)

    def confirm(self, now: float) -> None:
        """See Place."""
        self._room.confirm(self._tag)

    def inform(self, now: float) -> None:
        """See Place."""
        self._perform(self._room.inform(self._tag))

    def leave(self, now: float) -> None:
        """See Place."""
        if self._home.vacate(self._tag, self):
            self._perform(self._room.leave(self._tag, now))

    def lost(self, now: float) -> None:
        """See Place."""
        if self._home.vacate(self._tag, self):
            self._perform(self._room.lost(self._tag, now))

    def _perform(self, effects: list[Effect]) -> None:
        self._home.perform(effects)
        self._broker.settle(self._home)


class MemoryBroker:
    """Every operation is synchronous: all of it has happened when it returns."""

    outlives = False

    def __init__(
        self,
        limits: RoomLimits,
        ring_limits: RingLimits,
        max_rooms: int,
        draw: Draw,
        open_channel: Callable[[], Channel],
        now: float,
    ) -> None:
        self._limits = limits
        self._rings = Rings(ring_limits)
        self._max_rooms = max_rooms
        self._draw = draw
        self._open_channel = open_channel
        self._homes: dict[RoomId, Home] = {}
        self._wheel: Wheel[Home] = Wheel(now)
        self._is_tight = False

    def __len__(self) -> int:
        return len(self._homes)

    @property
    def kept_bytes(self) -> int:
        """See Broker."""
        return self._rings.total

    def enter(self, room_id: RoomId, port: Port, now: float) -> MemoryPlace:
        """See Broker; a room that is not there yet begins here."""
        home = self._homes.get(room_id) or self._open(room_id)
        tag, effects = home.room.enter(now)
        self._homes[room_id] = home
        place = home.places[tag] = MemoryPlace(self, home, tag)
        home.channel.attach(tag, port)
        home.perform(effects)
        self.settle(home)
        return place

    def resume(
        self,
        room_id: RoomId,
        ticket: Ticket,
        fence: int | None,
        seen: int,
        port: Port,
        now: float,
    ) -> MemoryPlace | None:
        """See Broker."""
        home, resumed = self._homes.get(room_id), None
        tag, life, generation = ticket.tag, ticket.life, ticket.generation
        if home is not None:
            resumed = home.room.resume(tag, life, generation, seen, now)
        if resumed is None and fence is not None:
            home = home or self._open(room_id)
            resumed = home.room.restore(tag, life, generation, fence, now)
        if home is None or resumed is None:
            return None
        self._homes[room_id] = home
        home.close(tag, CloseCode.SUPERSEDED)
        home.perform(resumed.effects)
        place = home.places[tag] = MemoryPlace(self, home, tag)
        home.channel.attach(tag, port)
        home.channel.seat(tag)
        port.replay(resumed.told)
        self.settle(home)
        return place

    def _open(self, room_id: RoomId) -> Home:
        if self._is_tight or len(self._homes) >= self._max_rooms:
            raise RefusedError(Reason.BUSY, retry_after_s=ROOMS_RETRY_S, close_code=CloseCode.ROOMS)
        room = Room(room_id, self._limits, self._rings, self._draw)
        return Home(room_id, room, self._open_channel())

    def relieve(self, pressure: Pressure) -> None:
        """See Broker."""
        self._is_tight = pressure is not Pressure.EASY
        if pressure is Pressure.FULL:
            self._rings.halve()
            # Up to half a megabyte a room, which no other cap counts.
            for home in self._homes.values():
                home.room.relieve()

    def expire(self, now: float) -> None:
        """See Broker."""
        for home in self._wheel.advance(now):
            home.perform(home.room.expire(now))
            self.settle(home)

    def settle(self, home: Home) -> None:
        """Forget a room in which nobody is left; wait for what is due in any other."""
        room = home.room
        if room.is_empty:
            room.close()
            self._wheel.forget(home)
            if self._homes.get(home.room_id) is home:
                del self._homes[home.room_id]
        elif (deadline := room.deadline()) is not None:
            self._wheel.wait(home, deadline)
