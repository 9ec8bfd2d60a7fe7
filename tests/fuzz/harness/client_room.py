"""Any script of a relay -> effects and nothing else; the client fails, forges and forgets nothing.

Whatever a relay says, with the help of somebody who has the link or of a member, the client sends
only what relays can read, shows only what was said, and never wakes for nothing.
"""

import contextlib

from client import content, mls, seal
from client.content import Ask, Nick, Pulse, Repair, Text, Void
from client.errors import (
    ClientError,
    CommitRefusedError,
    LimitError,
    RemovedError,
    StrandedError,
    UsageError,
)
from client.link import Tag, encode_b64url
from client.seal import Kind
from client.stay import Phase
from relay import wire as relay
from relay.errors import Reason
from relay.wire import Life, Reference
from tests.fuzz.scene import Draw, drawing
from tests.fuzz.script import Script
from tests.fuzz.table import KEYS, NONCE, Table, laid

MAX_STEPS = 40
NUMBERS = (0, 1, 2, 3, 64, 65, 66, 2**31, 2**53 - 1)


def run(data: bytes) -> None:
    script = Script(data)
    table = laid(script.byte() % 3)
    for number in range(MAX_STEPS):
        if script.is_over:
            break
        with drawing(Draw(number.to_bytes(4, "big"))):
            _step(table, script)
        table.check()
    if table.room.phase is not Phase.CLOSED:
        table.pass_time(1.0)
    table.leave()


def _step(table: Table, script: Script) -> None:
    choice, form = script.byte() % 20, script.byte()
    match choice:
        case 0:
            table.receive(script.take(script.byte()).decode("utf-8", "replace"))
        case 1:
            table.receive(script.take(script.byte()))
        case 2 | 3 | 4:
            table.receive(_told(table, form, script).decode())
        case 5:
            plain = script.take(script.byte()).ljust(256, b"\0")
            table.receive(_frame(table, form, table.sealed(Kind.APPLICATION, _fence(table), plain)))
        case 6 | 7 | 8:
            _say_as_other(table, form, script, is_raw=choice == 6)
        case 9:
            _commit_as_other(table, form)
        case 10:
            plain = script.take(script.byte())
            sealed = table.sealed(Kind.COMMIT, _fence(table), plain)
            table.receive(_frame(table, form, sealed, Kind.COMMIT))
        case 11:
            table.receive(_info(table, form, script))
        case 12:
            table.receive(
                relay.serialize_ack(Reference(_reference(table, form)), _seq(table, form))
            )
        case 13:
            table.pass_time(script.byte() / 4)
        case 14:
            _connect(table, form)
        case 15 | 16:
            _speak(table, form, script)
        case 17:
            _admit(table, form)
        case 18:
            _refuse(table, form)
        case _:
            _pass_life(table, form, script)


# What the relay knows


def _seq(table: Table, form: int) -> int:
    return max(0, table.room._stay.seq + (1, 1, 1, 1, 0, 2, -1, 9)[form % 8])


def _fence(table: Table, form: int = 0) -> int:
    return max(0, table.room.fence + (0, 0, 0, 0, 0, 1, -1, 5)[form % 8])


def _tag(table: Table, form: int) -> int:
    tags = (table.other_tag, table.other_tag, table.room.tag or "0x0001", "0x0007", "0xffff")
    return int(tags[form % len(tags)], 16)


def _reference(table: Table, form: int) -> bytes:
    """Return the reference of something that the client sent, the last first."""
    ours = [data[1:9] for data in table.sent if isinstance(data, bytes)]
    back = form >> 4
    return ours[-1 - back] if back < len(ours) else bytes(8)


def _frame(table: Table, form: int, sealed: bytes, kind: Kind = Kind.APPLICATION) -> bytes:
    tag, seq = relay.Tag(_tag(table, form >> 3 & 3)), _seq(table, form)
    return relay.serialize_frame(int(kind), tag, seq, _fence(table, form >> 5), sealed)


