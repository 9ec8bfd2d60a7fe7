"""R16: keys that honest members use up because a traitor makes their posts stale."""

from client.event import Missing
from tests.member.scene import Scene

TEXTS = 8


def test_r16_honest_keys_pushed_too_far_by_worthless_commits_are_soon_begun_anew() -> None:
    """A commit that everybody refuses keeps the epoch, and makes what is on its way go again.

    Each costs a sender a key per post on its way. Past 64 nobody can open what it says, until a
    new epoch: further worthless commits must not put that off.
    """
    scene = Scene()
    traitor = scene.traitor()
    sender, hearer = scene.clients[2], scene.clients[0]
    for _ in range(20):
        # At once, before anybody knows: whatever is said now is for an older fence.
        traitor.commit(b"")
        for _ in range(TEXTS):
            scene.say(sender, f"text {len(scene.said)}")
        scene.wait(2)
    scene.wait(15)
    assert not [event for event in hearer.events if isinstance(event, Missing)]
    assert len(hearer.texts) == len(scene.said)
    scene.check()
