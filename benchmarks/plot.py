"""Plots of what was measured: ``python -m benchmarks.plot build/bench.json docs/explanation/``.

One SVG for each part of the growth bench: bars of the medians, with a line from the least to the most of the rounds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

_PARTS = {
    "backlog": ("backlog of",),
    "relays": ("one relay", "100 types"),
    "consumers": ("1 consumer", "2 consumer", "4 consumer"),
}
_NAMES, _BARS, _FIGURES, _ROW, _HEAD = 200, 360, 110, 26, 34

Figures = Mapping[str, Mapping[str, Any]]


def main(source: Path, folder: Path) -> None:
    """Write them; say where."""
    figures: Figures = json.loads(source.read_text())["benches"]["growth"]["figures"]
    for part, beginnings in _PARTS.items():
        chosen = {name: figure for name, figure in figures.items() if name.startswith(beginnings)}
        path = folder / f"performance-{part}.svg"
        path.write_text("\n".join(_svg(f"Events a second: {part}", chosen)) + "\n")
        sys.stdout.write(f"{path}\n")


def _svg(title: str, figures: Figures) -> Iterator[str]:
    width, height = _NAMES + _BARS + _FIGURES, _HEAD + _ROW * len(figures) + 10
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">'
    yield f"<title>{escape(title)}</title>"
    yield "<style>text{font:13px sans-serif;fill:#333}.t{font-weight:bold}</style>"
    yield f'<rect width="{width}" height="{height}" fill="#fff"/>'
    yield f'<text class="t" x="10" y="20">{escape(title)}</text>'
    most = max((max(figure["rounds"]) for figure in figures.values()), default=1)
    for row, (name, figure) in enumerate(figures.items()):
        yield from _bar(_HEAD + row * _ROW, name, figure, _BARS / most)
    yield "</svg>"


def _bar(top: int, name: str, figure: Mapping[str, Any], scale: float) -> Iterator[str]:
    middle, median = top + _ROW / 2, figure["median"]
    least, most = (_NAMES + bound(figure["rounds"]) * scale for bound in (min, max))
    yield f'<text x="{_NAMES - 8}" y="{middle + 4:.0f}" text-anchor="end">{escape(name)}</text>'
    yield f'<rect x="{_NAMES}" y="{top + 4}" width="{median * scale:.1f}" height="{_ROW - 8}" fill="#4c78a8"/>'
    yield f'<path d="M{least:.1f} {middle:.0f}H{most:.1f}" stroke="#f58518" stroke-width="2"/>'
    yield f'<text x="{_NAMES + _BARS + 8}" y="{middle + 4:.0f}">{median:,.0f}</text>'


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
