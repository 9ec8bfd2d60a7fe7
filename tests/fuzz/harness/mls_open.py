"""Any private message, under a member's own keys at that -> opened once, or refused; nothing moves.

Refused is FrameError, AuthenticationError, LimitError or StateError. What opens has one spelling,
its padding included, is what its sender meant, and does not open again.
"""

from client.errors import AuthenticationError, FrameError, LimitError, StateError
from client.mls import Group, framing, private
from client.mls.codec import opaque
from client.mls.epoch import SUITE
from client.mls.framing import Framed
from client.mls.policy import KIND_APPLICATION, Binding
from client.mls.private import Private, SenderData
from client.mls.secrettree import MAX_FORWARD, MessageKey, SecretTree
from tests.fuzz.scene import FENCE, ROOM_ID, scene
from tests.fuzz.script import Script

RAW, REPAIR, SIGN, PLACE, TAG, DIRTY = 1, 2, 4, 8, 16, 32
REFUSED = (FrameError, AuthenticationError, LimitError, StateError)
AAD = Binding(ROOM_ID, KIND_APPLICATION, FENCE).to_bytes()


def run(data: bytes) -> None:
    script = Script(data)
    form = script.byte()
    member = scene().member(1)
    if form & RAW:
        _refuses(member, script.rest(), None)
    elif form & REPAIR:
        _open_repair(member, script)
    else:
        _open(member, script, form)


def _open(member: Group, script: Script, form: int) -> None:
    leaf, generation = script.byte() % 5, script.number(2)
    epoch = member._epoch
    context = epoch.context
    group_id, number, kind, aad = context.group_id, context.epoch, 1, AAD
    if form & PLACE:
        number ^= script.byte()
        kind ^= script.byte()
        aad = bytes((AAD[0] ^ script.byte(),)) + AAD[1:]
    plain = script.rest()
    if form & SIGN:
        encoded = framing.encode_content(group_id, number, leaf, aad, kind, opaque(plain))
        framed = Framed(framing.WIRE_PRIVATE, group_id, number, leaf, aad, encoded, b"")
        key = b"" if (node := epoch.tree.leaf(leaf)) is None else node.signature_key
        signature = scene().sign(
            key, "FramedContentTBS", framed.signed(context.to_bytes()), bytes(64)
        )
        plain = opaque(plain) + opaque(signature) + bytes(len(plain) % 7)
        if form & DIRTY:
            plain += b"\1"
    head = Private(group_id, number, kind, aad, b"", b"")
    who = SenderData(leaf, generation, bytes(4))
    key_of = _key(member, leaf, generation)
    message = private.seal_private(SUITE, epoch.secrets.sender_data, head, who, key_of, plain)
    tag = f"0xa00{leaf}" if form & TAG else None
    content = _refuses(member, message, tag)
    if content is not None:
        assert (leaf, number, kind, aad) == (0, context.epoch, 1, AAD) or leaf == 3
        signature = plain[len(opaque(content)) :][:66]
        padding = len(plain) - len(opaque(content)) - 66
        assert opaque(content) + signature + bytes(padding) == plain, "another spelling"
        assert padding >= 0


def _key(member: Group, leaf: int, generation: int) -> MessageKey:
    width = member._tree.width
    if leaf >= width or generation > 2 * MAX_FORWARD:
        return MessageKey(bytes(16), bytes(12))
    ratchet = SecretTree(SUITE, width, member._epoch.secrets.encryption).ratchet(leaf)
    key, ratchet = ratchet.advanced()
    for _ in range(generation):
        key, ratchet = ratchet.advanced()
    return key


def _refuses(member: Group, message: bytes, tag: str | None) -> bytes | None:
    """Open a message, or have it refused; return its content if it opened, once."""
    before = [member._ratchets.ratchet(leaf) for leaf in range(member._tree.width)]
    try:
        opened = member.decrypt(message, FENCE, tag)
    except REFUSED:
        after = [member._ratchets.ratchet(leaf) for leaf in range(member._tree.width)]
        assert before == after, "a refused message moved a ratchet"
        return None
    assert opened.member in member.members
    assert opened.member.leaf != member.me.leaf
    assert opened.generation <= MAX_FORWARD
    try:
        member.decrypt(message, FENCE, tag)
    except AuthenticationError:
        return opened.content
    raise AssertionError("opened twice")


def _open_repair(member: Group, script: Script) -> None:
    form = script.byte()
    counter = script.number(8)
    given = script.rest()
    sender = scene().groups[0]
    key = sender.me.signature_key
    genuine = _sealed_repair(sender, given, counter) if form & 1 else given
    try:
        opened = member.open_repair(key, counter, genuine)
    except AuthenticationError:
        assert not form & 1, "our own repair"
        return
    assert form & 1, "a forgery"
    assert opened == given
    for other in ((key, counter ^ 1), (member.me.signature_key, counter)):
        try:
            member.open_repair(*other, genuine)
        except AuthenticationError:
            continue
        raise AssertionError("a repair of something else")


def _sealed_repair(sender: Group, content: bytes, counter: int) -> bytes:
    return sender.seal_repair(1, sender.me.signature_key, counter, content)
