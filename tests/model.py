"""A naive relay of PROTOCOL 4 to 7 in a hundred lines: no limits, no clock, no sockets.

It is the model that the real relay is compared with, and the stage on which a relay misbehaves:
tests reach into its fields on purpose.
"""

import base64
import itertools
import json
import struct
from collections import deque
from dataclasses import dataclass, field

from client.link import Keys


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def text(**fields: object) -> str:
    return json.dumps(fields, separators=(",", ":"))


@dataclass
class ModelSession:
    """One connection: what the relay has for it is in ``inbox``."""

    tag: str
    inbox: deque[str | bytes] = field(default_factory=deque)
    joined: bool = False
    turn: bool = False
    closed: int | None = None


class ModelRelay:
    """One room. Every session's hello is taken for right if it is of this room."""

    def __init__(self, keys: Keys, life: bytes = bytes(8)) -> None:
        self.keys = keys
        self.life = life
        self.seq = self.fence = 0
        self.infos: list[bytes] = []
        self.sessions: list[ModelSession] = []
        self.away: set[str] = set()
        self.references: dict[bytes, int] = {}
        self.log: list[bytes] = []
        self._tags = itertools.count(0x1000)

    def connect(self) -> ModelSession:
        session = ModelSession(f"0x{next(self._tags):04x}")
        self.sessions.append(session)
        session.inbox.append(text(type="challenge", v=1, nonce=b64(bytes(32))))
        return session

    def receive(self, session: ModelSession, data: str | bytes) -> None:
        """Take one message of a client."""
        if isinstance(data, str):
            self._text(session, json.loads(data))
        elif data[0] == 1:
            self._post(session, data)
        elif data[0] == 2:
            self._commit(session, data)
        else:
            reference, _ = struct.unpack_from("!8sQ", data, 1)
            self.infos = [*self.infos[:3], data[17:]]
            session.inbox.append(struct.pack("!B8sQ", 0x13, reference, self.seq))
            for other in self.sessions:
                if other.turn:
                    other.inbox.append(self.info())

    def _text(self, session: ModelSession, fields: dict[str, object]) -> None:
        match fields["type"]:
            case "hello":
                assert fields["room"] == b64(self.keys.room_id)
                limits = {"message_rate_milli": 0, "message_burst": 10, "seats": 128}
                session.inbox.append(
                    text(
                        type="welcome",
                        life=b64(self.life),
                        tag=session.tag,
                        seq=self.seq,
                        fence=self.fence,
                        limits=limits,
                    )
                )
                session.turn = True
                session.inbox.append(self.info())
            case "need":
                session.turn = True
                session.inbox.append(self.info())
                for other in self.sessions:
                    if other.joined and other is not session:
                        other.inbox.append(text(type="need"))
            case "bye":
                self.drop(session, away=False)

    def drop(self, session: ModelSession, *, away: bool = True) -> None:
        """End a connection; its seat goes away or is left."""
        self.sessions.remove(session)
        if session.joined and away:
            self.away.add(session.tag)
            self.event("away", session.tag)
        elif session.joined:
            self.event("left", session.tag)

    def expire(self, tag: str) -> None:
        """The time of an away seat is over."""
        self.away.discard(tag)
        self.event("left", tag)

    def event(self, kind: str, tag: str) -> None:
        self.seq += 1
        for session in self.sessions:
            if session.joined:
                session.inbox.append(text(type=kind, seq=self.seq, tag=tag))

    def info(self) -> bytes:
        entries = b"".join(struct.pack("!L", len(entry)) + entry for entry in self.infos)
        return struct.pack("!BQB", 0x12, self.fence, len(self.infos)) + entries

    def frame(self, kind: int, tag: str, fence: int, sealed: bytes) -> bytes:
        """Give a frame the next number and write it to the log."""
        self.seq += 1
        head = struct.pack("!BB2sQQ", 0x11, kind, bytes.fromhex(tag[2:]), self.seq, fence)
        self.log.append(head + sealed)
        return head + sealed

    def refuse(self, session: ModelSession, reason: str, reference: bytes) -> None:
        session.inbox.append(
            text(
                type="refused",
                reason=reason,
                reference=reference.hex(),
                retry_after_ms=None,
                fence=self.fence,
            )
        )

    def _post(self, session: ModelSession, data: bytes) -> None:
        reference, fence = struct.unpack_from("!8sQ", data, 1)
        if reference in self.references:
            seq = self.references[reference]
            session.inbox.append(struct.pack("!B8sQ", 0x13, reference, seq))
        elif fence != self.fence:
            self.refuse(session, "stale", reference)
        else:
            frame = self.frame(1, session.tag, fence, data[17:])
            self.references[reference] = self.seq
            self._deliver(frame, session, struct.pack("!B8sQ", 0x13, reference, self.seq))

    def _deliver(self, frame: bytes, origin: ModelSession, own: bytes) -> None:
        for session in self.sessions:
            if session.joined:
                session.inbox.append(own if session is origin else frame)

    def _commit(self, session: ModelSession, data: bytes) -> None:
        reference, fence, length = struct.unpack_from("!8sQL", data, 1)
        if fence != self.fence:
            self.refuse(session, "stale", reference)
            if not session.joined:
                session.inbox.append(self.info())
            return
        commit, group_info = data[21 : 21 + length], data[21 + length :]
        newcomer, session.joined, session.turn = not session.joined, True, False
        frame = self.frame(2, session.tag, fence, commit)
        self.fence += 1
        self.infos = [group_info]
        self._deliver(frame, session, frame)
        session.inbox.append(struct.pack("!B8sQ", 0x13, reference, self.seq))
        if newcomer:
            self.seq += 1
            seats = sorted({s.tag for s in self.sessions if s.joined} | self.away)
            for other in self.sessions:
                if other.joined and other is not session:
                    other.inbox.append(text(type="joined", seq=self.seq, tag=session.tag))
            session.inbox.append(
                text(
                    type="joined",
                    seq=self.seq,
                    tag=session.tag,
                    seats=seats,
                    away=sorted(self.away),
                )
            )
