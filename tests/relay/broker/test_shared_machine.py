"""Nodes that share rooms, against the log itself and, without faults, against MemoryBroker.

Whatever is late, lost, doubled or gone: replicas are what their log says, every port reads one log,
every session gets its answers, and nobody stays in a room who is in no node.
"""

import itertools
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from relay.broker import shared, shared_place
from relay.broker.operation import Node, Visit
from relay.errors import RefusedError
from relay.tickets import Tickets
from relay.wire import Commit, Offer, Reference
from tests.relay.broker.contract import COMMIT, INFO, ROOM, FakePort
from tests.relay.broker.many_sessions import ROOM_LIMITS, Asked, Bag, Client, Naive, Readers
from tests.relay.broker.one_cluster import History, KeptStore, Process, shape
from tests.relay.broker.one_log import SECRET

EXAMPLES = int(os.environ.get("BEACON_MACHINE_EXAMPLES", "100"))
NODES = 3
CHECK_S, CHECK_SILENT_S = 4.0, 6.0
WHO = st.integers(0, 9)
NODE = st.integers(0, NODES - 1)
BEHIND = st.sampled_from([0, 0, 0, 0, 1, -1])
AGAIN = st.sampled_from([0, 0, 0, 1, 2])
KIND = st.sampled_from(["post", "post", "post", "commit", "commit", "offer", "need", "confirm"])


