"""Rooms that several nodes share: a replica of each room that somebody here is in, and its log.

Knows homes, places and what is on its way to the log; the log itself is a SharedLog (redis), what
an operation does is replica's. An operation has happened when it comes back from the log, in its
order, and only then; until the log can be had, it waits.

    following --followed--> live --down--> following
        |                    |
        '------ lost --------+--> over (those here are told to come back)
"""

from collections.abc import Callable

import msgpack

from relay.broker import Channel, Place, Port
from relay.broker import operation as op
from relay.broker.cipher import Cipher
from relay.broker.later import Later
from relay.broker.operation import Node, Operation
from relay.broker.replica import Done, Replica, Sealers
from relay.broker.shared_log import Entry, SharedLog
from relay.broker.shared_place import Home, SharedPlace, Wanted, busy, new_seed
from relay.errors import AuthenticationError, CloseCode, Reason, RefusedError
from relay.pressure import Pressure
from relay.ring import RingLimits, Rings
from relay.room import RoomLimits
from relay.tickets import Ticket
from relay.wheel import Wheel
from relay.wire import RoomId, Tag

ROOMS_RETRY_S = 5.0
# Whoever comes while the log cannot be had waits so long, and then is told to come back.
PATIENCE_S = 5.0
# Who brings every so manyth operation of a room also saves the room, and what is before may go.
SAVE_EVERY = 512


