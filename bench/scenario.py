"""What is measured: the shape of each scenario, and how far the relay's limits are raised for it.

Everything that the relay has on by default stays on. Members have an address each, so that the
limits per source stand as they are unless a scenario says otherwise.
"""

from dataclasses import dataclass

# Faster than anybody may speak: the buckets are there and are charged, they are only large.
FAST = (
    "--message-rate=1000000",
    "--message-burst=1000000",
    "--source-message-rate=1000000",
    "--source-message-burst=1000000",
)
# A large room fills at once, and not within half a minute.
QUICK_JOIN = ("--room-commit-burst=1000",)


@dataclass(frozen=True)
class Scenario:
    """One row of the benchmark; ``load`` are the generator's arguments."""

    name: str
    title: str
    load: tuple[str, ...]
    relay_flags: tuple[str, ...] = ()
    # What it is judged by: "throughput", "slow", "latency", "connect", "storm", "idle".
    shows: str = "throughput"
    rooms: int = 1
    # At most so many rounds: what hardly scatters, and takes long.
    rounds: int = 1000

    @property
    def waits(self) -> bool:
        """Whether its length is not a matter of --seconds."""
        return "-i" in self.load


def _rooms(rooms: int, members: int, *more: str) -> tuple[str, ...]:
    return (f"-r{rooms}", f"-m{members}", *more)


SCENARIOS = (
    Scenario(
        "saturation",
        "1 x 100, as fast as nothing is lost",
        _rooms(1, 100, "-w16"),
        (*FAST, *QUICK_JOIN),
    ),
    Scenario(
        "town",
        "1 x 128, everybody 1 msg/s",
        _rooms(1, 128, "-R128"),
        QUICK_JOIN,
        "latency",
    ),
    Scenario(
        "pairs",
        "500 x 2, as fast as nothing is lost",
        _rooms(500, 2, "-w2"),
        FAST,
        rooms=500,
    ),
    Scenario(
        "many",
        "2,000 x 2, everybody 1 msg/s",
        _rooms(2000, 2, "-R2"),
        shows="latency",
        rooms=2000,
    ),
    Scenario(
        "circles",
        "50 x 20, a room 10 msg/s",
        _rooms(50, 20, "-R10"),
        shows="latency",
        rooms=50,
    ),
    Scenario(
        "slow",
        "1 x 100, the largest size, a tenth does not read",
        _rooms(1, 100, "-w16", "-x10", "-b4124"),
        (*FAST, *QUICK_JOIN),
        "slow",
    ),
    Scenario(
        "handshakes",
        "3,000 handshakes, 32 at a time",
        _rooms(3000, 1, "-H", "-i", "-d0"),
        shows="connect",
        rooms=3000,
    ),
    Scenario(
        "storm",
        "64 join one room at once",
        _rooms(1, 64, "-c64", "-i", "-d0"),
        shows="storm",
    ),
    Scenario(
        "idle5",
        "5,000 idle, two to a room",
        _rooms(2500, 2, "-i", "-g5", "-d20"),
        shows="idle",
        rooms=2500,
        rounds=2,
    ),
    Scenario(
        "idle10",
        "10,000 idle, two to a room",
        _rooms(5000, 2, "-i", "-g5", "-d20"),
        shows="idle",
        rooms=5000,
        rounds=2,
    ),
)
