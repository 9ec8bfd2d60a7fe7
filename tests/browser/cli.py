"""The `beacon` command as a process beside a browser: read in a thread, so that both go on."""

import asyncio
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from client import Link
from tests.browser.visitor import PATIENCE_S, until
from tests.client.cli.beacon import run, running


class Tail:
    """A `beacon tail --json` and all that it has printed."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    async def connected(self) -> None:
        await until(lambda: any(e.get("status") == "connected" for e in list(self.events)))

    async def messages(self, count: int) -> list[dict[str, Any]]:
        """Return so many messages, in the order that the relay gave them."""

        def found() -> list[dict[str, Any]]:
            return [event for event in list(self.events) if event["type"] == "message"]

        await until(lambda: len(found()) >= count, lambda: f"{len(found())} of {count}")
        assert len({event["life"] for event in found()}) <= 1
        return sorted(found(), key=lambda event: int(event["seq"]))

    def end(self) -> None:
        self.process.terminate()
        self._reader.join(PATIENCE_S)


@contextmanager
def tailing(link: Link) -> Iterator[Tail]:
    """Run `beacon tail --json` in a room."""
    with running("tail", "--json", env={"BEACON_LINK": link.to_url()}) as process:
        tail = Tail(process)
        try:
            yield tail
        finally:
            # Before the process's streams are read by anybody else.
            tail.end()


async def send(link: Link, *texts: str, wait: bool = False) -> None:
    """Run `beacon send` to its end."""
    words = ["send", *([] if wait else ["--no-wait"]), "-"]
    done = await asyncio.to_thread(
        run, *words, stdin="".join(f"{text}\n" for text in texts).encode(),
        env={"BEACON_LINK": link.to_url()},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
