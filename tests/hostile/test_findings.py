"""Faults that the search has found, each alone and as small as it gets.

All of these are mended.
"""

from client.event import Delivered
from tests.hostile.checks import Checks
from tests.hostile.message import text
from tests.hostile.stage import Client, seeded

LONG_S = 300.0


class Swallowing(Checks):
    """A relay that swallows the next posts, and is honest otherwise."""

    appetite = 0

    def carry(self, client: Client, data: str | bytes) -> None:
        if self.appetite and isinstance(data, bytes) and data[0] == 1:
            self.appetite -= 1
        else:
            super().carry(client, data)


def receipts(client: Client) -> list[Delivered]:
    return [event for event in client.events if isinstance(event, Delivered) and event.count]


def test_what_was_lost_before_the_first_that_is_heard_is_told_missing() -> None:
    """R30, R34, on an honest relay: a newcomer was there, but its account begins too late."""
    with seeded("base"):
        stage = Checks()
        older, newcomer = stage.join(2)
        for _ in range(5):
            stage.say(older)
        while stage.move(older):
            pass
        assert len(older.settled) == 5
        stage.restart(keeps_key=False)
        stage.wait(60.0)
        assert stage.is_whole()
        assert len(newcomer.texts) + newcomer.missing == 5, "lost without a word"
        assert not stage.known, "and receipts for it"


def test_posts_that_are_never_answered_go_again() -> None:
    """R34: eight of them, and a member is mute for as long as the connection stands."""
    with seeded("swallow"):
        stage = Swallowing()
        member, other = stage.join(2)
        stage.wait(10.0)
        stage.appetite = 8
        for _ in range(12):
            stage.say(member)
        stage.wait(LONG_S)
        assert len(member.settled) == 12
        assert len(other.texts) + other.missing == 12


def test_pulse_that_is_never_answered_is_not_the_last() -> None:
    """R31: whoever waits for the answer to a pulse sends no other, and is taken for gone."""
    with seeded("pulse"):
        stage = Swallowing()
        member, other = stage.join(2)
        stage.wait(10.0)
        stage.say(other)
        stage.wait(1.5)
        stage.appetite = 1
        stage.wait(LONG_S)
        assert not any(leaf.silent for leaf in other.room.members)
        assert not any(leaf.silent for leaf in member.room.members)


def test_jump_of_numbers_makes_nobody_deaf() -> None:
    """R13: one event with a number far ahead, and everything after it is taken for a replay."""
    with seeded("jump"):
        stage = Checks()
        member, other = stage.join(2)
        stage.wait(10.0)
        stage.deliver(other, text(type="away", seq=2**40, tag="0x0bad"))
        for _ in range(10):
            stage.say(member)
            stage.wait(30.0)
        assert len(other.texts) + other.missing > 5


def test_refusal_of_what_was_given_up_is_no_second_answer() -> None:
    """R22: the void in the place of a text is refused as the text was, again and again."""
    with seeded("void"):
        stage = Swallowing()
        (member,) = stage.join(1)
        stage.wait(10.0)
        stage.appetite = 3
        said = stage.say(member)
        reference = said.reference.hex()
        fields = {"reason": "size", "reference": reference, "retry_after_ms": None, "fence": None}
        stage.deliver(member, text(type="refused", **fields))
        stage.deliver(member, text(type="refused", **fields))
        assert not +stage.known, "answered twice"


def test_receipt_does_not_come_for_what_was_told_missing() -> None:
    """R31: a text is kept for 120 s from its answer, and a hole counts for 120 s from its end."""
    with seeded("receipt"):
        stage = Swallowing()
        member, other = stage.join(2)
        stage.wait(10.0)
        # The relay orders it, tells nobody, and answers its sender a minute later.
        said = stage.say(member)
        assert member.connection is not None
        assert other.connection is not None
        held = list(member.connection.inbox)
        member.connection.inbox.clear()
        other.connection.inbox.clear()
        stage.deliver(other, text(type="away", seq=other.room._stay.seq + 1, tag="0x0bad"))
        stage.wait(2.0)
        stage.say(member)
        stage.wait(60.0)
        for data in held:
            stage.deliver(member, data)
        for _ in range(10):
            stage.say(member)
            stage.wait(12.0)
        place = (member.room.life, member.settled[said.reference])
        got = [event for event in receipts(member) if (event.life, event.seq) == place]
        assert other.missing + (said.text in other.texts) == 1
        assert said.text in other.texts or not got, "received, it says, what was told missing"
