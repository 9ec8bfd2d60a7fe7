"""What MLS costs a client: the time of each operation by group size, and the size of what travels.

    python -m bench.mls [--runs 9] [--sizes 2,16,64,128]

Times are milliseconds, median (least..most); sizes are those of bare MLSMessages, before sealing.
A join is the one that makes the group so large; whoever follows is nearest in the tree, and so has
most to derive. Each size is measured in two shapes. Serial: the members joined one by one. Blank:
they were twice as many, and the first removed every other leaf, so that nearly all parent nodes are
blank. The first, and whoever joins beside it, then seals to every leaf: the worst there is.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from client.mls import Group, Identity, Inspected, Staged, found, inspect, join

ROOM_ID = bytes(16)
PSK = bytes(32)
LEAF_CAP = 1024
CLASS = 512
CONTENT = b"x" * 200
MESSAGES = 200
LABEL, CELL = 17, 20


@dataclass(frozen=True)
class World:
    """A group as some of its members hold it, by leaf: the first three and the last."""

    held: dict[int, Group]
    fence: int

    @property
    def first(self) -> Group:
        """The group as the member in leaf 0 holds it."""
        return self.held[0]

    def nearest(self, leaf: int) -> Group:
        """The group as the member beside ``leaf`` holds it."""
        return self.held[min(self.held.keys() - {leaf}, key=lambda other: other ^ leaf)]

    def inspect(self, group_info: bytes) -> Inspected:
        """Inspect a GroupInfo of this epoch."""
        return inspect(group_info, ROOM_ID, self.fence, leaf_cap=LEAF_CAP)

    def join(self, group_info: bytes) -> Staged:
        """Inspect and join, as somebody new."""
        identity = Identity.generate()
        return join(self.inspect(group_info), identity, f"0x{self.fence:04x}", PSK)

    def grown(self) -> "World":
        """The group with one more member."""
        staged = self.join(self.first.group_info(self.fence))
        kept = {leaf: group for leaf, group in self.held.items() if leaf <= 2}
        world = World(kept, self.fence).after(staged)
        return World({**world.held, staged.group.me.leaf: staged.group}, world.fence)

    def thinned(self) -> "World":
        """The group without its leaves 1, 3, 5 and so on, removed by the first."""
        odd = [member.leaf for member in self.first.members if member.leaf & 1]
        staged = self.first.commit(odd, self.fence)
        others = {leaf: group for leaf, group in self.held.items() if leaf and not leaf & 1}
        world = World(others, self.fence).after(staged)
        return World({**world.held, 0: staged.group}, world.fence)

    def after(self, staged: Staged) -> "World":
        """The group as those hold it who followed a commit."""
        held = {n: group.follow(staged.commit, self.fence).group for n, group in self.held.items()}
        return World(held, self.fence + 1)


def worlds(largest: int) -> list[World]:
    """Groups of zero (none), one, two and more members, all one group's past."""
    group = found(Identity.generate(), "0x0000", PSK, ROOM_ID, leaf_cap=LEAF_CAP).group
    grown = [World({}, 0), World({0: group}, 1)]
    while len(grown) <= largest:
        grown.append(grown[-1].grown())
    return grown


def cell(runs: int, act: Callable[[], object]) -> str:
    """Time ``act``, after once for the caches."""
    act()
    took = []
    for _ in range(runs):
        start = time.perf_counter()
        act()
        took.append(1000 * (time.perf_counter() - start))
    middle, least, most = statistics.median(took), min(took), max(took)
    digits = 2 if middle < 10 else 1
    return f"{middle:.{digits}f} ({least:.{digits}f}..{most:.{digits}f})"


def rows(before: World, runs: int) -> Iterator[tuple[str, str]]:
    """Measure one group that still lacks its last member; each row is a label and a cell."""
    fence = before.fence
    group_info = before.first.group_info(fence)
    chosen, newcomer = before.inspect(group_info), Identity.generate()
    joined = before.join(group_info)
    neighbour = before.nearest(joined.group.me.leaf)
    yield "inspect", cell(runs, lambda: before.inspect(group_info))
    yield "join", cell(runs, lambda: join(chosen, newcomer, "0xffff", PSK))
    yield "inspect and join", cell(runs, lambda: before.join(group_info))
    yield "follow a join", cell(runs, lambda: neighbour.follow(joined.commit, fence))

    after = before.grown()
    fence = after.fence
    renewed = after.first.commit((), fence)
    second = after.nearest(0)
    yield "commit", cell(runs, lambda: after.first.commit((), fence))
    yield "follow a commit", cell(runs, lambda: second.follow(renewed.commit, fence))
    yield "GroupInfo, bytes", str(len(renewed.group_info))
    yield "join, bytes", str(len(joined.commit))
    yield "commit, bytes", str(len(renewed.commit))


def print_line(label: str, cells: Sequence[object]) -> None:
    """Print one line of a table."""
    print(f"{label:{LABEL}}" + "".join(f"{text!s:>{CELL}}" for text in cells), flush=True)


def print_groups(shape: str, sizes: Sequence[int], groups: Sequence[World], runs: int) -> None:
    """Print one shape's table."""
    print_line(f"ms; {shape}, members", sizes)
    columns = [list(rows(world, runs)) for world in groups]
    for row in zip(*columns, strict=True):
        print_line(row[0][0], [text for _, text in row])
    print()


def print_messages(world: World) -> None:
    """Print what one message costs."""
    sender, reader, fence = world.first, world.nearest(0), world.fence
    sent = [sender.encrypt(CONTENT, fence, CLASS) for _ in range(MESSAGES + 1)]
    unread = iter(sent)
    print_line("message", [f"of {CLASS} bytes"])
    print_line("encrypt", [cell(MESSAGES, lambda: sender.encrypt(CONTENT, fence, CLASS))])
    print_line("decrypt", [cell(MESSAGES, lambda: reader.decrypt(next(unread), fence))])
    print_line("message, bytes", [len(sent[0])])


def main() -> None:
    """Measure everything and print three tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.mls")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--sizes", default="2,16,64,128")
    given = parser.parse_args()
    sizes = sorted(int(size) for size in given.sizes.split(","))
    if sizes[0] < 2:
        parser.error("a group has two members at least")
    grown = worlds(2 * sizes[-1])
    blank = [grown[2 * (size - 1)].thinned() for size in sizes]
    print_groups("serial", sizes, [grown[size - 1] for size in sizes], given.runs)
    print_groups("blank", sizes, blank, given.runs)
    print_messages(grown[sizes[-1]])


if __name__ == "__main__":
    main()
