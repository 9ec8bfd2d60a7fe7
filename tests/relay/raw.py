"""A raw WebSocket client over a blocking socket: it can break every rule, and a whole member."""

import base64
import hashlib
import itertools
import json
import os
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

from nacl.signing import SigningKey

# Every wait of a test; ten times what the slowest deadline under test takes here.
PATIENCE_S = 30.0
SEALED = 28 + 256
COMMIT_SEALED = 28 + 1024
_references = itertools.count(1)


class Closed(Exception):
    """The relay ended the connection; ``code`` is None without a close frame."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


@dataclass(frozen=True)
class Link:
    """A room that only tests know."""

    key: SigningKey

    @property
    def access(self) -> bytes:
        return bytes(self.key.verify_key)

    @property
    def room(self) -> bytes:
        return hashlib.sha256(b"beacon room id v1" + self.access).digest()[:16]

    def sign(self, host: str, nonce: bytes) -> bytes:
        text = b"beacon hello v1" + host.encode() + self.room + nonce
        return self.key.sign(text).signature


def new_link() -> Link:
    return Link(SigningKey.generate())


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_b64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def hello_text(room: bytes, access: bytes, signature: bytes, version: int = 1) -> bytes:
    return (
        f'{{"type":"hello","v":{version},"room":"{b64url(room)}","access":"{b64url(access)}",'
        f'"signature":"{b64url(signature)}"}}'
    ).encode()


def resume_text(
    room: bytes, access: bytes, signature: bytes, ticket: str, mark: str, seq: int
) -> bytes:
    proof = hello_text(room, access, signature)[:-1].replace(b"hello", b"resume", 1)
    return proof + f',"ticket":"{ticket}","mark":"{mark}","seq":{seq}}}'.encode()


def new_reference() -> bytes:
    return struct.pack("!Q", next(_references))


def post_bytes(fence: int, sealed: bytes = bytes(SEALED), reference: bytes | None = None) -> bytes:
    return struct.pack("!B8sQ", 1, reference or new_reference(), fence) + sealed


def commit_bytes(
    fence: int,
    sealed: bytes = bytes(COMMIT_SEALED),
    group_info: bytes = bytes(COMMIT_SEALED),
    reference: bytes | None = None,
) -> bytes:
    head = struct.pack("!B8sQL", 2, reference or new_reference(), fence, len(sealed))
    return head + sealed + group_info


def offer_bytes(fence: int, group_info: bytes = bytes(COMMIT_SEALED)) -> bytes:
    return struct.pack("!B8sQ", 3, new_reference(), fence) + group_info


def mask(data: bytes, key: bytes) -> bytes:
    return bytes(byte ^ key[index % 4] for index, byte in enumerate(data))


def client_frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True
) -> bytes:
    first = opcode | (0x80 if fin else 0)
    bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 1 << 16:
        head = bytes((first, bit | 126)) + struct.pack("!H", size)
    else:
        head = bytes((first, bit | 127)) + struct.pack("!Q", size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + mask(payload, key)


class Peer:
    """One connection; ``send`` and ``text`` keep the rules, ``raw`` need not."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.sock = socket.socket()
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(("127.0.0.1", port))
        self.port = port
        self.host = f"127.0.0.1:{port}"
        self._held = b""
        self.pings = 0

    def __enter__(self) -> "Peer":
        return self

    def __del__(self) -> None:
        self.sock.close()

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def try_raw(self, data: bytes) -> bool:
        """Send what the relay may not want any more."""
        try:
            self.sock.sendall(data)
        except (ConnectionError, BrokenPipeError):
            return False
        return True

    def handshake(self, host: str | None = None, origin: str | None = None) -> int:
        """Ask for the upgrade; return the status."""
        lines = [
            "GET /v1/connect HTTP/1.1",
            f"Host: {host or self.host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ]
        if origin is not None:
            lines.append(f"Origin: {origin}")
        self.raw(("\r\n".join(lines) + "\r\n\r\n").encode())
        return self.response()[0]

    def response(self) -> tuple[int, dict[str, str], bytes]:
        """Read one HTTP response."""
        while b"\r\n\r\n" not in self._held:
            self._more()
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        size = int(fields.get("content-length", "0"))
        while len(self._held) < size:
            self._more()
        body, self._held = self._held[:size], self._held[size:]
        return int(lines[0].split()[1]), fields, body

    def frame(self) -> tuple[int, bytes]:
        """Read one frame of any kind; raises Closed at the end of the stream."""
        while True:
            if (found := self._parse()) is not None:
                return found
            self._more()

    def message(self) -> bytes:
        """Read one message, answering pings; raises Closed."""
        while True:
            opcode, payload = self.frame()
            if opcode == 0x9:
                self.pings += 1
                self.raw(client_frame(0xA, payload))
            elif opcode == 0x8:
                raise Closed(int.from_bytes(payload[:2], "big") if payload else 1005)
            elif opcode in (0x1, 0x2):
                return payload

    def json(self) -> dict[str, Any]:
        """Read one text message."""
        message = self.message()
        assert message[:1] == b"{", message[:20]
        value = json.loads(message)
        assert isinstance(value, dict)
        return value

    def close_code(self) -> int | None:
        """Read to the end; return the close code."""
        try:
            while True:
                self.message()
        except Closed as closed:
            return closed.code

    def wait_eof(self) -> None:
        """Read until the relay closes the TCP connection."""
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionError:
            pass

    def text(self, message: bytes) -> None:
        self.raw(client_frame(0x1, message))

    def send(self, message: bytes) -> None:
        self.raw(client_frame(0x2, message))

    def _more(self) -> None:
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionError as exc:
            raise Closed(None) from exc
        if not data:
            raise Closed(None)
        self._held += data

    def _parse(self) -> tuple[int, bytes] | None:
        held = self._held
        if len(held) < 2:
            return None
        first, size, at = held[0], held[1], 2
        assert first & 0xF0 == 0x80, "the relay fragments nothing and sets no reserved bit"
        assert size < 128, "the relay masks nothing"
        if size == 126:
            size, at = int.from_bytes(held[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(held[2:10], "big"), 10
        if len(held) < at + size:
            return None
        self._held = held[at + size :]
        return first & 0x0F, held[at : at + size]


class Member(Peer):
    """A peer that says hello and joins; what it commits is noise of the right length.

    Marks are kept, and never returned as messages.
    """

    def __init__(self, port: int, link: Link, *, receive_buffer: int | None = None) -> None:
        super().__init__(port, receive_buffer=receive_buffer)
        self.link = link
        self.tag = ""
        self.fence = 0
        self.seq = 0
        self.life = ""
        self.ticket = ""
        self.mark = ""

    def message(self) -> bytes:
        """Read one message that is no mark."""
        while (message := super().message()).startswith(b'{"type":"mark"'):
            self.mark = json.loads(message)["mark"]
        return message

    def open(self) -> bytes:
        """Shake hands; return the challenge's nonce."""
        assert self.handshake() == 101
        challenge = self.json()
        assert list(challenge) == ["type", "v", "nonce"]
        return from_b64url(challenge["nonce"])

    def say_hello(self, nonce: bytes) -> None:
        link = self.link
        self.text(hello_text(link.room, link.access, link.sign(self.host, nonce)))

    def hello(self) -> dict[str, Any]:
        """Come in, unjoined; return the welcome."""
        self.say_hello(self.open())
        welcome = self.json()
        assert welcome["type"] == "welcome", welcome
        self.tag, self.fence, self.life = welcome["tag"], welcome["fence"], welcome["life"]
        return welcome

    def info(self) -> tuple[int, list[bytes]]:
        """Read up to the next info; return its fence and entries."""
        while True:
            message = self.message()
            if message[0] == 0x12:
                break
        fence, count = struct.unpack_from("!QB", message, 1)
        entries, at = [], 10
        for _ in range(count):
            size = int.from_bytes(message[at : at + 4], "big")
            entries.append(message[at + 4 : at + 4 + size])
            at += 4 + size
        assert at == len(message)
        self.fence = fence
        return fence, entries

    def join(self) -> "Member":
        """Say hello and join, in as many races as it takes."""
        self.hello()
        return self.join_from_here()

    def join_from_here(self) -> "Member":
        """Wait for the turn and join, in as many races as it takes."""
        self.info()
        while True:
            reference = new_reference()
            self.send(commit_bytes(self.fence, reference=reference))
            message = self.message()
            while message[0] not in (0x13, ord("{")):
                message = self.message()
            if message[0] == 0x13:
                break
            refused = json.loads(message)
            assert refused["reason"] in ("stale", "pace"), refused
            if refused["reason"] == "stale":
                self.info()
            else:
                time.sleep(refused["retry_after_ms"] / 1000)
        joined = self.json()
        assert joined["type"] == "joined"
        assert joined["tag"] == self.tag
        self.fence += 1
        self.seq, self.ticket = joined["seq"], joined["ticket"]
        return self

    def say_resume(self, nonce: bytes, ticket: str, mark: str, seq: int) -> dict[str, Any]:
        """Show a ticket; return the answer, having noted what it says."""
        proof = self.link.room, self.link.access, self.link.sign(self.host, nonce)
        self.text(resume_text(*proof, ticket, mark, seq))
        answer = self.json()
        assert answer["type"] in ("resumed", "welcome"), answer
        self.tag, self.fence, self.life = answer["tag"], answer["fence"], answer["life"]
        self.ticket, self.seq = answer.get("ticket", ""), answer["seq"]
        return answer

    def resumed(self, port: int | None = None) -> "Member":
        """Get this one's seat on a new connection, by its ticket, mark and number."""
        other = Member(port or self.port, self.link)
        answer = other.say_resume(other.open(), self.ticket, self.mark, self.seq)
        assert answer["type"] == "resumed", answer
        return other

    def until(self, kind: str) -> dict[str, Any]:
        """Read up to the next text message of this type."""
        while True:
            message = self.message()
            if message[:1] == b"{":
                value = json.loads(message)
                assert isinstance(value, dict)
                if value["type"] == kind:
                    return value