def _told(table: Table, form: int, script: Script) -> bytes:
    """Return a text message of the relay, of any kind, with numbers that are mostly plausible."""
    choice = script.byte()
    seq, fence = _seq(table, choice), _fence(table, choice >> 3)
    life = Life(table.room._stay.life or bytes(8))
    if choice & 0x40:
        life = Life(bytes([choice] * 8))
    tag = relay.Tag(_tag(table, choice >> 3))
    seats = sorted({relay.Tag(_tag(table, n)) for n in range(4) if choice >> n & 1} | {tag})
    own = relay.Tag(_tag(table, 2))
    match form % 16:
        case 0 | 1 | 2 | 3:
            kind = ("joined", "away", "back", "left")[form % 4]
            return relay.serialize_event(kind, seq, tag)
        case 4:
            return relay.serialize_joined(seq, own, sorted({*seats, own}), seats, "ticket")
        case 5:
            return relay.serialize_gap(seq, fence, seats, seats[1:])
        case 6:
            return relay.serialize_resumed(life, own, seq, fence, "again", choice * 100, 10, 128)
        case 7:
            return relay.serialize_welcome(life, own, seq, fence, choice * 10, choice % 11, 8)
        case 8:
            return relay.serialize_reset(life, seq, fence)
        case 9:
            return relay.serialize_mark(f"mark-{choice}")
        case 10 | 11:
            return relay.serialize_need()
        case 12:
            return relay.serialize_drain(NUMBERS[choice % len(NUMBERS)])
        case 13:
            return relay.serialize_notice(("degraded", "other")[choice & 1])
        case 14:
            return relay.serialize_challenge(NONCE)
        case _:
            return b'{"type":"future","x":[1]}'


def _refuse(table: Table, form: int) -> None:
    reasons = list(Reason)
    reference = None if form & 8 else Reference(_reference(table, form & 0x30))
    fence = None if form & 0x40 else _fence(table, form >> 4)
    retry_s = (None, 0.0, 0.5, 9e12)[form >> 6]
    reason = reasons[form % len(reasons)]
    table.receive(relay.serialize_refused(reason, reference, retry_s, fence).decode())


# What those with the link, and members, do


def _say_as_other(table: Table, form: int, script: Script, *, is_raw: bool) -> None:
    if is_raw:
        data = script.take(script.byte())
        data = data if form & 0x80 else len(data).to_bytes(2, "big") + data
    else:
        data = content.serialize(_content(table, script))
    fence = _fence(table, form >> 5 if form & 2 else 0)
    message = table.message(fence, data)
    if message is not None:
        sealed = table.sealed(Kind.APPLICATION, fence, message)
        seq = _seq(table, form)
        tag = relay.Tag(_tag(table, 0 if form < 0xF0 else 3))
        table.receive(relay.serialize_frame(1, tag, seq, fence, sealed))


def _content(table: Table, script: Script) -> content.Content:
    form = script.byte()
    counter = 1 + NUMBERS[script.byte() % len(NUMBERS)] % (2**53 - 1) + script.byte() % 4
    counter = min(counter, 2**53 - 1)
    base = min(counter - 1, script.byte() if form & 0x80 else counter - 1)
    text = f"text {form} {counter}"
    rows = tuple(
        (leaf, 1 + script.byte() % 5, 5 + NUMBERS[script.byte() % len(NUMBERS)] % 2**40)
        for leaf in range(form >> 4 & 3)
    )
    match form % 8:
        case 0 | 1:
            return Text(counter, base, None, text)
        case 2:
            return Text(counter, base, f"nick{form >> 4}", text)
        case 3:
            return Nick(counter, base, f"nick{form >> 4}")
        case 4:
            return Void(counter, base)
        case 5:
            return Pulse(counter, base, None, rows)
        case 6:
            return Ask(counter, base, rows)
        case _:
            return _repair(table, counter, base, form)


def _repair(table: Table, counter: int, base: int, form: int) -> Repair:
    numbers = range(max(1, counter - (form >> 4)), counter + 1)
    parts = [
        (number, content.serialize(Text(number, number - 1, None, f"text {form} {number}")))
        for number in numbers
    ]
    table.said |= {f"text {form} {number}" for number in numbers}
    other, group = table.other, table.room.group
    if form & 0x80 or other is None or group is None or group.epoch != other.epoch:
        return Repair(counter, base, None, tuple(parts))
    leaf, key = group.me.leaf, other.me.signature_key
    sealed = ((number, other.seal_repair(leaf, key, number, part)) for number, part in parts)
    return Repair(counter, base, leaf, tuple(sealed))


