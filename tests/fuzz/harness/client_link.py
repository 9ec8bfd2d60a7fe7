"""Any text -> a link or LinkError; what a link says parses to the same link again.

Its host is one that a relay's own parser takes for a Host, and LinkError never quotes the secret.
"""

import re

from client import link
from client.errors import LinkError
from relay import head

SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


def run(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for insecure in (False, True):
        try:
            parsed = link.parse_link(text, insecure_relay=insecure)
        except LinkError as error:
            said = str(error)
        else:
            _check(parsed, text, insecure=insecure)
            continue
        assert not any(secret in said for secret in SECRET.findall(text)), "a secret, quoted"


def _check(parsed: link.Link, text: str, *, insecure: bool) -> None:
    again = link.parse_link(parsed.to_url(), insecure_relay=insecure)
    assert again == parsed, "a link that is another once it is written"
    assert parsed.scheme in ("http", "https")
    assert len(parsed.secret) == 32
    request = f"GET / HTTP/1.1\r\nhost: {parsed.host}\r\n\r\n".encode()
    assert head.parse(request).host == parsed.host, "a host that is none"
    # Whom people see in the link is whom they connect to.
    authority = text.strip().split("/")[2].split("#")[0].split("?")[0].lower()
    host = parsed.host.rpartition(":")[0] if re.search(r":\d+$", parsed.host) else parsed.host
    assert authority.startswith(host), "another host than the link shows"
    # The keys do not depend on how the address was spelt.
    assert len(parsed.keys().room_id) == 16
