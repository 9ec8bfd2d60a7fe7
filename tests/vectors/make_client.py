"""Write link.json, sealing.json and content.json. Run by hand, never by the tests.

Expected values are computed here from PROTOCOL 2 and 3 with `cryptography` alone, not with the
product: `python -m tests.vectors.make_client`.
"""

import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HERE = Path(__file__).parent
SECRETS = (bytes(32), bytes(range(32)), hashlib.sha256(b"a third one").digest())
ROOM = bytes(range(16))
KEY = bytes(range(32, 64))
NONCE = bytes(range(12))


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def derive(secret: bytes, label: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, b"beacon link v1", label).derive(secret)


def good_link(secret: bytes, host: str) -> dict[str, object]:
    access = Ed25519PrivateKey.from_private_bytes(derive(secret, b"access"))
    key = access.public_key().public_bytes_raw()
    room = hashlib.sha256(b"beacon room id v1" + key).digest()[:16]
    nonce = hashlib.sha256(b"nonce" + secret).digest()
    hello = b"beacon hello v1" + host.encode() + room + nonce
    return {
        "section": "2",
        "url": f"https://{host}/#{b64(secret)}",
        "host": host,
        "secret": secret.hex(),
        "access_key": key.hex(),
        "psk": derive(secret, b"psk").hex(),
        "seal": derive(secret, b"seal").hex(),
        "room_id": room.hex(),
        "nonce": nonce.hex(),
        "hello_signature": access.sign(hello).hex(),
    }


def bad_links() -> list[dict[str, str]]:
    secret = b64(SECRETS[1])
    spoiled = {
        "no fragment": "https://example.org/",
        "empty fragment": "https://example.org/#",
        "short secret": f"https://example.org/#{secret[:-1]}",
        "long secret": f"https://example.org/#{secret}A",
        "padded secret": f"https://example.org/#{secret}=",
        "unused bits set": f"https://example.org/#{secret[:-1]}9",
        "other alphabet": f"https://example.org/#{'+' + secret[1:]}",
        "plain http far away": f"http://example.org/#{secret}",
        "another scheme": f"ftp://example.org/#{secret}",
        "no scheme": f"example.org/#{secret}",
        "user name": f"https://me@example.org/#{secret}",
        "path": f"https://example.org/room#{secret}",
        "query": f"https://example.org/?a=b#{secret}",
        "no host": f"https:///#{secret}",
        "port too large": f"https://example.org:99999/#{secret}",
        "port no number": f"https://example.org:x/#{secret}",
        "broken IPv6": f"https://[::1/#{secret}",
        "space inside": f"https://exa mple.org/#{secret}",
        "beyond ASCII": f"https://ex\u00e4mple.org/#{secret}",
        "endless": f"https://{'a' * 500}/#{secret}",
    }
    return [{"name": name, "url": url, "error": "LinkError"} for name, url in spoiled.items()]


def sealed(kind: int, fence: int, padded: bytes, *, room: bytes = ROOM) -> bytes:
    aad = b"beacon seal v1" + b"\0\1" + room + bytes((kind,)) + fence.to_bytes(8, "big")
    return NONCE + AESGCM(KEY).encrypt(NONCE, padded, aad)


def framed(plain: bytes, size: int = 1024) -> bytes:
    data = len(plain).to_bytes(4, "big") + plain
    return data + bytes(size - len(data))


def sealing() -> list[dict[str, object]]:
    def case(
        name: str, kind: int, fence: int, data: bytes, plain: bytes | None
    ) -> dict[str, object]:
        place = {"key": KEY.hex(), "room_id": ROOM.hex(), "kind": kind, "fence": fence}
        case = {"name": name, "section": "3", **place, "sealed": data.hex()}
        if plain is None:
            return case | {"error": "AuthenticationError"}
        return case | {"plaintext": plain.hex()}

    application = bytes(range(256))
    text = b"commit"
    good = sealed(2, 7, framed(text))
    nearly_full, full = bytes(1020), bytes(1021)
    return [
        case("application", 1, 7, sealed(1, 7, application), application),
        case("application, largest", 1, 2**53 - 1, sealed(1, 2**53 - 1, bytes(4096)), bytes(4096)),
        case("commit", 2, 7, good, text),
        case("GroupInfo", 3, 8, sealed(3, 8, framed(text)), text),
        case("empty commit", 2, 7, sealed(2, 7, framed(b"")), b""),
        case("commit that fills its block", 2, 7, sealed(2, 7, framed(nearly_full)), nearly_full),
        case("commit of two blocks", 2, 7, sealed(2, 7, framed(full, 2048)), full),
        case("another kind", 3, 7, good, None),
        case("another fence", 2, 8, good, None),
        case("another room", 2, 7, sealed(2, 7, framed(text), room=bytes(16)), None),
        case("a bit flipped", 2, 7, bytes((good[0] ^ 1,)) + good[1:], None),
        case("padding not zero", 2, 7, sealed(2, 7, framed(text)[:-1] + b"\1"), None),
        case("a block too much padding", 2, 7, sealed(2, 7, framed(text, 2048)), None),
        case("length beyond the end", 2, 7, sealed(2, 7, b"\0\0\4\0" + bytes(1020)), None),
        case("no class", 1, 7, sealed(1, 7, bytes(300)), None),
        case("no multiple", 2, 7, sealed(2, 7, bytes(1000)), None),
        case("nothing sealed", 2, 7, sealed(2, 7, b""), None),
        case("cut short", 1, 7, sealed(1, 7, application)[:20], None),
    ]


