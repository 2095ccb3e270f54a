"""Figures as people read them: never a bare percentage, and none at all where too few stand behind it."""

from __future__ import annotations

from django.utils.translation import gettext as _

from governance.engine.intervals import FEWEST, Share
from governance.quality.models import SampleItem
from governance.quality.selectors import GoldenFeedback
from governance.quality.statistics import Agreement, Estimate
from governance.review.enums import Opinion
from governance.violations.enums import Verdict
from guilds.console.page import Badge, Variant

OPINION_VARIANTS: dict[str, Variant] = {
    Opinion.CONFIRM: "danger",
    Opinion.DISMISS: "default",
    Opinion.UNCLEAR: "warning",
}


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def insufficient(n: int) -> Badge:
    return Badge(_("insufficient data: %(n)s of at least %(least)s") % {"n": n, "least": FEWEST})


def share_shown(share: Share) -> str | Badge:
    """A share with its interval and what it rests on."""
    if share.value is None or share.low is None or share.high is None:
        return insufficient(share.n)
    return _("%(value)s (%(low)s to %(high)s), %(hits)s of %(n)s") % {
        "value": percent(share.value),
        "low": percent(share.low),
        "high": percent(share.high),
        "hits": share.successes,
        "n": share.n,
    }


def estimate_shown(found: Estimate | None) -> str | Badge | None:
    """A share of the population with its interval, what it rests on, and whom it speaks for."""
    if found is None:
        return None
    if found.value is None or found.low is None or found.high is None:
        return insufficient(found.n)
    words = _("%(value)s (%(low)s to %(high)s), from %(n)s judged") % {
        "value": percent(found.value),
        "low": percent(found.low),
        "high": percent(found.high),
        "n": found.n,
    }
    if found.population < found.of_population:
        words += _("; speaks for %(some)s of %(all)s") % {
            "some": f"{found.population:,}",
            "all": f"{found.of_population:,}",
        }
    return words


def agreement_shown(found: Agreement) -> str | Badge:
    if found.n < FEWEST:
        return insufficient(found.n)
    if found.value is None:
        return _("not defined: everybody always answered the same (%(n)s cases)") % {"n": found.n}
    if found.error is None:
        return _("%(value)s, %(n)s cases") % {"value": f"{found.value:.2f}", "n": found.n}
    return _("%(value)s ± %(error)s, %(n)s cases") % {
        "value": f"{found.value:.2f}",
        "error": f"{1.96 * found.error:.2f}",
        "n": found.n,
    }


def opinion_badge(opinion: str) -> Badge:
    return Badge(Opinion(opinion).label, OPINION_VARIANTS[opinion])


def golden_words(found: GoldenFeedback) -> str:
    """What a reviewer is told after a golden case: kindly, and with the reason."""
    if found.right:
        return _("The answer of this one was known, and you saw it as it is: %(why)s") % {
            "why": found.explanation
        }
    expected = _("a violation") if found.expected == Verdict.CONFIRM else _("no violation")
    return _(
        "This one was for practice and changes nothing for the guild. Its answer is known: %(expected)s. %(why)s"
    ) % {"expected": expected, "why": found.explanation}


def about(item: SampleItem) -> str:
    """What an item is about, in a few words."""
    if item.violation is not None:
        return f"{item.violation.code} · {item.guild}"
    return f"{item.day} · {item.guild}"
