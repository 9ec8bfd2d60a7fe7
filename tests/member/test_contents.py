"""Section 9, R21: contents and nicknames at and past their limits, spelt in every way."""

import pytest

from client.content import MAX_INT, Ask, Pulse
from client.event import Message, Missing, NickChanged
from client.roster import MAX_NICKS
from tests.member.scene import Scene
from tests.member.traitor import head

ASTRAL = "\U0001f600"


def spelt(data: str | bytes, raw: bytes = b"") -> bytes:
    data = data if isinstance(data, bytes) else data.encode()
    return len(data).to_bytes(2, "big") + data + raw


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x" * 500,
        ASTRAL * 500,
        "\0" * 500,
        "\u202e\u200b\x1b[2J\r\n",
        '"\\' * 250,
        "\ufeff",
    ],
    ids=ascii,
)
def test_r21_text_at_the_limits_is_shown_as_it_is(text: str) -> None:
    scene = Scene(2)
    traitor = scene.traitor()
    traitor.post(head("text", 1, 0, text=text))
    traitor.post(head("text", 2, 0, nick=ASTRAL * 32, text=text))
    scene.settle()
    for client in scene.clients:
        assert scene.shown(client) == [text, text]
    scene.check()


REFUSED: list[bytes] = [
    b"",
    b"\0",
    b"\xff\xff{}",
    spelt(""),
    spelt("[]"),
    spelt("null"),
    spelt(b"\xff\xfe"),
    spelt("[" * 1500),
    spelt('{"type":"text","counter":' + "9" * 3600 + "}"),
    spelt('{"type":"text","counter":1,"base":0,"text":"\\ud800"}'),
    spelt('{"type":"text","counter":1,"base":0,"text":"\\u0041"}'),
    spelt('{"type":"text", "counter":1,"base":0,"text":"space"}'),
    spelt('{"type":"text","counter":1,"base":0,"text":"a","text":"b"}'),
    spelt('{"counter":1,"type":"text","base":0,"text":"order"}'),
    spelt('{"type":"text","counter":1,"base":0,"text":"more","more":0}'),
    spelt('{"type":"text","counter":1,"base":0,"text":"tail"}', b"\0"),
    spelt('{"type":"text","counter":1e0,"base":0,"text":"float"}'),
    spelt('{"type":"text","counter":true,"base":false,"text":"bool"}'),
    spelt('{"type":"text","counter":NaN,"base":0,"text":"nan"}'),
    spelt('{"type":"text","counter":1,"base":-1,"text":"negative"}'),
    head("text", MAX_INT + 1, 0, text="too far"),
    head("text", 1, 0, text="x" * 501),
    head("text", 1, 0, text=ASTRAL * 501),
    head("text", 1, 0),
    head("text", 1, 0, text=["list"]),
    *(
        head("text", 1, 0, nick=nick, text="nick")
        for nick in ("", " ", " x", "x ", "x" * 33, "a\u202eb", "a\u200bb", "a\nb", "\x7f", 7, None)
    ),
    head("nick", 1, 0),
    head("nick", 1, 0, nick="x" * 33),
    head("pulse", 1, 2, received=[]),
    head("pulse", 0, 0, received=[[1, 1, 1]] * 2),
    head("pulse", 0, 0, received=[[2, 1, 1], [1, 1, 1]]),
    head("pulse", 0, 0, received=[[leaf, 1, 0] for leaf in range(257)]),
    head("pulse", 0, 0, received=[[0]]),
    head("pulse", 0, 0, received=[[0, 1, -1]]),
    head("pulse", 0, 0, received=[[0, 1, MAX_INT + 1]]),
    head("pulse", 0, 0, received={"0": 1}),
    head("ask", 0, 0, holes=[[0, 0, 1]]),
    head("ask", 0, 0, holes=[[0, 2, 1]]),
    head("ask", 0, 0, holes=[[0, 1, 5], [0, 5, 6]]),
    head("ask", 0, 0, holes=[[leaf, 1, 1] for leaf in range(257)]),
    head("repair", 0, 0, counters=list(range(65))) + bytes(2 * 65),
    head("repair", 0, 0, counters=[2, 1]) + bytes(4),
    head("repair", 0, 0, counters=[1, 2]) + bytes(2),
    head("repair", 0, 0, leaf=-1, counters=[]),
    head("repair", 0, 0, leaf=None, counters=[]),
]


