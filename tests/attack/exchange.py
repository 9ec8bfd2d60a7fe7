"""Everything that a relay can be told in a few seconds: by people, by members, by attackers."""

import asyncio
import base64
import os
from collections.abc import Iterator

from client import Message, create_link, open_room
from tests.attack.attacker import FIN, PING, TEXT, Attacker, Visitor, flood, quick_frame
from tests.attack.target import Target
from tests.relay.raw import SEALED, client_frame, commit_bytes, offer_bytes, post_bytes

ADDRESSES = ("127.45.67.89", "127.98.76.54")
NICK, TEXT_SAID = "violet-harbour-nick", "plum-otter-canary-text"
PATH, HOST, AGENT = "secret-path-8731", "secret-host-2290.example", "secret-agent-5512/1.0"


async def talk(url: str) -> list[str]:
    """Let two people talk; return what nobody else may know of it."""
    link = create_link(url)
    async with open_room(link, nick=NICK) as one, open_room(link) as two:
        await one.send(TEXT_SAID)
        async for event in two:
            if isinstance(event, Message):
                break
        keys = link.keys()
        secrets = [link.secret, keys.room_id, keys.psk, keys.seal]
        known = [spelling for secret in secrets for spelling in spellings(secret)]
        return [*known, one.tag, two.tag, NICK, TEXT_SAID, *one.words]


def spellings(data: bytes) -> Iterator[str]:
    """Yield how bytes may stand in a text."""
    yield data.hex()
    yield base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    yield base64.b64encode(data).rstrip(b"=").decode()
    yield repr(data)[2:-1]


def members(relay: Target) -> list[str]:
    """Let members come, talk, drop out, come back and leave; return what identifies them."""
    one = Visitor(relay.port, source=ADDRESSES[0]).join()
    two = Visitor(relay.port, one.link, source=ADDRESSES[1]).join()
    reference, sealed = os.urandom(8), os.urandom(SEALED)
    one.send(post_bytes(2, sealed, reference))
    two.text(b'{"type":"need"}')
    one.send(offer_bytes(2))
    two.send(commit_bytes(2))
    known = [one.ticket, two.ticket]
    back = two.resumed()
    back.send(post_bytes(3))
    known += [two.mark, back.ticket, one.tag, two.tag, back.life]
    one.text(b'{"type":"bye"}')
    one.close_code()
    two.sock.close()
    back.sock.close()
    for data in (one.link.room, one.link.access, reference, sealed):
        known += spellings(data)
    return known + list(ADDRESSES)


def attackers(relay: Target) -> list[str]:
    """Break every kind of rule once; return what the attackers said of themselves."""
    heads = (
        f"GET /{PATH} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: {AGENT}\r\n\r\n",
        f"GET /{PATH} HTTP/9.9\r\nHost: {HOST}\r\n\r\n",
        f"GET /{PATH} HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: {PATH}\r\n\r\n",
        f"POST /healthz HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 16\r\n\r\n{PATH}",
        f"GET /{PATH}\r\n{HOST}\r\n\r\n",
        f"GET /v1/connect HTTP/1.1\r\nHost: {HOST}\r\nOrigin: https://{HOST}.evil\r\n"
        "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    )
    for target in ("/", "/healthz", "/words.txt"):
        with Attacker(relay.port) as peer:
            peer.raw(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert peer.response()[0] == 200
    for head in heads:
        with Attacker(relay.port, source=ADDRESSES[0]) as peer:
            peer.raw(head.encode())
            peer.response()
    frames = (
        client_frame(TEXT, b"\xff" + PATH.encode()),
        client_frame(3, PATH.encode()),
        client_frame(9, bytes(126)),
        quick_frame(FIN | PING) * 40,
        quick_frame(FIN | TEXT, PATH.encode()) * 40,
        b'{"type":"hello"}',
    )
    for frame in frames:
        with Attacker(relay.port, source=ADDRESSES[1]).upgraded() as peer:
            flood(peer, frame, len(frame))
            peer.close_code()
    with Visitor(relay.port, source=ADDRESSES[0]) as thief:
        thief.open()
        thief.say_hello(bytes(32))
        thief.close_code()
    with Visitor(relay.port, source=ADDRESSES[0]) as thief:
        thief.say_resume(thief.open(), PATH, PATH, 1)
    return [PATH, HOST, AGENT, thief.tag]


def everything(relay: Target) -> list[str]:
    """Do all of it; return every word that must not be found anywhere."""
    url = f"http://127.0.0.1:{relay.port}"
    return [*asyncio.run(talk(url)), *members(relay), *attackers(relay)]
