"""Any bytes -> an UpdatePath or FrameError; encode(read(x)) == x, and no more nodes than levels."""

from client.errors import FrameError
from client.mls import framing
from client.mls.codec import Reader


def run(data: bytes) -> None:
    reader = Reader(data)
    try:
        path = framing.read_path(reader)
    except FrameError:
        return
    again = framing.encode_path(path.leaf, list(path.nodes))
    assert again == data[: reader.at], "another spelling"
    assert len(path.nodes) <= framing.MAX_PATH
    assert all(len(node.ciphertexts) <= framing.MAX_CIPHERTEXTS for node in path.nodes)
