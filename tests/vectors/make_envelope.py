"""Write envelope.json: every message of PROTOCOL 5 and 6, its bytes and its fields.

Run by hand when the protocol changes (`python -m tests.vectors.make_envelope`), never by tests.
It spells messages with json and struct alone: neither half of the implementation takes part.

A case has `name`, `section`, `from` (relay, client) and `hex`. A valid one has `type` and `fields`
(bytes as hex, numbers as numbers); an invalid one has `error`, the class of what its reader
raises: `MessageError` the relay's (answered `refused: malformed`), `FrameError` the client's.
`refused` is the reason by which the relay answers a message that it can read but does not take.
"""

import base64
import json
import struct
from pathlib import Path
from typing import Any

NONCE, LIFE = bytes(range(32)), bytes(range(200, 208))
ROOM, ACCESS, SIGNATURE = bytes(range(16)), bytes(range(100, 132)), bytes(range(64, 128))
REFERENCE = bytes.fromhex("0102030405060708")
TOP = 2**53 - 1
TICKET, MARK = "Ticket-" + "a" * 99, "Mark_" + "b" * 112


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def text(**fields: Any) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def sealed(size: int, fill: int) -> bytes:
    return bytes((fill,)) * (28 + size)


HELLO = {"type": "hello", "v": 1, "room": b64(ROOM), "access": b64(ACCESS)}
HELLO["signature"] = b64(SIGNATURE)
RESUME = HELLO | {"type": "resume", "ticket": TICKET, "mark": MARK, "seq": 7}
WELCOME = {"type": "welcome", "life": b64(LIFE), "tag": "0x3f8a", "seq": 7, "fence": 3}
WELCOME["limits"] = {"message_rate_milli": 1500, "message_burst": 10, "seats": 128}
RESUMED = {"type": "resumed", "life": b64(LIFE), "tag": "0x3f8a", "seq": 7, "fence": 3}
RESUMED |= {"ticket": TICKET, "limits": WELCOME["limits"]}
GAP = {"type": "gap", "seq": 7, "fence": 3, "seats": ["0x0001", "0x3f8a"], "away": ["0x0001"]}
JOINED = {"type": "joined", "seq": 9, "tag": "0x3f8a"}
REFUSED = {"type": "refused", "reason": "stale", "reference": REFERENCE.hex()}


def valid(name: str, section: str, sender: str, type_: str, data: bytes, **fields: Any) -> Any:
    shown = {
        key: value.hex() if isinstance(value, bytes) else value for key, value in fields.items()
    }
    return {
        "name": name,
        "section": section,
        "from": sender,
        "type": type_,
        "hex": data.hex(),
        "fields": shown,
    }


def invalid(name: str, section: str, sender: str, data: bytes) -> Any:
    error = "MessageError" if sender == "client" else "FrameError"
    return {"name": name, "section": section, "from": sender, "hex": data.hex(), "error": error}


def wrong_size(name: str, data: bytes) -> Any:
    return {"name": name, "section": "3", "from": "client", "hex": data.hex(), "refused": "size"}


def post(fence: int, body: bytes) -> bytes:
    return struct.pack("!B8sQ", 1, REFERENCE, fence) + body


