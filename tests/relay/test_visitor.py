"""Sockets on a broker whose outcomes come later: who asks waits, and everything keeps its order."""

import json
from dataclasses import replace
from typing import Any, cast

import pytest

from relay import wire
from relay.broker import Broker
from relay.broker.later import Later
from relay.broker.shared import PATIENCE_S
from relay.errors import CloseCode, Reason, RefusedError
from relay.limits import Rate
from relay.returns import Returns
from relay.room import RoomLimits
from relay.tickets import Tickets
from relay.turn import TurnLimits
from tests.relay.broker.one_log import SECRET, ListLog, Store, new_broker
from tests.relay.one_hub import WALL, Client, World
from tests.relay.raw import Link, client_frame, commit_bytes, new_link, offer_bytes, post_bytes

LIMITS = RoomLimits(
    seats=8,
    away_s=60.0,
    turns=TurnLimits(unjoined=8, turn_s=3.0, join_s=15.0),
    commits=Rate(4.0, 32),
    message_rate=Rate(1.0, 10),
)
NEED, BYE = b'{"type":"need"}', b'{"type":"bye"}'


class LateWorld(World):
    """Nothing that a room is asked for has an outcome before ``pump``."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.store = Store(now=self.now)
        self.log = ListLog(self.store, is_prompt=False)
        self.shared = new_broker(self.log, LIMITS, self.fan, max_rooms=10)
        self.shared._wheel.advance(self.now)
        self.tickets = Tickets(SECRET)
        returns = Returns(self.tickets, lambda: WALL, self.now + 60.0)
        self.hub = replace(self.hub, broker=cast(Broker, self.shared), returns=returns)
        self.broker = cast(Any, self.shared)

    def pump(self) -> None:
        self.store.now = self.now
        while self.log.calls or self.log.news:
            while self.log.calls:
                self.log.calls.pop(0)()
            if self.log.news:
                self.log.news.pop(0)()
        self.flush()
        assert not self.faults

    def joined(self, link: Link, fence: int) -> Client:
        client = self.connect()
        client.hello(link)
        self.pump()
        client.send(commit_bytes(fence))
        self.pump()
        assert kinds(client)[-1] == "joined"
        return client


def kinds(client: Client) -> list[Any]:
    """Return what came: the types of texts, the first bytes of binaries, the codes of closes."""
    return [
        int.from_bytes(payload[:2], "big")
        if opcode == 8
        else json.loads(payload)["type"]
        if opcode == 1
        else payload[0]
        for opcode, payload in client.frames()
        if opcode != 9
    ]


def test_what_comes_meanwhile_waits_and_is_done_in_order() -> None:
    world = LateWorld()
    client = world.joined(new_link(), 0)
    first = post_bytes(1)
    whole = b"".join(
        [
            client_frame(2, first),
            client_frame(2, post_bytes(1)),
            client_frame(1, b'{"type":"ping"}'),
            client_frame(2, offer_bytes(1)),
        ]
    )
    client.raw(whole[:-7])
    assert client.transport.is_paused
    assert kinds(client) == []
    client.raw(whole[-7:])
    assert len(world.log.calls) == 1, "one after the other"
    world.pump()
    assert not client.transport.is_paused
    assert kinds(client) == [wire.ACK, wire.ACK, "pong", wire.ACK]


def test_what_comes_byte_by_byte_is_the_same() -> None:
    world = LateWorld()
    client = world.joined(new_link(), 0)
    for byte in client_frame(2, post_bytes(1)) + client_frame(2, commit_bytes(1)):
        client.raw(bytes((byte,)))
    assert client.transport.is_paused
    world.pump()
    assert kinds(client) == [wire.ACK, wire.FRAME, wire.ACK]


def test_all_that_a_session_may_ask_for_has_its_outcome() -> None:
    world = LateWorld()
    link = new_link()
    one, two = world.joined(link, 0), world.joined(link, 1)
    one.frames()
    for message in (commit_bytes(2), offer_bytes(3), post_bytes(3)):
        one.send(message)
        world.pump()
    one.text(NEED)
    world.pump()
    assert not one.transport.is_paused
    assert kinds(one) == [wire.FRAME, wire.ACK, wire.ACK, wire.ACK, wire.INFO]
    assert kinds(two) == [wire.FRAME, wire.FRAME, "need"]


def test_peer_that_goes_while_it_is_let_in_gives_the_place_back() -> None:
    world = LateWorld()
    client = world.connect()
    client.hello(new_link())
    client.socket.connection_lost(None)
    world.pump()
    assert (len(world.shared), world.store.logs) == (0, {})
    assert world.metrics.hellos == 0


def test_peer_that_goes_while_it_gets_its_seat_back_leaves_it_away() -> None:
    world = LateWorld()
    link = new_link()
    one, two = world.joined(link, 0), world.joined(link, 1)
    one.frames()
    one.socket.connection_lost(None)
    world.pump()
    again = one.resume(link, 4)
    again.socket.connection_lost(None)
    world.pump()
    assert kinds(two) == ["away", "back", "away"]
    assert world.metrics.resumes == 0
    again.ticket = one.ticket
    back = one.resume(link, 4)
    world.pump()
    assert kinds(back)[0] == "resumed"


def test_peer_that_goes_while_its_message_is_ordered_has_sent_it() -> None:
    world = LateWorld()
    link = new_link()
    one, two = world.joined(link, 0), world.joined(link, 1)
    one.send(post_bytes(2))
    one.raw(client_frame(2, post_bytes(2)))
    one.socket.connection_lost(None)
    world.pump()
    assert kinds(two) == [wire.FRAME, "away"]


def test_peer_that_goes_while_its_first_commit_is_taken_has_a_seat() -> None:
    world = LateWorld()
    link = new_link()
    one = world.joined(link, 0)
    two = world.connect()
    two.hello(link)
    world.pump()
    two.send(commit_bytes(1))
    two.socket.connection_lost(None)
    world.pump()
    assert kinds(one) == [wire.FRAME, "joined", "away"]


def test_superseded_while_a_message_is_on_its_way() -> None:
    world = LateWorld()
    link = new_link()
    one, two = world.joined(link, 0), world.joined(link, 1)
    again = one.resume(link, 4)
    one.send(post_bytes(2))
    assert one.transport.is_paused
    world.pump()
    assert kinds(one)[-1] == CloseCode.SUPERSEDED
    assert not one.transport.is_paused, "its close is to be seen"
    one.raw(client_frame(2, post_bytes(2)))
    world.pump()
    assert kinds(again) == ["resumed"]
    assert kinds(two) == [], "what it had sent is of nobody"


def test_stale_message_is_refused_when_its_outcome_has_come() -> None:
    world = LateWorld()
    link = new_link()
    one, two = world.joined(link, 0), world.joined(link, 1)
    one.frames()
    one.send(commit_bytes(2))
    two.send(post_bytes(2))
    world.pump()
    assert kinds(two) == [wire.FRAME, "refused"]
    assert not two.transport.is_paused
    two.send(post_bytes(3))
    world.pump()
    assert kinds(two) == [wire.ACK]


def test_stale_newcomer_reads_the_refusal_and_then_what_to_join_by() -> None:
    world = LateWorld()
    link = new_link()
    newcomers = [world.connect(), world.connect()]
    for client in newcomers:
        client.hello(link)
    world.pump()
    for client in newcomers:
        client.frames()
        client.send(commit_bytes(0))
    world.pump()
    assert kinds(newcomers[0]) == [wire.FRAME, wire.ACK, "joined"]
    refused, info = newcomers[1].frames()
    message = json.loads(refused[1])
    assert (message["type"], message["reason"], message["fence"]) == ("refused", "stale", 1)
    assert info[1][0] == wire.INFO
    assert info[1][8] == 1
    newcomers[1].send(commit_bytes(1))
    world.pump()
    assert kinds(newcomers[1])[-1] == "joined"


def test_hello_while_the_log_is_down_is_refused_busy_in_the_end() -> None:
    world = LateWorld()
    world.shared.down()
    client = world.connect()
    client.hello(new_link())
    world.advance(PATIENCE_S - 1.0)
    assert kinds(client) == []
    assert client.transport.is_paused
    world.advance(1.5)
    opcode, payload = client.frames()[0]
    refused = json.loads(payload)
    assert (opcode, refused["reason"], refused["retry_after_ms"]) == (1, "busy", 1000)
    assert client.transport.eof
    assert not client.transport.is_paused
    assert len(world.shared) == 0


def test_resume_while_the_log_is_down_is_refused_busy_in_the_end() -> None:
    world = LateWorld()
    link = new_link()
    one = world.joined(link, 0)
    one.socket.connection_lost(None)
    world.pump()
    world.shared.down()
    again = one.resume(link, 4)
    world.advance(PATIENCE_S + 0.5)
    assert kinds(again) == ["refused", CloseCode.ROOMS]


def test_hello_that_came_in_time_is_not_late_because_its_answer_is() -> None:
    world = LateWorld()
    client = world.connect()
    world.advance(4.0)
    client.hello(new_link())
    world.advance(3.0)
    assert kinds(client) == []
    world.pump()
    assert kinds(client) == ["welcome", wire.INFO]
    assert client.socket._session.deadline() is None


def test_peer_that_waits_is_not_dead() -> None:
    world = LateWorld()
    client = world.joined(new_link(), 0)
    client.send(post_bytes(1))
    world.advance(120.0)
    assert not client.transport.aborted
    world.pump()
    assert kinds(client)[-1] == wire.ACK
    world.advance(46.0)
    assert client.transport.aborted, "from then on it must say something"


def test_worthless_ticket_is_a_plain_hello_that_waits_as_well() -> None:
    world = LateWorld()
    link = new_link()
    one = world.joined(link, 0)
    one.text(BYE)
    world.pump()
    again = one.resume(link, 4)
    world.pump()
    assert kinds(again) == ["welcome", wire.INFO]
    one.ticket = "x"
    other = one.resume(link, 4)
    world.pump()
    assert kinds(other) == ["welcome", wire.INFO]
    assert not other.transport.is_paused


def test_resumed_session_goes_on_with_what_is_left_of_its_buckets() -> None:
    world = LateWorld()
    link = new_link()
    one, _ = world.joined(link, 0), world.joined(link, 1)
    for _ in range(10):
        one.send(post_bytes(2))
        world.pump()
    one.frames()
    one.socket.connection_lost(None)
    world.pump()
    again = one.resume(link, 14)
    world.pump()
    again.frames()
    again.send(post_bytes(2))
    (refused,) = again.json()
    assert refused["reason"] == "rate"
    assert len(world.log.calls) == 1, "no more than that it has spoken"


def test_bye_leaves_the_room() -> None:
    world = LateWorld()
    link = new_link()
    one, two = world.joined(link, 0), world.joined(link, 1)
    one.frames()
    two.send(post_bytes(2))
    two.text(BYE)
    world.pump()
    assert kinds(one) == [wire.FRAME, "left"]
    assert kinds(two) == [wire.ACK, CloseCode.NORMAL]


def test_log_that_is_lost_ends_who_waits() -> None:
    world = LateWorld()
    one = world.joined(new_link(), 0)
    world.store.logs.clear()
    one.send(post_bytes(1))
    world.pump()
    assert kinds(one) == [CloseCode.RESTART]
    assert not one.transport.is_paused


def test_drain_while_waiting() -> None:
    world = LateWorld()
    one = world.joined(new_link(), 0)
    one.send(post_bytes(1))
    one.socket.drain(500)
    world.pump()
    assert kinds(one) == ["drain", CloseCode.RESTART]


def test_fault_in_what_follows_from_an_outcome_ends_the_connection() -> None:
    world = LateWorld()
    client = world.joined(new_link(), 0)
    later = Later[None]()

    def fail(_: object) -> list[Any]:
        raise ZeroDivisionError

    client.socket._wait(later, fail)
    later.settle(None)
    (fault,) = world.faults
    assert isinstance(fault, ZeroDivisionError)
    assert kinds(client) == [CloseCode.FAULT]


@pytest.mark.parametrize("reason", [Reason.BUSY, Reason.FULL])
def test_refusal_by_the_broker_itself_needs_no_outcome(reason: Reason) -> None:
    world = LateWorld()

    class Refusing:
        def enter(self, *_: object) -> None:
            raise RefusedError(reason, close_code=CloseCode.ROOMS)

    world.hub = replace(world.hub, broker=cast(Broker, Refusing()))
    client = world.connect()
    client.hello(new_link())
    assert kinds(client) == ["refused", CloseCode.ROOMS]
