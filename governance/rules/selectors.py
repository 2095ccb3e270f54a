"""Questions about rules: which version was in force where and when."""

from __future__ import annotations

import datetime as dt

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Cast
from django.utils import timezone

from governance.ledger.models import Event
from governance.rules.enums import VersionStatus
from governance.rules.models import Finding, LivePeriod, Rule, RuleException, RuleVersion
from guilds.accounts.actor import Actor
from guilds.errors import NotFound
from guilds.models import Market

#: A rule may have several versions in these states, by market or by share of guilds; the newest that governs a guild is in force.
CURRENT = (VersionStatus.LIVE, VersionStatus.PAUSED)

#: How long before a version expires its people are told.
EXPIRY_WARNING_DAYS = 14


def periods_covering(at: dt.datetime) -> Q:
    """Live periods [starts_at, ends_at) that contain the moment."""
    return Q(starts_at__lte=at) & (Q(ends_at__isnull=True) | Q(ends_at__gt=at))


def live_versions(at: dt.datetime) -> QuerySet[RuleVersion]:
    """Versions that were live at the moment in at least one market, whatever became of them since."""
    periods = LivePeriod.objects.filter(periods_covering(at), version=OuterRef("pk"))
    return RuleVersion.objects.filter(Exists(periods)).select_related("rule").order_by("rule__code", "number")


def was_live(version: RuleVersion, market_id: int, at: dt.datetime) -> bool:
    """Whether the version was live in the market at the moment. A paused version still counts: what it would have found
    waits and is looked at when it resumes. Which guilds it governed is another question, see governance.rules.rollout."""
    if version.expires_at is not None and version.expires_at <= at:
        return False
    if not LivePeriod.objects.filter(
        periods_covering(at), Q(market__isnull=True) | Q(market_id=market_id), version=version
    ).exists():
        return False
    return "*" in version.markets or Market.objects.filter(pk=market_id, code__in=version.markets).exists()


def rule_by_code(code: str) -> Rule:
    """The rule, or NotFound."""
    found = Rule.objects.filter(code=code).first()
    if found is None:
        raise NotFound(f"There is no rule {code}.", field="rule")
    return found


def version_of(rule: Rule, number: int | None = None) -> RuleVersion:
    """The version of that number; without one the newest in force, else the newest of all. NotFound when there is none."""
    versions = rule.versions.select_related("rule").order_by("-number")
    if number is not None:
        found = versions.filter(number=number).first()
    else:
        found = versions.filter(status__in=CURRENT).first() or versions.first()
    if found is None:
        raise NotFound(f"{rule.code} has no version{f' {number}' if number else ''}.", field="version")
    return found


def versions_expiring(days: int = EXPIRY_WARNING_DAYS) -> QuerySet[RuleVersion]:
    """Versions that judge now and will stop within so many days, the next first."""
    now = timezone.now()
    return (
        RuleVersion.objects.filter(
            status__in=(*CURRENT, VersionStatus.SHADOW),
            expires_at__gt=now,
            expires_at__lte=now + dt.timedelta(days=days),
        )
        .select_related("rule")
        .order_by("expires_at", "pk")
    )


def exceptions_visible_to(actor: Actor) -> QuerySet[RuleException]:
    """Exceptions for guilds of the actor's markets; none for whoever acts for a guild."""
    found = RuleException.objects.select_related("rule", "guild__market", "granted_by")
    if actor.guild_id is not None:
        return found.none()
    return found if actor.market_ids is None else found.filter(guild__market__in=actor.market_ids)


def exceptions_standing(at: dt.datetime) -> Q:
    """Exceptions that silence their rule for a signal of the moment."""
    return Q(starts_at__lte=at, expires_at__gt=at) & (Q(ended_at__isnull=True) | Q(ended_at__gt=at))


def newest_versions() -> dict[str, RuleVersion]:
    """The version with the highest number of every rule, by rule code."""
    newest = RuleVersion.objects.order_by("rule_id", "-number").distinct("rule_id").select_related("rule")
    return {version.rule.code: version for version in newest}


def locked_version(version_id: int) -> RuleVersion:
    """The version, locked until the transaction ends; rows that only point at it may still be written. NotFound."""
    found = (
        RuleVersion.objects.select_for_update(of=("self",), no_key=True)
        .select_related("rule")
        .filter(pk=version_id)
        .first()
    )
    if found is None:
        raise NotFound("There is no such rule version.")
    return found


def findings_visible_to(actor: Actor) -> QuerySet[Finding]:
    """Findings of the actor's markets, and those that belong to none; the ledger knows where each came from."""
    findings = Finding.objects.select_related("version__rule")
    if actor.guild_id is not None:
        return findings.none()
    if actor.market_ids is None:
        return findings
    opened = Event.objects.filter(
        object_type=Finding.ledger_type,
        object_id=Cast(OuterRef("public_id"), CharField()),
        market__isnull=False,
    )
    return findings.filter(~Exists(opened) | Exists(opened.filter(market__in=actor.market_ids)))
