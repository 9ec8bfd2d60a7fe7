"""Listening in on what a client of the stage says, and losing what is meant for it."""

from client import content
from client.content import Content, Other
from client.event import Delivered
from tests.pair import Client, Stage

Overheard = list[tuple[float, Content | Other]]


def overhear(stage: Stage, client: Client) -> Overheard:
    """Note from now on when a client says what, as it is before it is encrypted."""
    said: Overheard = []
    stay = client.room._stay
    post = stay.post

    def noted(reference: bytes, data: bytes) -> None:
        said.append((stage.now, content.parse(data)))
        post(reference, data)

    stay.post = noted  # type: ignore[method-assign]
    return said


def only(kind: type, said: Overheard) -> list[tuple[float, Content | Other]]:
    return [(at, one) for at, one in said if isinstance(one, kind)]


def lose(*clients: Client) -> None:
    """What the relay has for these never comes."""
    for client in clients:
        assert client.session is not None
        client.session.inbox.clear()


def cut_off(stage: Stage, client: Client) -> None:
    """The connection is lost, and no other comes for now."""
    client.wants_connection = False
    stage.cut(client)


def come_back(stage: Stage, client: Client) -> None:
    client.wants_connection = True
    stage.settle()


def quiet(count: int) -> tuple[Stage, list[Client]]:
    """A room in which everybody has been heard, and nothing is due for half a minute."""
    stage = Stage()
    clients = stage.join(count)
    stage.wait(10)
    return stage, clients


def receipts(client: Client, reference: bytes) -> list[tuple[int, int]]:
    """What a client was told of one of its messages: how many of how many have it."""
    seq = client.settled[reference]
    told = [e for e in client.events if isinstance(e, Delivered) and e.seq == seq]
    return [(e.count, e.of) for e in told]


def tokens(stage: Stage, client: Client, count: float, rate: float, burst: int = 10) -> None:
    """Give a client's session so many tokens."""
    budget = client.room._talk.outbox.budget
    budget.rate, budget.burst, budget.tokens, budget.at = rate, burst, count, stage.now