def commit(fence: int, body: bytes, info: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return struct.pack("!B8sQI", 2, REFERENCE, fence, size) + body + info


def offer(fence: int, info: bytes) -> bytes:
    return struct.pack("!B8sQ", 3, REFERENCE, fence) + info


def frame(kind: int, seq: int, fence: int, body: bytes) -> bytes:
    return struct.pack("!BB2sQQ", 0x11, kind, b"\x3f\x8a", seq, fence) + body


def info(fence: int, *entries: bytes, count: int | None = None) -> bytes:
    listed = b"".join(struct.pack("!I", len(entry)) + entry for entry in entries)
    return struct.pack("!BQB", 0x12, fence, len(entries) if count is None else count) + listed


def client_texts() -> list[Any]:
    other = text(**(HELLO | {"v": 2}))
    return [
        valid("hello", "5", "client", "hello", text(**HELLO), room=ROOM, access=ACCESS,
              signature=SIGNATURE),
        valid("hello of another version", "5", "client", "other_version", other),
        valid("hello of a version with other keys", "5", "client", "other_version",
              b'{"type":"hello","v":9,"x":[]}'),
        valid("resume", "5", "client", "resume", text(**RESUME), room=ROOM, access=ACCESS,
              signature=SIGNATURE, ticket=TICKET, mark=MARK, seq=7),
        valid("resume, longest tokens and highest number", "5", "client", "resume",
              text(**(RESUME | {"ticket": "-" * 256, "mark": "_" * 256, "seq": TOP})), room=ROOM,
              access=ACCESS, signature=SIGNATURE, ticket="-" * 256, mark="_" * 256, seq=TOP),
        valid("resume, shortest tokens and lowest number", "5", "client", "resume",
              text(**(RESUME | {"ticket": "t", "mark": "m", "seq": 0})), room=ROOM,
              access=ACCESS, signature=SIGNATURE, ticket="t", mark="m", seq=0),
        valid("resume of another version", "5", "client", "other_version",
              text(**(RESUME | {"v": 2}))),
        valid("need", "5", "client", "need", b'{"type":"need"}'),
        valid("ping", "5", "client", "ping", b'{"type":"ping"}'),
        valid("bye", "5", "client", "bye", b'{"type":"bye"}'),
        valid("unknown type", "5", "client", "unknown", b'{"type":"dance","steps":[1,{"a":[2]}]}'),
        valid("unknown type, brackets in a string", "5", "client", "unknown",
              b'{"type":"dance","text":"[[[[[[\\"[["}'),
        invalid("nothing", "5", "client", b""),
        invalid("not JSON", "5", "client", b"hello"),
        invalid("not an object", "5", "client", b'["bye"]'),
        invalid("no type", "5", "client", b'{"kind":"bye"}'),
        invalid("type is no string", "5", "client", b'{"type":1}'),
        invalid("space after a colon", "5", "client", b'{"type": "bye"}'),
        invalid("line end behind", "5", "client", b'{"type":"bye"}\n'),
        invalid("one key too many", "5", "client", b'{"type":"bye","x":1}'),
        invalid("duplicate key", "5", "client", b'{"type":"bye","type":"bye"}'),
        invalid("duplicate key of an unknown type", "5", "client", b'{"type":"x","a":1,"a":1}'),
        invalid("escape where none is needed", "5", "client", b'{"type":"\\u0062ye"}'),
        invalid("a message of the relay", "5", "client", b'{"type":"drain","retry_after_ms":1}'),
        invalid("beyond ASCII", "5", "client", '{"type":"ä"}'.encode()),
        invalid("lone surrogate", "5", "client", b'{"type":"x","a":"\\ud800"}'),
        invalid("too deep", "5", "client", b'{"type":"x","a":[[[[1]]]]}'),
        invalid("not a number", "5", "client", b'{"type":"x","a":NaN}'),
        invalid("4,097 bytes", "5", "client", b'{"type":"x","a":"' + b"a" * 4078 + b'"}'),
        invalid("hello, keys in another order", "5", "client",
                text(**{key: HELLO[key] for key in ("v", "type", "room", "access", "signature")})),
        invalid("hello, room too short", "5", "client", text(**(HELLO | {"room": b64(ROOM)[:-1]}))),
        invalid("hello, room with unused bits", "5", "client",
                text(**(HELLO | {"room": b64(ROOM)[:-1] + "x"}))),
        invalid("hello, padded base64", "5", "client",
                text(**(HELLO | {"room": b64(ROOM) + "=="}))),
        invalid("hello, base64 of another alphabet", "5", "client",
                text(**(HELLO | {"room": "+" + b64(ROOM)[1:]}))),
        invalid("hello, version as a float", "5", "client",
                text(**HELLO).replace(b'"v":1,', b'"v":1.0,')),
        invalid("hello, version true", "5", "client",
                text(**HELLO).replace(b'"v":1,', b'"v":true,')),
        invalid("hello, version beyond 2^53", "5", "client",
                text(**HELLO).replace(b'"v":1,', b'"v":9007199254740992,')),
        invalid("hello, version negative", "5", "client",
                text(**HELLO).replace(b'"v":1,', b'"v":-1,')),
        invalid("resume without a mark", "5", "client",
                text(**{key: value for key, value in RESUME.items() if key != "mark"})),
        invalid("resume, keys in another order", "5", "client",
                text(**{key: RESUME[key] for key in sorted(RESUME)})),
        invalid("resume, no ticket in the quotes", "5", "client",
                text(**(RESUME | {"ticket": ""}))),
        invalid("resume, ticket of 257 characters", "5", "client",
                text(**(RESUME | {"ticket": "t" * 257}))),
        invalid("resume, mark of 257 characters", "5", "client",
                text(**(RESUME | {"mark": "m" * 257}))),
        invalid("resume, ticket of another alphabet", "5", "client",
                text(**(RESUME | {"ticket": "+" + TICKET}))),
        invalid("resume, padded mark", "5", "client", text(**(RESUME | {"mark": MARK + "="}))),
        invalid("resume, ticket null", "5", "client", text(**(RESUME | {"ticket": None}))),
        invalid("resume, number beyond 2^53", "5", "client",
                text(**(RESUME | {"seq": TOP + 1}))),
        invalid("resume, number with a zero before", "5", "client",
                text(**RESUME).replace(b'"seq":7', b'"seq":07')),
        invalid("resume, number negative", "5", "client", text(**(RESUME | {"seq": -1}))),
        invalid("resume, number as a float", "5", "client",
                text(**RESUME).replace(b'"seq":7', b'"seq":7.0')),
        invalid("resume, room with unused bits", "5", "client",
                text(**(RESUME | {"room": b64(ROOM)[:-1] + "x"}))),
        invalid("resumed", "5", "client", text(**RESUMED)),
    ]  # fmt: skip


def client_binaries() -> list[Any]:
    one, two = sealed(1024, 0xAA), sealed(2048, 0xBB)
    return [
        *(
            valid(f"post of {size}", "6", "client", "post", post(3, sealed(size, 0xCC)),
                  reference=REFERENCE, fence=3, sealed=sealed(size, 0xCC))
            for size in (256, 512, 1024, 2048, 4096)
        ),
        valid("post at the highest fence", "6", "client", "post", post(TOP, sealed(256, 1)),
              reference=REFERENCE, fence=TOP, sealed=sealed(256, 1)),
        valid("commit", "6", "client", "commit", commit(3, one, two), reference=REFERENCE, fence=3,
              commit=one, group_info=two),
        valid("founding commit", "6", "client", "commit", commit(0, one, one), reference=REFERENCE,
              fence=0, commit=one, group_info=one),
        valid("offer", "6", "client", "offer", offer(3, two), reference=REFERENCE, fence=3,
              group_info=two),
        invalid("no bytes", "6", "client", b""),
        invalid("kind 0", "6", "client", b"\x00" + bytes(400)),
        invalid("a message of the relay", "6", "client", frame(1, 1, 1, sealed(256, 1))),
        invalid("post cut within its header", "6", "client", post(3, b"")[:-1]),
        invalid("commit cut within its header", "6", "client", commit(3, b"", b"")[:-1]),
        invalid("commit longer than the message", "6", "client", commit(3, one, b"", 1053)),
        wrong_size("post of a length between classes", post(3, sealed(257, 1))),
        wrong_size("post without anything sealed", post(3, b"")),
        wrong_size("post of a length above all classes", post(3, sealed(5120, 1))),
        wrong_size("commit of a length that is no step", commit(3, sealed(1000, 1), one)),
        wrong_size("commit without GroupInfo", commit(3, one, b"")),
        wrong_size("commit of nothing", commit(3, b"", one)),
        wrong_size("commit of an empty seal", commit(3, sealed(0, 1), one)),
        wrong_size("offer of a length that is no step", offer(3, sealed(1025, 1))),
        wrong_size("offer of nothing", offer(3, b"")),
    ]  # fmt: skip


def relay_texts() -> list[Any]:
    event = {"seq": 9, "tag": "0x3f8a"}
    waiting = REFUSED | {"reason": "rate", "reference": None, "retry_after_ms": 250, "fence": None}
    stale = REFUSED | {"retry_after_ms": None, "fence": 4}
    return [
        valid("challenge", "5", "relay", "challenge",
              text(type="challenge", v=1, nonce=b64(NONCE)), v=1, nonce=NONCE),
        valid("welcome", "5", "relay", "welcome", text(**WELCOME), life=LIFE, tag="0x3f8a", seq=7,
              fence=3, message_rate_milli=1500, message_burst=10, seats=128),
        valid("joined, to others", "5", "relay", "joined", text(**JOINED), **event),
        valid("joined, to the joiner", "5", "relay", "joined",
              text(**JOINED, seats=["0x0001", "0x3f8a"], away=["0x0001"], ticket=TICKET), **event,
              seats=["0x0001", "0x3f8a"], away=["0x0001"], ticket=TICKET),
        valid("joined, first of all", "5", "relay", "joined",
              text(**JOINED, seats=["0x3f8a"], away=[], ticket=TICKET), **event,
              seats=["0x3f8a"], away=[], ticket=TICKET),
        valid("mark", "5", "relay", "mark", text(type="mark", mark=MARK), mark=MARK),
        valid("resumed", "5", "relay", "resumed", text(**RESUMED), life=LIFE, tag="0x3f8a", seq=7,
              fence=3, ticket=TICKET, message_rate_milli=1500, message_burst=10, seats=128),
        valid("gap", "5", "relay", "gap", text(**GAP), seq=7, fence=3,
              seats=["0x0001", "0x3f8a"], away=["0x0001"]),
        *(valid(kind, "5", "relay", kind, text(type=kind, **event), **event)
          for kind in ("away", "back", "left")),
        valid("refused with a wait", "5", "relay", "refused", text(**waiting), reason="rate",
              reference=None, retry_after_ms=250, fence=None),
        valid("refused with a fence", "5", "relay", "refused", text(**stale), reason="stale",
              reference=REFERENCE, retry_after_ms=None, fence=4),
        valid("need", "5", "relay", "need", text(type="need")),
        # Whoever asked knows; to a room it is nothing.
        valid("pong", "5", "relay", "unknown", text(type="pong")),
        valid("reset", "5", "relay", "reset", text(type="reset", life=b64(LIFE), seq=0, fence=0),
              life=LIFE, seq=0, fence=0),
        valid("drain", "5", "relay", "drain", text(type="drain", retry_after_ms=1234),
              retry_after_ms=1234),
        valid("notice", "5", "relay", "notice", text(type="notice", code="full_soon"),
              code="full_soon"),
        valid("unknown type", "5", "relay", "unknown", text(type="dance", steps=[1])),
        invalid("space after a colon", "5", "relay", b'{"type": "need"}'),
        invalid("keys in another order", "5", "relay", b'{"type":"away","tag":"0x3f8a","seq":9}'),
        invalid("tag in upper case", "5", "relay", b'{"type":"away","seq":9,"tag":"0x3F8A"}'),
        invalid("number beyond 2^53", "5", "relay",
                b'{"type":"away","seq":9007199254740992,"tag":"0x3f8a"}'),
        invalid("number as a float", "5", "relay", b'{"type":"away","seq":9.0,"tag":"0x3f8a"}'),
        invalid("seats not ascending", "5", "relay",
                text(**JOINED, seats=["0x3f8a", "0x0001"], away=[], ticket=TICKET)),
        invalid("joined without a ticket", "5", "relay",
                text(**JOINED, seats=["0x3f8a"], away=[])),
        invalid("joined with an empty ticket", "5", "relay",
                text(**JOINED, seats=["0x3f8a"], away=[], ticket="")),
        invalid("mark of 257 characters", "5", "relay", text(type="mark", mark="m" * 257)),
        invalid("mark of another alphabet", "5", "relay", text(type="mark", mark="a/b")),
        invalid("resumed, ticket of another alphabet", "5", "relay",
                text(**(RESUMED | {"ticket": TICKET + "="}))),
        invalid("resumed, keys in another order", "5", "relay",
                text(**{key: RESUMED[key] for key in sorted(RESUMED)})),
        invalid("gap, seats not ascending", "5", "relay",
                text(**(GAP | {"seats": ["0x3f8a", "0x0001"]}))),
        invalid("gap without a fence", "5", "relay",
                text(**{key: value for key, value in GAP.items() if key != "fence"})),
        invalid("nonce too short", "5", "relay",
                text(type="challenge", v=1, nonce=b64(NONCE[:31]))),
        invalid("not an object", "5", "relay", b"[]"),
    ]  # fmt: skip


def relay_binaries() -> list[Any]:
    one, two = sealed(1024, 0xAA), sealed(2048, 0xBB)
    app = sealed(256, 0xCC)
    return [
        valid("frame of an application message", "6", "relay", "frame", frame(1, 5, 3, app),
              kind=1, tag="0x3f8a", seq=5, fence=3, sealed=app),
        valid("frame of a commit", "6", "relay", "frame", frame(2, 6, 3, one), kind=2,
              tag="0x3f8a", seq=6, fence=3, sealed=one),
        valid("info of an empty room", "6", "relay", "info", info(0), fence=0, entries=[]),
        valid("info", "6", "relay", "info", info(4, one, two), fence=4,
              entries=[one.hex(), two.hex()]),
        valid("ack", "6", "relay", "ack", struct.pack("!B8sQ", 0x13, REFERENCE, 5),
              reference=REFERENCE, seq=5),
        invalid("no bytes", "6", "relay", b""),
        invalid("a message of the client", "6", "relay", post(3, app)),
        invalid("frame of kind 3", "6", "relay", frame(3, 5, 3, one)),
        invalid("frame of no class", "6", "relay", frame(1, 5, 3, app + b"x")),
        invalid("frame cut within its header", "6", "relay", frame(1, 5, 3, b"")[:-1]),
        invalid("info that counts one too many", "6", "relay", info(4, one, count=2)),
        invalid("info with bytes behind", "6", "relay", info(4, one) + b"x"),
        invalid("ack with a byte behind", "6", "relay",
                struct.pack("!B8sQ", 0x13, REFERENCE, 5) + b"x"),
    ]  # fmt: skip


def main() -> None:
    cases = [*client_texts(), *client_binaries(), *relay_texts(), *relay_binaries()]
    lines = ",\n".join(json.dumps(case) for case in cases)
    Path(__file__).with_name("envelope.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
