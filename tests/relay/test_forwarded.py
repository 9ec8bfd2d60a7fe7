"""Whom a trusted proxy speaks for; everything left of what it wrote itself is worth nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.forwarded import Proxies, parse_networks

PROXY, CLIENT, LIAR = "10.0.0.1", "192.0.2.60", "203.0.113.9"
NETWORKS = parse_networks(["10.0.0.0/8", "fd00::/8"])


def client(value: str | None, field: bytes = b"x-forwarded-for", peer: str = PROXY) -> str:
    fields = [
        (b"host", b"a.example"),
        (b"forwarded" if field[0] == 120 else b"x-forwarded-for", b"1.1.1.1"),
    ]
    if value is not None:
        fields.append((field, value.encode("latin-1")))
    return Proxies(NETWORKS, field).client(peer, fields)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (CLIENT, CLIENT),
        (f"{LIAR}, {CLIENT}", CLIENT),
        (f"{LIAR}, {CLIENT}, 10.9.9.9", CLIENT),
        (f"{LIAR},{CLIENT} , 10.9.9.9 ,fd00::1", CLIENT),
        (f"{CLIENT}:4711", CLIENT),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1%eth0", "2001:db8::1"),
        ("::ffff:192.0.2.60", CLIENT),
        # Only proxies spoke: the first of them is who asks.
        ("10.9.9.9", "10.9.9.9"),
        # What cannot be read ends the chain at whoever wrote it.
        (f"{CLIENT}, nonsense", PROXY),
        (f"{CLIENT}, nonsense, 10.9.9.9", "10.9.9.9"),
        ("", PROXY),
        (None, PROXY),
    ],
)
def test_client_of_x_forwarded_for(value: str | None, address: str) -> None:
    assert client(value) == address


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (f"for={CLIENT}", CLIENT),
        (f"For={CLIENT};proto=https;by=10.0.0.1", CLIENT),
        (f"proto=https ; for={CLIENT}", CLIENT),
        ('for="[2001:db8::1]:4711"', "2001:db8::1"),
        (f"for={LIAR}, for={CLIENT}", CLIENT),
        # An open quotation mark of a stranger swallows nothing of what the proxy wrote.
        (f'for="{LIAR}, for={CLIENT}', CLIENT),
        (f"for={CLIENT}, for=10.9.9.9", CLIENT),
        (f"for={LIAR}, for=unknown", PROXY),
        (f"for={LIAR}, by=10.0.0.1", PROXY),
    ],
)
def test_client_of_forwarded(value: str, address: str) -> None:
    assert client(value, b"forwarded") == address


def test_several_fields_are_one_list() -> None:
    fields = [(b"x-forwarded-for", LIAR.encode()), (b"x-forwarded-for", CLIENT.encode())]
    assert Proxies(NETWORKS).client(PROXY, fields) == CLIENT


def test_only_proxies_of_the_operator_are_trusted() -> None:
    proxies = Proxies(NETWORKS)
    assert proxies.trusts(PROXY)
    assert proxies.trusts("::ffff:10.0.0.1")
    assert proxies.trusts("fd00::1%lo")
    assert not proxies.trusts(CLIENT)
    assert not proxies.trusts("")
    assert not Proxies().trusts(PROXY)


@given(st.binary(max_size=200), st.sampled_from([b"x-forwarded-for", b"forwarded"]))
def test_whatever_comes_the_last_word_is_the_proxys(junk: bytes, field: bytes) -> None:
    own = b"for=192.0.2.60" if field == b"forwarded" else b"192.0.2.60"
    found = Proxies(NETWORKS, field).client(PROXY, [(field, junk + b"," + own)])
    assert found == CLIENT
