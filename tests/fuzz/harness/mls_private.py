"""Any bytes -> an MLSMessage(PrivateMessage) or FrameError; encode(read(x)) == x."""

from client.errors import FrameError
from client.mls import private


def run(data: bytes) -> None:
    try:
        message = private.read_private(data)
    except FrameError:
        return
    assert private.encode_private(message) == data, "another spelling"
    assert 0 <= message.epoch < 2**64
    assert message.head() == data[4 : 4 + len(message.head())]
