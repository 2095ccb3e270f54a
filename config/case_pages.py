"""The pages of a violation and of a case with what stands above them: the guild's standing, what confirming would lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant

from appeals.corrections import violation_correct
from governance.models import Band, Case, Standing, Violation
from governance.penalties.services.preview import Measure, Preview, preview
from governance.penalties.step_words import duration_words
from governance.quality.admin import GoldenMaking, golden_words
from governance.quality.selectors import golden_feedback
from governance.review.admin import CaseAdmin, JudgedViolationAdmin
from governance.violations.admin import is_open
from governance.violations.enums import ViolationStatus
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.page import Badge, Fact, Link, Section, Template, admin_url, distance


class ViolationPage(GoldenMaking, JudgedViolationAdmin):
    actions_detail = (*JudgedViolationAdmin.actions_detail, "correct", "make_golden")

    @act(
        label=_("Correct"),
        question=_(
            "The violation was wrong, though nobody has appealed. All that followed from it is undone, the guild is told in"
            " your words, and the rule's owners get a finding."
        ),
        done=_("The violation is overturned."),
        roles=(Role.ADJUDICATOR,),
        when=lambda violation: violation.status == ViolationStatus.CONFIRMED,
        icon="undo",
        variant=ActionVariant.DANGER,
    )
    def correct(self, actor: Actor, violation: Violation, values: Mapping[str, Any]) -> Answer:
        violation_correct(actor=actor, violation_id=violation.pk, reason=values["reason"])
        return None

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


class CasePage(CaseAdmin):
    def told(self, case: Case) -> str:
        """After a golden case, what was right and why."""
        found = golden_feedback(case)
        return golden_words(found) if found is not None else super().told(case)

    def beside(self, case: Case, request: HttpRequest) -> list[Section]:
        shown = super().beside(case, request)
        shown.insert(1, Section(_("Its standing"), standing_of(case)))
        if case.violation is not None:
            found = preview(case.violation)
            shown.insert(
                0,
                Section(
                    _("If it is confirmed"),
                    Template("admin/console/desk_follows.html", follows(found)),
                    note=_("As things stand now."),
                ),
            )
        return shown

    def follows(self, case: Case) -> Any:
        """One line of a list of many: points and penalties."""
        if case.violation is None:
            return now_("Nothing follows; it is counted.")
        found = preview(case.violation)
        line: list[object] = [
            now_("No. %(nth)s; %(points)s points (%(before)s → %(after)s)")
            % {
                "nth": found.nth,
                "points": found.points,
                "before": found.score_before,
                "after": found.score_after,
            }
        ]
        line += [Badge(measure.words, "danger") for measure in found.measures]
        if any(measure.held for measure in found.measures):
            line.append(Badge(now_("held for a second person"), "warning"))
        return line


def standing_of(case: Case) -> Sequence[Fact]:
    """The guild's score now, and how far the next band is."""
    standing = Standing.objects.filter(guild_id=case.guild_id).first()
    score = standing.score if standing else 100
    band = Band.objects.filter(at_or_below__gte=score).order_by("at_or_below").first()
    below = Band.objects.filter(at_or_below__lt=score).order_by("-at_or_below").first()
    return (
        Fact(_("Score"), f"{score}"),
        Fact(_("Band"), Badge(band.name, "danger") if band else Badge(_("Healthy"), "success")),
        Fact(
            _("Next band"),
            now_("%(name)s at %(score)s") % {"name": below.name, "score": below.at_or_below}
            if below
            else _("None below"),
        ),
    )


def follows(found: Preview) -> dict[str, Any]:
    """What the desk's template shows of a preview."""
    return {
        "found": found,
        "window": duration_words(found.window),
        "measures": [
            {
                "words": measure.words,
                "band": measure.band,
                "held": measure.held.label if measure.held is not None else "",
                "starts": distance(measure.starts_at),
                "starts_at": measure.starts_at,
                "ends_at": measure.ends_at,
            }
            for measure in found.measures
        ],
    }


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
