"""Penalties in the console: what weighs on whom, since when and why, and the acts of an enforcer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Count, Max, Min, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.penalties.admin.coming import coming_page
from governance.penalties.admin.rectification import rectification_sections
from governance.penalties.agreement import end_unconfirmed, start_unconfirmed
from governance.penalties.due import first_line, stop_reason
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
    Link,
    Prose,
    Section,
    Table,
    Variant,
    link_to,
    list_url,
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


class ConfirmedFilter(DropdownFilter):
    """What enforcing systems have not confirmed although they had the time."""

    title = _("confirmation")
    parameter_name = "unconfirmed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("start", _("Start not confirmed")), ("end", _("End not confirmed"))]

    def queryset(self, request: HttpRequest, rows: QuerySet[Penalty]) -> QuerySet[Penalty]:
        now = timezone.now()
        if self.value() == "start":
            return rows.filter(start_unconfirmed(now))
        return rows.filter(end_unconfirmed(now)) if self.value() == "end" else rows


#: Reasons shown above the failed ones at most.
REASONS = 10


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
        ConfirmedFilter,
    )
    change_list_template = "admin/console/penalties.html"
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
        "compensation",
        "proposed_by",
        "released_by",
        "acknowledged_by",
    )
    ordering = ("-id",)
    actions_detail = ("release", "refuse", "lift", "cancel", "retry")
    bulk_acts = ("release", "refuse", "lift", "cancel", "retry")

    def visible(self, actor: Actor) -> QuerySet[Penalty]:
        return penalties_visible_to(actor).annotate(stopped=stop_reason())

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        """Of failed ones also how often they were tried, and why they failed."""
        columns = list(super().get_list_display(request))
        if request.GET.get("status__exact") == PenaltyStatus.FAILED:
            return [*columns[:-1], "attempts", "error_shown"]
        return columns

    def matching(self, term: str) -> Q:
        of_violation = Q(violation__in=Violation.objects.filter(by_public_id(term)))
        return by_public_id(term) | of_violation | Q(violation__code__iexact=term) | of_guild(term)

    @display(description=_("penalty"), ordering="kind")
    def kind_shown(self, penalty: Penalty) -> str:
        return KINDS[penalty.kind].describe(penalty.params)

    @display(description=_("status"), ordering="status")
    def status_shown(self, penalty: Penalty) -> str:
        badges = [status_badge(penalty)]
        if stopped := getattr(penalty, "stopped", ""):
            badges.append(
                Badge(_("Stopped: %(reason)s") % {"reason": Truncator(stopped).chars(60)}, "danger")
            )
        return shown(badges)

    @display(description=_("why"))
    def error_shown(self, penalty: Penalty) -> str:
        return Truncator(penalty.last_error).chars(120)

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
        if stopped := getattr(penalty, "stopped", ""):
            facts.insert(0, Fact(_("Stopped"), Badge(stopped, "danger")))
        if penalty.status == PenaltyStatus.HELD:
            facts.insert(0, Fact(_("Held because"), penalty.get_hold_reason_display()))
        if penalty.escalated_at:
            facts.insert(1, Fact(_("Held for too long, told since"), penalty.escalated_at))
        if penalty.released_by:
            facts.insert(6, Fact(_("Released by"), penalty.released_by))
        if penalty.crossing:
            facts.insert(3, Fact(_("Because the score fell into"), penalty.crossing.band.name))
        compensation = getattr(penalty, "compensation", None)
        if compensation is not None:
            facts.append(Fact(_("Compensation"), link_to(compensation, compensation.get_status_display())))
        return facts

    def sections(self, penalty: Penalty, request: HttpRequest) -> Sequence[Section]:
        sections = []
        if penalty.last_error:
            sections.append(
                Section(
                    _("What went wrong"),
                    (
                        Fact(_("Fault"), Prose(penalty.last_error)),
                        Fact(_("Times tried"), penalty.attempts),
                        Fact(_("Tried again at"), penalty.retry_at),
                    ),
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
        sections += rectification_sections(penalty)
        sections.append(Section(_("Effect"), self._effect(penalty)))
        confirmed = [
            [row.client.name, row.get_effect_display(), row.at]
            for row in penalty.acknowledgements.select_related("client")
        ]
        table = Table([_("System"), _("Confirms"), _("When")], confirmed, empty=_("Nothing confirmed yet."))
        sections.append(Section(_("Acknowledged"), table))
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

    # --- pages beside the list ----------------------------------------------------------------------------------
    def get_custom_urls(self) -> tuple[tuple[str, str, Callable[..., HttpResponseBase]], ...]:
        return (*super().get_custom_urls(), ("coming/", "governance_penalty_coming", self.coming_view))

    def coming_view(self, request: HttpRequest, model_admin: Any = None) -> HttpResponse:
        return coming_page(self, request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = dict(extra_context or {})
        if request.GET.get("status__exact") == PenaltyStatus.FAILED and self.has_view_permission(request):
            context["reasons"] = self._reasons(self.actor(request))
        return super().changelist_view(request, context)

    def _reasons(self, actor: Actor) -> Table:
        """The failed ones by the first line of their fault, the most frequent first."""
        failed = penalties_visible_to(actor).select_related(None).filter(status=PenaltyStatus.FAILED)
        found = (
            failed.annotate(fault=first_line("last_error"))
            .order_by()
            .values("fault")
            .annotate(number=Count("pk"), tries=Max("attempts"), since=Min("starts_at"))
            .order_by("-number", "fault")[:REASONS]
        )
        rows = [
            [
                row["number"],
                Link(row["fault"] or _("No reason given"), list_url(Penalty, _of_fault(row["fault"]))),
                row["tries"],
                row["since"],
            ]
            for row in found
        ]
        return Table([_("Penalties"), _("Why"), _("Tried at most"), _("Oldest due")], rows)

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
        when=lambda penalty: (
            penalty.status in {PenaltyStatus.SCHEDULED, PenaltyStatus.STAYED, PenaltyStatus.FAILED}
        ),
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def cancel(self, actor: Actor, penalty: Penalty, values: Mapping[str, Any]) -> Answer:
        penalty_cancel(actor=actor, penalty_id=penalty.pk, reason=values["reason"])
        return None


def _of_fault(fault: str) -> str:
    return urlencode({"status__exact": PenaltyStatus.FAILED.value, "last_error__startswith": fault})
