"""The link, and every key that is derived from it (PROTOCOL 2, R1).

Knows how a link is spelt and which labels separate its keys; never opens a connection, and knows
nothing of groups or frames.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
import secrets
from dataclasses import dataclass, field
from typing import NewType
from urllib.parse import urlsplit

from nacl.bindings import (
    crypto_sign,
    crypto_sign_BYTES,
    crypto_sign_SECRETKEYBYTES,
    crypto_sign_seed_keypair,
)

from client.errors import LinkError, StateError, UsageError

RoomId = NewType("RoomId", bytes)
Tag = NewType("Tag", str)
Psk = NewType("Psk", bytes)
SealKey = NewType("SealKey", bytes)

SECRET_BYTES = 32
ROOM_ID_BYTES = 16
_SALT = b"beacon link v1"
_ROOM_LABEL = b"beacon room id v1"
_HELLO_LABEL = b"beacon hello v1"
_DEFAULT_PORT = {"https": 443, "http": 80}
# A link is 43 characters of secret, a scheme and a host of at most 253; more is not one.
_MAX_LINK_CHARS = 400
# What relays take for a Host. Else whom people read in a link could be another than is connected
# to: `https://one.example[v1.another.example]/` is the second for a parser of URLs.
_HOST = re.compile(r"(?:[0-9A-Za-z._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def encode_b64url(data: bytes) -> str:
    """Return base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_b64url(text: str, length: int) -> bytes:
    """Return exactly ``length`` bytes; raise ValueError for any other spelling or length."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ValueError("not base64url") from exc
    # Unused bits make several spellings of the same bytes: only one is accepted.
    if len(data) != length or encode_b64url(data) != text:
        raise ValueError("not base64url of that length")
    return data


@dataclass(frozen=True)
class Access:
    """The Ed25519 key pair that proves the link to the relay."""

    key: bytes
    _private: bytes = field(repr=False)

    def sign_hello(self, host: str, room_id: RoomId, nonce: bytes) -> bytes:
        """Return the 64-byte signature of PROTOCOL 4.1; ``host`` as in the Host header.

        Raises StateError once the keys are forgotten: the library reads 64 bytes of whatever it is
        given.
        """
        if len(self._private) != crypto_sign_SECRETKEYBYTES:
            raise StateError("the keys were forgotten")
        message = _HELLO_LABEL + host.lower().encode("ascii") + room_id + nonce
        return crypto_sign(message, self._private)[:crypto_sign_BYTES]


@dataclass(frozen=True)
class Keys:
    """What R1 derives from a link's secret. Held in memory only, for one stay."""

    room_id: RoomId
    access: Access = field(repr=False)
    psk: Psk = field(repr=False)
    seal: SealKey = field(repr=False)


@dataclass(frozen=True)
class Link:
    """A relay's address and a room's secret; whoever holds it can enter the room."""

    scheme: str
    host: str
    secret: bytes = field(repr=False)

    @property
    def relay(self) -> str:
        """The relay's URL, without the secret and without a trailing slash."""
        return f"{self.scheme}://{self.host}"

    @property
    def websocket(self) -> str:
        """The URL that a client connects to."""
        return f"{'wss' if self.scheme == 'https' else 'ws'}://{self.host}/v1/connect"

    def to_url(self) -> str:
        """Spell the link out, secret included: what people share."""
        return f"{self.relay}/#{encode_b64url(self.secret)}"

    def keys(self) -> Keys:
        """Derive the room's keys (R1)."""
        return derive_keys(self.secret)


# What stands in the place of keys that were wiped (R18): they open and prove nothing.
FORGOTTEN = Keys(RoomId(b""), Access(b"", b""), Psk(b""), SealKey(b""))


def derive_keys(secret: bytes) -> Keys:
    """Derive a room's keys from its 32-byte secret (R1); raise UsageError for another length."""
    if len(secret) != SECRET_BYTES:
        raise UsageError(f"a link's secret has {SECRET_BYTES} bytes, not {len(secret)}")
    prk = hmac.digest(_SALT, secret, "sha256")
    public, private = crypto_sign_seed_keypair(_expand(prk, b"access"))
    room_id = RoomId(hashlib.sha256(_ROOM_LABEL + public).digest()[:ROOM_ID_BYTES])
    return Keys(
        room_id=room_id,
        access=Access(public, private),
        psk=Psk(_expand(prk, b"psk")),
        seal=SealKey(_expand(prk, b"seal")),
    )


def _expand(prk: bytes, label: bytes) -> bytes:
    # One block of HKDF-Expand (RFC 5869 2.3): every key here is as long as the hash.
    return hmac.digest(prk, label + b"\x01", "sha256")


def create_link(relay: str, *, insecure_relay: bool = False) -> Link:
    """Make a link with a fresh secret for the relay at URL ``relay``; raise LinkError."""
    scheme, host = _parse_relay(relay, insecure_relay=insecure_relay)
    return Link(scheme, host, secrets.token_bytes(SECRET_BYTES))


def parse_link(text: str, *, insecure_relay: bool = False) -> Link:
    """Read a link as people paste it; raise LinkError, which never quotes it.

    Plain http beyond loopback is refused unless ``insecure_relay``: whoever carries the bytes
    could swap the page, and sees which room is entered from where.
    """
    text = text.strip()
    if len(text) > _MAX_LINK_CHARS:
        raise LinkError("this is too long to be a link")
    relay, hash_sign, fragment = text.partition("#")
    if not hash_sign:
        raise LinkError("the link has no secret: the part from # on is missing")
    scheme, host = _parse_relay(relay, insecure_relay=insecure_relay)
    try:
        secret = decode_b64url(fragment, SECRET_BYTES)
    except ValueError as exc:
        raise LinkError("the link's secret is damaged: was it copied whole?") from exc
    return Link(scheme, host, secret)


def _parse_relay(url: str, *, insecure_relay: bool) -> tuple[str, str]:
    if not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        raise LinkError("a relay's address has ASCII characters only, and no spaces")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise LinkError("the relay's address cannot be read") from exc
    if parts.scheme not in _DEFAULT_PORT:
        raise LinkError("a relay's address begins with https:// (or http:// on this machine)")
    if parts.username is not None or parts.password is not None:
        raise LinkError("a relay's address holds no user name")
    if parts.path not in ("", "/") or parts.query or not _HOST.fullmatch(parts.netloc):
        raise LinkError("a relay's address is scheme, host and port alone")
    assert parts.hostname is not None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.scheme == "http" and not insecure_relay and not _is_loopback(parts.hostname):
        raise LinkError("plain http beyond this machine is refused (--insecure-relay allows it)")
    if port is not None and port != _DEFAULT_PORT[parts.scheme]:
        host = f"{host}:{port}"
    return parts.scheme, host.lower()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
