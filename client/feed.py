"""Events on their way to the program that reads them (shell).

Knows how many may wait and how it ends; knows nothing of what they mean.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from client.errors import ClientError
from client.event import Event, Notice

# Events that wait for a program that does not read; the oldest are dropped and a notice says so.
MAX_EVENTS = 10_000


class Feed:
    """One stay's events, in their order; open until `end`."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._dropped = False
        self._readable = asyncio.Event()
        self._ended = False
        self._error: ClientError | None = None

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> None:
        """Add an event; drop the oldest if too many wait."""
        if len(self._events) >= MAX_EVENTS:
            self._events.popleft()
            self._dropped = True
        self._events.append(event)
        self._readable.set()

    def end(self, error: ClientError | None) -> None:
        """Nothing more comes; whoever reads to the end is told ``error``."""
        self._ended, self._error = True, error
        self._readable.set()

    async def read(self) -> AsyncIterator[Event]:
        """Yield events as they come; end when the stay ends, raising what ended it."""
        while True:
            while self._events:
                yield self._events.popleft()
            if self._dropped:
                self._dropped = False
                yield Notice("events_dropped")
            if self._ended:
                if self._error is not None:
                    raise self._error
                return
            self._readable.clear()
            await self._readable.wait()
