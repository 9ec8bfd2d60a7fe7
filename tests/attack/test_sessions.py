"""Tickets stolen, replayed and forged; seats, marks, and what a client says of itself."""

import base64
import json
import os
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.attack.attacker import Visitor, answers, crowd
from tests.attack.target import OPEN, Target, flooding, serving
from tests.relay.raw import (
    SEALED,
    Closed,
    commit_bytes,
    from_b64url,
    new_link,
    new_reference,
    post_bytes,
    resume_text,
)

FREE = (*OPEN, "--commit-interval=0", "--room-commit-interval=0")
NEED = b'{"type":"need"}'


@pytest.fixture(scope="module")
def relay() -> Iterator[Target]:
    with serving(*FREE, "--message-rate=0") as relay:
        yield relay


class Stay:
    """A victim in a room, and a witness of all that happens to it."""

    def __init__(self, relay: Target) -> None:
        self.witness = Visitor(relay.port).join()
        self.victim = Visitor(relay.port, self.witness.link).join()
        self.fence = self.victim.fence

    def __enter__(self) -> "Stay":
        return self

    def __exit__(self, *_: object) -> None:
        self.witness.sock.close()
        self.victim.sock.close()

    def assert_untouched(self) -> None:
        """The victim can speak, and nobody has been away or back."""
        sealed = os.urandom(SEALED)
        self.victim.send(post_bytes(self.fence, sealed))
        while (heard := self.witness.message())[-SEALED:] != sealed:
            assert not heard.startswith((b'{"type":"away"', b'{"type":"back"', b'{"type":"left"'))
        while self.victim.message()[0] != 0x13:
            pass


def show(relay: Target, like: Visitor, ticket: str, mark: str = "A", seq: int = 0) -> str:
    """Show a ticket on a new connection, with the link; return the answer's type and leave."""
    with Visitor(relay.port, like.link) as thief:
        answer = thief.say_resume(thief.open(), ticket, mark, seq)
        if answer["type"] == "resumed":
            assert thief.tag == like.tag
        else:
            assert thief.tag != like.tag
        return str(answer["type"])


def flipped(token: str) -> Iterator[str]:
    """Yield the token with each of its bytes changed, shortened and lengthened."""
    data = from_b64url(token)
    for at in range(len(data)):
        changed = data[:at] + bytes((data[at] ^ 1 << at % 8,)) + data[at + 1 :]
        yield base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
    for changed in (data[:-1], data[1:], data + b"\0", data[:24], data[:40], b"\0"):
        yield base64.urlsafe_b64encode(changed).rstrip(b"=").decode()


def test_forged_tickets_are_worth_nothing(relay: Target) -> None:
    with Stay(relay) as stay, flooding(relay, "forged tickets") as cost:
        for token in (*flipped(stay.victim.ticket), "A" * 256, "-", stay.victim.mark):
            assert show(relay, stay.victim, token, stay.victim.mark) == "welcome"
            cost.sent += 900
        stay.assert_untouched()


def test_ticket_says_nothing_to_its_bearer(relay: Target) -> None:
    with Stay(relay) as stay:
        victim = stay.victim
        for token in (victim.ticket, victim.mark):
            data = from_b64url(token)
            known = (victim.link.room, from_b64url(victim.life), bytes.fromhex(victim.tag[2:] * 2))
            assert not any(part in data for part in known)


def test_tickets_of_other_rooms_lives_and_relays(relay: Target) -> None:
    with Stay(relay) as stay, Stay(relay) as other, serving(*FREE) as relay_2:
        assert show(relay, stay.victim, other.victim.ticket) == "welcome"
        elsewhere = Visitor(relay_2.port, stay.victim.link).join()
        with crowd(elsewhere):
            assert show(relay, stay.victim, elsewhere.ticket) == "welcome"
        stay.assert_untouched()
        other.assert_untouched()
    link = new_link()
    with Visitor(relay.port, link).join() as founder:
        founder.text(b'{"type":"bye"}')
        assert founder.close_code() == 1000
    with Visitor(relay.port, link).join():
        assert show(relay, founder, founder.ticket) == "welcome", "a life that is over"


