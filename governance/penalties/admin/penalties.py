"""Penalties in the console: what weighs on whom, since when and why, and the acts of an enforcer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.penalties.enums import PenaltyStatus
from governance.penalties.kinds import KINDS
from governance.penalties.models import Penalty
from governance.penalties.selectors import penalties_visible_to
from governance.penalties.services import (
    penalty_cancel,
    penalty_lift,
    penalty_refuse,
    penalty_release,
    penalty_retry,
)
from governance.violations.models import Violation
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, of_guild
from guilds.console.page import (
    Badge,
    Fact,
    Prose,
    Section,
    Variant,
    link_to,
    pretty,
    severity_badge,
    shown,
)

STATUS_VARIANTS: dict[str, Variant] = {
    PenaltyStatus.HELD: "warning",
    PenaltyStatus.SCHEDULED: "info",
    PenaltyStatus.STAYED: "warning",
    PenaltyStatus.IN_FORCE: "danger",
    PenaltyStatus.LIFTED: "success",
    PenaltyStatus.CANCELLED: "default",
    PenaltyStatus.REVERSED: "default",
    PenaltyStatus.FAILED: "danger",
}


def status_badge(penalty: Penalty) -> Badge:
    return Badge(penalty.get_status_display(), STATUS_VARIANTS[penalty.status])


@admin.register(Penalty)
class PenaltyAdmin(ConsoleAdmin[Penalty]):
    intro = _("Measures against guilds for confirmed violations and score crossings.")
    list_display = (
        "kind_shown",
        "status_shown",
        "guild",
        "market",
        "code_shown",
        "starts_at",
        "ends_at",
        "acknowledged_shown",
    )
    list_select_related = ("guild", "market", "violation")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("market", RelatedDropdownFilter),
        ("starts_at", RangeDateTimeFilter),
    )
    search_fields = ("guild__external_id",)
    search_help_text = _(
        "A guild's id or name, a violation's code, or the beginning of a penalty's or violation's id"
    )
    object_related = (
        "guild__market",
        "market",
        "violation__rule__risk",
        "violation__version__rule__risk",
        "violation__guild",
        "violation__creator",
        "version__rule__risk",
        "notice",
        "crossing__band",
        "proposed_by",
        "released_by",
        "acknowledged_by",
    )
    ordering = ("-id",)
    actions_detail = ("release", "refuse", "lift", "cancel", "retry")
    bulk_acts = ("release", "refuse", "lift", "cancel", "retry")

    def visible(self, actor: Actor) -> QuerySet[Penalty]:
        return penalties_visible_to(actor)

    def matching(self, term: str) -> Q:
        of_violation = Q(violation__in=Violation.objects.filter(by_public_id(term)))
        return by_public_id(term) | of_violation | Q(violation__code__iexact=term) | of_guild(term)

    @display(description=_("penalty"), ordering="kind")
    def kind_shown(self, penalty: Penalty) -> str:
        return KINDS[penalty.kind].describe(penalty.params)

    @display(description=_("status"), ordering="status")
    def status_shown(self, penalty: Penalty) -> str:
        return shown(status_badge(penalty))

    @display(description=_("violation"))
    def code_shown(self, penalty: Penalty) -> str:
        return penalty.violation.code

    @display(description=_("acknowledged"), ordering="acknowledged_at")
    def acknowledged_shown(self, penalty: Penalty) -> str:
        return shown(penalty.acknowledged_at)

    # --- the page -----------------------------------------------------------------------------------------------
    def headline(self, penalty: Penalty) -> str:
        return f"{KINDS[penalty.kind].describe(penalty.params)} · {penalty.guild}"

    def badge(self, penalty: Penalty) -> Badge:
        return status_badge(penalty)

    def facts(self, penalty: Penalty, request: HttpRequest) -> Sequence[Fact]:
        facts = [
            Fact(_("Guild"), link_to(penalty.guild)),
            Fact(_("Market"), f"{penalty.market.name} ({penalty.market.code})"),
            Fact(_("For violation"), link_to(penalty.violation)),
            Fact(_("Severity"), severity_badge(penalty.violation.severity)),
            Fact(_("Proposed"), penalty.proposed_at),
            Fact(_("Proposed by"), penalty.proposed_by or _("The rule itself")),
            Fact(_("Starts"), penalty.starts_at),
            Fact(_("Ends"), penalty.ends_at or _("No end date")),
            Fact(_("In effect since"), penalty.applied_at),
            Fact(_("Lifted, cancelled or reversed"), penalty.ended_at),
            Fact(_("Id"), str(penalty.public_id)),
        ]
        if penalty.released_by:
            facts.insert(6, Fact(_("Released by"), penalty.released_by))
        if penalty.crossing:
            facts.insert(3, Fact(_("Because the score fell into"), penalty.crossing.band.name))
        return facts

    def sections(self, penalty: Penalty, request: HttpRequest) -> Sequence[Section]:
        sections = []
        if penalty.last_error:
            sections.append(
                Section(
                    _("Why it failed"),
                    Prose(penalty.last_error),
                    note=_("Tried %(n)s times.") % {"n": penalty.attempts},
                )
            )
        notice = penalty.notice
        if notice is not None:
            told = (
                Fact(_("Subject"), link_to(notice, notice.subject)),
                Fact(_("Issued"), notice.issued_at),
                Fact(_("Read by the guild"), notice.read_at),
                Fact(_("Appeal until"), notice.appeal_by),
                Fact(_("Words"), Prose(notice.body)),
            )
            sections.append(Section(_("What the guild was told"), told))
        else:
            sections.append(
                Section(
                    _("What the guild was told"),
                    Prose(str(_("Nothing yet: a held penalty is told of when it is released."))),
                )
            )
        sections.append(Section(_("Effect"), self._effect(penalty)))
        confirmed = (
            Fact(_("By the enforcing system"), penalty.acknowledged_by),
            Fact(_("When"), penalty.acknowledged_at or Badge(_("Not yet"), "warning")),
        )
        sections.append(Section(_("Acknowledged"), confirmed))
        return sections

    def _effect(self, penalty: Penalty) -> Sequence[Fact]:
        restriction = getattr(penalty, "restriction", None)
        facts = [Fact(_("As written in the ladder"), pretty(penalty.params))]
        if restriction is not None:
            facts += [
                Fact(_("Restriction"), restriction.get_kind_display()),
                Fact(_("From"), restriction.starts_at),
                Fact(_("Until"), restriction.ends_at or _("No end date")),
                Fact(_("Lifted"), restriction.lifted_at or Badge(_("In force"), "danger")),
            ]
        if penalty.effect:
            facts.append(Fact(_("What to put back when it ends"), pretty(penalty.effect)))
        return facts

    # --- acts ---------------------------------------------------------------------------------------------------
    @act(
        label=_("Release"),
        question=_("You are the second person: the notice goes out now and the penalty's periods begin."),
        done=_("The penalty is released."),
        roles=(Role.ENFORCER,),
        when=lambda penalty: penalty.status == PenaltyStatus.HELD,
        icon="check",
        variant=ActionVariant.PRIMARY,
    )
    def release(self, actor: Actor, penalty: Penalty, values: Mapping[str, Any]) -> Answer:
        penalty_release(actor=actor, penalty_id=penalty.pk, reason=values["reason"])
        return None

    @act(
        label=_("Refuse"),
        question=_("The penalty is cancelled and the guild never hears of it."),
        done=_("The penalty is refused."),
        roles=(Role.ENFORCER,),
        when=lambda penalty: penalty.status == PenaltyStatus.HELD,
        icon="close",
    )
    def refuse(self, actor: Actor, penalty: Penalty, values: Mapping[str, Any]) -> Answer:
        penalty_refuse(actor=actor, penalty_id=penalty.pk, reason=values["reason"])
        return None

    @act(
        label=_("Lift"),
        question=_("The penalty ends now, before its time, and the guild is told. Points stay."),
        done=_("The penalty is lifted."),
        roles=(Role.ENFORCER,),
        when=lambda penalty: penalty.status == PenaltyStatus.IN_FORCE,
        icon="lock_open",
    )
    def lift(self, actor: Actor, penalty: Penalty, values: Mapping[str, Any]) -> Answer:
        penalty_lift(actor=actor, penalty_id=penalty.pk, reason=values["reason"])
        return None

    @act(
        label=_("Try again"),
        question=_("The penalty is scheduled again, for now."),
        done=_("The penalty is scheduled again."),
        roles=(Role.ENFORCER,),
        when=lambda penalty: penalty.status == PenaltyStatus.FAILED,
        icon="refresh",
        variant=ActionVariant.PRIMARY,
    )
    def retry(self, actor: Actor, penalty: Penalty, values: Mapping[str, Any]) -> Answer:
        penalty_retry(actor=actor, penalty_id=penalty.pk, reason=values["reason"])
        return None

    @act(
        label=_("Cancel"),
        question=_("The penalty never takes effect, and the guild is told."),
        done=_("The penalty is cancelled."),
        roles=(Role.ENFORCER,),
        when=lambda penalty: penalty.status in {PenaltyStatus.SCHEDULED, PenaltyStatus.FAILED},
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def cancel(self, actor: Actor, penalty: Penalty, values: Mapping[str, Any]) -> Answer:
        penalty_cancel(actor=actor, penalty_id=penalty.pk, reason=values["reason"])
        return None
