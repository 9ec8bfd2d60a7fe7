"""Messages that are none, and more of them than anybody may send."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.attack import figures
from tests.attack.attacker import (
    BINARY,
    FIN,
    TEXT,
    Attacker,
    Visitor,
    answers,
    flood,
    quick_frame,
)
from tests.attack.honest import honest_pair, summary
from tests.attack.target import OPEN, Target, flooding, serving
from tests.relay.raw import (
    COMMIT_SEALED,
    SEALED,
    Member,
    commit_bytes,
    new_link,
    new_reference,
    offer_bytes,
    post_bytes,
)

KIB = 1024
NEED = b'{"type":"need"}'
NONSENSE = {
    "64 KiB of JSON": b'{"a":"' + b"a" * 64 * KIB + b'"}',
    "64 KiB of digits": b"1" * 64 * KIB,
    "64 KiB of an unknown type": b'{"type":"x","a":"' + b"a" * 64 * KIB + b'"}',
    "nesting of 10^5": b"[" * 100_000,
    "nesting of 10^5 objects": b'{"a":' * 25_000,
    "nesting behind a string": b'{"type":"x","a":"\\"]","b":' + b"[" * 1500 + b"]" * 1500 + b"}",
    "nesting of 5": b'{"type":"x","a":[[[[1]]]]}',
    "duplicate keys": b'{"type":"x","type":"need"}',
    "duplicate keys within": b'{"type":"x","a":{"b":1,"b":2}}',
    "duplicate keys by escape": b'{"type":"x","\\u0074ype":"need"}',
    "a lone surrogate": b'{"type":"x","a":"\\ud800"}',
    "a lone surrogate as a key": b'{"type":"x","\\udc00":1}',
    "surrogates in the wrong order": b'{"type":"x","a":"\\udc00\\ud800"}',
    "NaN": b'{"type":"x","a":NaN}',
    "Infinity": b'{"type":"x","a":-Infinity}',
    "a number of 4,500 digits": b'{"type":"x","a":' + b"9" * 4500 + b"}",
    "beyond ASCII": '{"type":"ü"}'.encode(),
    "a byte order mark": b"\xef\xbb\xbf" + NEED,
    "UTF-16": '{"type":"need"}'.encode("utf-16"),
    "a NUL": b'{"type":"x\x00"}',
    "no object": b'"need"',
    "a list": b'["need"]',
    "no type": b'{"v":1}',
    "a type that is no string": b'{"type":1}',
    "a trailing comma": b'{"type":"x",}',
    "two objects": NEED + NEED,
    "nothing": b"",
    "a space before": b" " + NEED,
    "a space within": b'{"type": "need"}',
    "a line feed behind": NEED + b"\n",
    "an escape in the spelling": b'{"type":"\\u006eeed"}',
    "a key more": b'{"type":"need","x":1}',
    "what the relay says": b'{"type":"drain","retry_after_ms":1}',
    "a hello with an unused bit": b'{"type":"hello","v":1,"room":"' + b"A" * 21 + b'B"}',
    "bye in capitals": b'{"type":"bye","TYPE":"bye"}',
}
BINARIES = {
    "an empty binary": b"",
    "a byte": b"\x01",
    "an unknown kind": b"\x77" + bytes(300),
    "a frame of the relay's": b"\x11\x01" + bytes(300),
    "a commit that claims more than it has": commit_bytes(1)[:17] + b"\xff\xff\xff\xff" + bytes(99),
}


@pytest.fixture(scope="module")
def relay() -> Iterator[Target]:
    with serving(*OPEN) as relay:
        yield relay


@pytest.mark.parametrize("name", [*NONSENSE, *BINARIES])
def test_nonsense_is_refused_and_the_session_lives(relay: Target, name: str) -> None:
    is_text = name in NONSENSE
    data = NONSENSE[name] if is_text else BINARIES[name]
    if name == "UTF-16":
        data = data.decode("latin-1").encode()
    with Visitor(relay.port).join() as visitor:
        for _ in range(3):
            visitor.raw(quick_frame(FIN | (TEXT if is_text else BINARY), data))
            refused = visitor.json()
            assert (refused["type"], refused["reason"]) == ("refused", "malformed")
        visitor.text(NEED)
        assert visitor.message()[0] == 0x12


def test_thirty_in_a_row_close_and_a_success_between_starts_anew(relay: Target) -> None:
    with Visitor(relay.port).join() as visitor:
        for _ in range(4):
            visitor.raw(quick_frame(FIN | TEXT, b"?") * 29)
            for _ in range(29):
                assert visitor.json()["reason"] == "malformed"
            visitor.send(post_bytes(1))
            assert visitor.message()[0] == 0x13
        visitor.raw(quick_frame(FIN | TEXT, b"?") * 30)
        assert len(list(answers(visitor))) == 30


def stale_post(_: int) -> bytes:
    return post_bytes(0)


FLOODS: dict[str, tuple[Callable[[int], bytes], set[str]]] = {
    "JSON nonsense": (lambda n: b'{"a":%d}' % n, {"malformed"}),
    "64 KiB of JSON": (lambda _: NONSENSE["64 KiB of JSON"], {"malformed"}),
    "nesting of 10^5": (lambda _: NONSENSE["nesting of 10^5"], {"malformed"}),
    "unknown types": (lambda n: b'{"type":"x%d"}' % n, {"rate"}),
    "known types out of place": (lambda _: b'{"type":"hello","v":1}', {"malformed", "state"}),
    "needs": (lambda _: NEED, {"rate"}),
    "posts": (lambda n: post_bytes(1, bytes(SEALED), n.to_bytes(8, "big")), {"rate"}),
    "one post again and again": (lambda _: post_bytes(1, reference=bytes(8)), {"rate"}),
    "posts of a wrong size": (lambda _: post_bytes(1, bytes(300)), {"size"}),
    "stale posts": (stale_post, {"stale", "rate"}),
    "posts of the future": (lambda _: post_bytes(2**63), {"stale", "rate"}),
    "offers of 128 KiB": (lambda _: offer_bytes(1, bytes(28 + 127 * KIB)), {"rate"}),
    "stale commits of 128 KiB": (
        lambda _: commit_bytes(0, bytes(COMMIT_SEALED), bytes(28 + 126 * KIB)),
        {"stale", "rate"},
    ),
    "binary nonsense": (lambda n: n.to_bytes(30, "big"), {"malformed"}),
}


@pytest.mark.parametrize("row", FLOODS)
def test_flood_by_one_member(relay: Target, row: str) -> None:
    """Refused with a reason, closed after thirty, and cheap: what comes behind is not looked at."""
    make, reasons = FLOODS[row]
    with flooding(relay, row) as cost, Visitor(relay.port).join() as visitor:
        frames = [
            quick_frame(FIN | (TEXT if data[:1] in b'{["' else BINARY), data)
            for data in map(make, range(200))
        ]
        cost.sent = flood(visitor, b"".join(frames), 4_000_000)
        refused = [json.loads(m) for m in answers(visitor) if m.startswith(b'{"type":"refused"')]
    assert {one["reason"] for one in refused} <= reasons
    # Honest races are no abuse, and are bounded by a bucket of their own.
    assert len([one for one in refused if one["reason"] != "stale"]) <= 30
    assert len(refused) <= 30 + 21


def test_message_flood_by_one_member_leaves_the_others_alone() -> None:
    """It is throttled, then closed; it comes back again and again."""
    flags = ("--message-rate=50", "--message-burst=400")
    with serving(*OPEN, *flags) as relay, honest_pair(relay.port) as pair:
        calm = pair.latencies_s(150)
        hostile: list[float] = []
        with flooding(relay, "posts of one who comes back") as cost:
            fence = 2
            loud: Member = Visitor(relay.port, pair.one.link).join()
            fence = loud.fence
            for _ in range(15):
                burst = [post_bytes(fence, b"n" * SEALED, new_reference()) for _ in range(40)]
                for data in burst:
                    if not loud.try_raw(quick_frame(FIN | BINARY, data)):
                        loud = loud.resumed()
                        break
                    cost.sent += len(data)
                hostile += pair.latencies_s(10, fence)
            loud.sock.close()
        figures.note("honest, calm", summary(calm))
        figures.note("honest, beside a flood of posts", summary(hostile))
        assert len(hostile) == 150


def test_messages_of_one_source_in_all_rooms() -> None:
    """The bucket is the source's: neither rooms nor connections add to it; others have theirs."""
    with serving("--source-message-rate=1", "--source-message-burst=40") as relay:
        links = [new_link() for _ in range(4)]
        crowd = [Visitor(relay.port, link).join() for link in links]
        reasons = []
        for visitor in crowd:
            for _ in range(10):
                visitor.send(post_bytes(visitor.fence))
                message = visitor.message()
                reasons.append("" if message[0] == 0x13 else json.loads(message)["reason"])
        # 40 at once, of which the joins were four, and what a second or two brings back.
        assert 30 <= reasons.count("") < 40
        assert set(reasons) == {"", "rate"}
        with Visitor(relay.port, source="127.0.0.2").join() as other:
            other.send(post_bytes(1))
            assert other.message()[0] == 0x13
        for visitor in crowd:
            visitor.sock.close()


def test_hello_flood_of_wrong_proofs(relay: Target) -> None:
    """Each costs the sender a connection, and the relay a signature at most."""
    link = new_link()
    with flooding(relay, "hellos with a wrong signature") as cost:
        for _ in range(150):
            with Visitor(relay.port, link) as visitor:
                nonce = bytearray(visitor.open())
                nonce[0] ^= 1
                visitor.say_hello(bytes(nonce))
                assert visitor.json()["reason"] == "proof"
                assert visitor.close_code() == 4502
                cost.sent += 400


def test_messages_before_hello_are_short_and_refused(relay: Target) -> None:
    for data in (post_bytes(0), commit_bytes(0), NEED, b'{"type":"x"}' * 2):
        with Attacker(relay.port).upgraded() as peer:
            first = BINARY if data[0] < 9 else TEXT
            peer.raw(quick_frame(FIN | first, data) * 40)
            refused = [json.loads(message) for message in answers(peer)]
            assert {one["reason"] for one in refused} <= {"state", "malformed"}
            assert len(refused) <= 30