class SharedMachine(RuleBasedStateMachine):
    @initialize(
        has_faults=st.booleans(),
        save_every=st.sampled_from([3, 5, 8, 512]),
        members=st.lists(NODE, max_size=3),
    )
    def start(self, has_faults: bool, save_every: int, members: list[int]) -> None:
        self.old = shared.SAVE_EVERY, shared_place.CHECK_SILENT_S, shared_place.CHECK_S
        shared.SAVE_EVERY = save_every
        shared_place.CHECK_SILENT_S, shared_place.CHECK_S = CHECK_SILENT_S, CHECK_S
        self.has_faults = has_faults
        self.store = KeptStore()
        self.store.now = 100.0
        self.numbers = itertools.count(1)
        self.processes = [self.process() for _ in range(NODES)]
        self.clients: list[Client] = []
        self.past: list[Client] = []
        self.histories: dict[tuple[bytes, bytes], History] = {}
        self.references: list[Reference] = []
        self.tickets = Tickets(SECRET)
        self.readers = Readers()
        for node in members:
            self.enter(node, joins=True)

    def process(self) -> Process:
        process = Process(self.store, ROOM_LIMITS, next(self.numbers))
        process.broker._wheel.advance(self.store.now)
        return process

    @property
    def now(self) -> float:
        return self.store.now

    # What sessions do.

    @rule(node=NODE, joins=st.booleans())
    def enter(self, node: int, joins: bool) -> None:
        process, port = self.processes[node], FakePort()
        client = self.come(process, port, process.broker.enter(ROOM, port, self.now))
        if joins:
            self.pump_all()
            if client.is_ready:
                self.speak(client, "commit", client.place.fence, self.reference(0))
                self.pump_all()
                self.readers.read(client)

    @precondition(lambda self: self.tickets_shown())
    @rule(
        node=NODE,
        who=WHO,
        back=st.sampled_from([0, 0, 1, 3]),
        fence=st.sampled_from([None, None, None, 2, 9]),
    )
    def resume(self, node: int, who: int, back: int, fence: int | None) -> None:
        shown = self.tickets_shown()
        old = shown[who % len(shown)]
        ticket = self.tickets.open_ticket(old.ticket, ROOM)
        process, port = self.processes[node], FakePort()
        seen = max(0, (old.seen or 0) - back)
        later = process.broker.resume(ROOM, ticket, fence, seen, port, self.now)
        client = self.come(process, port, later)
        client.life, client.tag, client.seen = old.life, old.tag, seen
        client.ticket = old.ticket

    @precondition(lambda self: self.ready())
    @rule(kind=KIND, who=WHO, behind=BEHIND, again=AGAIN, times=st.integers(1, 3))
    def say(self, kind: str, who: int, behind: int, again: int, times: int) -> None:
        for _ in range(times):
            self.say_once(kind, who, behind, again)
            if times > 1:
                self.pump_all()
                self.agree()

    def say_once(self, kind: str, who: int, behind: int, again: int) -> None:
        ready = self.ready()
        if not ready:
            return
        client = ready[who % len(ready)]
        if client.seen is None and kind != "need":
            kind = "commit"
        self.speak(client, kind, client.place.fence - behind, self.reference(again))

    def reference(self, again: int) -> Reference:
        if not 0 < again <= len(self.references):
            again = 1
            self.references.append(Reference(next(self.numbers).to_bytes(8, "big")))
        return self.references[-again]

    def speak(self, client: Client, kind: str, fence: int, reference: Reference) -> None:
        place = client.place
        match kind:
            case "post":
                sealed = reference + bytes(28 + 256 - 8)
                later = place.post(reference, fence, sealed, self.now)
            case "commit":
                later = place.commit(Commit(reference, fence, COMMIT, INFO), self.now)
            case "offer":
                later = place.offer(Offer(reference, fence, INFO), self.now)
            case "need":
                later = place.need(self.now)
            case _:
                place.confirm(self.now)
                return
        self.ask(client, later)
        place.keep(Bag())

    @precondition(lambda self: self.clients)
    @rule(who=WHO, is_bye=st.booleans())
    def part(self, who: int, is_bye: bool) -> None:
        client = self.clients[who % len(self.clients)]
        client.is_here = False
        client.process.flush()
        if client.place is not None:
            (client.place.leave if is_bye else client.place.lost)(self.now)
            client.process.flush()

    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0, 1.0, 2.0, 3.0, 7.0, 9.0]), beat=st.booleans())
    def wait(self, seconds: float, beat: bool) -> None:
        until = self.now + seconds
        while self.now < until:
            self.store.now = min(until, self.now + 0.25)
            for process in self.processes:
                process.broker.expire(self.now)
                process.flush()
        if beat:
            self.beat()

    # What arrives, in any order between nodes.

    @rule(node=NODE, calls=st.integers(0, 3), news=st.integers(0, 4))
    def pump(self, node: int, calls: int, news: int) -> None:
        process = self.processes[node]
        for _ in range(calls):
            process.call()
        for _ in range(news):
            process.hear()

    @rule()
    def pump_all(self) -> None:
        while any([process.pump() for process in self.processes]):
            pass

    # Faults.

    @precondition(lambda self: self.has_faults)
    @rule(node=NODE)
    def double(self, node: int) -> None:
        self.processes[node].call(is_doubled=True)

    @precondition(lambda self: self.has_faults)
    @rule(node=NODE)
    def lose_news(self, node: int) -> None:
        self.processes[node].log.lose()

    @precondition(lambda self: self.has_faults)
    @rule(node=NODE, arrived=st.integers(0, 3))
    def cut(self, node: int, arrived: int) -> None:
        process = self.processes[node]
        process.log.end(arrived)
        process.broker.down()

    @precondition(lambda self: self.has_faults)
    @rule(node=NODE)
    def heal(self, node: int) -> None:
        log = self.processes[node].log
        if log.is_cut:
            log.is_cut = False
            log.calls.clear()
            self.processes[node].broker.up()

    @precondition(lambda self: self.has_faults)
    @rule(node=NODE, arrived=st.integers(0, 3))
    def die(self, node: int, arrived: int) -> None:
        process = self.processes[node]
        process.log.end(arrived)
        for client in self.clients:
            if client.process is process:
                client.is_here = False
        self.processes[node] = self.process()

    @precondition(lambda self: self.has_faults and self.store.logs)
    @rule()
    def lose_log(self) -> None:
        self.store.logs.clear()

    # What must be.

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "store"):
            return
        for (name, born), entries in self.store.past.items():
            history = self.histories.get((name, born))
            if history is None:
                history = History(ROOM, name, born, ROOM_LIMITS)
                self.histories[name, born] = history
            history.extend(entries)
        for process in self.processes:
            assert not process.faults
            for home in process.broker._homes.values():
                if home.replica is not None and (home.name, home.born) in self.histories:
                    self.compare(home)
        for client in self.clients:
            self.readers.read(client)
        over = [client for client in self.clients if client.is_over]
        self.past += over
        self.clients = [client for client in self.clients if client not in over]

    def compare(self, home: Any) -> None:
        """A replica is what its log says up to where it is."""
        step = self.histories[home.name, home.born].steps[home.replica.at]
        state, kept = shape(home.replica)
        assert state == step.state
        assert kept == step.kept[len(step.kept) - len(kept) :]
        for tag, place in home.places.items():
            assert home.replica.visits[tag] == Visit(self.node_of(home), place._visit)

    def node_of(self, home: Any) -> Node:
        return next(p.node for p in self.processes if home in p.broker._homes.values())

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        try:
            self.end()
        finally:
            shared.SAVE_EVERY, shared_place.CHECK_SILENT_S, shared_place.CHECK_S = self.old

    def end(self) -> None:
        self.converge(CHECK_SILENT_S + 2.0)
        # What everybody has left is for the next one to find out.
        self.enter(0, joins=False)
        self.converge(2.0)
        for client in self.clients + self.past:
            is_gone = client.process not in self.processes
            for asked in client.asked:
                assert asked.came or client.is_over or is_gone, "it has its outcome"
        # Nobody is in a room who is in no node, and the other way around.
        here = {c.visit for c in self.clients if c.place is not None and not c.is_over}
        for name, log in self.store.logs.items():
            history = self.histories.get((name, log.born))
            assert set(history.visits.values() if history else ()) == here
        assert self.store.logs or not here
        for process in self.processes:
            visits = {c.visit for c in self.clients if c.process is process}
            assert len(process.broker) == bool(visits)
        if not self.has_faults:
            self.compare_to_memory()
        for client in self.clients:
            client.place.leave(self.now)
            client.is_here = False
        self.converge(3.0)
        assert [len(process.broker) for process in self.processes] == [0] * NODES
        self.agree()

    def converge(self, seconds: float) -> None:
        """Mend everything, and let everybody know."""
        for node in range(NODES):
            self.heal(node)
        for _ in range(int(seconds / 0.5)):
            self.pump_all()
            self.agree()
            self.wait(0.5, beat=True)
        self.pump_all()
        self.agree()

    def beat(self) -> None:
        nodes = {process.node for process in self.processes}
        for process in self.processes:
            if not process.log.is_cut:
                process.broker.alive(nodes, self.now)

    # How.

    def tickets_shown(self) -> list[Client]:
        return [client for client in self.clients + self.past[-4:] if client.ticket]

    def ready(self) -> list[Client]:
        return [client for client in self.clients if client.is_ready]

    def ask(self, client: Client, later: Any) -> Asked:
        asked = Asked(client.process.last)
        client.asked.append(asked)
        later.then(asked.came.append)
        return asked

    def come(self, process: Process, port: FakePort, later: Any) -> Client:
        client = Client(process, Visit(*process.last), port)
        self.clients.append(client)
        asked = Asked(process.last)
        client.asked.append(asked)

        def settled(place: Any) -> None:
            asked.came.append(place)
            if isinstance(place, RefusedError) or place is None:
                client.is_here = False
            elif client.is_here:
                client.place = place
            else:
                place.lost(self.now)

        later.then(settled)
        return client

    def compare_to_memory(self) -> None:
        """Do each log again where there is nothing between."""
        for history in self.histories.values():
            Naive(self.clients + self.past, history).run()


TestSharedMachine = SharedMachine.TestCase
TestSharedMachine.pytestmark = [pytest.mark.timeout(max(120, EXAMPLES))]
TestSharedMachine.settings = settings(
    settings(max_examples=EXAMPLES, stateful_step_count=50, deadline=None, print_blob=True),
    derandomize="BEACON_MACHINE_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
