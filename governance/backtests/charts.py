"""Charts of backtests as inline SVG, drawn here: they need no script, and each stands beside the table of its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

WIDTH, HEIGHT, FOOT, HEAD = 720, 200, 26, 14

#: (label, tested, base)
Bar = tuple[str, int, int]


def bars(rows: Sequence[Bar], *, title: str, compares: bool) -> SafeString:
    """Pairs of bars, the tested wording's in front of the base's; labels as many as there is room for."""
    highest = max((max(tested, base) for _label, tested, base in rows), default=0) or 1
    room = WIDTH / max(len(rows), 1)
    thick = min(room * (0.4 if compares else 0.7), 60.0)
    every = max(1, -(-len(rows) * 64 // WIDTH))
    drawn: list[SafeString] = []
    for place, (label, tested, base) in enumerate(rows):
        middle = (place + 0.5) * room
        pair = (("tested", tested, _("tested")), ("base", base, _("in force")))
        for number, (kind, value, name) in enumerate(pair if compares else pair[:1]):
            left = middle - thick + number * thick if compares else middle - thick / 2
            tall = value / highest * (HEIGHT - HEAD - FOOT)
            drawn.append(
                format_html(
                    '<rect class="backtest-{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
                    kind,
                    f"{left:.1f}",
                    f"{HEIGHT - FOOT - tall:.1f}",
                    f"{max(thick - 1, 0.5):.1f}",
                    f"{tall:.1f}",
                    f"{label}, {name}: {value}",
                )
            )
        if place % every == 0:
            drawn.append(_text(middle, HEIGHT - 8, label, "middle"))
    drawn.append(_text(2, HEAD - 3, str(highest), "start"))
    return format_html(
        '<svg class="backtest-chart" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<line class="backtest-axis" x1="0" x2="{}" y1="{}" y2="{}"/>{}</svg>',
        WIDTH,
        HEIGHT,
        title,
        WIDTH,
        HEIGHT - FOOT,
        HEIGHT - FOOT,
        format_html_join("", "{}", ((part,) for part in drawn)),
    )


def interval(precision: dict[str, Any], *, title: str) -> SafeString:
    """A share on a scale from 0 to 1 with its interval; only for one that is known."""
    low, high, point = (WIDTH * float(precision[name]) for name in ("low", "high", "point"))
    return format_html(
        '<svg class="backtest-chart backtest-interval" viewBox="0 0 {} 34" role="img" aria-label="{}">'
        '<line class="backtest-axis" x1="0" x2="{}" y1="17" y2="17"/>'
        '<rect class="backtest-base" x="{}" y="11" width="{}" height="12"/>'
        '<circle class="backtest-tested" cx="{}" cy="17" r="6"/></svg>',
        WIDTH,
        title,
        WIDTH,
        f"{low:.1f}",
        f"{max(high - low, 1):.1f}",
        f"{point:.1f}",
    )


def _text(x: float, y: float, text: str, anchor: str) -> SafeString:
    return format_html('<text x="{}" y="{}" text-anchor="{}">{}</text>', f"{x:.1f}", y, anchor, text)
