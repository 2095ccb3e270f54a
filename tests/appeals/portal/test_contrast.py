"""Every pair of text and ground in the style sheet reaches WCAG AA, in the light and in the dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import appeals

STYLES = (Path(appeals.__file__).parent / "static" / "portal" / "portal.css").read_text()

#: (text, ground): what stands on what; 4.5 : 1 for text.
PAIRS = [
    ("ink", "paper"),
    ("ink", "ground"),
    ("ink-soft", "paper"),
    ("ink-soft", "ground"),
    ("ink-soft", "accent-soft"),
    ("ink", "accent-soft"),
    ("ink", "plain-soft"),
    ("accent", "paper"),
    ("accent", "ground"),
    ("accent-ink", "accent"),
    ("good", "good-soft"),
    ("soon", "soon-soft"),
    ("soon", "paper"),
    ("strong", "strong-soft"),
    ("strong", "paper"),
    ("plain", "plain-soft"),
]
#: The edges of fields and the marks of a drawing: 3 : 1.
EDGES = [("line-strong", "paper"), ("accent", "paper"), ("good", "paper"), ("strong", "paper")]


def _scheme(dark: bool) -> dict[str, str]:
    blocks = re.findall(r":root \{(.*?)\}", STYLES, flags=re.DOTALL)
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks[1 if dark else 0]))


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_and_edges_stand_out(dark: bool) -> None:
    colours = _scheme(dark)
    faint = {
        pair: round(_contrast(colours[pair[0]], colours[pair[1]]), 2)
        for pairs, least in ((PAIRS, 4.5), (EDGES, 3.0))
        for pair in pairs
        if _contrast(colours[pair[0]], colours[pair[1]]) < least
    }
    assert faint == {}


def test_colours_are_named_once_and_used_by_name() -> None:
    rules = re.sub(r":root \{.*?\}", "", STYLES, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-f]{3,8}\b", rules) == []
    assert re.findall(r"\b(?:margin|padding|border)-(?:left|right)\b|\b(?:left|right):", rules) == []
