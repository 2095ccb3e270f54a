"""Exceptions: one rule silenced for one guild, with a reason and an end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.rules.admin.badges import exception_badge, exception_is_on
from governance.rules.admin.forms import ExceptionForm, end_of_day
from governance.rules.exceptions import LONGEST_EXCEPTION, MAY_EXCEPT, exception_end, exception_grant
from governance.rules.models import RuleException
from governance.rules.selectors import exceptions_standing, exceptions_visible_to
from guilds.accounts.actor import Actor
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column, of_guild
from guilds.console.page import Badge, Fact, Prose, Section, admin_url, link_to, shown


class StandingFilter(DropdownFilter):
    title = _("status")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("now", _("Silenced now")), ("over", _("Over"))]

    def queryset(self, request: HttpRequest, rows: QuerySet[RuleException]) -> QuerySet[RuleException]:
        now = exceptions_standing(timezone.now())
        return {"now": rows.filter(now), "over": rows.exclude(now)}.get(self.value() or "", rows)


@admin.register(RuleException)
class RuleExceptionAdmin(ConsoleAdmin[RuleException]):
    intro = _(
        "A rule silenced for a guild, for a while and for a reason. What it would have found is kept beside, so that nothing"
        " disappears unseen."
    )
    list_display = (
        "rule",
        "guild",
        "status_shown",
        moment_column("starts_at", _("from")),
        moment_column("expires_at", _("until")),
        "granted_by",
    )
    list_select_related = ("rule", "guild", "granted_by")
    list_filter = (StandingFilter, ("rule", RelatedDropdownFilter))
    search_fields = ("rule__code",)
    search_help_text = _("Code of the rule, a guild's id or name, or the beginning of the exception's id")
    object_related = ("rule__risk", "guild__market", "granted_by")
    ordering = ("-id",)
    actions_list = ("grant",)
    actions_detail = ("end",)

    def visible(self, actor: Actor) -> QuerySet[RuleException]:
        return exceptions_visible_to(actor)

    def matching(self, term: str) -> Q:
        return Q(rule__code__istartswith=term) | of_guild(term) | by_public_id(term)

    @display(description=_("status"))
    def status_shown(self, exception: RuleException) -> str:
        return shown(exception_badge(exception))

    def headline(self, exception: RuleException) -> str:
        return f"{exception.rule.code} × {exception.guild}"

    def badge(self, exception: RuleException) -> Badge:
        return exception_badge(exception)

    def facts(self, exception: RuleException, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Rule"), link_to(exception.rule)),
            Fact(_("Guild"), link_to(exception.guild)),
            Fact(_("Market"), f"{exception.guild.market.name} ({exception.guild.market.code})"),
            Fact(_("From"), exception.starts_at),
            Fact(_("Until"), exception.expires_at),
            Fact(_("Ended early"), exception.ended_at),
            Fact(_("Granted by"), exception.granted_by),
        )

    def sections(self, exception: RuleException, request: HttpRequest) -> Sequence[Section]:
        found = [Section(_("Why"), Prose(exception.reason))]
        if exception.ended_reason:
            found.append(Section(_("Why it was ended"), Prose(exception.ended_reason)))
        return found

    @act(
        label=_("Silence a rule for a guild"),
        question=_(
            "The rule opens no violation for what this guild does from now on until the end of that day."
        ),
        done=_("The rule is silenced for the guild."),
        roles=MAY_EXCEPT,
        form=ExceptionForm,
        icon="notifications_off",
        variant=ActionVariant.PRIMARY,
    )
    def grant(self, actor: Actor, _obj: None, values: Mapping[str, Any]) -> Answer:
        granted = exception_grant(
            actor=actor,
            rule_id=values["rule"].pk,
            guild_id=values["guild"].pk,
            expires_at=end_of_day(values["until"], longest=LONGEST_EXCEPTION),
            reason=values["reason"],
        )
        return admin_url(granted)

    @act(
        label=_("End"),
        question=_("The rule counts for this guild again, for what happens from now on."),
        done=_("The exception has ended."),
        roles=MAY_EXCEPT,
        when=exception_is_on,
        icon="notifications_active",
        variant=ActionVariant.WARNING,
    )
    def end(self, actor: Actor, exception: RuleException, values: Mapping[str, Any]) -> Answer:
        exception_end(actor=actor, exception_id=exception.pk, reason=values["reason"])
        return None
