"""Exceptions: one rule silenced for one guild for a while. What it would have found is kept as evidence, see Detection."""

from __future__ import annotations

import datetime as dt

from django.db import IntegrityError, transaction
from django.utils import timezone

from governance.ledger.services import record
from governance.rules.enums import VersionStatus
from governance.rules.models import Rule, RuleException
from governance.rules.services import require_reason
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Guild

MAY_EXCEPT = (Role.APPROVER, Role.LAUNCHER)
LONGEST_EXCEPTION = dt.timedelta(days=180)


@transaction.atomic
def exception_grant(
    *, actor: Actor, rule_id: int, guild_id: int, expires_at: dt.datetime, reason: str
) -> RuleException:
    """Silence a rule for a guild from now until `expires_at`, at most 180 days away. Signals of before are judged as ever.

    An approver or launcher of the guild's market, in person. Records `rule_exception.granted`. Raises NotAllowed, NotFound,
    InvalidInput, InvalidTransition (every version is retired), Conflict (silenced already).
    """
    actor.require_role(*MAY_EXCEPT)
    rule = Rule.objects.select_for_update(of=("self",), no_key=True).filter(pk=rule_id).first()
    if rule is None:
        raise NotFound("There is no such rule.", field="rule")
    guild = Guild.objects.select_related("market").filter(pk=guild_id).first()
    if guild is None or not actor.sees_market(guild.market_id):
        raise NotFound("There is no such guild.", field="guild")
    if actor.kind != "staff" or actor.user_id is None:
        raise NotAllowed("An exception is granted by a person.", code="person_required")
    if not rule.versions.exclude(status=VersionStatus.RETIRED).exists():
        raise InvalidTransition("This rule is retired; there is nothing to silence.")
    now = timezone.now()
    if expires_at <= now:
        raise InvalidInput("An exception expires in the future.", field="expires_at")
    if expires_at > now + LONGEST_EXCEPTION:
        raise InvalidInput(f"An exception lasts {LONGEST_EXCEPTION.days} days at most.", field="expires_at")
    try:
        with transaction.atomic():
            granted = RuleException.objects.create(
                rule=rule,
                guild=guild,
                reason=require_reason(reason),
                starts_at=now,
                expires_at=expires_at,
                granted_by_id=actor.user_id,
            )
    except IntegrityError as error:
        raise Conflict("This rule is silenced for this guild already.", code="already_silenced") from error
    record(
        actor=actor,
        act="rule_exception.granted",
        obj=granted,
        after={"rule": rule.code, "guild": guild.external_id, "expires_at": expires_at.isoformat()},
        reason=granted.reason,
        guild_id=guild.pk,
        market_id=guild.market_id,
    )
    return granted


@transaction.atomic
def exception_end(*, actor: Actor, exception_id: int, reason: str) -> RuleException:
    """Let the rule speak again before the time. Records `rule_exception.ended`.

    An approver or launcher of the guild's market. Raises NotFound, NotAllowed, InvalidInput, InvalidTransition (over already).
    """
    actor.require_role(*MAY_EXCEPT)
    found = (
        RuleException.objects.select_for_update(of=("self",))
        .select_related("rule", "guild")
        .filter(pk=exception_id)
        .first()
    )
    if found is None or not actor.sees_market(found.guild.market_id):
        raise NotFound("There is no such exception.")
    now = timezone.now()
    if found.ended_at is not None or found.expires_at <= now:
        raise InvalidTransition("This exception is over already.")
    found.ended_at, found.ended_reason = now, require_reason(reason)
    found.save(update_fields=["ended_at", "ended_reason"])
    record(
        actor=actor,
        act="rule_exception.ended",
        obj=found,
        before={"expires_at": found.expires_at.isoformat()},
        after={"rule": found.rule.code, "guild": found.guild.external_id, "ended_at": now.isoformat()},
        reason=found.ended_reason,
        guild_id=found.guild_id,
        market_id=found.guild.market_id,
    )
    return found