def content() -> list[dict[str, object]]:
    def head(spelt: str) -> bytes:
        data = spelt.encode("utf-8", "surrogatepass")
        return len(data).to_bytes(2, "big") + data

    def good(name: str, spelt: str, raw: bytes = b"", **fields: object) -> dict[str, object]:
        data = head(spelt) + raw
        return {"name": name, "section": "9", "hex": data.hex(), "fields": fields}

    def bad(name: str, data: bytes) -> dict[str, object]:
        return {"name": name, "section": "9", "hex": data.hex(), "error": "FrameError"}

    def pulse(rows: str) -> bytes:
        return head(f'{{"type":"pulse","counter":1,"base":1,"received":{rows}}}')

    def ask(holes: str) -> bytes:
        return head(f'{{"type":"ask","counter":1,"base":1,"holes":{holes}}}')

    def repair(counter: int, rest: str) -> bytes:
        return head(f'{{"type":"repair","counter":{counter},"base":1,{rest}}}')

    plain = '{"type":"text","counter":3,"base":1,"text":"hello"}'
    worst = "\x01" * 500
    escaped = "\\u0001" * 500
    return [
        good("text", plain, type="text", counter=3, base=1, nick=None, text="hello"),
        good(
            "text with a nickname",
            '{"type":"text","counter":3,"base":1,"nick":"Ada","text":""}',
            type="text", counter=3, base=1, nick="Ada", text="",
        ),
        good(
            "scripts and escapes",
            '{"type":"text","counter":1,"base":0,"text":"\\"\\\\\\b\\t\\n\\f\\r\\u001f\x7f/\u00e4\u4e2d\U0001f600\u2028"}',
            type="text", counter=1, base=0, nick=None,
            text='"\\\b\t\n\f\r\x1f\x7f/\u00e4\u4e2d\U0001f600\u2028',
        ),
        good(
            "500 characters at their longest",
            f'{{"type":"text","counter":1,"base":0,"text":"{escaped}"}}',
            type="text", counter=1, base=0, nick=None, text=worst,
        ),
        good(
            "nick", '{"type":"nick","counter":9,"base":8,"nick":"\u00c5sa"}',
            type="nick", counter=9, base=8, nick="\u00c5sa",
        ),
        good("void", '{"type":"void","counter":2,"base":0}', type="void", counter=2, base=0),
        good(
            "a type of tomorrow", '{"type":"wave","counter":2,"base":0,"more":[1,2]}',
            type="other", counter=2, base=0,
        ),
        good(
            "pulse that says nothing new", '{"type":"pulse","counter":0,"base":0,"received":[]}',
            type="pulse", counter=0, base=0, nick=None, received=[],
        ),
        good(
            "pulse",
            '{"type":"pulse","counter":7,"base":7,"nick":"Ada","received":[[0,1,5],[3,4,3],[255,2,12]]}',
            type="pulse", counter=7, base=7, nick="Ada",
            received=[[0, 1, 5], [3, 4, 3], [255, 2, 12]],
        ),
        good(
            "ask", '{"type":"ask","counter":1,"base":0,"holes":[[0,3,3],[2,1,4],[2,6,6]]}',
            type="ask", counter=1, base=0, holes=[[0, 3, 3], [2, 1, 4], [2, 6, 6]],
        ),
        good(
            "repair to one leaf",
            '{"type":"repair","counter":9,"base":4,"leaf":2,"counters":[3,9]}',
            raw=b"\0\2ab\0\0", type="repair", counter=9, base=4, leaf=2,
            parts=[[3, "6162"], [9, ""]],
        ),
        good(
            "repair to all", '{"type":"repair","counter":9,"base":4,"counters":[3]}',
            raw=b"\0\1x", type="repair", counter=9, base=4, leaf=None, parts=[[3, "78"]],
        ),
        bad("pulse without rows", head('{"type":"pulse","counter":1,"base":0}')),
        bad("pulse above its counter", head('{"type":"pulse","counter":1,"base":2,"received":[]}')),
        bad("pulse with bytes behind", pulse('[]') + b"x"),
        bad("pulse, a leaf twice", pulse('[[1,1,1],[1,1,2]]')),
        bad("pulse, a row of two", pulse('[[1,1]]')),
        bad("pulse, a row that counts from 0", pulse('[[1,0,1]]')),
        bad("pulse, a row backwards", pulse('[[1,3,1]]')),
        bad("pulse, a row of text", pulse('["ab"]')),
        bad("pulse, a row of truth", pulse('[[1,1,true]]')),
        bad("pulse, 257 rows", head('{"type":"pulse","counter":1,"base":1,"received":['
            + ",".join(f"[{n},1,1]" for n in range(257)) + "]}")),
        bad("pulse with a bad nickname",
            head('{"type":"pulse","counter":1,"base":1,"nick":" a","received":[]}')),
        bad("ask for nothing", ask('[[0,0,1]]')),
        bad("ask backwards", ask('[[0,2,1]]')),
        bad("ask twice", ask('[[0,1,3],[0,3,4]]')),
        bad("ask out of order", ask('[[1,1,1],[0,1,1]]')),
        bad("repair, no counters", repair(1, '"leaf":0')),
        bad("repair, counters out of order",
            repair(2, '"leaf":0,"counters":[2,1]') + b"\0\0\0\0"),
        bad("repair, a counter of text",
            repair(2, '"leaf":0,"counters":["1"]') + b"\0\0"),
        bad("repair for a leaf below zero",
            repair(2, '"leaf":-1,"counters":[]')),
        bad("repair for null", repair(2, '"leaf":null,"counters":[]')),
        bad("repair cut short", repair(1, '"counters":[1]') + b"\0\2a"),
        bad("repair without its part", repair(1, '"counters":[1]')),
        bad("repair with bytes left over",
            repair(1, '"counters":[1]') + b"\0\1ab"),
        bad("nothing", b""),
        bad("cut short", head(plain)[:-1]),
        bad("bytes left over", head(plain) + b"x"),
        bad("no JSON", head("hello")),
        bad("no object", head("[1]")),
        bad("no type", head('{"counter":1,"base":0}')),
        bad("space", head(plain.replace(",", ", "))),
        bad("another order", head('{"type":"void","base":0,"counter":1}')),
        bad("one key too many", head('{"type":"void","counter":1,"base":0,"a":1}')),
        bad("duplicate key", head('{"type":"void","counter":1,"counter":1,"base":0}')),
        bad("needless escape", head('{"type":"text","counter":1,"base":0,"text":"\\u0041"}')),
        bad("escape in upper case", head('{"type":"text","counter":1,"base":0,"text":"\\u001F"}')),
        bad("lone surrogate", head('{"type":"text","counter":1,"base":0,"text":"\\ud800"}')),
        bad("bad UTF-8", b"\0\3{\xff}"),
        bad("501 characters", head(plain.replace("hello", "x" * 501))),
        bad("counter 0", head('{"type":"void","counter":0,"base":0}')),
        bad("base not below counter", head('{"type":"void","counter":1,"base":1}')),
        bad("counter as float", head('{"type":"void","counter":1.0,"base":0}')),
        bad("counter true", head('{"type":"void","counter":true,"base":0}')),
        bad("counter too large", head('{"type":"void","counter":9007199254740992,"base":0}')),
        bad("text is no string", head('{"type":"text","counter":1,"base":0,"text":1}')),
        bad("nick missing", head('{"type":"nick","counter":1,"base":0}')),
        bad("nick empty", head('{"type":"nick","counter":1,"base":0,"nick":""}')),
        bad("nick too long", head(f'{{"type":"nick","counter":1,"base":0,"nick":"{"n" * 33}"}}')),
        bad("nick turns the line", head('{"type":"nick","counter":1,"base":0,"nick":"a\u202eb"}')),
        bad("nick with a space behind", head('{"type":"nick","counter":1,"base":0,"nick":"a "}')),
        bad("too deep", head('{"type":' + "[" * 9000 + "]" * 9000 + "}")),
    ]  # fmt: skip


def write(name: str, cases: object) -> None:
    (HERE / name).write_text(json.dumps(cases, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    hosts = ("example.org", "relay.example:8443", "[2001:db8::1]")
    links = [good_link(secret, host) for secret, host in zip(SECRETS, hosts, strict=True)]
    write("link.json", {"good": links, "bad": bad_links()})
    write("sealing.json", sealing())
    write("content.json", content())