def test_section_9_what_is_not_spelt_in_the_one_way_is_refused_and_takes_no_counter() -> None:
    scene = Scene()
    traitor = scene.traitor()
    for number, data in enumerate(REFUSED, 1):
        traitor.post(data)
        scene.settle()
        for client in scene.clients:
            assert client.notices() == ["frame_refused"] * number, data[:100]
    assert scene.is_whole()
    traitor.post(head("text", 1, 0, text="genuine"))
    scene.settle()
    assert [scene.shown(client) for client in scene.clients] == [["genuine"]] * 3
    assert not scene.told(NickChanged)
    assert not scene.told(Missing)
    scene.check()


@pytest.mark.parametrize(
    "fields",
    [{}, {"text": "x" * 501}, {"nick": "\u202e" * 99}, {"received": [[0, 1, MAX_INT]]}, {"a": {}}],
)
def test_section_9_unknown_type_is_counted_and_says_nothing(fields: dict[str, object]) -> None:
    scene = Scene()
    traitor = scene.traitor()
    traitor.post(head("dance", 1, 0, **fields))
    traitor.post(head("", 2, 0, **fields))
    traitor.post(head("text", 3, 0, text="after"))
    scene.settle()
    assert [scene.shown(client) for client in scene.clients] == [["after"]] * 3
    scene.wait(12)
    assert not scene.told(Missing)
    assert not any(client.notices() for client in scene.clients)
    scene.check()


def test_r5_nickname_of_another_stays_apart_by_tag_and_each_change_is_told() -> None:
    scene = Scene()
    traitor = scene.traitor()
    victim, *others = scene.clients
    scene.perform(victim, victim.room.rename("victim", scene.now))
    scene.settle()
    names = ["victim", "x", "victim", "victim", "y" * 32, "victim"]
    for number, nick in enumerate(names, 1):
        traitor.post(head("text", number, 0, nick=nick, text=f"as {nick} {number}"))
    scene.talk()
    scene.settle()
    for client in others:
        nicks = [
            e.nick for e in client.events if isinstance(e, NickChanged) and e.tag == traitor.tag
        ]
        assert nicks == ["victim", "x", "victim", "y" * 32, "victim"]
        by_name = {e.sender for e in client.events if isinstance(e, Message) and e.nick == "victim"}
        assert by_name == {traitor.tag, victim.room.tag}
    scene.check()


def test_r31_nicknames_without_end_are_remembered_one_per_member() -> None:
    scene = Scene()
    traitor = scene.traitor()
    for number in range(200):
        traitor.post(Pulse(0, 0, f"name {number}", ()))
        if number % 10 == 0:
            scene.talk()
        scene.settle()
    for client in scene.clients:
        assert len(client.room._roster._nicks) <= 4 <= MAX_NICKS
        assert len([e for e in client.events if isinstance(e, NickChanged)]) == 200
    scene.check()


def test_r31_largest_frames_of_each_kind_are_taken() -> None:
    scene = Scene()
    traitor = scene.traitor()
    far = [(leaf, 1, MAX_INT) for leaf in range(130)]
    traitor.post(Pulse(MAX_INT, MAX_INT, ASTRAL * 32, tuple(far)))
    traitor.post(Ask(MAX_INT, 0, tuple((leaf, 1, MAX_INT) for leaf in range(150))))
    traitor.post(Pulse(MAX_INT, 0, None, tuple((leaf, 1, 1) for leaf in range(256))))
    scene.settle()
    assert not any(client.notices() for client in scene.clients)
    scene.check()