class SharedBroker:
    """See broker.Broker; what the log has to tell comes by the methods behind `want`.

    ``forgot`` is called when a log was lost: its rooms may be restored from now on (R28).
    """

    outlives = True

    def __init__(
        self,
        limits: RoomLimits,
        ring_limits: RingLimits,
        max_rooms: int,
        sealers: Sealers,
        cipher: Cipher,
        open_channel: Callable[[], Channel],
        log: SharedLog,
        now: float,
    ) -> None:
        self._limits = limits
        self._rings = Rings(ring_limits)
        self._max_rooms = max_rooms
        self._sealers = sealers
        self._cipher = cipher
        self._open_channel = open_channel
        self._log = log
        self._homes: dict[bytes, Home] = {}
        self._wheel: Wheel[Home] = Wheel(now)
        self._is_tight = False
        self._alive: set[Node] | None = None
        # Rooms in which something has happened since it was last said who is alive. What is wanted
        # of a log is wanted until it has happened, so that the others need no second look.
        self._stirred: dict[bytes, Home] = {}
        self.is_down = True
        self.forged = 0
        self.forgot: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return len(self._homes)

    @property
    def kept_bytes(self) -> int:
        """See Broker."""
        return self._rings.total

    @property
    def node(self) -> Node:
        """This process, to the others."""
        return self._cipher.node

    def enter(self, room_id: RoomId, port: Port, now: float) -> Later[Place]:
        """See Broker."""
        home = self._home(room_id, now)
        later: Later[Place] = Later()

        def entered(done: Done) -> None:
            if done.tag is None or done.refusal is not None:
                later.settle(done.refusal or busy())
                return
            place = self._seat(home, done.tag, port, None)
            home.perform(done.effects)
            later.settle(place)

        self.want(home, op.Enter(new_seed()), now, entered)
        return later

    def resume(
        self,
        room_id: RoomId,
        ticket: Ticket,
        fence: int | None,
        seen: int,
        port: Port,
        now: float,
    ) -> "Later[Place | None]":
        """See Broker."""
        home = self._home(room_id, now)
        later: Later[Place | None] = Later()

        def resumed(done: Done) -> None:
            home.perform(done.effects)
            if done.tag is None or done.refusal is not None or home.replica is None:
                later.settle(done.refusal)
                return
            place = self._seat(home, done.tag, port, home.replica.room.luggage(done.tag))
            home.channel.seat(done.tag)
            port.replay(done.told or [])
            later.settle(place)

        shown = ticket.tag, ticket.life, ticket.generation
        self.want(home, op.Resume(new_seed(), *shown, fence, seen), now, resumed)
        return later

    def relieve(self, pressure: Pressure) -> None:
        """See Broker; a GroupInfo that is given up here is asked for again here."""
        self._is_tight = pressure is not Pressure.EASY
        if pressure is Pressure.FULL:
            self._rings.halve()
            for home in self._homes.values():
                if home.replica is not None:
                    home.replica.room.relieve()

    def expire(self, now: float) -> None:
        """See Broker."""
        for home in self._wheel.advance(now):
            self._expire(home, now)
            self._settle(home, now)

    def want(
        self,
        home: Home,
        operation: Operation,
        now: float,
        done: Callable[[Done], None] | None = None,
    ) -> None:
        """Have an operation done; it goes out as soon as the log is there."""
        number = self._cipher.next()
        wanted = home.wanted[number] = Wanted(operation, done, now + PATIENCE_S)
        if home.is_live:
            self._send(home, number, wanted)
        elif home.replica is None and len(home.wanted) == 1 and not self.is_down:
            self._follow(home)
        self._wheel.wait(home, now + PATIENCE_S)

    def followed(
        self,
        name: bytes,
        born: bytes,
        head: int,
        saved: bytes | None,
        entries: list[Entry],
        now: float,
    ) -> None:
        """Begin, or go on, with a log that reaches to ``head``."""
        home = self._homes.get(name)
        if home is None:
            return
        if home.replica is not None and (home.born != born or head < home.replica.at):
            self.lost(name, now)
            return
        if home.replica is None:
            home.born = born
            try:
                home.replica = self._replica(home, saved)
            except AuthenticationError:
                self.forged += 1
                self._end(home, now)
                return
        self._reach(home, home.replica, entries, now)
        if home.replica.at < head:
            # What is between was saved over: who is here comes back to what it is by now.
            self._end(home, now)
            return
        home.is_live = True
        for number, wanted in list(home.wanted.items()):
            # What the log has of it was done by now, and is wanted no more.
            self._send(home, number, wanted)
        for tag, visit in home.abandoned(self.node):
            self.want(home, op.Lost(new_seed(), tag, visit, ()), now)
        if home.is_behind:
            home.is_behind = False
            self._log.check(name, born, home.at)
        self._settle(home, now)

    def reached(self, name: bytes, born: bytes, entries: list[Entry], now: float) -> None:
        """Do what a log brings; what is known already is passed over."""
        home = self._homes.get(name)
        if home is not None and home.replica is None:
            home.is_behind = True
        if home is None or home.replica is None or home.born != born:
            return
        self._reach(home, home.replica, entries, now)
        self._settle(home, now)

    def lost(self, name: bytes, now: float) -> None:
        """A log is gone, or went back: the room goes on as a new life (R26)."""
        home = self._homes.get(name)
        if home is not None:
            self.forgot()
            self._end(home, now)

    def down(self) -> None:
        """The log cannot be had: tell those who are here, and wait."""
        self.is_down = True
        for home in self._homes.values():
            home.stall()

    def at(self, name: bytes) -> int:
        """Return how far a log has come here."""
        home = self._homes.get(name)
        return 0 if home is None else home.at

    def stalled(self, name: bytes) -> None:
        """A log takes nothing for now: tell those who are here, and wait for `retry`."""
        if (home := self._homes.get(name)) is not None:
            home.stall()

    def retry(self, name: bytes) -> None:
        """Ask for a log again that took nothing."""
        home = self._homes.get(name)
        if home is not None and not home.is_live and not self.is_down:
            self._follow(home)

    def up(self) -> None:
        """The log can be had again."""
        self.is_down = False
        for home in self._homes.values():
            self._follow(home)

    def alive(self, nodes: set[Node], now: float) -> None:
        """Only these nodes are there: the sessions of all others are lost."""
        homes = self._stirred if nodes == self._alive else self._homes
        self._alive, self._stirred = nodes, {}
        for home in [home for name, home in homes.items() if self._homes.get(name) is home]:
            for node in home.to_declare_gone(self.node, nodes):
                self.want(home, op.Gone(new_seed(), node), now)
            self._settle(home, now)

    def _send(self, home: Home, number: int, wanted: Wanted) -> None:
        if wanted.record is None:
            # Once, for this log and no other: the number is a nonce.
            plain = op.serialize(wanted.operation)
            wanted.record = self._cipher.seal(home.bound, number, plain)
        self._log.append(home.name, home.born, home.at, wanted.record)

    def _follow(self, home: Home) -> None:
        if home.replica is None:
            # A log that was named so when this was asked before may have come and gone since: the
            # same name would be the same life again.
            home.born = new_seed()
        self._log.follow(home.name, home.born, home.at)

    def _home(self, room_id: RoomId, now: float) -> Home:
        name = self._cipher.name(room_id)
        home = self._homes.get(name)
        if home is None:
            if self._is_tight or len(self._homes) >= self._max_rooms:
                raise RefusedError(
                    Reason.BUSY, retry_after_s=ROOMS_RETRY_S, close_code=CloseCode.ROOMS
                )
            home = self._homes[name] = Home(room_id, name, self._open_channel(), now)
        return home

    def _replica(self, home: Home, saved: bytes | None) -> Replica:
        state = None
        if saved is not None:
            _, _, plain = self._cipher.open(home.bound + b"saved", saved)
            state = msgpack.unpackb(plain, strict_map_key=False)
        return Replica(home.room_id, self._limits, self._rings, self._sealers, home.born, state)

    def _seat(self, home: Home, tag: Tag, port: Port, luggage: object) -> SharedPlace:
        assert home.replica is not None
        visit = home.replica.visits[tag].number
        place = home.places[tag] = SharedPlace(self, home, tag, visit, luggage)
        home.channel.attach(tag, port)
        return place

    def _reach(self, home: Home, replica: Replica, entries: list[Entry], now: float) -> None:
        self._stirred[home.name] = home
        before = home.at, len(home.ahead)
        for entry in home.in_order(entries):
            self._apply(home, replica, entry, now)
        if home.ahead and (home.at, len(home.ahead)) != before:
            # By two ways, one may overtake the other; what does not come by itself is fetched.
            self._log.check(home.name, home.born, home.at)

    def _apply(self, home: Home, replica: Replica, entry: Entry, now: float) -> None:
        try:
            node, number, plain = self._cipher.open(home.bound, entry.record)
            operation = op.parse(plain)
        except AuthenticationError:
            self.forged += 1
            replica.skip()
            return
        done = replica.apply(node, number, operation, entry.moment)
        home.perform(done.first)
        wanted = home.wanted.pop(number, None) if node == self.node else None
        if node == self.node:
            home.is_told = False
        tell = None if wanted is None else wanted.done
        if tell is not None and isinstance(operation, op.Enter | op.Resume):
            tell(done)
        elif tell is not None and done.refusal is not None:
            tell(done)
            home.perform(done.effects)
        else:
            home.perform(done.effects)
            if tell is not None:
                tell(done)
            elif node == self.node and done.tag is not None and home.is_live:
                # Whoever wanted this place was told to come back, or is gone.
                self.want(home, op.Lost(new_seed(), done.tag, number, ()), now)
        if node == self.node and replica.at % SAVE_EVERY == 0:
            self._save(home, replica)

    def _save(self, home: Home, replica: Replica) -> None:
        plain = bytes(msgpack.packb(replica.dump()))
        saved = self._cipher.seal(home.bound + b"saved", self._cipher.next(), plain)
        self._log.save(home.name, home.born, replica.at, saved)

    def _expire(self, home: Home, now: float) -> None:
        home.lose_patience(now)
        replica = home.replica
        if replica is None or not home.is_live:
            return
        moment = now + self._log.offset
        replica.room.age(moment)
        due = home.due(self.node)
        if due is not None and due <= moment and not home.is_wanted(op.Expire):
            self.want(home, op.Expire(new_seed()), now)
        if home.is_check_due(now):
            # What a check has not brought may have been saved over.
            ask = self._log.follow if home.ahead else self._log.check
            ask(home.name, home.born, home.at)

    def _settle(self, home: Home, now: float) -> None:
        """Forget a room in which nobody of this node is; wait for what is due in any other."""
        if self._homes.get(home.name) is not home:
            return
        if not home.places and not home.wanted and not home.is_haunted(self.node, self._alive):
            is_over = home.replica is not None and home.replica.room.is_empty
            self._forget(home, is_over=is_over)
            return
        until = home.check_at
        due = home.due(self.node)
        if home.is_live and due is not None:
            until = min(until, due - self._log.offset)
        for wanted in home.wanted.values():
            until = min(until, max(wanted.until, now + 1.0))
        self._wheel.wait(home, until)

    def _forget(self, home: Home, *, is_over: bool) -> None:
        self._log.leave(home.name, home.born, home.at, is_over=is_over)
        if home.replica is not None:
            home.replica.room.close()
        self._wheel.forget(home)
        del self._homes[home.name]

    def _end(self, home: Home, now: float) -> None:
        """End all who are here: they come back, by their tickets, to what there is then."""
        self._forget(home, is_over=False)
        places, home.places = home.places, {}
        for tag in places:
            home.channel.close(tag, CloseCode.RESTART)
        wanted, home.wanted = list(home.wanted.values()), {}
        for one in wanted:
            if one.done is not None and isinstance(one.operation, op.Enter | op.Resume):
                one.done(Done(refusal=busy()))
        if home.replica is not None and (
            places or any(not isinstance(one.operation, op.Gone) for one in wanted)
        ):
            # In what there is now they may still have their places.
            again = Home(home.room_id, home.name, self._open_channel(), now)
            self._homes[home.name] = again
            self.want(again, op.Gone(new_seed(), self.node), now)