def test_stolen_ticket_without_the_link(relay: Target) -> None:
    """The room's seat for another key, and the room's name under another key."""
    with Stay(relay) as stay:
        with Visitor(relay.port) as thief:
            answer = thief.say_resume(thief.open(), stay.victim.ticket, stay.victim.mark, 1)
            assert answer["type"] == "welcome"
            assert answer["seq"] == 0, "a room of the thief's own"
        with Visitor(relay.port) as thief:
            room, access = stay.victim.link.room, thief.link.access
            signature = thief.link.key.sign(
                b"beacon hello v1" + thief.host.encode() + room + thief.open()
            ).signature
            thief.text(resume_text(room, access, signature, stay.victim.ticket, "A", 0))
            assert thief.json()["reason"] == "proof"
            assert thief.close_code() == 4502
        stay.assert_untouched()


def test_stolen_ticket_with_the_link(relay: Target) -> None:
    """It takes the seat over: the owner is told, and once the thief speaks the ticket is spent."""
    with Stay(relay) as stay, stay.victim.resumed() as thief:
        assert stay.victim.close_code() == 4504
        thief.text(NEED)
        assert stay.witness.until("need")
        assert show(relay, stay.victim, stay.victim.ticket) == "welcome"
        thief.send(post_bytes(stay.fence))
        while thief.message()[0] != 0x13:
            pass


def test_replayed_ticket(relay: Target) -> None:
    """Good until the next connection has spoken, worth nothing from then on, like all before it."""
    with Stay(relay) as stay:
        spent = [stay.victim.ticket]
        owner = stay.victim
        for _ in range(5):
            follower = owner.resumed()
            owner.sock.close()
            owner = follower
            owner.text(NEED)
            while owner.message()[0] != 0x12:
                pass
            assert {show(relay, stay.victim, ticket) for ticket in spent} == {"welcome"}
            spent.append(owner.ticket)
        owner.send(post_bytes(stay.fence))
        while owner.message()[0] != 0x13:
            pass
        owner.sock.close()


def test_one_ticket_on_twenty_connections_at_once(relay: Target) -> None:
    """One of them has the seat in the end, and the room has as many seats as before."""
    with Stay(relay) as stay, ThreadPoolExecutor(20) as threads:
        thieves = [Visitor(relay.port, stay.victim.link) for _ in range(20)]
        with crowd(*thieves):
            nonces = [thief.open() for thief in thieves]

            def resume(thief: Visitor, nonce: bytes) -> str:
                with suppress(Closed):
                    return str(thief.say_resume(nonce, stay.victim.ticket, "A", 0)["type"])
                return "closed"

            told = list(threads.map(resume, thieves, nonces))
            assert set(told) <= {"resumed", "closed"}
            with Visitor(relay.port, stay.victim.link) as late:
                late.hello()
                late.info()
                late.send(commit_bytes(late.fence))
                assert len(late.until("joined")["seats"]) == 3


def test_tickets_end_with_their_seat() -> None:
    with serving(*FREE, "--away-for=0.5") as relay, Stay(relay) as stay:
        polite = Visitor(relay.port, stay.victim.link).join()
        polite.text(b'{"type":"bye"}')
        assert polite.close_code() == 1000
        assert show(relay, polite, polite.ticket) == "welcome"
        stay.victim.sock.close()
        assert stay.witness.until("left")["tag"] == polite.tag
        assert stay.witness.until("left")["tag"] == stay.victim.tag
        assert show(relay, stay.victim, stay.victim.ticket) == "welcome"


@pytest.mark.parametrize("token", ["", "A" * 257, "=", "A+/", " ", '"', "\\u0041"])
def test_what_is_no_token_is_malformed(relay: Target, token: str) -> None:
    with Visitor(relay.port) as thief:
        proof = thief.link.room, thief.link.access, thief.link.sign(thief.host, thief.open())
        thief.text(resume_text(*proof, token, "A", 0))
        assert thief.json()["reason"] == "malformed"


