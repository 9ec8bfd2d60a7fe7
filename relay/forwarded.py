"""Whom a proxy speaks for: the address that the last proxy of the operator's own has seen.

Knows the two fields that say so and reads them from the right end only: everything further left is
what some stranger claims of itself.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies that are believed, and the one field that they set, in lower case.

    One field, not both: a proxy that sets one of them passes the other on as it came.
    """

    networks: tuple[Network, ...] = ()
    field: bytes = b"x-forwarded-for"

    def trusts(self, address: str) -> bool:
        """Tell whether a proxy of the operator's own has that address."""
        if not self.networks:
            return False
        read = _read_address(address)
        return read is not None and self._includes(read)

    def client(self, peer: str, fields: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the address of whoever a request is from, ``peer`` being a trusted proxy.

        Where a proxy wrote nothing that can be read, that is the proxy itself.
        """
        hops = b",".join(value for name, value in fields if name == self.field).split(b",")
        last = peer
        for hop in reversed(hops):
            address = self._read_hop(hop.decode("latin-1").strip())
            if address is None:
                break
            last = str(address)
            if not self._includes(address):
                break
        return last

    def _includes(self, address: Address) -> bool:
        return any(address in network for network in self.networks)

    def _read_hop(self, text: str) -> Address | None:
        if self.field != b"forwarded":
            return _read_address(text)
        for pair in text.split(";"):
            name, _, value = pair.strip().partition("=")
            if name.lower() == "for":
                return _read_address(value.strip('"'))
        return None


def parse_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Read networks in CIDR notation; raise ValueError, also for bits set beyond the prefix."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def _read_address(text: str) -> Address | None:
    """Read an address, with a port or without; an IPv4 address in IPv6 clothes is one of IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