def _commit_as_other(table: Table, form: int) -> None:
    """Commit as the other member, who then follows itself; or as a newcomer that it lets in."""
    other, fence = table.other, table.room.fence
    if other is None:
        return
    me = table.room.group.me.leaf if table.room.group is not None else 0
    try:
        if form & 0x10:
            found = mls.inspect(other.group_info(fence), KEYS.room_id, fence)
            tag = Tag(f"0x70{form:02x}")
            staged = mls.join(found, mls.Identity.generate(), tag, KEYS.psk)
            after = other.follow(staged.commit, fence).group
        else:
            staged = other.commit((me,) if form & 0x20 else (), fence)
            after = staged.group
    except (ClientError, AssertionError):
        # Its own epoch is another, or there is nobody to remove: nothing that it could send.
        return
    sealed = table.sealed(Kind.COMMIT, fence, staged.commit)
    if form & 0x40:
        sealed = table.sealed(Kind.COMMIT, fence, staged.commit[:-1] + b"\0")
    else:
        table.other = after
    frame = relay.serialize_frame(2, relay.Tag(_tag(table, 0)), _seq(table, form), fence, sealed)
    table.receive(frame)


def _info(table: Table, form: int, script: Script) -> bytes:
    fence = _fence(table, form)
    entries = []
    if form & 8 and table.other is not None:
        entries.append(table.sealed(Kind.GROUP_INFO, fence, table.other.group_info(fence)))
    if form & 16:
        entries.append(table.sealed(Kind.GROUP_INFO, fence, script.take(script.byte())))
    if form & 32:
        entries.append(bytes(1052))
    return relay.serialize_info(fence, entries)


# What the client's own program, and its connection, do


def _connect(table: Table, form: int) -> None:
    room = table.room
    if form & 1:
        table.perform(room.lost(table.now))
    if room.phase in (Phase.OFFLINE, Phase.CLOSED):
        table.perform(room.connected(table.now))
    if form & 2:
        table.receive(relay.serialize_challenge(NONCE).decode())
    if form & 4 and room.phase is Phase.GREETING:
        life = encode_b64url(room._stay.life or bytes(8))
        limits = '"limits":{"message_rate_milli":0,"message_burst":10,"seats":128}'
        place = f'"tag":"{table.room.tag or "0x0007"}","seq":{room._stay.seq},"fence":{room.fence}'
        if room._stay.ticket is not None:
            answer = f'{{"type":"resumed","life":"{life}",{place},"ticket":"next",{limits}}}'
        else:
            answer = f'{{"type":"welcome","life":"{life}",{place},{limits}}}'
        table.receive(answer)


def _admit(table: Table, form: int) -> None:
    """Order the client's last commit, as an honest relay does; and let it in, if it was outside."""
    commits = [data for data in table.sent if isinstance(data, bytes) and data[0] == 2]
    if not commits:
        return
    message = relay.parse_binary(commits[-1])
    assert isinstance(message, relay.Commit)
    was_inside = table.room.phase in (Phase.JOINED, Phase.STRANDED)
    tag, seq = relay.Tag(_tag(table, 2)), _seq(table, form)
    table.receive(relay.serialize_frame(2, tag, seq, message.fence, message.sealed))
    if table.other is not None:
        commit = seal.unseal(KEYS.seal, KEYS.room_id, Kind.COMMIT, message.fence, message.sealed)
        with contextlib.suppress(CommitRefusedError, StrandedError, RemovedError):
            table.other = table.other.follow(commit, message.fence).group
    table.receive(relay.serialize_ack(message.reference, seq))
    if not was_inside:
        table.receive(relay.serialize_joined(seq + 1, tag, [tag], [], "ticket").decode())


def _speak(table: Table, form: int, script: Script) -> None:
    room = table.room
    try:
        if form & 1:
            text = "x" * (2 * form) if form & 2 else script.take(form >> 2).decode("latin-1")
            reference, effects = room.say(text, table.now, strict=bool(form & 0x80))
            table.waiting.add(reference)
        else:
            effects = room.rename(script.take(1 + form % 40).decode("latin-1"), table.now)
    except (UsageError, LimitError):
        return
    table.perform(effects)


def _pass_life(table: Table, form: int, script: Script) -> None:
    """Look at what a program looks at; leave, rarely."""
    room = table.room
    assert len(room.members) <= 300
    assert room.outstanding >= 0
    if form == 255:
        table.perform(room.leave(table.now))
    elif form & 1:
        # As long as holes are held, duties wait, and members stay silent.
        table.pass_time(10.0 * (1 + form % 20))
