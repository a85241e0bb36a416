"""The pictures that docs/figures.md shows, as SVG, out of what `latency` and `sizes` found.

Lines over one logarithmic axis and another axis, with a background of their own that follows the
reader's light or dark scheme: a plotting library would weigh more than the whole service. Called by the
command alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from compared import FIRST, GIT, OURS, UNCHANGED
from timing import say

PICTURES = Path(__file__).with_name("pictures")

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 40, 96, 56
_STYLE = """
  svg { font: 13px system-ui, sans-serif; --back: #ffffff; --ink: #1f2328; --grid: #d8dee4;
        --c0: #0059b3; --c1: #b34700; --c2: #1a7f37; --c3: #8250df; }
  @media (prefers-color-scheme: dark) { svg { --back: #0d1117; --ink: #e6edf3; --grid: #30363d;
        --c0: #58a6ff; --c1: #ff9b57; --c2: #56d364; --c3: #d2a8ff; } }
  .back { fill: var(--back); } text { fill: var(--ink); } .title { font-weight: 600; font-size: 15px; }
  .grid { stroke: var(--grid); } .line { fill: none; stroke-width: 2.5; }
"""
#: By colour and by dashes, for those who do not tell the colours apart.
_DASHES = ("", "7 4", "2 3", "10 3 2 3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What one direction means: from the first of its ticks to the last, with their labels."""

    title: str
    ticks: dict[float, str]
    logarithmic: bool = True

    def place(self, value: float) -> float:
        """Return where a value lies: 0 at the first tick, 1 at the last."""
        low, *_, high = self.ticks
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return (value - low) / (high - low)


Points = list[tuple[float, float]]


def draw_pictures(results: dict[str, Any], folder: Path) -> None:
    """Draw what the results hold: `latency.svg` out of `latency`, `sizes.svg` out of several `sizes`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in {"latency": latency_picture, "sizes": sizes_picture}.items():
        if len(results.get(name, ())) > 1:
            path = folder / f"{name}.svg"
            path.write_text(draw(results[name]), encoding="utf-8")
            say(f"drawn: {path}")


def latency_picture(found: dict[str, Any]) -> str:
    """Return the share of edits that were stored within a time, for each way to run the service."""
    lines: dict[str, Points] = {}
    for name, one in found.items():
        taken = sorted(one["milliseconds"])
        lines[name] = [(ms, 100 * (n + 1) / len(taken)) for n, ms in enumerate(taken)]
    return chart(
        "From saving a file to its committed version",
        lines,
        Axis(
            title="milliseconds (logarithmic)",
            ticks=_decades([x for points in lines.values() for x, _ in points], steps=(1, 2, 5)),
        ),
        Axis(
            title="% of edits stored",
            ticks={float(n): f"{n}" for n in range(0, 101, 20)},
            logarithmic=False,
        ),
    )


def sizes_picture(found: dict[str, Any]) -> str:
    """Return seconds over pages: first and unchanged syncs, ours and git's."""
    series = {
        "content-sync sync, first": (OURS, FIRST),
        "git add + commit": (GIT, FIRST),
        "content-sync sync, unchanged": (OURS, UNCHANGED),
        "git status": (GIT, UNCHANGED),
    }
    lines = {
        label: [(float(pages), one["costs"][name][step]["seconds"]) for pages, one in found.items()]
        for label, (name, step) in series.items()
    }
    seconds = [y for points in lines.values() for _, y in points]
    return chart(
        "Cost against the size of the library",
        lines,
        Axis(title="pages (logarithmic)", ticks={float(n): f"{int(n):,}" for n in found}),
        Axis(title="seconds (logarithmic)", ticks=_decades(seconds, steps=(1,))),
    )


def chart(title: str, lines: dict[str, Points], across: Axis, up: Axis) -> str:
    """Return an SVG with a legend, axes, and one line for each name."""

    def at(x: float, y: float) -> tuple[float, float]:
        wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return LEFT + wide * across.place(x), HEIGHT - BOTTOM - high * up.place(y)

    (left, right), (low, high) = _ends(across), _ends(up)
    parts = [f'<text class="title" x="{LEFT}" y="26">{escape(title)}</text>']
    for x, label in across.ticks.items():
        (px, bottom), (_, top) = at(x, low), at(x, high)
        parts.append(_grid(px, bottom, px, top))
        parts.append(_text(px, bottom + 18, label, "middle"))
    for y, label in up.ticks.items():
        (start, py), (end, _) = at(left, y), at(right, y)
        parts.append(_grid(start, py, end, py))
        parts.append(_text(start - 8, py + 4, label, "end"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, across.title, "middle"))
    parts.append(
        f'<g transform="translate(18 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)">'
        f"{_text(0, 0, up.title, 'middle')}</g>"
    )
    for number, (name, points) in enumerate(lines.items()):
        pen = f'class="line" stroke="var(--c{number % 4})" stroke-dasharray="{_DASHES[number % 4]}"'
        drawn = " ".join(f"{px:.1f},{py:.1f}" for px, py in (at(x, y) for x, y in points))
        key_x, key_y = LEFT + 320 * (number % 2), 50 + 22 * (number // 2)
        parts.append(f'<polyline {pen} points="{drawn}"/>')
        parts.append(f'<path {pen} d="M{key_x} {key_y - 4}h36"/>')
        parts.append(_text(key_x + 44, key_y, name, "start"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
        f'<rect class="back" width="{WIDTH}" height="{HEIGHT}" rx="6"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _decades(values: list[float], *, steps: tuple[int, ...]) -> dict[float, str]:
    """Return ticks round values: powers of ten times the steps, those next to the values the last."""
    powers = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps]
    low = max(tick for tick in ticks if tick <= min(values))
    high = min(tick for tick in ticks if tick >= max(values))
    return {tick: f"{tick:g}" for tick in ticks if low <= tick <= high}


def _ends(axis: Axis) -> tuple[float, float]:
    low, *_, high = axis.ticks
    return low, high


def _grid(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="grid" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
