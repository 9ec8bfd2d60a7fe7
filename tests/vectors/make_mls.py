"""Write mls-r7.json and mls-traps.json. Run by hand (`python -m tests.vectors.make_mls`) only.

No part of the product takes part: curves are computed on whole numbers, messages are spelt and
keys derived with hashlib, hmac and plain X25519, Ed25519 and AES-GCM.

mls-r7.json: `small_order` lists every value that R7 refuses, found as roots of the doubling
formulas, so that the lists are complete; `keys` are encodings with their verdict; `signatures`
are over SignWithLabel content, `sound` telling whether the curve equation (without cofactor) holds.

mls-traps.json: what went wrong in other implementations. `blank_root`: a commit after which the
root is blank, so that the commit secret follows the last path secret, not the root's (RFC 9420
12.4.1). `external_pub`: the extension's key has a length of its own (12.4.3.2).
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# Curves (RFC 7748, RFC 8032)

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
A = 486662
D = -121665 * pow(121666, -1, P) % P


def roots(square: int) -> list[int]:
    """Both square roots modulo P, if there are any."""
    square %= P
    root = pow(square, (P + 3) // 8, P)
    if (root * root - square) % P:
        root = root * pow(2, (P - 1) // 4, P) % P
    return sorted({root, -root % P}) if (root * root - square) % P == 0 else []


def quadratic(b: int, c: int) -> list[int]:
    """The roots of x^2 + b x + c."""
    half = pow(2, -1, P)
    return [(root - b) * half % P for root in roots(b * b - 4 * c)]


def small_order_x25519() -> list[int]:
    """All u whose point, on the curve or its twist, has an order dividing 8.

    x(2Q) = (u^2 - 1)^2 / (4 u (u^2 + A u + 1)). Order 1 and 2: u = 0 (the point at infinity too,
    in RFC 7748's ladder), and the roots of u^2 + A u + 1, of which there are none. Order 4 doubles
    to 0: u = 1 or -1. Order 8 doubles to 1 or -1: with t = u + 1/u, t^2 - 4 t - 4 - 4 A = 0 and
    t^2 + 4 t - 4 + 4 A = 0.
    """
    assert quadratic(A, 1) == []
    found = {0, 1, P - 1}
    for b, c in ((-4, -4 - 4 * A), (4, -4 + 4 * A)):
        for t in quadratic(b, c):
            found.update(quadratic(-t, 1))
    for u in found:
        for _ in range(3):
            below = 4 * u * (u * u + A * u + 1) % P
            u = (u * u - 1) ** 2 * pow(below, -1, P) % P if below else 0
        assert u == 0
    # Complete: curve and twist have 8 and 4 points of such order, each u but 0 stands for two of
    # one of them; 0 for two of each, its own and infinity.
    assert 2 * (len(found) - 1) + 4 == 8 + 4
    return sorted(found)


Point = tuple[int, int]
BASE_Y = 4 * pow(5, -1, P) % P


def x_of(y: int) -> list[int]:
    """Both x of a point of Ed25519, if there is one."""
    return roots((y * y - 1) * pow(D * y * y + 1, -1, P))


def add(one: Point, two: Point) -> Point:
    (a, b), (c, d) = one, two
    t = D * a * b * c * d % P
    return (a * d + b * c) * pow(1 + t, -1, P) % P, (b * d + a * c) * pow(1 - t, -1, P) % P


def times(n: int, point: Point) -> Point:
    out = (0, 1)
    for bit in bin(n)[2:]:
        out = add(out, out)
        out = add(out, point) if bit == "1" else out
    return out


BASE = (next(x for x in x_of(BASE_Y) if x % 2 == 0), BASE_Y)


def encode(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def torsion() -> list[Point]:
    """All points of order dividing 8.

    Order 4 is y = 0. Order 8 doubles to y = 0: x^2 = -y^2, so that D y^4 + 2 y^2 - 1 = 0.
    """
    found = {(0, 1), (0, P - 1)} | {(x, 0) for x in x_of(0)}
    inverse = pow(D, -1, P)
    for square in quadratic(2 * inverse, -inverse):
        for y in roots(square):
            found.update((x, y) for x in x_of(y))
    assert len(found) == 8  # the cofactor: there are no others
    assert all(times(8, point) == (0, 1) for point in found)
    return sorted(found)


def little(value: int, top: int = 0) -> str:
    return (value | top << 255).to_bytes(32, "little").hex()


def r7_keys() -> list[dict[str, Any]]:
    cases = []

    def case(kind: str, data: str, accepted: bool, why: str) -> None:
        cases.append({"kind": kind, "hex": data, "accepted": accepted, "why": why})

    for u in small_order_x25519():
        for top in (0, 1):
            case("x25519", little(u, top), False, "small order")
    for value in range(P, 2**255):
        for top in (0, 1):
            case("x25519", little(value, top), False, "not reduced")
            case("ed25519", little(value, top), False, "not reduced")
    for y in {y for _, y in torsion()}:
        for top in (0, 1):
            case("ed25519", little(y, top), False, "small order")
    case("x25519", little(9), True, "the base point")
    case("x25519", little(9, 1), False, "top bit set")
    case("x25519", little(P - 2), True, "next to a refused one")
    case("x25519", little(2), True, "next to a refused one")
    case("ed25519", encode(BASE).hex(), True, "the base point")
    case("ed25519", encode((P - BASE[0], BASE[1])).hex(), True, "the base point's negative")
    case("ed25519", little(P - 2), True, "next to a refused one")
    for kind in ("x25519", "ed25519"):
        for length in (0, 31, 33):
            case(kind, (b"\x09" * length).hex(), False, "length")
    return cases


LABEL, CONTENT = "FramedContentTBS", b"R7"


def challenge(r: bytes, key: bytes) -> int:
    signed = vec(b"MLS 1.0 " + LABEL.encode()) + vec(CONTENT)
    return int.from_bytes(hashlib.sha512(r + key + signed).digest(), "little") % L


def r7_signatures() -> list[dict[str, Any]]:
    secret, nonce = 0x1234567 << 200, 0x7654321 << 190
    key = times(secret, BASE)
    cases = []

    def case(why: str, accepted: bool, r: bytes, public: bytes, s: int, sound: bool) -> None:
        cases.append(
            {
                "why": why,
                "key": public.hex(),
                "signature": (r + s.to_bytes(32, "little")).hex(),
                "accepted": accepted,
                "sound": sound,
            }
        )

    r, public = encode(times(nonce, BASE)), encode(key)
    s = (nonce + challenge(r, public) * secret) % L
    case("right", True, r, public, s, True)
    case("S plus L", False, r, public, s + L, True)
    case("S plus 8 L", False, r, public, s + 8 * L, True)
    case("S plus 1", False, r, public, s + 1, False)
    case("S is L", False, r, public, L, False)
    for point in torsion():
        r = encode(point)
        k = challenge(r, public)
        case("R of small order", False, r, public, k * secret % L, point == (0, 1))
    r = little(P + 1)
    k = challenge(bytes.fromhex(r), public)
    case("R not reduced", False, bytes.fromhex(r), public, k * secret % L, True)
    r = encode(times(nonce, BASE))
    for point in torsion():
        k = challenge(r, encode(point))
        holds = times(k, point) == (0, 1)
        case("key of small order", False, r, encode(point), nonce, holds)
    # Points with a part of small order have no bytes to tell them by. The equation without cofactor
    # decides; one multiplied by 8 would hold for all of these.
    for point in torsion():
        if point == (0, 1):
            continue
        r = encode(add(times(nonce, BASE), point))
        s = (nonce + challenge(r, public) * secret) % L
        case("R of mixed order", False, r, public, s, False)
        r, mixed = encode(times(nonce, BASE)), encode(add(key, point))
        k = challenge(r, mixed)
        holds = times(k, point) == (0, 1)
        case("key of mixed order", holds, r, mixed, (nonce + k * secret) % L, holds)
    r = encode(times(nonce, BASE))
    case("key not reduced", False, r, bytes.fromhex(little(P + 1)), nonce, True)
    return cases


# Spelling (RFC 9420 2.1)


def num(size: int, value: int) -> bytes:
    return value.to_bytes(size, "big")


def vec(data: bytes) -> bytes:
    if len(data) < 64:
        return num(1, len(data)) + data
    assert len(data) < 16384
    return num(2, 0x4000 | len(data)) + data


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def mac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def expand(prk: bytes, info: bytes, length: int) -> bytes:
    assert length <= 32
    return mac(prk, info + b"\1")[:length]


def labelled(secret: bytes, label: str, context: bytes = b"", length: int = 32) -> bytes:
    info = num(2, length) + vec(b"MLS 1.0 " + label.encode()) + vec(context)
    return expand(secret, info, length)


def sign(seed: bytes, label: str, content: bytes) -> bytes:
    data = vec(b"MLS 1.0 " + label.encode()) + vec(content)
    return Ed25519PrivateKey.from_private_bytes(seed).sign(data)


def signature_key(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


# HPKE (RFC 9180), base mode

KEM, HPKE = b"KEM\0\x20", b"HPKE\0\x20\0\1\0\1"


def extract_hpke(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return mac(salt or bytes(32), b"HPKE-v1" + suite + label + ikm)


def expand_hpke(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return expand(prk, num(2, length) + b"HPKE-v1" + suite + label + info, length)


def key_pair(ikm: bytes) -> tuple[bytes, bytes]:
    prk = extract_hpke(KEM, b"", b"dkp_prk", ikm)
    private = expand_hpke(KEM, prk, b"sk", b"", 32)
    return private, X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def seal_hpke(ephemeral: bytes, public: bytes, info: bytes, plaintext: bytes) -> bytes:
    """Return HPKECiphertext."""
    private, output = key_pair(ephemeral)
    dh = X25519PrivateKey.from_private_bytes(private).exchange(
        X25519PublicKey.from_public_bytes(public)
    )
    prk = extract_hpke(KEM, b"", b"eae_prk", dh)
    shared = expand_hpke(KEM, prk, b"shared_secret", output + public, 32)
    context = b"\0" + extract_hpke(HPKE, b"", b"psk_id_hash", b"")
    context += extract_hpke(HPKE, b"", b"info_hash", info)
    secret = extract_hpke(HPKE, shared, b"secret", b"")
    key = expand_hpke(HPKE, secret, b"key", context, 16)
    nonce = expand_hpke(HPKE, secret, b"base_nonce", context, 12)
    return vec(output) + vec(AESGCM(key).encrypt(nonce, plaintext, b""))


# A room of leaves 0 to 3, no parent node set; leaf 2 removes 0 and 1, leaf 3 follows.

GROUP_ID, ROOM_ID, EPOCH, FENCE = bytes(range(16)), bytes(range(16, 32)), 5, 9
TRANSCRIPT, TAG, EPOCH_SECRET = sha(b"transcript"), sha(b"tag"), sha(b"epoch")
SEEDS = [sha(b"signature %d" % leaf) for leaf in range(4)]
PRIVATES, PUBLICS = zip(*[key_pair(sha(b"leaf %d" % leaf)) for leaf in range(4)], strict=True)
CAPABILITIES = b"".join(vec(num(2, n)) if n else b"\0" for n in (1, 1, 0xF0BE, 0, 1))


def leaf_node(leaf: int, key: bytes, parent_hash: bytes) -> bytes:
    data = vec(key) + vec(signature_key(SEEDS[leaf])) + num(2, 1) + vec(b"0xa%03d" % leaf)
    data += CAPABILITIES + b"\3" + vec(parent_hash) + vec(b"")
    signature = sign(SEEDS[leaf], "LeafNodeTBS", data + vec(GROUP_ID) + num(4, leaf))
    return data + vec(signature)


def leaf_hash(leaf: int, node: bytes | None) -> bytes:
    return sha(b"\1" + num(4, leaf) + (b"\0" if node is None else b"\1" + node))


def parent_hash(node: bytes | None, left: bytes, right: bytes) -> bytes:
    return sha(b"\2" + (b"\0" if node is None else b"\1" + node) + vec(left) + vec(right))


def group_context(epoch: int, tree_hash: bytes, transcript: bytes) -> bytes:
    head = num(2, 1) + num(2, 1) + vec(GROUP_ID) + num(8, epoch)
    return head + vec(tree_hash) + vec(transcript) + vec(b"")


def binding(kind: int, fence: int) -> bytes:
    return num(2, 1) + ROOM_ID + num(1, kind) + num(8, fence)


def ratchet_tree(nodes: list[tuple[int, bytes] | None]) -> bytes:
    return vec(b"".join(b"\0" if n is None else b"\1" + num(1, n[0]) + n[1] for n in nodes))


def traps() -> dict[str, Any]:
    leaves = [leaf_node(leaf, PUBLICS[leaf], b"") for leaf in range(4)]
    hashes = [leaf_hash(leaf, node) for leaf, node in enumerate(leaves)]
    before_hash = parent_hash(None, parent_hash(None, *hashes[:2]), parent_hash(None, *hashes[2:]))
    before = group_context(EPOCH, before_hash, TRANSCRIPT)
    tree = ratchet_tree([x for leaf in leaves for x in ((1, leaf), None)][:-1])

    # The path: leaf 2, node 5 above it and leaf 3. The root's other side is empty: no step.
    secret = sha(b"path secret of the leaf")
    _, own = key_pair(labelled(secret, "node"))
    above = labelled(secret, "path")
    _, key = key_pair(labelled(above, "node"))
    commit_secret = labelled(above, "path")
    node_5 = vec(key) + vec(b"") + vec(b"")
    bound = sha(vec(key) + vec(b"") + vec(hashes[3]))
    new_leaf = leaf_node(2, own, bound)
    blank = parent_hash(None, leaf_hash(0, None), leaf_hash(1, None))
    after_hash = parent_hash(None, blank, parent_hash(node_5, leaf_hash(2, new_leaf), hashes[3]))
    provisional = group_context(EPOCH + 1, after_hash, TRANSCRIPT)
    info = vec(b"MLS 1.0 UpdatePathNode") + vec(provisional)
    sealed = seal_hpke(sha(b"ephemeral"), PUBLICS[3], info, above)
    path = new_leaf + vec(vec(key) + vec(sealed))

    removes = b"".join(b"\1" + num(2, 3) + num(4, leaf) for leaf in (0, 1))
    content = vec(GROUP_ID) + num(8, EPOCH) + b"\1" + num(4, 2) + vec(binding(2, FENCE))
    content += b"\3" + vec(removes) + b"\1" + path
    signed = num(2, 1) + num(2, 1) + content + before
    signature = sign(SEEDS[2], "FramedContentTBS", signed)
    interim = sha(TRANSCRIPT + vec(TAG))
    transcript = sha(interim + num(2, 1) + content + vec(signature))
    after = group_context(EPOCH + 1, after_hash, transcript)

    joiner = labelled(mac(labelled(EPOCH_SECRET, "init"), commit_secret), "joiner", after)
    epoch_secret = labelled(mac(joiner, bytes(32)), "epoch", after)
    tag = mac(labelled(epoch_secret, "confirm"), transcript)
    auth = vec(signature) + vec(tag)
    membership = mac(labelled(EPOCH_SECRET, "membership"), signed + auth)
    commit = num(2, 1) + num(2, 1) + content + auth + vec(membership)

    _, external = key_pair(labelled(epoch_secret, "external"))
    after_tree = ratchet_tree([None, None, None, None, (1, new_leaf), (2, node_5), (1, leaves[3])])
    extensions = num(2, 2) + vec(after_tree) + num(2, 4) + vec(vec(external))
    extensions += num(2, 0xF0BE) + vec(binding(3, FENCE + 1))
    described = after + vec(extensions) + vec(tag) + num(4, 3)
    described += vec(sign(SEEDS[3], "GroupInfoTBS", described))
    return {
        "blank_root": {
            "room_id": ROOM_ID.hex(),
            "group_id": GROUP_ID.hex(),
            "epoch": EPOCH,
            "fence": FENCE,
            "confirmed_transcript_hash": TRANSCRIPT.hex(),
            "confirmation_tag": TAG.hex(),
            "epoch_secret": EPOCH_SECRET.hex(),
            "ratchet_tree": tree.hex(),
            "leaf": 3,
            "signature_seed": SEEDS[3].hex(),
            "encryption_private": PRIVATES[3].hex(),
            "commit": commit.hex(),
            "path_secret": above.hex(),
            "commit_secret": commit_secret.hex(),
            "tree_hash_after": after_hash.hex(),
            "epoch_authenticator": labelled(epoch_secret, "authentication").hex(),
        },
        "external_pub": {
            "key": external.hex(),
            "extension_data": vec(external).hex(),
            "group_info": (num(2, 1) + num(2, 4) + described).hex(),
        },
    }


def r7() -> dict[str, Any]:
    return {
        "small_order": {
            "x25519": [little(u) for u in small_order_x25519()],
            "ed25519": sorted({little(y) for _, y in torsion()}),
        },
        "label": LABEL,
        "content": CONTENT.hex(),
        "keys": r7_keys(),
        "signatures": r7_signatures(),
    }


def main() -> None:
    for name, value in (("mls-r7", r7()), ("mls-traps", traps())):
        text = json.dumps(value, indent=1)
        Path(__file__).with_name(f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
