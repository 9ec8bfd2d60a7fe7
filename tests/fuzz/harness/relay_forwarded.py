"""Any X-Forwarded-For or Forwarded field -> the peer, or one address that stands in it, no error.

Addresses are told in one spelling, so that a stranger has no second source by writing it anew.
"""

import ipaddress

from relay.forwarded import Proxies, parse_networks
from relay.source import source_id
from tests.fuzz.script import Script

NETWORKS = parse_networks(["10.0.0.0/8", "fd00::/8"])
PEER = "10.0.0.1"
FIELDS = (b"x-forwarded-for", b"forwarded")
KEY = bytes(32)


def run(data: bytes) -> None:
    script = Script(data)
    form = script.byte()
    field = FIELDS[form & 1]
    values = script.rest().split(b"\n")
    fields = [(field, value) for value in values]
    proxies = Proxies(NETWORKS, field)
    client = proxies.client(PEER, fields)
    assert str(ipaddress.ip_address(client)) == client, "another spelling"
    assert len(source_id(KEY, client)) == 16
    assert proxies.trusts(client) in (True, False)
    # What a stranger writes further left changes nothing: whom we trust has written the last hop.
    if not proxies.trusts(client):
        claimed = [(field, b"198.51.100.7, for=198.51.100.7")]
        assert proxies.client(PEER, [*claimed, *fields]) == client
    proxies.trusts(values[0].decode("latin-1"))
    source_id(KEY, values[0].decode("latin-1"))
