"""More of what is allowed than a relay can bear: it sheds who comes, and who is there goes on."""

import time
from contextlib import suppress

from tests.attack import figures
from tests.attack.attacker import Attacker, Visitor, connect, crowd
from tests.attack.honest import honest_pair, summary
from tests.attack.target import OPEN, flooding, serving
from tests.relay.raw import PATIENCE_S, Closed, Member, post_bytes

FREE = (*OPEN, "--message-rate=0", "--commit-interval=0", "--room-commit-interval=0")
CAP = 60
GET = b"GET /words.txt HTTP/1.1\r\nHost: a\r\n\r\n"


def test_connections_beyond_the_cap() -> None:
    """Of many sources, each within its limits: the door is full for them, the rooms go on."""
    flags = ("--message-rate=0", "--source-message-rate=0", f"--max-connections={CAP}")
    with serving(*flags) as relay, honest_pair(relay.port) as pair:
        calm = pair.latencies_s(100)
        held = [Attacker(relay.port, source=f"127.20.0.{n + 1}") for n in range(CAP - 2)]
        with crowd(*held), flooding(relay, "connections beyond the cap of all") as cost:
            assert {peer.handshake() for peer in held} == {101}
            for number in range(500):
                with connect(relay.port, f"127.21.{number >> 7}.{number & 127}"):
                    pass
                cost.sent += 60
            # One that is turned away is told so, or dropped without a word while very many are.
            for _ in range(20):
                with suppress(Closed), Attacker(relay.port) as late:
                    status, fields, _ = late.response()
                    assert (status, fields["retry-after"]) == (503, "5")
            hostile = pair.latencies_s(100)
        figures.note("honest, calm, before connections beyond the cap", summary(calm))
        figures.note("honest, beside connections beyond the cap", summary(hostile))
        until = time.monotonic() + PATIENCE_S
        status = 0
        while status != 101:
            assert time.monotonic() < until, "nobody is let in any more"
            with suppress(Closed, ConnectionError), Attacker(relay.port) as late:
                status = late.handshake()


def test_pages_asked_for_without_pause() -> None:
    """Few bytes ask for many: they are packed once, and sent as fast as they are read."""
    with (
        serving(*FREE) as relay,
        honest_pair(relay.port) as pair,
        flooding(relay, "the page's largest file, without pause") as cost,
        Attacker(relay.port) as peer,
    ):
        for _ in range(40):
            peer.raw(GET * 10)
            assert {peer.response()[0] for _ in range(10)} == {200}
            pair.latencies_s(1)
            cost.sent += 10 * len(GET)


def test_seat_that_comes_and_goes_without_pause() -> None:
    """Who has the link joins and leaves as fast as the room lets commits in; the others talk."""
    with serving(*FREE) as relay, honest_pair(relay.port) as pair:
        calm = pair.latencies_s(100)
        hostile: list[float] = []
        with flooding(relay, "a seat that comes and goes") as cost:
            for _ in range(100):
                with Visitor(relay.port, pair.one.link).join() as guest:
                    hostile += pair.latencies_s(1, guest.fence)
                    guest.text(b'{"type":"bye"}')
                    assert guest.close_code() == 1000
                cost.sent += 3000
        figures.note("honest, calm, before a seat that comes and goes", summary(calm))
        figures.note("honest, beside a seat that comes and goes", summary(hostile))


def test_seat_that_is_resumed_without_pause() -> None:
    """Each takes it from the one before: one is left, and the others heard of it once or never."""
    with serving(*FREE) as relay, honest_pair(relay.port) as pair:
        guest: Member = Visitor(relay.port, pair.one.link).join()
        with flooding(relay, "a seat that is resumed again and again") as cost:
            for _ in range(200):
                follower = guest.resumed()
                follower.mark = guest.mark
                follower.text(b'{"type":"need"}')
                assert guest.close_code() == 4504
                guest = follower
                cost.sent += 900
        assert len(pair.latencies_s(20, guest.fence)) == 20
        guest.send(post_bytes(guest.fence))
        while guest.message()[0] != 0x13:
            pass
        guest.sock.close()
