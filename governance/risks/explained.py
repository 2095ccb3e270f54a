"""How the console shows a priority: its badge, its shade, and how it was reached in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from governance.risks.enums import Trend
from governance.risks.scoring import (
    EXPOSURE,
    FEEDBACK,
    FEWEST_EVENTS,
    LEVELS,
    MOST_MESSAGES,
    PRIOR_GUILDS,
    SEVERITY,
    TREND,
)
from guilds.console.page import Badge, Table, Variant

#: Five shades of the heat map, each from 20 × its number on.
SHADES = 5
TREND_VARIANTS: dict[str, Variant] = {
    Trend.RISING: "danger",
    Trend.STEADY: "default",
    Trend.FALLING: "success",
    Trend.UNKNOWN: "default",
}
#: Beside a number in a narrow cell; words stand in the cell's title.
TREND_SIGNS: dict[str, str] = {Trend.RISING: "▲", Trend.FALLING: "▼"}


def how_reached() -> list[tuple[Any, str]]:
    """The formula of governance.risks.scoring, part by part."""
    first, second, third, fourth = (f"{100 * level:g} %" for level in LEVELS)
    return [
        (
            now_("Severity, at most %(points)s") % {"points": SEVERITY},
            now_(
                "Harm × likelihood ÷ 25 of it. The likelihood comes from the share of active guilds with an upheld "
                "violation: 1 below %(first)s, 2 below %(second)s, 3 below %(third)s, 4 below %(fourth)s, else 5. The share is "
                "drawn towards the mean of all markets as if %(prior)s more guilds had been seen. "
                "Where no rule was live, the likelihood of the register."
            )
            % {"first": first, "second": second, "third": third, "fourth": fourth, "prior": PRIOR_GUILDS},
        ),
        (
            now_("Trend, at most %(points)s") % {"points": TREND},
            now_(
                "All of it when upheld violations per live hour rise against the window before (exact test of two "
                "Poisson rates, 5 %%), half when steady or unknown, none when they fall. "
                "Unknown below %(fewest)s violations in both windows."
            )
            % {"fewest": FEWEST_EVENTS},
        ),
        (
            now_("Feedback, at most %(points)s") % {"points": FEEDBACK},
            now_("A point for each message linked to the risk in the window, %(most)s at most.")
            % {"most": MOST_MESSAGES},
        ),
        (
            now_("Exposure, at most %(points)s") % {"points": EXPOSURE},
            now_("Live hours ÷ those of the market with the most."),
        ),
    ]


def shade(priority: float) -> int:
    return min(SHADES - 1, int(priority // 20))


def priority_badge(priority: float | None) -> Badge | None:
    """0 to 100 by the shades of the heat map."""
    if priority is None:
        return None
    variants: tuple[Variant, ...] = ("default", "default", "info", "warning", "danger")
    return Badge(f"{priority:.0f}", variants[shade(priority)])


def trend_badge(trend: str) -> Badge:
    return Badge(Trend(trend).label, TREND_VARIANTS[trend])


def rate_in_words(rate: float | None) -> str:
    return now_("no live hours") if rate is None else now_("%(rate).2f per 1,000 live hours") % {"rate": rate}


def parts_table(parts: Sequence[Mapping[str, Any]], *, together: bool = False) -> Table:
    """Each part with what it rests on and the points it gives of those it could; `together` for several markets as one."""
    bases = {**BASES, "exposure": _exposure_together} if together else BASES
    rows = [
        [TITLES[part["name"]], bases[part["name"]](part), f"{part['points']:.1f}", f"{part['weight']}"]
        for part in parts
    ]
    rows.append([now_("Priority"), "", f"{sum(part['points'] for part in parts):.1f}", "100"])
    return Table([_("Part"), _("What it rests on"), _("Points"), _("Of")], rows)


def _severity(part: Mapping[str, Any]) -> str:
    value = {"harm": part["harm"], "likelihood": part["likelihood"]}
    if part["source"] == "register":
        why = (
            now_("no guild was active anywhere")
            if part.get("watched")
            else now_("no rule against it was live, so finding nothing means nothing")
        )
        return now_("Harm %(harm)s × likelihood %(likelihood)s as registered: %(why)s.") % {
            **value,
            "why": why,
        }
    return now_(
        "Harm %(harm)s × likelihood %(likelihood)s: %(upheld)s of %(guilds)s guilds with an upheld violation, %(mean).1f %% on "
        "average, taken together %(share).1f %%."
    ) % {
        **value,
        "upheld": part["guilds_upheld"],
        "guilds": part["guilds"],
        "mean": 100 * part["mean"],
        "share": 100 * part["prevalence"],
    }


def _trend(part: Mapping[str, Any]) -> str:
    said = [str(Trend(part["value"]).label)]
    if part["p_value"] is not None:
        p_value = part["p_value"]
        said.append(now_("p < 0.001") if p_value < 0.001 else now_("p = %(p).3f") % {"p": p_value})
    elif not part["watched_throughout"]:
        said.append(now_("no rule was live throughout both windows"))
    said.append(
        now_("%(count)s upheld in the window before, in %(hours)s live hours")
        % {"count": part["upheld_before"], "hours": f"{part['live_hours_before']:,.0f}"}
    )
    if part["undecided"]:
        said.append(
            ngettext("%(count)s case not decided yet", "%(count)s cases not decided yet", part["undecided"])
            % {"count": part["undecided"]}
        )
    return "; ".join(said) + "."


def _feedback(part: Mapping[str, Any]) -> str:
    return ngettext(
        "%(count)s message linked to it in the window.",
        "%(count)s messages linked to it in the window.",
        part["value"],
    ) % {"count": part["value"]}


def _exposure(part: Mapping[str, Any]) -> str:
    return now_("%(share).0f %% of the live hours of the market with the most, %(hours)s.") % {
        "share": 100 * part["value"],
        "hours": f"{part['most_live_hours']:,.0f}",
    }


def _exposure_together(part: Mapping[str, Any]) -> str:
    return now_("%(share).0f %% of all %(hours)s live hours were in markets where it is watched.") % {
        "share": 100 * part["value"],
        "hours": f"{part['most_live_hours']:,.0f}",
    }


TITLES = {
    "severity": _("Severity"),
    "trend": _("Trend"),
    "feedback": _("Feedback"),
    "exposure": _("Exposure"),
}
BASES = {"severity": _severity, "trend": _trend, "feedback": _feedback, "exposure": _exposure}
