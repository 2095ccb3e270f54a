"""Who can take how much, who is away, and within how long a case is to be decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.review.admin.arranging import (
    AbsenceForm,
    DeskForm,
    EndForm,
    TargetForm,
)
from governance.review.models import Absence, Desk, Target
from governance.review.services import (
    absence_add,
    absence_end,
    desk_save,
    target_save,
)
from governance.review.services.desks import MAY_ARRANGE
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import moment_column
from guilds.console.page import (
    Badge,
    Fact,
    Section,
    Table,
    admin_url,
    link_to,
    severity_badge,
    shown,
)
from guilds.models import User


@admin.register(Desk)
class DeskAdmin(ConsoleAdmin[Desk]):
    intro = _(
        "How many cases a reviewer can take on a day, and from which queues. Without a desk one takes from all."
    )
    list_display = ("user", "capacity_per_day", "queues_shown")
    list_display_links = ("user",)
    list_select_related = ("user",)
    search_fields = ("user__email",)
    ordering = ("user",)
    object_related = ("user",)
    actions_list = ("create",)
    actions_detail = ("edit",)

    def visible(self, actor: Actor) -> QuerySet[Desk]:
        return Desk.objects.prefetch_related("queues")

    def matching(self, term: str) -> Q:
        return Q(user__email__istartswith=term) | Q(user__name__icontains=term)

    @display(description=_("queues"))
    def queues_shown(self, desk: Desk) -> str:
        return ", ".join(str(queue) for queue in desk.queues.all()) or str(_("all"))

    def facts(self, desk: Desk, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Reviewer"), str(desk.user)),
            Fact(_("Cases a day"), desk.capacity_per_day),
            Fact(_("Queues"), [link_to(queue) for queue in desk.queues.all()] or _("all")),
        )

    def sections(self, desk: Desk, request: HttpRequest) -> Sequence[Section]:
        rows = [
            [link_to(absence, f"{absence.starts_at:%d %b %Y}"), absence.ends_at, absence.substitute]
            for absence in Absence.objects.filter(user=desk.user_id).select_related("user", "substitute")[:10]
        ]
        return (
            Section(_("Absences"), Table([_("From"), _("Until"), _("Substitute")], rows, empty=_("None."))),
        )

    @act(label=_("New desk"), roles=MAY_ARRANGE, form=DeskForm, icon="add", variant=ActionVariant.PRIMARY)
    def create(self, actor: Actor, desk: None, values: Mapping[str, Any]) -> Answer:
        return admin_url(_save_desk(actor, values["user_id"], values))

    @act(label=_("Change"), roles=MAY_ARRANGE, done=_("The desk is changed."), form=DeskForm, icon="edit")
    def edit(self, actor: Actor, desk: Desk, values: Mapping[str, Any]) -> Answer:
        _save_desk(actor, desk.user, values)
        return None


def _save_desk(actor: Actor, user: User, values: Mapping[str, Any]) -> Desk:
    return desk_save(
        actor=actor,
        user_id=user.pk,
        capacity_per_day=values["capacity_per_day"],
        queue_ids=[queue.pk for queue in values["queue_ids"]],
        reason=values["reason"],
    )


@admin.register(Absence)
class AbsenceAdmin(ConsoleAdmin[Absence]):
    intro = _("Who is away. What is assigned to them goes to the substitute, or back to the queue.")
    list_display = (
        "user",
        moment_column("starts_at", _("from")),
        moment_column("ends_at", _("until")),
        "substitute",
        "state_shown",
    )
    list_display_links = ("user",)
    list_select_related = ("user", "substitute")
    search_fields = ("user__email",)
    ordering = ("-starts_at",)
    object_related = ("user", "substitute")
    actions_list = ("create",)
    actions_detail = ("end",)

    def matching(self, term: str) -> Q:
        return Q(user__email__istartswith=term) | Q(user__name__icontains=term)

    @display(description=_("state"))
    def state_shown(self, absence: Absence) -> str:
        return shown(self.badge(absence))

    def badge(self, absence: Absence) -> Badge:
        now = timezone.now()
        if absence.ends_at <= now:
            return Badge(_("Over"))
        return Badge(_("Away"), "info") if absence.starts_at <= now else Badge(_("To come"))

    def facts(self, absence: Absence, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Reviewer"), str(absence.user)),
            Fact(_("From"), absence.starts_at),
            Fact(_("Until"), absence.ends_at),
            Fact(_("Substitute"), str(absence.substitute) if absence.substitute else None),
        )

    @act(
        label=_("New absence"),
        roles=(Role.REVIEWER, *MAY_ARRANGE),
        question=_("Times are UTC. What is assigned for then is handed over when it begins."),
        form=AbsenceForm,
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def create(self, actor: Actor, absence: None, values: Mapping[str, Any]) -> Answer:
        substitute = values["substitute_id"]
        made = absence_add(
            actor=actor,
            user_id=values["user_id"].pk,
            starts_at=values["starts_at"],
            ends_at=values["ends_at"],
            substitute_id=substitute.pk if substitute else None,
            reason=values["reason"],
        )
        return admin_url(made)

    @act(
        label=_("Back again"),
        roles=(Role.REVIEWER, *MAY_ARRANGE),
        done=_("The absence has ended."),
        form=EndForm,
        when=lambda absence: absence.ends_at > timezone.now(),
        icon="login",
    )
    def end(self, actor: Actor, absence: Absence, values: Mapping[str, Any]) -> Answer:
        absence_end(actor=actor, absence_id=absence.pk, reason=values["reason"])
        return None


@admin.register(Target)
class TargetAdmin(ConsoleAdmin[Target]):
    intro = _(
        "Within how many hours a case is to be decided. A market's own goes before the one for all; without any: S1 4 h,"
        " S2 24 h, S3 72 h, S4 120 h."
    )
    list_display = ("severity", "market_shown", "hours", "warn_percent")
    list_select_related = ("market",)
    list_filter = (("severity", ChoicesDropdownFilter),)
    search_fields = ("market__code",)
    ordering = ("severity", "market")
    object_related = ("market",)
    actions_list = ("create",)
    actions_detail = ("edit",)

    def matching(self, term: str) -> Q:
        return Q(market__code__iexact=term) | Q(market__name__icontains=term)

    @display(description=_("market"), ordering="market")
    def market_shown(self, target: Target) -> str:
        return str(target.market or _("All others"))

    def facts(self, target: Target, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Severity"), severity_badge(target.severity)),
            Fact(_("Market"), link_to(target.market) or _("All others")),
            Fact(_("Hours"), target.hours),
            Fact(_("Warned when so much of it is over"), f"{target.warn_percent} %"),
        )

    @act(label=_("New target"), roles=MAY_ARRANGE, form=TargetForm, icon="add", variant=ActionVariant.PRIMARY)
    def create(self, actor: Actor, target: None, values: Mapping[str, Any]) -> Answer:
        market = values["market_id"]
        return admin_url(_save_target(actor, values["severity"], market.pk if market else None, values))

    @act(
        label=_("Change"),
        roles=MAY_ARRANGE,
        question=_("Cases that are open keep the time they were promised."),
        done=_("The target is changed."),
        form=TargetForm,
        icon="edit",
    )
    def edit(self, actor: Actor, target: Target, values: Mapping[str, Any]) -> Answer:
        _save_target(actor, target.severity, target.market_id, values)
        return None


def _save_target(actor: Actor, severity: str, market_id: int | None, values: Mapping[str, Any]) -> Target:
    return target_save(
        actor=actor,
        severity=severity,
        market_id=market_id,
        hours=values["hours"],
        warn_percent=values["warn_percent"],
        reason=values["reason"],
    )
