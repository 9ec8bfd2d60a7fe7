"""One of each event, with the line and the object that it becomes."""

from hypothesis import strategies as st

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
    State,
    StateChanged,
    Status,
    Superseded,
    Unconfirmed,
)
from client.link import Tag

ANN = Tag("0x3f8a")
PLACE = ("qCoV22FdhPY", 7)
EVENTS: list[tuple[Event, str | None, dict[str, object]]] = [
    (
        Message(ANN, "ann", "hi", *PLACE),
        "0x3f8a (ann): hi",
        {"type": "message", "from": "0x3f8a", "nick": "ann", "text": "hi", "late": False},
    ),
    (
        Message(ANN, None, "", *PLACE),
        "0x3f8a: ",
        {"type": "message", "from": "0x3f8a", "nick": None, "text": "", "late": False},
    ),
    (
        Message(ANN, "ann", "hi", *PLACE, late=True),
        "0x3f8a (ann, late): hi",
        {"type": "message", "from": "0x3f8a", "nick": "ann", "text": "hi", "late": True},
    ),
    (
        Delivered(*PLACE, 2, 3),
        None,
        {"type": "delivered", "count": 2, "of": 3},
    ),
    (
        Equivocation(ANN, "ann", *PLACE),
        "* 0x3f8a (ann) sent different messages as one; only the first was shown",
        {"type": "equivocation", "from": "0x3f8a", "nick": "ann"},
    ),
    (
        Missing(ANN, None, 1, *PLACE),
        "* 0x3f8a sent a message that did not arrive",
        {"type": "missing", "from": "0x3f8a", "nick": None, "count": 1},
    ),
    (
        Missing(ANN, "ann", 3, *PLACE),
        "* 0x3f8a (ann) sent 3 messages that did not arrive",
        {"type": "missing", "from": "0x3f8a", "nick": "ann", "count": 3},
    ),
    (
        Joined(ANN, None, *PLACE),
        "* 0x3f8a joined",
        {"type": "joined", "tag": "0x3f8a", "nick": None},
    ),
    (
        Left(ANN, "ann", *PLACE),
        "* 0x3f8a (ann) left",
        {"type": "left", "tag": "0x3f8a", "nick": "ann"},
    ),
    (
        Away(ANN, None, *PLACE),
        "* 0x3f8a lost the connection; the seat is kept for a while",
        {"type": "away", "tag": "0x3f8a", "nick": None},
    ),
    (
        Back(ANN, ANN, None, *PLACE),
        "* 0x3f8a is back",
        {"type": "back", "tag": "0x3f8a", "previous": "0x3f8a", "nick": None},
    ),
    (
        Back(ANN, Tag("0x0001"), None, *PLACE),
        "* 0x3f8a is back, was 0x0001",
        {"type": "back", "tag": "0x3f8a", "previous": "0x0001", "nick": None},
    ),
    (
        NickChanged(ANN, "ann", *PLACE),
        "* 0x3f8a is now ann",
        {"type": "nick_changed", "tag": "0x3f8a", "nick": "ann"},
    ),
]
OTHERS: list[tuple[Event, str | None, dict[str, object]]] = [
    (
        StateChanged(State(Status.RECONNECTING, 103.04)),
        "* reconnecting in 3 s",
        {"type": "state", "status": "reconnecting", "next_retry_in_s": 3.0, "transport": "none"},
    ),
    (
        StateChanged(State(Status.CONNECTED, None, "websocket")),
        "* connected",
        {"type": "state", "status": "connected", "next_retry_in_s": None, "transport": "websocket"},
    ),
    (EpochChanged(5), None, {"type": "epoch_changed", "epoch": 5}),
    (
        Notice("reset"),
        "* the relay lost the room; it is being restored",
        {"type": "notice", "code": "reset", "tag": None},
    ),
    (
        Notice("stranded", ANN),
        "* 0x3f8a: a change of the group could not be followed; joining again",
        {"type": "notice", "code": "stranded", "tag": "0x3f8a"},
    ),
    (
        Unconfirmed((ANN,)),
        "* 0x3f8a has not been heard yet and may not be here at all",
        {"type": "unconfirmed", "tags": ["0x3f8a"]},
    ),
    (
        Unconfirmed((ANN, Tag("0x0001"))),
        "* 0x3f8a, 0x0001 have not been heard yet and may not be here at all",
        {"type": "unconfirmed", "tags": ["0x3f8a", "0x0001"]},
    ),
    (
        Unconfirmed((ANN,) * 9),
        "* 9 of those who should be here have not been heard yet and may not be here at all",
        {"type": "unconfirmed", "tags": ["0x3f8a"] * 9},
    ),
    (
        Superseded(),
        "* another connection of yours took your seat; this one is over",
        {"type": "superseded"},
    ),
    (Notice("new_code"), "* new_code", {"type": "notice", "code": "new_code", "tag": None}),
]
LIFE: dict[str, object] = {"life": PLACE[0], "seq": PLACE[1]}
ALL = [(event, line, {**fields, **LIFE}) for event, line, fields in EVENTS] + OTHERS

# Texts and nicknames as somebody might choose them who means harm.
HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x1b\x9b\x9d\x9c\x07[]()PX^_;0m\\\r\n\u202e\u200d\u200b\u2028\ufeff"),
    )
)
