"""Peers that are slow to say what they want: the relay does not wait for them."""

from concurrent.futures import Future

import pytest

from tests.attack import figures
from tests.attack.patience import PEERS
from tests.relay.raw import PATIENCE_S


@pytest.mark.parametrize("name", [peer.__name__ for peer in PEERS])
def test_late_peer(late_peers: dict[str, "Future[float]"], name: str) -> None:
    promised_s = {peer.__name__: seconds for peer, seconds in PEERS.items()}[name]
    found_s = late_peers[name].result(10 * PATIENCE_S)
    figures.note(name.replace("_", " "), f"{found_s:.1f} s of {promised_s} s")
    assert found_s < 10 * promised_s
