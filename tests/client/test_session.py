"""The shell around a Room, on real sockets, before a model relay that can be told what to do."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from client import (
    Delivered,
    Message,
    Notice,
    RefusedError,
    StateChanged,
    StateError,
    Status,
    Superseded,
    TransportError,
    UsageError,
    open_room,
    parse_link,
)
from client import feed as feed_module
from client import session as session_module
from client import transport as transport_module
from client.link import LinkError
from tests.client.live import PATIENCE_S, LiveRelay, collect, live_relay, until
from tests.model import text


@pytest.fixture
async def relay() -> AsyncIterator[LiveRelay]:
    async with live_relay() as live:
        yield live


async def test_send_returns_its_place_and_the_other_reads_it(relay: LiveRelay) -> None:
    async with open_room(relay.link.to_url(), nick="ada") as one, open_room(relay.link) as two:
        sent = await one.send("hello")
        events = await collect(two, lambda e: isinstance(e, Message))
        assert events[-1] == Message(one.tag, "ada", "hello", sent.life, sent.seq)
        assert one.life == sent.life
        await two.set_nick("bob")
        with pytest.raises(UsageError):
            await two.set_nick("")


async def test_state_goes_through_reconnecting_and_back(relay: LiveRelay) -> None:
    async with open_room(relay.link) as one:
        await relay.connections[0].close(1012)
        events = await collect(
            one, lambda e: isinstance(e, StateChanged) and e.state.status is Status.RECONNECTING
        )
        state = one.state
        assert (state.status, state.transport, state.attempt) == (Status.RECONNECTING, "none", 1)
        assert state.next_retry_at is not None
        sending = asyncio.create_task(one.send("waits for the connection"))
        one.retry_now()
        await sending
        events = await collect(
            one, lambda e: isinstance(e, StateChanged) and e.state.status is Status.CONNECTED
        )
        assert events


async def test_r27_connection_that_comes_back_has_the_same_tag_and_missed_nothing(
    relay: LiveRelay,
) -> None:
    async with open_room(relay.link) as one, open_room(relay.link) as two:
        tag = one.tag
        relay.connections[0].transport.abort()
        await until(lambda: one.state.status is Status.RECONNECTING)
        await two.send("said meanwhile")
        one.retry_now()
        events = await collect(one, lambda e: isinstance(e, Message))
        assert isinstance(events[-1], Message)
        assert (events[-1].sender, events[-1].text) == (two.tag, "said meanwhile")
        await until(lambda: one.state.status is Status.CONNECTED)
        assert one.tag == tag
        assert len(one.members) == len(two.members) == 2


async def test_r27_seat_that_was_resumed_elsewhere_ends_the_stay(relay: LiveRelay) -> None:
    async with open_room(relay.link) as one:
        await relay.connections[0].close(4504)
        events: list[object] = []
        with pytest.raises(RefusedError) as caught:
            await collect(one, lambda e: bool(events.append(e)))
        assert events[-2:] == [Superseded(), StateChanged(one.state)]
        assert caught.value.reason == "superseded"
        assert one.state.status is Status.CLOSED
        assert len(relay.connections) == 1
    with pytest.raises(RefusedError):
        await one.send("later")


async def test_r34_delivered_waits_for_those_who_are_here(relay: LiveRelay) -> None:
    async with open_room(relay.link) as one:
        await one.send("to nobody")
        assert await one.delivered(0.0)
        async with open_room(relay.link) as two:
            sent = await one.send("to somebody")
            assert not await one.delivered(0.0)
            async with asyncio.timeout(PATIENCE_S):
                assert await one.delivered(3600.0)
            events = await collect(one, lambda e: isinstance(e, Delivered))
            assert events[-1] == Delivered(sent.life, sent.seq, 1, 1)
            assert two.tag != one.tag


async def test_waiting_for_delivery_ends_with_the_stay(relay: LiveRelay) -> None:
    async with open_room(relay.link) as one, open_room(relay.link):
        await one.send("to somebody")
        waiting = asyncio.create_task(one.delivered(PATIENCE_S))
        await asyncio.sleep(0)
        await relay.connections[0].close(4504)
        with pytest.raises(RefusedError):
            await waiting
    with pytest.raises(RefusedError):
        await one.delivered(PATIENCE_S)


class Signs:
    """Stands for the machine: ``awake`` is what it calls."""

    def __init__(self, awake: Callable[[], None]) -> None:
        self.awake = awake
        self.watching = False
        made.append(self)

    def start(self) -> None:
        self.watching = True

    def stop(self) -> None:
        self.watching = False


made: list[Signs] = []


@pytest.fixture
def signs(monkeypatch: pytest.MonkeyPatch) -> list[Signs]:
    made.clear()
    monkeypatch.setattr(session_module, "Awake", Signs)
    return made


async def test_who_wakes_up_tries_at_once(
    relay: LiveRelay, signs: list[Signs], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_module, "BACKOFF_S", (3600.0,))
    async with open_room(relay.link) as one:
        assert signs[0].watching
        await relay.connections[0].close(1012)
        await until(lambda: one.state.status is Status.RECONNECTING)
        signs[0].awake()
        await until(lambda: one.state.status is Status.CONNECTED)
        # It had nothing to do with the next time.
        await relay.connections[1].close(1012)
        await until(lambda: one.state.status is Status.RECONNECTING)
        await asyncio.sleep(0.1)
        assert len(relay.connections) == 2
    assert not signs[0].watching


async def test_who_wakes_up_while_it_tries_in_vain_tries_once_more(
    relay: LiveRelay, signs: list[Signs], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_module, "BACKOFF_S", (3600.0,))
    async with open_room(relay.link) as one:
        relay.answers = [(503, {})]
        relay.on_request = signs[0].awake
        await relay.connections[0].close(1012)
        await until(lambda: one.state.status is Status.RECONNECTING)
        one.retry_now()
        await until(lambda: one.state.status is Status.CONNECTED)
        # What it heard on the way to this connection is old when it ends.
        await relay.connections[1].close(1012)
        await until(lambda: one.state.status is Status.RECONNECTING)
        await asyncio.sleep(0.1)
        assert len(relay.connections) == 2


async def test_who_wakes_up_keeps_a_connection_that_answers_and_no_other(
    relay: LiveRelay, signs: list[Signs], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_room(relay.link) as one:
        signs[0].awake()
        signs[0].awake()
        assert one._connection is not None
        probe = one._connection._prober
        assert probe is not None
        await probe
        assert one.state.status is Status.CONNECTED
        assert len(relay.connections) == 1
        monkeypatch.setattr(transport_module, "PROBE_S", 0.2)
        # Half-open: the relay is there, but nothing that we say gets to it.
        relay.connections[0].transport.pause_reading()
        signs[0].awake()
        await until(lambda: one.state.status is Status.RECONNECTING)
        relay.connections[0].transport.resume_reading()
        one.retry_now()
        await until(lambda: one.state.status is Status.CONNECTED)
        signs[0].awake()
        await relay.connections[1].close(1012)
        await until(lambda: one.state.status is Status.RECONNECTING)


async def test_busy_relay_is_waited_for_as_it_asks(
    relay: LiveRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay.answers = [(429, {"Retry-After": "0"}), (503, {"Retry-After": "0"}), (503, {})]
    monkeypatch.setattr("client.transport.BACKOFF_S", (0.01,))
    # Without a time that it asks for, a relay that nobody has seen yet is not waited for.
    with pytest.raises(TransportError):
        await open_room(relay.link).__aenter__()
    assert relay.answers == []
    async with open_room(relay.link) as one:
        assert one.first


@pytest.mark.parametrize(("status", "reason"), [(403, "forbidden"), (404, "no_relay")])
async def test_what_is_no_relay_for_us_is_refused(
    relay: LiveRelay, status: int, reason: str
) -> None:
    relay.answers = [(status, {})]
    with pytest.raises(RefusedError) as caught:
        await open_room(relay.link).__aenter__()
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [(4500, "refusals"), (4502, "proof"), (4503, "full"), (4504, "superseded"), (4999, "closed")],
)
async def test_final_close_code_ends_the_stay(relay: LiveRelay, code: int, reason: str) -> None:
    relay.close_code = code
    with pytest.raises(RefusedError) as caught:
        await open_room(relay.link).__aenter__()
    assert caught.value.reason == reason


async def test_final_refusal_ends_iteration_and_sends_with_its_error(relay: LiveRelay) -> None:
    async with open_room(relay.link) as one:
        refused = text(
            type="refused", reason="full", reference=None, retry_after_ms=None, fence=None
        )
        sending = asyncio.create_task(one.send("never"))
        relay.model.receive = lambda *_: None  # type: ignore[method-assign]
        await relay.connections[0].send(refused)
        with pytest.raises(RefusedError):
            await sending
        with pytest.raises(RefusedError):
            await collect(one, lambda e: False)
        assert one.state.status is Status.CLOSED
        with pytest.raises(RefusedError):
            await one.send("later")


async def test_after_leaving_nothing_goes_and_iteration_ends(relay: LiveRelay) -> None:
    async with open_room(relay.link) as one:
        pass
    with pytest.raises(StateError):
        await one.send("late")
    assert [type(e) for e in await collect(one, lambda e: False)][-1] is StateChanged
    await until(lambda: relay.model.sessions == [])
    assert relay.model.away == set()


async def test_send_that_waits_while_the_room_is_left_fails(relay: LiveRelay) -> None:
    async with open_room(relay.link) as one:
        relay.model.receive = lambda *_: None  # type: ignore[method-assign]
        sending = asyncio.create_task(one.send("never ordered"))
        await asyncio.sleep(0)
    with pytest.raises(StateError):
        await sending


async def test_cancelled_send_disturbs_nothing(relay: LiveRelay) -> None:
    async with open_room(relay.link) as one, open_room(relay.link) as two:
        sending = asyncio.create_task(one.send("goes out all the same"))
        await asyncio.sleep(0)
        sending.cancel()
        await one.send("next")
        texts = [
            e.text
            for e in await collect(two, lambda e: isinstance(e, Message) and e.text == "next")
            if isinstance(e, Message)
        ]
        assert texts == ["goes out all the same", "next"]


async def test_reader_that_is_too_slow_is_told_what_it_lost(
    relay: LiveRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "MAX_EVENTS", 5)
    async with open_room(relay.link) as one, open_room(relay.link) as two:
        for number in range(12):
            await one.send(str(number))
        await until(lambda: len(two._feed) == 5)
        events = await collect(two, lambda e: isinstance(e, Notice))
        assert [e.text for e in events if isinstance(e, Message)][-1] == "11"
        assert events[-1] == Notice("events_dropped")


async def test_entering_can_be_cancelled(relay: LiveRelay) -> None:
    relay.model.receive = lambda *_: None  # type: ignore[method-assign]
    room = open_room(relay.link)
    entering = asyncio.create_task(room.__aenter__())
    await until(lambda: bool(relay.connections))
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert room.state.status is Status.CLOSED


async def test_fault_of_ours_ends_the_stay_instead_of_hanging(
    relay: LiveRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = open_room(relay.link)

    def broken(data: object, now: float) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(room._room, "received", broken)
    with pytest.raises((StateError, ZeroDivisionError)):
        await room.__aenter__()


def test_open_room_refuses_bad_arguments_before_it_connects() -> None:
    with pytest.raises(LinkError):
        open_room("http://example.org/#" + "A" * 43)
    link = parse_link("http://example.org/#" + "A" * 43, insecure_relay=True)
    with pytest.raises(UsageError):
        open_room(link, nick="\x1b[31m")
