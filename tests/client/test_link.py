"""The link: how it is spelt, and what is derived from it (R1)."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_sign_open

from client.errors import LinkError, StateError, UsageError
from client.link import (
    FORGOTTEN,
    Link,
    create_link,
    decode_b64url,
    derive_keys,
    encode_b64url,
    parse_link,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/link.json").read_text())
SECRET = encode_b64url(bytes(range(32)))


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda v: v["host"])
def test_r01_keys_come_from_the_secret_as_the_vectors_say(vector: dict[str, str]) -> None:
    link = parse_link(vector["url"])
    assert (link.host, link.secret.hex()) == (vector["host"], vector["secret"])
    assert link.to_url() == vector["url"]
    keys = link.keys()
    assert keys.access.key.hex() == vector["access_key"]
    assert keys.psk.hex() == vector["psk"]
    assert keys.seal.hex() == vector["seal"]
    assert keys.room_id.hex() == vector["room_id"]
    nonce = bytes.fromhex(vector["nonce"])
    signature = keys.access.sign_hello(link.host, keys.room_id, nonce)
    assert signature.hex() == vector["hello_signature"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda v: v["name"])
def test_bad_link_is_refused_and_never_quoted(vector: dict[str, str]) -> None:
    assert vector["error"] == LinkError.__name__
    with pytest.raises(LinkError) as caught:
        parse_link(vector["url"])
    assert SECRET[:20] not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        # A parser of URLs connects to what stands in the brackets, whatever stands before them.
        "https://one.example[v1.another.example]",
        "https://[::1]one.example",
        "https://one.example[::1]:8000",
        "https://one.ex)ample",
        "https://one.example\\.another.example",
        "https://[fe80::1%eth0]",
        "https://one.example:",
    ],
)
def test_link_names_the_host_that_is_connected_to_and_no_other(address: str) -> None:
    with pytest.raises(LinkError):
        parse_link(f"{address}/#{SECRET}")


@given(st.text(max_size=500))
def test_any_text_is_a_link_or_a_link_error(text: str) -> None:
    try:
        link = parse_link(text)
    except LinkError:
        return
    assert parse_link(link.to_url()) == link


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8000", "127.9.9.9", "[::1]:1", "a.localhost"]
)
def test_plain_http_stays_on_this_machine(host: str) -> None:
    link = parse_link(f"http://{host}/#{SECRET}")
    assert link.websocket == f"ws://{host}/v1/connect"


@pytest.mark.parametrize("host", ["example.org", "10.0.0.1", "localhost.example", "127.0.0.1.nip"])
def test_plain_http_elsewhere_needs_insistence(host: str) -> None:
    with pytest.raises(LinkError, match="insecure"):
        parse_link(f"http://{host}/#{SECRET}")
    assert parse_link(f"http://{host}/#{SECRET}", insecure_relay=True).scheme == "http"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://EXAMPLE.org:443/", "example.org"),
        ("http://localhost:80", "localhost"),
        ("https://example.org:80", "example.org:80"),
        ("  https://example.org  ", None),
    ],
)
def test_host_is_signed_in_one_spelling(url: str, host: str | None) -> None:
    if host is None:
        with pytest.raises(LinkError):
            create_link(url)
    else:
        assert create_link(url).host == host


def test_pasted_white_space_around_a_link_does_not_matter() -> None:
    assert parse_link(f"\n https://example.org/#{SECRET} \n").secret == bytes(range(32))


def test_fresh_links_differ_and_tls_is_used_where_it_is() -> None:
    one, two = (create_link("https://example.org") for _ in range(2))
    assert one.secret != two.secret
    assert one.websocket == "wss://example.org/v1/connect"


def test_r01_secret_of_another_length_is_refused() -> None:
    for length in (0, 31, 33):
        with pytest.raises(UsageError):
            derive_keys(bytes(length))


def test_r02_hello_binds_host_room_and_nonce() -> None:
    keys = derive_keys(bytes(32))
    nonce = bytes(32)
    signature = keys.access.sign_hello("Example.ORG", keys.room_id, nonce)
    message = b"beacon hello v1" + b"example.org" + keys.room_id + nonce
    assert crypto_sign_open(signature + message, keys.access.key) == message


def test_reprs_show_no_secret() -> None:
    link = Link("https", "example.org", bytes(range(32)))
    keys = link.keys()
    assert repr(link) == "Link(scheme='https', host='example.org')"
    assert repr(keys) == f"Keys(room_id={keys.room_id!r})"
    assert repr(keys.access) == f"Access(key={keys.access.key!r})"
    assert FORGOTTEN.room_id == b""


@given(st.binary(max_size=40))
def test_base64url_has_one_spelling(data: bytes) -> None:
    spelt = encode_b64url(data)
    assert decode_b64url(spelt, len(data)) == data
    for other in (spelt + "=", spelt + "A", " " + spelt):
        with pytest.raises(ValueError, match="base64url"):
            decode_b64url(other, len(data))


def test_nothing_is_signed_with_forgotten_keys() -> None:
    with pytest.raises(StateError):
        FORGOTTEN.access.sign_hello("example.org", FORGOTTEN.room_id, bytes(32))
