"""A TCP proxy before a relay: what a bad network does to a connection, on command."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

JOIN_S = 30.0


@dataclass
class _Pair:
    """One connection: the end of the client, and that of the relay."""

    client: socket.socket
    relay: socket.socket
    half_open: bool = False


class Proxy:
    """Carries bytes between clients and a relay on this machine."""

    def __init__(self, relay_port: int) -> None:
        self._relay_port = relay_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[_Pair] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.blocked = False
        self.accepted = 0
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self, *, half_open: bool = False) -> None:
        """End all connections; if ``half_open``, the relay does not learn of it."""
        for pair in list(self._pairs):
            pair.half_open = half_open
            _end(pair.client)
            if not half_open:
                _end(pair.relay)

    def close(self) -> None:
        """End everything."""
        self.blocked = True
        self.cut()
        _end(self._listener)
        for thread in self._threads:
            thread.join(JOIN_S)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.accepted += 1
                if self.blocked:
                    client.close()
                    continue
                pair = _Pair(client, socket.create_connection(("127.0.0.1", self._relay_port)))
                self._pairs.append(pair)
                self._threads.append(threading.Thread(target=self._serve, args=[pair], daemon=True))
                self._threads[-1].start()

    def _serve(self, pair: _Pair) -> None:
        back = threading.Thread(target=_carry, args=[pair, pair.relay, pair.client], daemon=True)
        back.start()
        _carry(pair, pair.client, pair.relay)
        back.join()
        self._pairs.remove(pair)
        pair.client.close()
        pair.relay.close()


def _carry(pair: _Pair, source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            # A relay that does not know that nobody listens goes on.
            with contextlib.suppress(OSError):
                target.sendall(data)
    if not pair.half_open:
        _end(target)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied(relay_port: int) -> Iterator[Proxy]:
    """Stand between clients and the relay on this port."""
    proxy = Proxy(relay_port)
    try:
        yield proxy
    finally:
        proxy.close()
