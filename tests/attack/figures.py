"""What the attacks measured: noted by the tests, printed as tables when they are over.

Nothing here is asserted: what is a bound stands in the test.
"""

import os

WANTED = os.environ.get("BEACON_FIGURES") == "1"
_floods: list[tuple[str, int, int, float, float]] = []
_others: list[tuple[str, str]] = []


def flood(row: str, sent: int, grown_kb: int, cpu_s: float, seconds: float) -> None:
    """Note what a flood of so many bytes has cost the relay."""
    _floods.append((row, sent, grown_kb, cpu_s, seconds))
    print(f"{row}: {sent} bytes, relay +{grown_kb} kB, {cpu_s:.3f} s CPU in {seconds:.1f} s")


def note(row: str, text: str) -> None:
    """Note anything else."""
    _others.append((row, text))
    print(f"{row}: {text}")


def lines() -> list[str]:
    """Return the tables."""
    if not WANTED:
        return []
    table = [f"{'flood':<46}{'sent':>11}{'RSS +kB':>9}{'CPU ms':>9}{'ns/byte':>10}{'s':>7}"]
    for row, sent, grown_kb, cpu_s, seconds in _floods:
        per_byte = f"{cpu_s * 1e9 / sent:.1f}" if sent else ""
        table.append(
            f"{row:<46}{sent:>11}{grown_kb:>9}{cpu_s * 1e3:>9.0f}{per_byte:>10}{seconds:>7.1f}"
        )
    return [*table, "", *(f"{row:<46} {text}" for row, text in _others)]
