"""Small drawings beside each other: their frame, and the colours that the stylesheet gives them in both themes."""

from __future__ import annotations

import html
from collections.abc import Sequence

MUTED = "var(--pst-color-text-muted)"


def colour(k: int) -> str:
    """Return the colour of a curve, one of four, that the stylesheet knows for light and dark."""
    return f"var(--curve-{k % 4})"


def svg(width: float, height: float, described: str, parts: Sequence[str], widest: float = 0.0) -> str:
    """Return a drawing that fills its column up to ``widest`` pixels, or twice its own width."""
    style = f"width:100%;max-width:{widest or 2 * width:g}px;height:auto"
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" style="{style}" role="img" aria-label="{html.escape(described)}">'
        f"{''.join(parts)}</svg>"
    )


def text(x: float, y: float, words: str, *, anchor: str = "start", css: str = "", size: float = 0.0) -> str:
    given = f' class="{css}"' * bool(css) + f' style="font-size:{size:g}px"' * bool(size)
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{given}>{html.escape(words)}</text>'


def multiples(drawings: Sequence[str]) -> str:
    """Return a figure of small drawings that wrap into rows."""
    kind = "small three" if len(drawings) == 3 else "small"
    return f'<figure class="loss-figure"><div class="panels {kind}">{"".join(drawings)}</div></figure>'
