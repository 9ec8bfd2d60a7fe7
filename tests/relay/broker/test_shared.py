"""The contract of relay.broker, kept by nodes that share a log; here the log is a list."""

from collections.abc import Callable
from typing import Any

import pytest

from relay.broker.shared import SharedBroker
from relay.fanout import Fan
from relay.room import RoomLimits
from relay.tickets import Tickets
from relay.wire import Commit
from tests.relay.broker.contract import *  # noqa: F403  # The contract's tests run here.
from tests.relay.broker.contract import (
    COMMIT,
    INFO,
    LIMITS,
    ROOM,
    SEALED,
    FakePort,
    Node,
    Start,
    new_reference,
)
from tests.relay.broker.contract_resume import *  # noqa: F403
from tests.relay.broker.one_log import SECRET, ListLog, Store, new_broker, outcome


class Prompt:
    """A broker whose outcomes are awaited: what the contract's tests ask of it has happened."""

    def __init__(self, broker: SharedBroker, store: Store) -> None:
        self.broker = broker
        self.store = store

    def enter(self, room: Any, port: Any, now: float) -> Any:
        self.store.now = now
        return PromptPlace(outcome(self.broker.enter(room, port, now)), self.store)

    def resume(self, *arguments: Any) -> Any:
        self.store.now = arguments[-1]
        place = outcome(self.broker.resume(*arguments))
        return None if place is None else PromptPlace(place, self.store)

    def expire(self, now: float) -> None:
        self.store.now = now
        self.broker.expire(now)

    @property
    def kept_bytes(self) -> int:
        return self.broker.kept_bytes

    def relieve(self, pressure: Any) -> None:
        self.broker.relieve(pressure)


class PromptPlace:
    def __init__(self, place: Any, store: Store) -> None:
        self.place = place
        self.store = store

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.place, name)
        if name in ("fence", "luggage", "send", "keep"):
            return value

        def call(*arguments: Any) -> Any:
            self.store.now = arguments[-1]
            return outcome(value(*arguments))

        return call


def start(limits: RoomLimits, max_rooms: int = 3) -> Node:
    soon: list[Callable[[], None]] = []
    faults: list[Exception] = []
    fan = Fan(soon.append, faults.append)
    store = Store()
    broker = new_broker(ListLog(store), limits, fan, max_rooms=max_rooms)

    def flush() -> None:
        while soon:
            soon.pop(0)()
        assert not faults

    return Node(Prompt(broker, store), flush, lambda: len(broker), Tickets(SECRET))


@pytest.fixture
def broker() -> Start:
    return start


def test_what_was_on_its_way_when_the_log_was_lost_from_sight_goes_again_as_it_was() -> None:
    """The same record, number and all: that number is a nonce, and the log takes it once."""
    log = ListLog(Store())
    broker = new_broker(log, LIMITS, Fan(lambda _: None, lambda _: None))
    port = FakePort()
    place: Any = outcome(broker.enter(ROOM, port, 0.0))
    outcome(place.commit(Commit(new_reference(), 0, COMMIT, INFO), 0.0))
    log.is_prompt = False
    came: list[Any] = []
    place.post(new_reference(), 1, SEALED, 0.0).then(came.append)
    (home,) = broker._homes.values()
    (before,) = [wanted.record for wanted in home.wanted.values()]
    log.calls.clear()
    broker.down()
    log.is_prompt = True
    broker.up()
    assert came == [3]
    (stored,) = log.store.logs.values()
    assert stored.entries[-1].record == before
