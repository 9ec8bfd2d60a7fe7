"""How events look to a program: the stable JSON of `beacon tail --json` (pure).

Knows its version; prints nothing. What other people chose (nicknames, texts) is whole, but escaped
where a terminal would act on it.
"""

import json
import unicodedata
from typing import assert_never

from client.event import (
    Away,
    Back,
    Delivered,
    EpochChanged,
    Equivocation,
    Event,
    Joined,
    Left,
    Message,
    Missing,
    NickChanged,
    Notice,
    StateChanged,
    Superseded,
    Unconfirmed,
)

JSON_VERSION = 1
# Outside ASCII, what must not reach a terminal, or end a line, raw.
_ESCAPED = ("Cc", "Cf", "Cs", "Zl", "Zp")


def to_json(event: Event, now: float) -> str:
    """Spell an event as one JSON object on one line, without a line end.

    ``now`` is monotonic seconds. Texts are whole; characters that a terminal would act on are
    escaped, as JSON allows.
    """
    spelt = json.dumps(
        {"v": JSON_VERSION, **_fields(event, now)}, ensure_ascii=False, separators=(",", ":")
    )
    return "".join(
        json.dumps(char)[1:-1]
        if (not char.isascii() and unicodedata.category(char) in _ESCAPED) or char == "\x7f"
        else char
        for char in spelt
    )


def _fields(event: Event, now: float) -> dict[str, object]:
    match event:
        case Message(text=text, late=late):
            return {"type": "message", **_from(event), "text": text, **_place(event), "late": late}
        case Missing(count=count):
            return {"type": "missing", **_from(event), "count": count, **_place(event)}
        case Equivocation():
            return {"type": "equivocation", **_from(event), **_place(event)}
        case Delivered(count=count, of=of):
            return {"type": "delivered", **_place(event), "count": count, "of": of}
        case Joined(tag, nick):
            return {"type": "joined", "tag": tag, "nick": nick, **_place(event)}
        case Left(tag, nick):
            return {"type": "left", "tag": tag, "nick": nick, **_place(event)}
        case Away(tag, nick):
            return {"type": "away", "tag": tag, "nick": nick, **_place(event)}
        case Back(tag, previous, nick):
            who = {"tag": tag, "previous": previous, "nick": nick}
            return {"type": "back", **who, **_place(event)}
        case NickChanged(tag, nick):
            return {"type": "nick_changed", "tag": tag, "nick": nick, **_place(event)}
        case Unconfirmed(tags):
            return {"type": "unconfirmed", "tags": list(tags)}
        case Superseded():
            return {"type": "superseded"}
        case StateChanged(state):
            at = state.next_retry_at
            return {
                "type": "state",
                "status": state.status.value,
                "next_retry_in_s": None if at is None else round(max(0.0, at - now), 1),
                "transport": state.transport,
            }
        case EpochChanged(epoch):
            return {"type": "epoch_changed", "epoch": epoch}
        case Notice(code, tag):
            return {"type": "notice", "code": code, "tag": tag}
        case _ as unreachable:
            assert_never(unreachable)


def _from(event: Message | Missing | Equivocation) -> dict[str, object]:
    return {"from": event.sender, "nick": event.nick}


def _place(
    event: Message | Missing | Equivocation | Delivered | Joined | Left | Away | Back | NickChanged,
) -> dict[str, object]:
    return {"life": event.life, "seq": event.seq}
