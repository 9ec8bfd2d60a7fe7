"""Rooms on an honest relay's core as people, networks and operators have them, by hypothesis.

Whatever the script: no exception, nothing twice or out of order, nothing to who was not there; and
at its end one group, with everything said either delivered or told missing. For longer:
BEACON_MACHINE_EXAMPLES=2000.
"""

import contextlib
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from client.errors import RefusedError
from client.ledger import MAX_HOLD_S
from tests.hostile.checks import Checks
from tests.hostile.stage import Client, seeded

EXAMPLES = int(os.environ.get("BEACON_MACHINE_EXAMPLES", "15"))
STEPS = int(os.environ.get("BEACON_MACHINE_STEPS", "40"))
MAX_CLIENTS = 5
MAX_OUTSTANDING = 20
# What was said to a member before it first heard the sender, only the sender can know and send
# again; if that has left by then, nobody does (PROTOCOL 9.2).
NOBODY_KNOWS = {
    "lost before the first that was heard",
    "receipt for what came before the first that was heard",
}
# An honest relay: away seats last 60 s, leaves without a seat as long, and then one commit.
MENDING_S = 200.0
ACCOUNTS_S = 60.0


class Network(Checks):
    """A stage some of whose connections are dead without anybody knowing it yet."""

    def __init__(self) -> None:
        super().__init__()
        self.dead: set[Client] = set()

    def carry(self, client: Client, data: str | bytes) -> None:
        if client not in self.dead:
            super().carry(client, data)

    def move(self, client: Client) -> bool:
        if client in self.dead and client.connection is not None:
            return False
        self.dead.discard(client)
        return super().move(client)

    def cut(self, client: Client) -> None:
        self.dead.discard(client)
        super().cut(client)


class Rooms(RuleBasedStateMachine):
    """Scripts of a few people in one room."""

    def __init__(self) -> None:
        super().__init__()
        self._randomness = contextlib.ExitStack()

    @initialize(seed=st.integers(0, 2**32 - 1), members=st.integers(1, 3))
    def begin(self, seed: int, members: int) -> None:
        self._randomness.enter_context(seeded(str(seed)))
        self.stage = Network()
        self.stage.join(members)

    def pick(self, number: int) -> Client:
        return self.here[number % len(self.here)]

    @property
    def here(self) -> list[Client]:
        return [client for client in self.stage.clients if client.is_here]

    # People

    @precondition(lambda self: len(self.here) < MAX_CLIENTS)
    @rule(settles=st.booleans())
    def join(self, settles: bool) -> None:
        self.stage.client()
        if settles:
            self.stage.settle()

    @precondition(lambda self: len(self.here) > 1)
    @rule(number=st.integers(0, 9))
    def leave(self, number: int) -> None:
        self.stage.leave(self.pick(number))

    @rule(number=st.integers(0, 9), times=st.integers(1, 12))
    def say(self, number: int, times: int) -> None:
        client = self.pick(number)
        for _ in range(times):
            # One a second: more would only wait.
            if client.room.outstanding < MAX_OUTSTANDING:
                self.stage.say(client)

    @rule(number=st.integers(0, 9), nick=st.sampled_from(("Ada", "Bob", "Eve")))
    def rename(self, number: int, nick: str) -> None:
        client = self.pick(number)
        self.stage.perform(client, client.room.rename(nick, self.stage.now))

    # The network

    @rule(number=st.integers(0, 9))
    def cut(self, number: int) -> None:
        self.stage.cut(self.pick(number))

    @rule(number=st.integers(0, 9), is_told=st.booleans())
    def die(self, number: int, is_told: bool) -> None:
        """A connection dies: what is sent on it is lost, until it is cut."""
        client = self.pick(number)
        if client.connection is not None:
            self.stage.dead.add(client)
            if is_told:
                # The relay knows at once, the client does not.
                self.stage.core.drop(client.connection, self.stage.now)

    @rule(number=st.integers(0, 9), messages=st.integers(1, 8))
    def serve(self, number: int, messages: int) -> None:
        """Bring some messages to one, and none to the others."""
        client = self.pick(number)
        for _ in range(messages):
            self.stage.move(client)

    @rule()
    def settle(self) -> None:
        self.stage.settle()

    @rule(seconds=st.sampled_from((0.1, 1.0, 3.0, 10.0, 30.0, 61.0, 130.0)))
    def wait(self, seconds: float) -> None:
        for client in sorted(self.stage.dead, key=lambda client: client.name):
            if seconds >= 45.0:
                # Nothing is dead for longer without both sides knowing.
                self.stage.cut(client)
        self.stage.wait(seconds)

    @rule(seconds=st.sampled_from((0.1, 1.0, 5.0)))
    def stall(self, seconds: float) -> None:
        """Time passes, and nothing arrives meanwhile."""
        self.stage.advance(self.stage.now + seconds)

    # The operator

    @rule(keeps_key=st.booleans(), settles=st.booleans())
    def restart(self, keeps_key: bool, settles: bool) -> None:
        if settles:
            self.stage.settle()
        self.stage.restart(keeps_key=keeps_key)

    # What holds

    @invariant()
    def nobody_was_thrown_out(self) -> None:
        for client in self.stage.clients if hasattr(self, "stage") else ():
            # A newcomer may find nobody who could describe the group: all are away (R25).
            is_shut_out = isinstance(client.finished, RefusedError) and not client.room.group
            if not (is_shut_out and client.finished.reason == "unusable"):
                assert client.finished is None, f"{client}: {client.finished!r}"

    def teardown(self) -> None:
        try:
            if hasattr(self, "stage"):
                self.finish()
        finally:
            self._randomness.close()

    def finish(self) -> None:
        stage = self.stage
        for client in list(stage.dead):
            stage.cut(client)
        began = stage.now
        stage.wait(1.0)
        while not stage.is_whole():
            assert stage.now < began + MENDING_S, f"not whole: {self.here}"
            stage.wait(5.0)
        self.nobody_was_thrown_out()
        assert len({client.room.group.authenticator for client in self.here}) == 1  # type: ignore[union-attr]
        fresh = [stage.say(client) for client in self.here]
        stage.wait(MAX_HOLD_S + 5.0)
        stage.wait(ACCOUNTS_S)
        for said in fresh:
            for client in self.here:
                assert client is said.speaker or said.text in client.texts, f"{client}, {said}"
        assert not stage.unsettled(), f"never answered: {stage.unsettled()}"
        assert not stage.owed(), f"neither delivered nor told missing: {stage.owed()}"
        unexpected = {name for name, count in stage.known.items() if count} - NOBODY_KNOWS
        assert not unexpected, unexpected


TestRooms = Rooms.TestCase
TestRooms.settings = settings(
    max_examples=EXAMPLES,
    # The gate plays the same scripts each time, the long profile others.
    derandomize="BEACON_MACHINE_EXAMPLES" not in os.environ,
    stateful_step_count=STEPS,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