def test_coming_back_is_no_way_around_the_limits() -> None:
    """What is left of a bucket stays with the seat."""
    with serving(*FREE, "--message-rate=0.001") as relay, Stay(relay) as stay:
        owner, taken = stay.victim, 0
        for _ in range(4):
            for _ in range(5):
                reference = new_reference()
                owner.send(post_bytes(stay.fence, reference=reference))
                # A replay says again what became of those before.
                while not is_answer(message := owner.message(), reference):
                    pass
                taken += message[0] == 0x13
            follower = owner.resumed()
            owner.sock.close()
            owner = follower
        owner.sock.close()
        assert taken == 10


def is_answer(message: bytes, reference: bytes) -> bool:
    return message[:9] == b"\x13" + reference or reference.hex().encode() in message


def test_forged_marks_restore_nothing(tmp_path: Path) -> None:
    """After a restart a mark says how far a room had got; nobody can make one, or use another's."""
    key = tmp_path / "key"
    key.write_bytes(os.urandom(32))
    flags = (*FREE, f"--ticket-key-file={key}", "--restore-for=600")
    with serving(*flags) as relay, Stay(relay) as stay, Stay(relay) as other:
        for member in (stay.victim, other.victim):
            member.send(commit_bytes(stay.fence))
            while member.message()[0] != 0x13:
                pass
        victim, foreign = stay.victim, other.victim.mark
    with serving(*flags) as relay:
        for mark in (*list(flipped(victim.mark))[::3], foreign, victim.ticket, "A"):
            assert show(relay, victim, victim.ticket, mark, victim.seq) == "welcome"
        with Visitor(relay.port, victim.link) as back:
            answer = back.say_resume(back.open(), victim.ticket, victim.mark, victim.seq)
            assert (answer["type"], answer["fence"]) == ("resumed", stay.fence + 1)


def test_metadata_lies(relay: Target) -> None:
    """The relay stamps who, in which order, at which fence; what a client says of it counts not."""
    with Stay(relay) as stay:
        victim, liar = stay.victim, stay.witness
        forged = struct.pack(
            "!BB2sQQ", 0x11, 1, bytes.fromhex(victim.tag[2:]), 99, stay.fence
        ) + bytes(SEALED)
        liar.send(forged)
        assert liar.until("refused")["reason"] == "malformed"
        for event in ("joined", "left", "away", "back"):
            liar.text(f'{{"type":"{event}","seq":9,"tag":"{victim.tag}"}}'.encode())
            assert liar.json()["reason"] == "malformed"
        for fence in (0, stay.fence + 1, 2**64 - 1):
            liar.send(post_bytes(fence))
            refused = liar.json()
            assert (refused["reason"], refused["fence"]) == ("stale", stay.fence)
        liar.send(post_bytes(stay.fence, b"m" * SEALED))
        while (frame := victim.message())[:2] != b"\x11\x01":
            pass
        _, _, tag, seq, fence = struct.unpack_from("!BB2sQQ", frame)
        assert (tag.hex(), fence) == (liar.tag[2:], stay.fence)
        assert seq == victim.seq + 1


def test_hello_counts_once(relay: Target) -> None:
    with Visitor(relay.port) as visitor:
        visitor.hello()
        visitor.info()
        resume = resume_text(visitor.link.room, visitor.link.access, bytes(64), "A", "A", 0)
        for _ in ("unjoined", "joined"):
            visitor.say_hello(bytes(32))
            assert visitor.until("refused")["reason"] == "state"
            visitor.text(resume)
            assert visitor.json()["reason"] == "state"
            visitor.send(commit_bytes(0))


def test_reference_of_another_is_not_ordered_again(relay: Target) -> None:
    """Nothing is said in another's name by it, and nothing is said twice."""
    reference = new_reference()
    with Stay(relay) as stay:
        stay.victim.send(post_bytes(stay.fence, b"v" * SEALED, reference))
        while stay.victim.message()[0] != 0x13:
            pass
        for _ in range(3):
            stay.witness.send(post_bytes(stay.fence, b"w" * SEALED, reference))
        stay.victim.text(b'{"type":"bye"}')
        heard = list(answers(stay.victim))
        assert not any(b"w" * SEALED in message for message in heard)
        assert all(json.loads(m)["type"] != "refused" for m in heard if m[:1] == b"{")
