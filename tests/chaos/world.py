"""The processes of a chaos run: relay, members, proxies; breaks them as the script says (shell).

Knows when; what it means is for the checker.
"""

import asyncio
import json
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from tests.chaos.journal import Journal
from tests.chaos.process import Member, Relay
from tests.chaos.script import Fault, Script, Visit
from tests.chaos.whole import Episode

READY_S = 60.0
# Nothing more is asked for later than this after it was said; nor, at most, is anything mended.
QUIET_S = 15.0
SETTLING_S = 60.0
POLL_S = 1.0
# The numbers of newcomers, from whose sums with the seed their talk comes, begin here.
_NEWCOMERS = 500
_DELAY_S = 0.2


class World:
    """All of it. ``folder`` gets the journals; ``key_file`` is the relay's, or None."""

    def __init__(self, seed: int, folder: Path, key_file: Path | None, secret: str) -> None:
        self.folder = folder
        self.done: Counter[str] = Counter()
        self.members: list[Member] = []
        self.newcomers: list[Member] = []
        self._seed = seed
        self._secret = secret
        self._relays = [Relay(folder / "relay.log", key_file)]
        self._restarting: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        # By episode, when its faults began and were over in fact.
        self._spans: dict[int, list[float]] = {}

    def journals(self) -> dict[str, Journal]:
        """Return what everybody wrote so far."""
        return {member.name: member.journal for member in (*self.members, *self.newcomers)}

    def episodes(self) -> list[Episode]:
        """Return when the episodes were, in their order."""
        return [Episode(min(span), max(span)) for _, span in sorted(self._spans.items())]

    def crashes(self) -> list[str]:
        """Name whose error output says that something went wrong inside."""
        names = []
        for path in (*self.folder.glob("*.err"), *self.folder.glob("relay*.log")):
            text = path.read_text(errors="replace")
            if "Traceback" in text or "ERROR" in text or "CRITICAL" in text:
                names.append(path.name)
        return sorted(names)

    async def start(self, count: int) -> None:
        """Start the relay and the members, and wait until all are in the room."""
        await self._open()
        for index in range(count):
            self.members.append(await self._member(f"m{index:02}", index))
        for member in self.members:
            entered = await member.noted("entered", READY_S)
            assert entered, f"{member.name} did not come in"

    async def play(self, script: Script) -> None:
        """Do everything in its time."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for fault in script.faults:
                group.create_task(self._break(began, fault))
            for number, visit in enumerate(script.visits):
                group.create_task(self._visit(began, number, visit))

    async def settle(
        self,
        is_whole: Callable[[], bool],
        is_complete: Callable[[], bool],
        is_one: Callable[[], bool],
    ) -> None:
        """Let them talk until all is well again, then fall silent, then tell how things stand.

        Each is waited for as long as SETTLING_S; the checker says what was still wrong then.
        """
        await _hold(is_whole, SETTLING_S)
        for member in self.members:
            member.tell("hush")
        await asyncio.sleep(QUIET_S)
        await _hold(is_complete, SETTLING_S)

        def is_agreed() -> bool:
            agreed = is_one()
            for member in self.members:
                member.tell("final")
            return agreed

        await _hold(is_agreed, SETTLING_S)

    async def stop(self) -> None:
        """End every process."""
        for member in (*self.members, *self.newcomers):
            await member.stop()
        await self._close()

    async def _open(self) -> None:
        await asyncio.gather(*(relay.start() for relay in self._relays))

    async def _close(self) -> None:
        for relay in self._relays:
            await relay.stop()

    async def _member(self, name: str, number: int) -> Member:
        member = Member(name, self.folder, *(relay.port for relay in self._relays))
        await member.start(self._seed * 1000 + number, self._secret)
        return member

    async def _visit(self, began: float, number: int, visit: Visit) -> None:
        await _until(began + visit.come)
        self._note("newcomer", number, "")
        newcomer = await self._member(f"v{number:02}", _NEWCOMERS + number)
        self.newcomers.append(newcomer)
        if visit.cut is not None:
            await _until(began + visit.cut)
            self._note("cut", number, "newcomer")
            newcomer.proxy.cut(reset=True)
        await _until(began + visit.go)
        newcomer.tell("leave")
        await newcomer.noted("left", READY_S)

    async def _break(self, began: float, fault: Fault) -> None:
        await _until(began + fault.at)
        if fault.target < 0:
            async with self._restarting[fault.target]:
                self._mark(fault)
                await self._break_relay(fault, fault.until - fault.at)
        else:
            self._mark(fault)
            self._begin(fault)
            await _until(began + fault.until)
            self._end(fault)
        self._spans[fault.episode].append(time.monotonic())

    async def _break_relay(self, fault: Fault, down_s: float) -> None:
        how = signal.SIGKILL if fault.kind == "kill" else signal.SIGTERM
        await self._relays[-1 - fault.target].restart(how, down_s)

    def _mark(self, fault: Fault) -> None:
        self._note(fault.kind, fault.target, fault.detail, fault.until - fault.at)
        self._spans.setdefault(fault.episode, []).append(time.monotonic())

    def _begin(self, fault: Fault) -> None:
        member = self.members[fault.target]
        match fault.kind:
            case "cut":
                member.proxy.cut(reset=fault.detail == "relay")
            case "refuse":
                member.proxy.refuses = True
                member.proxy.cut(reset=False)
            case "stall":
                member.proxy.stall()
            case "half_open":
                member.proxy.half_open(silent=fault.detail)
            case "delay":
                member.proxy.delay_s = _DELAY_S
            case "sleep":
                member.signal(signal.SIGSTOP)
            case _:
                raise AssertionError(fault.kind)

    def _end(self, fault: Fault) -> None:
        member = self.members[fault.target]
        match fault.kind:
            case "refuse":
                member.proxy.refuses = False
            case "stall":
                member.proxy.flow()
            case "delay":
                member.proxy.delay_s = 0.0
            case "sleep":
                member.signal(signal.SIGCONT)

    def _note(self, kind: str, target: int, detail: str, seconds: float = 0.0) -> None:
        """Count what is done, and write it beside the journals."""
        self.done[kind] += 1
        line = {"t": time.monotonic(), "what": kind, "target": target, "detail": detail}
        with (self.folder / "faults.jsonl").open("a") as file:
            file.write(json.dumps({**line, "seconds": round(seconds, 1)}) + "\n")


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.monotonic()))


async def _hold(condition: Callable[[], bool], timeout_s: float) -> None:
    """Wait until it holds, or for so long."""
    for _ in range(int(timeout_s / POLL_S)):
        if condition():
            break
        await asyncio.sleep(POLL_S)
