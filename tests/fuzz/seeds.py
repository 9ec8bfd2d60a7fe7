"""Write the seeds of every harness: from the vectors, and from what really passes between peers.

Run by hand when a harness or the protocol changes (`python -m tests.fuzz.seeds`), never by tests.
What keep.py has added to them stays.
"""

import json
import re
from pathlib import Path
from typing import Any

from client.mls import framing
from client.mls.codec import opaque
from relay import frame
from relay.frame import FIN
from relay.tickets import Tickets
from tests.fuzz import scene
from tests.fuzz.harness import relay_proof, relay_ticket
from tests.fuzz.hub import client_frame
from tests.fuzz.spelling import spell_proposal
from tests.relay.raw import commit_bytes, hello_text, offer_bytes, post_bytes

HERE = Path(__file__).parent
VECTORS = HERE.parent / "vectors"
MAX_BYTES = 2200
NEED, BYE = b'{"type":"need"}', b'{"type":"bye"}'
TRAPS = {
    "relay_text": [
        b'{"type":"x","a":[[[1]]],"b":{"c":[true,null,-1.5e3,"\\u0041\\n"]}}',
        b'{"type":"' + b'\\"' * 40,
        '{"type":"x"}'.encode("utf-16-le"),
        ('{"type":"x","s":"\u4122","n":' + "[" * 1800 + '"').encode("utf-16-le"),
        b'{"type":"hello","v":1e400}',
    ],
    "client_text": [
        b'{"type":"need","x":NaN}',
        b'{"type":"refused","reason":"rate","reference":null,"retry_after_ms":9007199254740991,'
        b'"fence":null}',
        b'{"type":"future","x":[{}]}',
    ],
    "client_link": [
        b"https://[::1]:8443/#AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        b"http://localhost:80/#AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        b" HTTPS://Example.ORG:443#AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
        b"https://a.ex)ample/#AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        b"https://a.example[v1.b]/#AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    ],
}


def written(name: str, seeds: dict[str, bytes]) -> None:
    """Replace the seeds of a harness that have a name in words."""
    place = HERE / "corpus" / name
    place.mkdir(parents=True, exist_ok=True)
    for former in place.glob("*-*"):
        former.unlink()
    for number, (what, data) in enumerate(seeds.items()):
        slug = re.sub(r"\W+", "-", what.lower()).strip("-")[:40]
        (place / f"{number:02}-{slug}").write_bytes(data)


def vectors(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def envelope(sender: str, *, is_text: bool) -> dict[str, bytes]:
    """Return the valid messages of one side, and the short ones that are not valid."""
    found = {}
    for case in vectors("envelope.json"):
        data = bytes.fromhex(case["hex"])
        is_short = "type" in case or len(data) < 40
        is_wanted = case["from"] == sender and (data[:1] == b"{") == is_text
        if is_wanted and is_short and len(data) <= MAX_BYTES:
            found[case["name"]] = data
    return found


def parsers() -> None:
    """Write the seeds of what reads one message."""
    for side, reader in (("client", "relay"), ("relay", "client")):
        for is_text, kind in ((True, "text"), (False, "binary")):
            name = f"{reader}_{kind}"
            traps = {f"trap {n}": data for n, data in enumerate(TRAPS.get(name, []))}
            written(name, envelope(side, is_text=is_text) | traps)
    contents = {case["name"]: bytes.fromhex(case["hex"]) for case in vectors("content.json")}
    written("client_content", {k: v for k, v in contents.items() if len(v) <= MAX_BYTES})
    links = vectors("link.json")
    shown = {f"link {n}": case["url"].encode() for n, case in enumerate(links["good"])}
    shown |= {case["name"]: case["url"].encode() for case in links["bad"]}
    written(
        "client_link",
        shown | {f"trap {n}": data for n, data in enumerate(TRAPS["client_link"])},
    )
    sealed = {}
    for case in vectors("sealing.json"):
        head = bytes((int(case["kind"]) - 1, 0)) + int(case["fence"]).to_bytes(8, "big")
        data = bytes.fromhex(case["sealed"])
        if len(data) <= MAX_BYTES:
            sealed[case["name"]] = head + data
    for kind in range(3):
        fence = bytes(7) + b"\5"
        sealed[f"padded {kind}"] = bytes((kind, 1)) + fence + b"\0\0\0\5hello"
        sealed[f"whole {kind}"] = bytes((kind, 2)) + fence + b"\0\0\4\0" + bytes(1020)
    written("client_seal", sealed)


def requests() -> None:
    """Write the seeds of what the relay reads before and around messages."""
    get = b"GET /v1/connect?x=1 HTTP/1.1\r\nHost: relay.example:8443\r\n"
    upgrade = (
        b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    )
    heads = {
        "page": b"GET / HTTP/1.1\r\nHost: relay.example\r\nAccept: */*\r\n\r\n",
        "websocket": get + upgrade + b"Origin: https://relay.example\r\n\r\n",
        "body": b"POST /x HTTP/1.1\r\nhost: [::1]:80\r\ncontent-length: 12\r\n\r\n",
        "both lengths": get + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "close": get + b"Connection: close\r\nTE: trailers\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n",
        "old": b"GET / HTTP/1.0\r\n\r\n",
        "half": get,
    }
    written("relay_head", heads)
    hops = {
        "chain": b"\0203.0.113.9, 10.0.0.2,10.0.0.3",
        "fields": b"\0198.51.100.1\n[2001:db8::1]:443, ::ffff:10.0.0.2",
        "forwarded": b'\1for=192.0.2.60;proto=http;by=10.0.0.1, for="[2001:db8:cafe::17%1]:47"',
        "nonsense": b'\1for="_hidden", for=unknown;For=10.0.0.9',
    }
    written("relay_forwarded", hops)
    ticket = Tickets(relay_ticket.KEY)
    room, life = relay_ticket.ROOM, bytes(8)
    tokens = {
        "ticket": b"\0" + ticket.ticket(room, life, 7, 3, relay_ticket.WALL).encode(),  # type: ignore[arg-type]
        "mark": b"\0" + ticket.mark(room, life, 7, 3, relay_ticket.WALL).encode(),  # type: ignore[arg-type]
        "fields": b"\1" + bytes(range(22)),
        "mark fields": b"\2" + bytes(range(24)) + int(relay_ticket.WALL).to_bytes(8, "big"),
        "plain": b"\3\1" + room + bytes(22),
        "short": b"\0AAAA",
    }
    written("relay_ticket", tokens)
    genuine = relay_proof.GENUINE
    proofs = {
        "proof": b"\0" + genuine,
        "another key": b"\2" + genuine,
        "bit": b"\x05" + genuine[:9],
    }
    # S plus L: the same point for a verifier that does not look.
    scalar = int.from_bytes(relay_proof.SIGNATURE[32:], "little") + 2**252
    scalar += 27742317777372353535851937790883648493
    proofs["malleable"] = b"\x0d" + scalar.to_bytes(32, "little")
    written("relay_proof", proofs)


def conversations() -> None:
    """Write the seeds of sockets and rooms: frames, and scripts."""
    post = client_frame(FIN | frame.BINARY, post_bytes(1, reference=bytes(8)))
    frames = {
        "text": client_frame(FIN | frame.TEXT, NEED),
        "binary": post,
        "control": client_frame(FIN | frame.PING, b"ping") + client_frame(FIN | frame.PONG, b""),
        "fragments": client_frame(frame.TEXT, NEED[:5])
        + client_frame(FIN | frame.PING, b"x")
        + client_frame(frame.CONTINUATION, NEED[5:9])
        + client_frame(FIN | frame.CONTINUATION, NEED[9:]),
        "long": bytes((0x82, 0xFF)) + (70_000).to_bytes(8, "big") + bytes(40),
        "close": client_frame(FIN | frame.CLOSE, b"\x03\xe8bye"),
        "pings": client_frame(FIN | frame.PING, b"") * 24,
        "pieces": client_frame(frame.BINARY, b"") + client_frame(frame.CONTINUATION, b"") * 66,
    }
    written("relay_frame", {what: bytes((1, 0, 4, 9, 30)) + raw for what, raw in frames.items()})
    reference = (bytes((n,)) * 8 for n in range(1, 9))
    talk = post + client_frame(FIN | frame.TEXT, NEED)
    commit = commit_bytes(1, reference=next(reference))
    talk += client_frame(FIN | frame.BINARY, commit)
    talk += client_frame(FIN | frame.BINARY, offer_bytes(1)[:1] + bytes(16) + bytes(1052))
    sockets = {
        f"{what} {form}": bytes((form, 0, 9, 200)) + raw
        for what, raw in frames.items()
        for form in (0, 2)
        if what not in ("long", "pings", "pieces")
    }
    hello = hello_text(bytes(16), bytes(32), bytes(64))
    sockets["hello"] = bytes((0, 5, 60, 7)) + client_frame(FIN | frame.TEXT, hello)
    sockets["talk"] = bytes((2, 1, 90, 250)) + talk + client_frame(FIN | frame.TEXT, BYE)
    sockets["early"] = bytes((1, 3, 3, 3)) + talk
    written("relay_socket", sockets)
    three = "0000 0001 0002 0100 0101 0102 020000 020100 020200"
    plays = {
        "three talk": f"{three} 040000 040108 0402a0 060003 0701 0b0010 0801",
        "lost and back": f"{three} 0400 0900 040100 0b0008 0a0008 040300 0b0008 0a0308 0404 0a0008",
        "by turns": "0000 0001 0002 0003 0100 0101 0102 0103 020307 020000 0b0020 020100 0701",
        "reset": "0000 0001 0100 0101 020000 0800 020100 0b00c8 0101 020100",
        "restored": "0000 0100 020000 0900 0b00ff 0b00ff 0a0008 0400 0001 0101 020200",
        "slow": f"{three} 0e0001 040100 040200 0f0102 0e0004 0b0020 0f0283",
        "raw": f"{three} 0c80117b2274797065223a226e656564227d 0d0003818000 0c00020100",
        "two rooms": "0000 0007 0100 0101 020000 020100 040000 0800 0801",
    }
    written("relay_room", {what: bytes.fromhex(script) for what, script in plays.items()})


def stays() -> None:
    """Write the scripts of a client's relay."""
    text, later, fifth = "0700000000", "0700000001", "0700000202"
    plays = {
        "founding": "00 0e07 0b00 1100 0f05 616263 0c00 0d20 13ff",
        "hears": f"02 {text} {later} 0700020101 0700030200 0700050001 0f0561 0c00 0d10",
        "commits": f"02 0900 {text} 0910 0f0541 0c00 0940 0920 0d40",
        "seats": "02 020100 020200 020100 020300 0d20 1307 130f",
        "lost": f"02 {text} 0900 0e07 020500 0e01 0e07 0d30 020608 020500",
        "stranded": "02 0a0000 0b08 0d14 1100 0d14",
        "refused": "02 0f0561 1203 1204 1200 0d08 0f0562 1205",
        "says nothing": "01 0f0561 0d80 0d80 0e07",
        "raw": "02 0000107b2274797065223a226e656564227d 010014" + "11" * 20,
        "holes": f"02 {text} {fifth} 0d10 0700370201 0d40 0f0562 0c00",
        "plain repair": f"02 {text} {fifth} 0700b7020100 0d40",
        "asks": "02 0f0561 0c00 0f0562 0c00 07001600000000 070025000000000000 0d10",
        "relay lost": f"02 {text} 0e07 0e01 020746 0b08 1100 0d20 020848 0b00",
        "divided": f"02 {text} 0500206162 0d20 0b08 1100 0d80",
        "runs ahead": "02 " + "0700000000" * 3 + "06a0 02 0000 0d30 130f 130f",
    }
    scripts = {what: bytes.fromhex(script.replace(" ", "")) for what, script in plays.items()}
    written("client_room", scripts)


def groups() -> None:
    """Write the seeds of what reads MLS, from the scene and from other implementations' traps."""
    made = scene.seeds()
    traps = vectors("mls-traps.json")
    blank = {name: bytes.fromhex(traps["blank_root"][name]) for name in ("ratchet_tree", "commit")}
    foreign = bytes.fromhex(traps["external_pub"]["group_info"])
    commits = {name: made[name] for name in ("empty", "remove", "join", "rejoin")}
    written("mls_commit", commits | {"blank root": blank["commit"]})
    written("mls_group_info", {"ours": made["group_info"], "foreign": foreign})
    empty = bytes((0, 1, 0, 2, 0)) + bytes(8) + b"\1\0\0\0"
    written("mls_private", {"message": made["message"], "empty": empty})
    stage = scene.scene()
    tree = stage.groups[0]._epoch.tree
    # A parent whose first length is not in its shortest form.
    spelt = {"long length": opaque(b"\0\1\2\x40\0\0\0")}
    written("mls_tree", {"ours": tree.encoded(), "blank root": blank["ratchet_tree"]} | spelt)
    leaves = {f"leaf {index}": leaf.encoded for index, leaf in tree.leaves()}
    written("mls_leaf", leaves)
    parts = {}
    for name, data in (commits | {"blank root": blank["commit"]}).items():
        parts[name] = _part(data)
    written("mls_path", {name: path for name, (_, path) in parts.items()})
    proposals = {
        f"{name} {n}": one for name, (ones, _) in parts.items() for n, one in enumerate(ones)
    }
    written("mls_proposal", proposals)
    codec = bytes((8, 0, 1, 2, 3, 4, 5 + 8, 6, 7)) + bytes(16) + b"\2ab" + b"z" + b"\4\1a\1b\1\1c"
    written("mls_codec", {"each": codec, "long": b"\1\4\x40\x41" + bytes(65)})
    written("mls_inspect", {f"form {n}": bytes((n,)) + made["group_info"] for n in (0, 5, 8, 15)})
    follows = {f"{name} {n}": bytes((n,)) + data for name, data in commits.items() for n in (0, 15)}
    written("mls_follow", follows)
    opens = {
        "message": b"\1" + made["message"],
        "signed": b"\4\0\0\0hello",
        "dirty": b"\x24\0\0\0hello",
        "later": b"\4\3\0\x3fhello again",
        "too far": b"\4\0\0\x41hello",
        "raw plain": b"\0\0\0\0\5hello\x40\x40" + bytes(70),
        "mislabelled": b"\x14\3\0\0hello",
        "elsewhere": b"\x0c\0\0\0\1\0\0hello",
        "repair": b"\2\1" + bytes(7) + b"\7said again",
        "forged repair": b"\2\0" + bytes(8) + bytes(80),
    }
    written("mls_open", opens)


def _part(commit: bytes) -> tuple[list[bytes], bytes]:
    framed = framing.read_public_commit(commit)
    assert framed.commit is not None
    assert framed.commit.path is not None
    path = framed.commit.path
    ones = [spell_proposal(proposal) for proposal in framed.commit.proposals]
    return ones, framing.encode_path(path.leaf, list(path.nodes))


def main() -> None:
    parsers()
    requests()
    conversations()
    stays()
    groups()
    files = [path for path in (HERE / "corpus").rglob("*") if path.is_file()]
    print(f"{len(files)} seeds, {sum(path.stat().st_size for path in files):,} bytes")


if __name__ == "__main__":
    main()
