"""The violation's page with what stands above it: the guild's standing, and what confirming would lead to."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models import Sanction, Standing, Violation
from governance.penalties.kinds import KINDS
from governance.penalties.ladders import LadderSpec, needs_second_person, points_of, start_of
from governance.penalties.services.amnesty import STEPS, Amnesties
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
    """The rung the violation would land on, its points and penalties. A preview: the decision itself counts anew."""
    spec = violation.version.spec
    ladder = LadderSpec.read(violation.version.ladder, severity=violation.severity)
    nth = (
        1
        + Sanction.objects.filter(
            guild_id=violation.guild_id,
            code=violation.code,
            reversed_at__isnull=True,
            amnesty=False,
            violation__occurred_at__gt=violation.occurred_at - ladder.window,
            violation__occurred_at__lte=violation.occurred_at,
        ).count()
    )
    share = spec.get("share") if violation.creator_id else None
    points = points_of(ladder, share)
    standing = Standing.objects.filter(guild_id=violation.guild_id).first()
    score = standing.score if standing else 100
    now, notice = timezone.now(), violation.guild.market.regime.termination_days
    named = spec.get("second_person") or ()
    measures: list[object] = []
    excused_by = Amnesties([violation.guild_id], [violation.rule_id]).use(violation)
    if excused_by is not None:
        points = 0
        measures.append(Badge(_("amnesty: the guild has just done a lesson"), "info"))
    for step in ladder.rung(nth) if excused_by is None else STEPS:
        kind = str(step["kind"])
        measures.append(Badge(KINDS[kind].describe(step), "danger"))
        if needs_second_person(kind, severity=violation.severity, named=named):
            measures.append(Badge(_("held for a second person"), "warning"))
        if start_of(step, now=now, termination_days=notice) > now:
            measures.append(Badge(_("after %(days)s days of notice") % {"days": notice}, "info"))
    return (
        Fact(
            _("Offence"),
            _("None that counts: amnesty for “%(lesson)s”") % {"lesson": excused_by.code}
            if excused_by
            else _("No. %(nth)s of this code within %(window)s")
            % {"nth": nth, "window": violation.version.ladder["window"]},
        ),
        Fact(_("Points"), f"{points}"),
        Fact(_("Score of the guild"), f"{score} → {score - points}"),
        Fact(_("Penalties"), measures or Badge(_("None"))),
        Fact(_("The guild"), Link(_("Everything about it"), admin_url(violation.guild))),
    )
