"""The violation's page with what stands above it: the guild's standing, and what confirming would lead to."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from governance.models import Violation
from governance.penalties.services.preview import Measure, preview
from governance.penalties.step_words import duration_words
from governance.review.admin import JudgedViolationAdmin
from governance.violations.admin import is_open
from guilds.console.page import Badge, Fact, Link, Section, admin_url


class ViolationPage(JudgedViolationAdmin):
    def sections(self, violation: Violation, request: HttpRequest) -> Sequence[Section]:
        shown = list(super().sections(violation, request))
        if is_open(violation):
            shown.insert(
                2,
                Section(
                    _("What confirming leads to"), consequences(violation), note=_("As things stand now.")
                ),
            )
        return shown


def consequences(violation: Violation) -> Sequence[Fact]:
    """Everything confirming would lead to now, reckoned by the code that decides."""
    found = preview(violation)
    exposure = found.exposure
    return (
        Fact(
            _("Offence"),
            _("None that counts: amnesty for “%(lesson)s”") % {"lesson": found.lesson}
            if found.lesson
            else _("No. %(nth)s of this code within %(window)s")
            % {"nth": found.nth, "window": duration_words(found.window)},
        ),
        Fact(_("Points"), f"{found.points}"),
        Fact(_("Score of the guild"), f"{found.score_before} → {found.score_after}"),
        Fact(_("Bands it falls into"), [Badge(name, "danger") for name in found.bands] or Badge(_("None"))),
        Fact(_("Penalties"), [_measure(measure) for measure in found.measures] or Badge(_("None"))),
        Fact(
            _("Touched"),
            _(
                "%(held)s creators held, %(creators)s streaming, %(hours)s live hours, %(revenue)s gift revenue in 30 days"
            )
            % {
                "held": f"{exposure.creators_held:,}",
                "creators": f"{exposure.creators:,}",
                "hours": f"{exposure.live_hours_30d:,.0f}",
                "revenue": f"{exposure.gift_revenue_30d:,.0f}",
            },
        ),
        Fact(_("At the next offence"), [Badge(words) for words in found.next_measures] or Badge(_("None"))),
        *(Fact(_("Note"), note) for note in found.notes),
        Fact(_("The guild"), Link(_("Everything about it"), admin_url(violation.guild))),
    )


def _measure(measure: Measure) -> list[object]:
    """What, until when, and whether somebody else must agree first."""
    shown: list[object] = [Badge(measure.words, "danger")]
    if measure.band:
        shown.append(Badge(_("for the band %(band)s") % {"band": measure.band}, "info"))
    if measure.held is not None:
        shown.append(Badge(_("held for a second person: %(why)s") % {"why": measure.held.label}, "warning"))
    shown += [_("from"), measure.starts_at]
    return [*shown, _("until"), measure.ends_at] if measure.ends_at else shown
