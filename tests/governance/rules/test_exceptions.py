"""Who may silence a rule for a guild, for how long, and how it ends."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from governance.models import Event, Rule, RuleException
from governance.rules.exceptions import exception_end, exception_grant
from governance.rules.selectors import exceptions_standing, exceptions_visible_to
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, DomainError, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Guild
from tests import factories

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


def staff(*roles: str, **fields: Any) -> Actor:
    return Actor.staff(factories.staff(*roles, **fields))


def rule() -> Rule:
    return factories.version().rule


def grant(
    actor: Actor, of: Rule, guild: Guild, *, days: float = 30, reason: str = "A pilot."
) -> RuleException:
    return exception_grant(
        actor=actor, rule_id=of.pk, guild_id=guild.pk, expires_at=timezone.now() + days * DAY, reason=reason
    )


def refuses(kind: type[DomainError], act: Any, **arguments: Any) -> DomainError:
    before = (Event.objects.count(), list(RuleException.objects.values()))
    with pytest.raises(kind) as refused:
        act(**arguments)
    assert (Event.objects.count(), list(RuleException.objects.values())) == before
    return refused.value


@pytest.mark.parametrize("role", Role.values)
def test_approvers_and_launchers_grant_and_end(role: str) -> None:
    of, guild = rule(), factories.guild("alpha")
    standing = grant(staff("approver"), rule(), guild)
    if role not in {"approver", "launcher"}:
        refuses(NotAllowed, grant, actor=staff(role), of=of, guild=guild)
        refuses(NotAllowed, exception_end, actor=staff(role), exception_id=standing.pk, reason="Over.")
        return
    actor = staff(role)
    granted = grant(actor, of, guild)
    assert (granted.rule, granted.guild, granted.granted_by_id) == (of, guild, actor.user_id)
    assert abs(granted.starts_at - timezone.now()) < dt.timedelta(minutes=1)
    event = Event.objects.get(object_id=str(granted.public_id))
    assert (event.act, event.reason, event.guild, event.market) == (
        "rule_exception.granted",
        "A pilot.",
        guild,
        guild.market,
    )
    exception_end(actor=actor, exception_id=granted.pk, reason="Over.")
    granted.refresh_from_db()
    assert granted.ended_at is not None
    assert granted.ended_reason == "Over."
    ended = Event.objects.get(act="rule_exception.ended")
    assert (ended.reason, ended.after["guild"]) == ("Over.", "alpha")


def test_no_back_door_without_a_person_or_a_role() -> None:
    of, guild = rule(), factories.guild()
    refused = refuses(NotAllowed, grant, actor=Actor.system("shell"), of=of, guild=guild)
    assert refused.code == "person_required"
    refuses(NotAllowed, grant, actor=Actor.guild_user(factories.seat(guild)), of=of, guild=guild)
    client = Actor.client(factories.client("registry:write"), scopes=["registry:write"])
    refuses(NotAllowed, grant, actor=client, of=of, guild=guild)
    former = factories.staff("approver", is_active=False)
    refuses(NotAllowed, grant, actor=Actor.staff(former), of=of, guild=guild)


def test_the_guilds_market_bounds_who_may() -> None:
    here, of = factories.market("HERE"), rule()
    local = staff("launcher", markets=[here])
    inside, outside = factories.guild(market=here), factories.guild()
    refuses(NotFound, grant, actor=local, of=of, guild=outside)
    theirs = grant(staff("launcher"), of, outside)
    refuses(NotFound, exception_end, actor=local, exception_id=theirs.pk, reason="Over.")
    ours = grant(local, of, inside)
    assert list(exceptions_visible_to(local)) == [ours]
    assert set(exceptions_visible_to(staff("auditor"))) == {ours, theirs}
    assert not exceptions_visible_to(Actor.guild_user(factories.seat(inside))).exists()


@pytest.mark.parametrize("days", [-1, 0, 180.01, 4000])
def test_an_expiry_lies_ahead_and_within_half_a_year(days: float) -> None:
    refused = refuses(
        InvalidInput, grant, actor=staff("approver"), of=rule(), guild=factories.guild(), days=days
    )
    assert refused.errors[0]["field"] == "expires_at"


def test_the_longest_exception_is_180_days() -> None:
    granted = grant(staff("approver"), rule(), factories.guild(), days=179.999)
    assert granted.expires_at - granted.starts_at < 180 * DAY


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_reason_is_needed_at_both_ends(reason: str) -> None:
    actor, of, guild = staff("approver"), rule(), factories.guild()
    refuses(InvalidInput, grant, actor=actor, of=of, guild=guild, reason=reason)
    granted = grant(actor, of, guild)
    refuses(InvalidInput, exception_end, actor=actor, exception_id=granted.pk, reason=reason)


def test_one_at_a_time_and_a_new_one_after_it_ended() -> None:
    actor, of, guild = staff("approver"), rule(), factories.guild()
    granted = grant(actor, of, guild)
    refuses(Conflict, grant, actor=actor, of=of, guild=guild, days=1)
    exception_end(actor=actor, exception_id=granted.pk, reason="Over.")
    refuses(InvalidTransition, exception_end, actor=actor, exception_id=granted.pk, reason="Again.")
    again = grant(actor, of, guild)
    assert RuleException.objects.filter(exceptions_standing(timezone.now())).get() == again
    grant(actor, rule(), guild)  # another rule
    grant(actor, of, factories.guild())  # another guild
    assert RuleException.objects.count() == 4


def test_an_expired_one_cannot_be_ended() -> None:
    now = timezone.now()
    over = RuleException.objects.create(
        rule=rule(),
        guild=factories.guild(),
        reason="Once.",
        starts_at=now - 9 * DAY,
        expires_at=now - DAY,
        granted_by=factories.staff("approver"),
    )
    refuses(InvalidTransition, exception_end, actor=staff("approver"), exception_id=over.pk, reason="Over.")


def test_a_rule_without_a_version_to_silence_is_refused() -> None:
    actor, guild = staff("approver"), factories.guild()
    refuses(InvalidTransition, grant, actor=actor, of=factories.version(status="retired").rule, guild=guild)
    refuses(InvalidTransition, grant, actor=actor, of=factories.rule(), guild=guild)
    refuses(
        NotFound,
        exception_grant,
        actor=actor,
        rule_id=0,
        guild_id=guild.pk,
        expires_at=timezone.now() + DAY,
        reason="So.",
    )


def test_the_database_holds_it_too() -> None:
    granted = grant(staff("approver"), rule(), factories.guild())
    twin = {
        "rule": granted.rule,
        "guild": granted.guild,
        "reason": "So.",
        "granted_by": granted.granted_by,
        "starts_at": granted.starts_at + DAY,
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        RuleException.objects.create(**twin, expires_at=granted.expires_at)
    with pytest.raises(IntegrityError), transaction.atomic():
        RuleException.objects.create(**twin | {"rule": rule()}, expires_at=granted.starts_at)
    assert RuleException.objects.count() == 1
