"""One chaos run from a seed: script, world, verdict, and a table of what happened."""

import base64
import hashlib
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.checker import Verdict, check, check_end, ghosts
from tests.chaos.cluster import NODES, Cluster
from tests.chaos.script import CLUSTER_KINDS, Script, write
from tests.chaos.whole import Mending, mendings
from tests.chaos.world import World

KEY_BYTES = 32
# What the checker finds, and what is printed of it.
KINDS = ("lost", "duplicated", "out of order", "forged", "revealed", "displaced")
MAX_PRINTED = 20


@dataclass(frozen=True)
class Report:
    """What a run showed."""

    seed: int
    seconds: float
    verdict: Verdict
    done: Counter[str]
    mendings: Sequence[Mending]
    ghosts: int
    has_key: bool

    @property
    def is_good(self) -> bool:
        """Whether nothing was found; what was told to be missing is not a fault."""
        return not self.verdict.faults

    def lines(self) -> list[str]:
        """Return it for a person."""
        verdict, done = self.verdict, self.done
        broken = ("kill", "term", "cut", "refuse", "stall", "half_open", "delay", "sleep")
        broken += tuple(kind for kind in CLUSTER_KINDS if done[kind])
        others = sum(verdict.found[kind] for kind in verdict.found if kind not in KINDS)
        rows = [
            ("relay", "keeps its ticket key" if self.has_key else "new ticket key at each start"),
            ("messages", f"{verdict.texts}, not sent and said so {verdict.unsent}"),
            ("deliveries", f"{verdict.deliveries}, late {verdict.late}"),
            ("newcomers", str(done["newcomer"])),
            ("faults", ", ".join(f"{kind.replace('_', '-')} {done[kind]}" for kind in broken)),
            ("whole again", spread(self.mendings)),
            ("told missing", f"{verdict.told}, though nothing was {verdict.untrue}"),
            ("left too soon", f"{verdict.excused} not seen"),
            ("said before the other was back in a new life", f"{verdict.strange} not seen"),
            ("found", ", ".join(f"{kind} {verdict.found[kind]}" for kind in KINDS)),
            ("", f"anything else {others}"),
            ("in the end", f"{self.ghosts} in the roster who are not here"),
            ("notices", ", ".join(f"{k} {n}" for k, n in sorted(verdict.notices.items()))),
            ("result", self._result()),
        ]
        found = [f"  {fault}" for fault in verdict.faults[:MAX_PRINTED]]
        if len(verdict.faults) > MAX_PRINTED:
            found.append(f"  and {len(verdict.faults) - MAX_PRINTED} more")
        title = f"seed {self.seed}, {self.seconds:.0f} s"
        return [title, *(f"  {name:14} {value}" for name, value in rows), *found]

    def _result(self) -> str:
        if not self.is_good:
            return "FAILED"
        return f"good, but {self.verdict.told} told missing" if self.verdict.told else "good"


def spread(found: Sequence[Mending]) -> str:
    """Say how long it took, for a person."""
    alone = [mending.seconds for mending in found if not mending.run_into]
    parts = [f"{len(found)} episodes"]
    if alone:
        parts.append(f"median {statistics.median(alone):.1f} s, worst {max(alone):.1f} s")
    into = [mending.seconds for mending in found if mending.run_into]
    if into:
        parts.append(f"{len(into)} ran into the next, worst {max(into):.1f} s")
    return "; ".join(parts)


async def run(
    seed: int, seconds: float, members: int, folder: Path, *, is_cluster: bool = False
) -> Report:
    """Play the script of ``seed``; return what the journals prove."""
    script = write(seed, seconds, members, NODES if is_cluster else 0)
    return await play(script, seed, seconds, members, folder, is_cluster=is_cluster)


async def play(
    script: Script, seed: int, seconds: float, members: int, folder: Path, *,
    is_cluster: bool = False,
) -> Report:  # fmt: skip
    """Play a script; keys and talk come from ``seed``."""
    digest = hashlib.sha256(f"beacon chaos {seed}".encode()).digest()
    secret = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    has_key = is_cluster or seed % 2 == 0
    key_file = folder / "ticket-key"
    key_file.write_bytes(hashlib.sha256(digest).digest()[:KEY_BYTES])
    world: World
    if is_cluster:
        world = Cluster(seed, folder, key_file, secret)
    else:
        world = World(seed, folder, key_file if has_key else None, secret)
    try:
        await world.start(members)
        await world.play(script)
        names = [member.name for member in world.members]

        def finals() -> list[str]:
            return check_end({name: world.journals()[name] for name in names})

        await world.settle(
            is_whole=lambda: _is_whole(mendings(world.journals(), world.episodes(), names)),
            is_complete=lambda: not check(world.journals()).found["lost"],
            is_one=lambda: not finals(),
        )
    finally:
        await world.stop()
    verdict = check(world.journals())
    for fault in finals():
        verdict.blame("in the end", fault)
    for name in world.crashes():
        verdict.blame("crashed", f"see {name}")
    left = {name: world.journals()[name] for name in names}
    mended = mendings(world.journals(), world.episodes(), names)
    return Report(seed, seconds, verdict, world.done, mended, ghosts(left), has_key)


def _is_whole(found: Sequence[Mending]) -> bool:
    return all(mending.seconds < float("inf") for mending in found)
