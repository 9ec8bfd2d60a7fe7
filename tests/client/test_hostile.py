"""Rooms before a relay that drops, repeats, swaps, flips and relabels at random, then turns honest.

Whatever it does: no exception, no text that nobody said, none twice; and afterwards one group.
"""

import os
import random
import struct

import pytest

from client.errors import FrameError
from client.event import Message
from client.ledger import HOLD_S
from client.stay import Phase
from client.wire import NEED, parse_binary
from tests.model import ModelRelay, text
from tests.pair import Client, Stage

SEEDS = range(int(os.environ.get("BEACON_HOSTILE_SEEDS", "12")))
STEPS = 1500
HEALING_S = 300.0


class Hostile:
    """Moves messages as a hostile relay would, from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.stage = Stage(seed=seed.to_bytes(4, "big"))
        self.stage.join(3)
        self.seen: list[str | bytes] = []
        self.said: list[str] = []

    def step(self) -> None:
        stage = self.stage
        client = self.random.choice(stage.clients)
        match self.random.randrange(40):
            case 0 if self.random.random() < 0.2:
                stage.cut(client)
            case 1 | 2 | 8 if client.room.phase is not Phase.CLOSED:
                self.said.append(f"text {len(self.said)}")
                stage.say(client, self.said[-1])
            case 3:
                stage.now += self.random.random() * 4
                stage.perform(client, client.room.tick(stage.now))
            case 4 if self.seen and client.session is not None:
                stage.deliver(client, self.mutate(self.random.choice(self.seen)))
            case 5 if client.session is not None and self.random.random() < 0.3:
                stage.deliver(client, self.invent(client))
            case 6 if client.session is not None and client.session.inbox:
                self.seen.append(client.session.inbox.popleft())
            case 7 if client.session is not None and len(client.session.inbox) > 1:
                client.session.inbox.rotate(1)
            case _:
                self.move(client)

    def move(self, client: Client) -> None:
        stage = self.stage
        if client.session is None and client.wants_connection:
            client.session = stage.relay.connect()
            stage.perform(client, client.room.connected(stage.now))
        elif client.session is not None and client.session.inbox:
            data = client.session.inbox.popleft()
            self.seen = [*self.seen[-200:], data]
            stage.deliver(client, data)

    def mutate(self, data: str | bytes) -> str | bytes:
        if isinstance(data, str) or len(data) < 20:
            return data
        changed = bytearray(data)
        match self.random.randrange(5):
            case 0:
                changed[self.random.randrange(len(changed))] ^= 1 << self.random.randrange(8)
            case 1 if changed[0] == 0x11:
                changed[2:4] = bytes.fromhex(self.random.choice(self.stage.clients).room.tag[2:])  # type: ignore[index]
            case 2:
                changed[4:12] = struct.pack("!Q", self.stage.relay.seq + self.random.randrange(4))
            case 3:
                changed[12:20] = struct.pack("!Q", self.random.randrange(12))
            case _:
                changed[1] = self.random.choice((1, 2))
        return bytes(changed)

    def invent(self, client: Client) -> str | bytes:
        relay: ModelRelay = self.stage.relay
        tag = self.random.choice(self.stage.clients).room.tag
        seq = relay.seq + self.random.randrange(3)
        refused = {"reference": None, "retry_after_ms": 10, "fence": relay.fence}
        return self.random.choice(
            [
                NEED,
                relay.info(),
                text(type="left", seq=seq, tag=tag),
                text(type="away", seq=seq, tag=tag),
                text(type="joined", seq=seq, tag=tag),
                text(type="joined", seq=seq, tag=client.room.tag, seats=[], away=[]),
                text(type="refused", reason="rate", **refused),
                text(type="refused", reason="stale", **(refused | {"reference": "00" * 8})),
                text(type="drain", retry_after_ms=5),
                text(type="reset", life="AAAAAAAAAAE", seq=0, fence=0),
                struct.pack("!B8sQ", 0x13, bytes(8), seq),
            ]
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_hostile_relay_breaks_nothing_that_heals(seed: int) -> None:
    hostile = Hostile(seed)
    stage = hostile.stage
    for _ in range(STEPS):
        hostile.step()
    for client in stage.clients:
        heard = [event.text for event in client.events if isinstance(event, Message)]
        assert len(set(heard)) == len(heard), "said once, heard twice"
        assert set(heard) <= set(hostile.said), "heard what nobody said"
        assert client.finished is None
    # The relay turns honest: everybody comes anew, and the room is whole.
    for client in stage.clients:
        stage.cut(client)
    for tag in sorted(stage.relay.away):
        stage.relay.expire(tag)
    stage.wait(HEALING_S)
    assert {client.room.phase for client in stage.clients} == {Phase.JOINED}
    assert len({client.room.words for client in stage.clients}) == 1
    assert [len(client.room.members) for client in stage.clients] == [3, 3, 3]
    for client in stage.clients:
        heard = [event.text for event in client.events if isinstance(event, Message)]
        assert len(set(heard)) == len(heard)
        stage.say(client, f"after {client.room.tag}")
    # What the relay took and never showed is a hole, and holds back for its time (R33).
    stage.wait(HOLD_S + 1)
    for client in stage.clients:
        assert sum(t.startswith("after") for t in client.texts) == 2
    assert parse_binary(stage.relay.info())


def test_info_of_a_relay_is_never_trusted_by_its_length() -> None:
    with pytest.raises(FrameError):
        parse_binary(b"\x12" + bytes(8) + b"\x01" + struct.pack("!L", 2**32 - 1))
