"""Points with intervals as SVG: text, lines and dots, so that a report needs no file beside itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABEL, LINE, MARGIN = 640, 170, 30, 34
"""In CSS pixels: of the whole, of the names at its left, of a row, and at the right end and below."""


@dataclass(frozen=True)
class Row:
    """One name with its estimate, `low` <= `value` <= `high`."""

    label: str
    value: float
    low: float
    high: float


def interval_plot(title: str, rows: Sequence[Row], ticks: Sequence[float], reference: float) -> str:
    """Rows from above, one axis below.

    Args:
        title: what is measured; read out in place of the picture.
        rows: what is shown.
        ticks: ascending; the axis runs from the first to the last.
        reference: where all would stand if none were better.
    """
    axis = LINE * len(rows) + 8
    first, last = ticks[0], ticks[-1]

    def at(value: float) -> str:
        return f"{LABEL + (value - first) / (last - first) * (WIDTH - LABEL - MARGIN):.1f}"

    def vertical(value: float, kind: str) -> str:
        return f'<line class="{kind}" x1="{at(value)}" x2="{at(value)}" y1="0" y2="{axis}"/>'

    parts = [vertical(tick, "grid") for tick in ticks]
    parts.append(vertical(reference, "reference"))
    parts += [f'<text x="{at(tick)}" y="{axis + 18}" text-anchor="middle">{tick:g}</text>' for tick in ticks]
    for place, row in enumerate(rows):
        y = LINE * place + LINE / 2 + 4
        parts += [
            f'<text x="{LABEL - 12}" y="{y + 4}" text-anchor="end">{escape(_short(row.label))}</text>',
            f'<line class="interval" x1="{at(row.low)}" x2="{at(row.high)}" y1="{y}" y2="{y}"/>',
            f'<circle cx="{at(row.value)}" cy="{y}" r="4.5"/>',
        ]
    size = f'viewBox="0 0 {WIDTH} {axis + 26}" width="{WIDTH}" height="{axis + 26}"'
    return f'<svg {size} role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'


def _short(label: str, limit: int = 13) -> str:
    """What has room at the left; the table has the whole."""
    return label if len(label) <= limit else label[: limit - 1] + "…"
