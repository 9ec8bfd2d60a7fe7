"""Draw bars as SVG: panels in two columns, the spread as a line, no library.

Knows nothing of what is measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, MARGIN, GAP = 900, 24, 36
PANEL = (WIDTH - 2 * MARGIN - GAP) // 2
NAME, ROW, HEAD = 168, 24, 52
# The longest bar leaves room for its figure.
SCALE = PANEL - NAME - 76
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1c2430 }
  .title { font-weight: 600; font-size: 15px } .unit { fill: #5b6675; font-size: 12px }
  .bar { fill: #b4bdc9 } .ours { fill: #1f6feb } .spread { stroke: #1c2430; stroke-width: 1.5 }
"""


@dataclass(frozen=True)
class Bar:
    """One bar: its middle, its least and most, and how its figure is spelt."""

    name: str
    value: float
    low: float
    high: float
    text: str
    is_ours: bool


@dataclass(frozen=True)
class Panel:
    """Bars of one unit."""

    title: str
    unit: str
    bars: tuple[Bar, ...]

    @property
    def height(self) -> int:
        """Return its height in pixels."""
        return HEAD + ROW * len(self.bars)


def draw(panels: Sequence[Panel]) -> str:
    """Return an SVG document."""
    parts, top = [], MARGIN
    for first in range(0, len(panels), 2):
        pair = panels[first : first + 2]
        for column, panel in enumerate(pair):
            left = MARGIN + column * (PANEL + GAP)
            parts.append(f'<g transform="translate({left} {top})">{_panel(panel)}</g>')
        top += max(panel.height for panel in pair) + MARGIN
    names = "; ".join(panel.title for panel in panels)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img">',
            f"<title>{escape(names)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH}" height="{top}" rx="8" fill="#ffffff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _panel(panel: Panel) -> str:
    parts = [
        f'<text class="title" y="16">{escape(panel.title)}</text>',
        f'<text class="unit" y="34">{escape(panel.unit)}</text>',
    ]
    most = max(bar.high for bar in panel.bars) or 1.0
    for index, bar in enumerate(panel.bars):
        parts.append(_bar(bar, HEAD + ROW * index, SCALE / most))
    return "\n".join(parts)


def _bar(bar: Bar, top: int, scale: float) -> str:
    kind = "ours" if bar.is_ours else "bar"
    length, low, high = (scale * value for value in (bar.value, bar.low, bar.high))
    middle = top + 8
    return (
        f'<text x="{NAME - 8}" y="{top + 12}" text-anchor="end">{escape(bar.name)}</text>'
        f'<rect class="{kind}" x="{NAME}" y="{top}" width="{max(length, 1):.1f}" height="16"/>'
        f'<line class="spread" x1="{NAME + low:.1f}" x2="{NAME + high:.1f}" '
        f'y1="{middle}" y2="{middle}"/>'
        f'<text x="{NAME + max(length, high) + 6:.1f}" y="{top + 12}">{escape(bar.text)}</text>'
    )
