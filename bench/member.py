"""What one member's client uses in a room in which everybody talks: in Python, and in JavaScript.

    python -m bench.member [--sizes 2,16,64] [--seconds 120] [--seed 1]

Rooms of real clients on the tests' model relay, in virtual time: everybody says something every
10 s, with more than 32 members every 40 s, and all that completeness adds is there. Of one client
in Python the processor time is taken. What one in JavaScript is told is written down, and told once
more to a process that does nothing else (bench/member.mjs). Both do all that a client does but to
show it and to move it over a socket.
"""

import argparse
import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.upkeep import speak
from tests import model, node, rooms
from tests.pair import Client, Stage

HERE = Path(__file__).parent
INPUTS = ("received", "say", "tick")
NOTED = ("seed", "create", "connected", "lost", *INPUTS)
SETTLE_S = 60.0


class Watch:
    """The processor time that a Python client's inputs took."""

    def __init__(self, client: Client) -> None:
        self.seconds = 0.0
        for name in INPUTS:
            setattr(client.room, name, self._timed(getattr(client.room, name)))

    def _timed(self, put: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **options: Any) -> Any:
            began = time.process_time()
            try:
                return put(*given, **options)
            finally:
                self.seconds += time.process_time() - began

        return timed


@contextmanager
def noted() -> Iterator[list[dict[str, Any]]]:
    """Start a process of Node and write down what its rooms are told."""
    orders: list[dict[str, Any]] = []
    process = node.node()
    ask = process.ask

    def asked(order: dict[str, Any]) -> dict[str, Any]:
        if order["do"] in NOTED:
            orders.append(order)
        return ask(order)

    process.ask = asked  # type: ignore[method-assign]
    try:
        yield orders
    finally:
        node.stop()


def replay(orders: list[dict[str, Any]]) -> tuple[float, int]:
    """Tell it all once more; return the seconds used and the texts shown since the mark."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(order) + "\n" for order in orders)
        file.flush()
        command = ["node", str(HERE / "member.mjs"), file.name]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    return float(found["seconds"]), int(found["texts"])


def play(size: int, seconds: int, seed: int) -> str:
    """Return one line of the table."""
    stage, chance = Stage(seed=seed.to_bytes(8, "big")), random.Random(seed)
    with noted() as orders:
        with rooms.using("javascript"):
            rooms.seed(str(seed))
            [script] = stage.join(1)
        *_, python = stage.join(size - 1)
        stage.wait(SETTLE_S)
        watch, heard, shown = Watch(python), len(python.texts), len(script.texts)
        orders.append({"do": "mark"})
        for second in range(seconds):
            speak(stage, "busy", chance, second)
            stage.wait(1)
    heard, shown = len(python.texts) - heard, len(script.texts) - shown
    used, replayed = replay(orders)
    assert replayed == shown, "the other process does not do the same"
    cells = [f"{heard / seconds:.2f}"]
    for each in (watch.seconds, used):
        cells += [f"{100 * each / seconds:.2f} %", f"{1000 * each / max(heard, 1):.1f}"]
    return f"{size:>7}" + "".join(f"{cell:>19}" for cell in cells)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.member", description=__doc__)
    parser.add_argument("--sizes", default="2,16,64")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    # Keys too are drawn alike in all processes of Node that this one starts.
    os.environ["NODE_OPTIONS"] = f"--import {HERE / 'seeded.mjs'}"
    model.LIMITS["message_rate_milli"] = 1000
    head = ("texts/s", "Python, of a core", "ms a text", "JavaScript", "ms a text")
    print("members" + "".join(f"{cell:>19}" for cell in head))
    for size in map(int, given.sizes.split(",")):
        print(play(size, given.seconds, given.seed), flush=True)


if __name__ == "__main__":
    main()
