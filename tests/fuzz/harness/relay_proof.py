"""Any access key, signature and room -> AuthenticationError, unless it is the proof itself.

A proof is no other one's with a bit changed: nobody without the link makes a second from a first.
"""

import hashlib

from nacl.signing import SigningKey

from relay import proof
from relay.errors import AuthenticationError
from relay.wire import Hello, RoomId
from tests.fuzz.script import Script
from tests.relay.raw import Link

LINK = Link(SigningKey(bytes(range(32))))
NONCE = bytes(range(100, 132))
HOST = "relay.example"
SIGNATURE = LINK.sign(HOST, NONCE)
# Where room, access key, R, S, nonce and host begin.
PARTS = (0, 16, 48, 80, 112, 144)
GENUINE = LINK.room + LINK.access + SIGNATURE + NONCE + HOST.encode()


def run(data: bytes) -> None:
    script = Script(data)
    form = script.byte()
    given = script.rest()
    if form & 1:
        # What is given stands in the place of a part of the proof.
        at = PARTS[(form >> 2) % len(PARTS)]
        given = GENUINE[:at] + given[: len(GENUINE) - at] + GENUINE[at + len(given) :]
    if form & 2:
        # Otherwise nothing gets past the first check: the room is the hash of the key.
        given = hashlib.sha256(b"beacon room id v1" + given[16:48]).digest()[:16] + given[16:]
    given = given.ljust(144, b"\0")
    hello = Hello(RoomId(given[:16]), given[16:48], given[48:112])
    host = given[144:].decode("latin-1")
    try:
        proof.verify(hello, (host,), given[112:144])
    except AuthenticationError:
        assert given != GENUINE, "the proof itself"
        return
    assert given == GENUINE, "another proof"
