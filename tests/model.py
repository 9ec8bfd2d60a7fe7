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

LIMITS = {"message_rate_milli": 0, "message_burst": 10, "seats": 128}


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


@dataclass
class Numbered:
    """One number of the log: what everybody gets, and what its sender gets in its place."""

    seq: int
    message: str | bytes
    origin: str | None = None
    own: tuple[str | bytes, ...] = ()


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
        self.numbers: list[Numbered] = []
        # How many numbers a resume may replay; more is a gap.
        self.ring = 1024
        self.tickets: dict[str, str] = {}
        self._tags = itertools.count(0x1000)
        self._tickets = itertools.count()
        self._restorable: set[str] = set()

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

    def ticket(self, tag: str) -> str:
        """A ticket for a seat; only the last one is good."""
        self.tickets[tag] = f"ticket-{tag}-{next(self._tickets)}"
        return self.tickets[tag]

    def restart(self, *, keeps_key: bool) -> None:
        """Lose everything; with the same key tickets give back their seats (R28)."""
        assert not self.sessions
        tickets, numbers = self.tickets, self._tags
        self.__init__(self.keys, bytes([self.life[0] + 1]) + bytes(7))  # type: ignore[misc]
        self._tags = numbers
        self._restorable = set(tickets.values()) if keeps_key else set()

    def _resume(self, session: ModelSession, fields: dict[str, object]) -> bool:
        ticket, life = str(fields["ticket"]), self.life
        tag = ticket.split("-")[1]
        fence = int(str(fields["mark"]).removeprefix("mark-"))
        is_restored = ticket in self._restorable
        if self.tickets.get(tag) != ticket and not is_restored:
            return False
        for other in list(self.sessions):
            if other.joined and other.tag == tag:
                other.joined = False
                other.closed = 4504
        session.tag, session.joined = tag, True
        if is_restored and fence > self.fence:
            self.fence, self.infos, self.numbers = fence, [], []
            for other in self.sessions:
                if other is not session:
                    reset = text(type="reset", life=b64(life), seq=self.seq, fence=fence)
                    other.inbox.append(reset)
        if is_restored or tag in self.away:
            self.away.discard(tag)
            self.event("back", tag, but=session)
        session.inbox.append(
            text(
                type="resumed",
                life=b64(life),
                tag=tag,
                seq=self.seq,
                fence=self.fence,
                ticket=self.ticket(tag),
                limits=LIMITS,
            )
        )
        session.inbox.append(text(type="mark", mark=f"mark-{self.fence}"))
        seen = int(str(fields["seq"]))
        missed = [number for number in self.numbers if number.seq > seen]
        if is_restored or not len(missed) == self.seq - seen <= self.ring:
            seats = sorted({s.tag for s in self.sessions if s.joined} | self.away)
            away = sorted(self.away)
            session.inbox.append(
                text(type="gap", seq=self.seq, fence=self.fence, seats=seats, away=away)
            )
            return True
        for number in missed:
            if number.origin == tag:
                session.inbox.extend(number.own)
            else:
                session.inbox.append(number.message)
        return True

    def _text(self, session: ModelSession, fields: dict[str, object]) -> None:
        match fields["type"]:
            case "resume" if self._resume(session, fields):
                pass
            case "hello" | "resume":
                assert fields["room"] == b64(self.keys.room_id)
                session.inbox.append(
                    text(
                        type="welcome",
                        life=b64(self.life),
                        tag=session.tag,
                        seq=self.seq,
                        fence=self.fence,
                        limits=LIMITS,
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
            self.tickets.pop(session.tag, None)
            self.event("left", session.tag)

    def expire(self, tag: str) -> None:
        """The time of an away seat is over."""
        self.away.discard(tag)
        self.tickets.pop(tag, None)
        self.event("left", tag)

    def event(self, kind: str, tag: str, *, but: ModelSession | None = None) -> None:
        self.seq += 1
        message = text(type=kind, seq=self.seq, tag=tag)
        self.numbers.append(Numbered(self.seq, message))
        for session in self.sessions:
            if session.joined and session is not but:
                session.inbox.append(message)

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

    def _deliver(self, frame: bytes, origin: ModelSession, *own: bytes) -> None:
        self.numbers.append(Numbered(self.seq, frame, origin.tag, own))
        for session in self.sessions:
            if session.joined and session is not origin:
                session.inbox.append(frame)
        origin.inbox.extend(own)

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
        for other in self.sessions:
            if other.joined:
                other.inbox.append(text(type="mark", mark=f"mark-{self.fence}"))
        self._deliver(frame, session, frame, struct.pack("!B8sQ", 0x13, reference, self.seq))
        if newcomer:
            self.seq += 1
            event = text(type="joined", seq=self.seq, tag=session.tag)
            self.numbers.append(Numbered(self.seq, event))
            seats = sorted({s.tag for s in self.sessions if s.joined} | self.away)
            for other in self.sessions:
                if other.joined and other is not session:
                    other.inbox.append(event)
            session.inbox.append(
                text(
                    type="joined",
                    seq=self.seq,
                    tag=session.tag,
                    seats=seats,
                    away=sorted(self.away),
                    ticket=self.ticket(session.tag),
                )
            )
