"""The registry in the console: who is governed. Written by the platform's API, read here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from guilds.accounts.actor import Actor
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import moment_column, named
from guilds.console.page import Badge, Fact, Link, Section, Table, Variant, link_to, list_url, shown
from guilds.registry.enums import GuildStatus, GuildTier
from guilds.registry.models import Creator, Guild, Market, Regime
from guilds.registry.selectors import creators_visible_to, guilds_visible_to

STATUS_VARIANTS: dict[str, Variant] = {
    GuildStatus.ONBOARDING: "info",
    GuildStatus.ACTIVE: "success",
    GuildStatus.SUSPENDED: "danger",
    GuildStatus.TERMINATED: "danger",
    GuildStatus.LEFT: "default",
}
TIER_VARIANTS: dict[str, Variant] = {GuildTier.STAR: "primary", GuildTier.GOLD: "warning"}


def status_badge(guild: Guild) -> Badge:
    return Badge(guild.get_status_display(), STATUS_VARIANTS[guild.status])


class GuildAdmin(ConsoleAdmin[Guild]):
    intro = _("Companies that recruit and manage creators, and answer for what happens in their name.")
    list_display = (
        "guild_name",
        "external_id",
        "market",
        "tier_badge",
        "status_badge",
        moment_column("onboarded_at", _("onboarded")),
    )
    list_select_related = ("market",)
    list_filter = (
        ("market", RelatedDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ("tier", ChoicesDropdownFilter),
        "provisional",
    )
    search_fields = ("external_id",)
    search_help_text = _("The platform's id, or part of the name")
    object_related = ("market__regime",)
    ordering = ("id",)

    def visible(self, actor: Actor) -> QuerySet[Guild]:
        return guilds_visible_to(actor)

    def matching(self, term: str) -> Q:
        return Q(external_id=term) | named(term)

    @display(description=_("guild"), ordering="name")
    def guild_name(self, guild: Guild) -> str:
        return str(guild)

    @display(description=_("tier"), ordering="tier")
    def tier_badge(self, guild: Guild) -> str:
        return shown(Badge(guild.get_tier_display(), TIER_VARIANTS.get(guild.tier, "default")))

    @display(description=_("status"), ordering="status")
    def status_badge(self, guild: Guild) -> str:
        badges = [status_badge(guild)]
        if guild.provisional:
            badges.append(Badge(_("Provisional"), "warning"))
        return shown(badges)

    def badge(self, guild: Guild) -> Badge:
        return status_badge(guild)

    def facts(self, guild: Guild, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Platform's id"), guild.external_id),
            Fact(_("Market"), link_to(guild.market, f"{guild.market.name} ({guild.market.code})")),
            Fact(_("Legal regime"), guild.market.regime.name),
            Fact(_("Tier"), Badge(guild.get_tier_display(), TIER_VARIANTS.get(guild.tier, "default"))),
            Fact(_("Onboarded"), guild.onboarded_at),
            Fact(_("First seen"), guild.created_at),
            Fact(_("Provisional"), guild.provisional),
        )


@admin.register(Creator)
class CreatorAdmin(ConsoleAdmin[Creator]):
    intro = _("Streamers, known by the platform's id only.")
    list_display = ("external_id", "name", "market")
    list_select_related = ("market",)
    list_filter = (("market", RelatedDropdownFilter),)
    search_fields = ("external_id",)
    search_help_text = _("The platform's id, or part of the stage name")
    object_related = ("market",)
    ordering = ("id",)

    def visible(self, actor: Actor) -> QuerySet[Creator]:
        return creators_visible_to(actor)

    def matching(self, term: str) -> Q:
        return Q(external_id=term) | named(term)

    def facts(self, creator: Creator, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Platform's id"), creator.external_id),
            Fact(_("Stage name"), creator.name),
            Fact(_("Market"), link_to(creator.market)),
        )

    def sections(self, creator: Creator, request: HttpRequest) -> Sequence[Section]:
        actor = self.actor(request)
        rows: list[list[Any]] = []
        for held in creator.memberships.select_related("guild").order_by("-starts_at")[:100]:
            within = actor.sees_market(held.guild.market_id)
            guild: Any = link_to(held.guild) if within else Badge(_("Outside your markets"))
            rows.append([guild, held.starts_at, held.ends_at or Badge(_("Still"), "success")])
        return [Section(_("Guilds that held the creator"), Table([_("Guild"), _("From"), _("Until")], rows))]


@admin.register(Market)
class MarketAdmin(ConsoleAdmin[Market]):
    intro = _(
        "Countries and subdivisions with their time zone, languages and legal regime. They come with the policy file."
    )
    list_display = ("code", "name", "timezone", "languages_shown", "regime")
    list_select_related = ("regime",)
    list_filter = (("regime", RelatedDropdownFilter),)
    search_fields = ("code",)
    object_related = ("regime",)
    ordering = ("code",)

    def visible(self, actor: Actor) -> QuerySet[Market]:
        markets = Market.objects.all()
        return markets if actor.market_ids is None else markets.filter(pk__in=actor.market_ids)

    def matching(self, term: str) -> Q:
        return Q(code__istartswith=term) | Q(name__icontains=term)

    @display(description=_("languages"))
    def languages_shown(self, market: Market) -> str:
        return ", ".join(market.languages)

    def headline(self, market: Market) -> str:
        return f"{market.name} ({market.code})"

    def facts(self, market: Market, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Time zone"), market.timezone),
            Fact(_("Languages"), ", ".join(market.languages)),
            Fact(_("Legal regime"), link_to(market.regime)),
            Fact(
                _("Guilds"),
                Link(_("Guilds of this market"), list_url(Guild, f"market__id__exact={market.pk}")),
            ),
        )


@admin.register(Regime)
class RegimeAdmin(ConsoleAdmin[Regime]):
    intro = _("What the law asks for, as numbers: how long notices, appeals and terminations take.")
    list_display = (
        "code",
        "name",
        "notice_days",
        "appeal_days",
        "termination_days",
        "decide_days",
        "decide_urgent_days",
    )
    search_fields = ("code",)
    ordering = ("code",)

    def matching(self, term: str) -> Q:
        return Q(code__istartswith=term) | Q(name__icontains=term)

    def facts(self, regime: Regime, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Notice of a changed rule"), _("%(days)s days") % {"days": regime.notice_days}),
            Fact(_("Appeal window"), _("%(days)s days") % {"days": regime.appeal_days}),
            Fact(_("Notice of termination"), _("%(days)s days") % {"days": regime.termination_days}),
            Fact(
                _("Acknowledge an appeal within"), _("%(hours)s hours") % {"hours": regime.acknowledge_hours}
            ),
            Fact(_("Decide an appeal within"), _("%(days)s days") % {"days": regime.decide_days}),
            Fact(_("Decide the gravest within"), _("%(days)s days") % {"days": regime.decide_urgent_days}),
        )

    def sections(self, regime: Regime, request: HttpRequest) -> Sequence[Section]:
        actor = self.actor(request)
        markets = regime.markets.order_by("code")
        if actor.market_ids is not None:
            markets = markets.filter(pk__in=actor.market_ids)
        rows = [[link_to(market), market.name, market.timezone] for market in markets]
        return [Section(_("Markets under it"), Table([_("Code"), _("Name"), _("Time zone")], rows))]
