"""Shadow has an end: how it starts, moves and stops, and what a draft needs first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from governance.models import Event, LivePeriod, RuleVersion
from governance.rules.selectors import versions_expiring
from governance.rules.shadow import shadow_extend, shadow_start, shadow_stop
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from tests import factories

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
MINUTE = dt.timedelta(minutes=1)


def staff(*roles: str, **fields: Any) -> Actor:
    return Actor.staff(factories.staff(*roles, **fields))


def draft(**fields: Any) -> RuleVersion:
    return factories.version(status="draft", live_since=None, **fields)


def shadowed(days: float = 14) -> RuleVersion:
    version = draft()
    RuleVersion.objects.filter(pk=version.pk).update(
        status="shadow", frozen_at=timezone.now(), shadow_until=timezone.now() + days * DAY
    )
    version.refresh_from_db()
    return version


def refuses(
    kind: type[DomainError], act: Callable[..., RuleVersion], version: RuleVersion, **arguments: Any
) -> DomainError:
    def state() -> list[Any]:
        rows = RuleVersion.objects.filter(pk=version.pk).values_list("status", "shadow_until", "frozen_at")
        return [*rows, Event.objects.count(), *LivePeriod.objects.values_list("ends_at")]

    before = state()
    with pytest.raises(kind) as refused:
        act(**{"actor": staff("analyst"), "version_id": version.pk, "reason": "So.", **arguments})
    assert state() == before
    return refused.value


def test_a_draft_goes_into_shadow_for_a_fortnight_and_its_wording_is_frozen() -> None:
    version, now = draft(), timezone.now()
    shadow_start(actor=staff("analyst"), version_id=version.pk, reason="See what it finds.")
    version.refresh_from_db()
    assert version.status == "shadow"
    assert version.frozen_at is not None
    assert version.shadow_until is not None
    assert abs(version.shadow_until - now - 14 * DAY) < MINUTE
    event = Event.objects.get()
    assert (event.act, event.reason) == ("rule_version.shadowed", "See what it finds.")
    assert event.after == {"status": "shadow", "until": version.shadow_until.isoformat()}
    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
        RuleVersion.objects.filter(pk=version.pk).update(cap=5)


@pytest.mark.parametrize("days", [-1, 0, 90.01])
def test_the_end_lies_ahead_and_within_ninety_days(days: float) -> None:
    until = timezone.now() + days * DAY
    assert refuses(InvalidInput, shadow_start, draft(), until=until).errors[0]["field"] == "until"
    assert refuses(InvalidInput, shadow_extend, shadowed(), until=until).errors[0]["field"] == "until"


@pytest.mark.parametrize(
    "fault",
    [
        {"when": "signal.bad =="},
        {"when": "nobody_knows(signal.bad)"},
        {"when": ""},
        {"measures": [{"name": "n", "window": "4000d"}]},
    ],
)
def test_a_draft_that_does_not_check_clean_stays_a_draft(fault: dict[str, Any]) -> None:
    refused = refuses(InvalidInput, shadow_start, draft(**fault))
    assert refused.code == "wording_faulty"
    assert refused.message.startswith("Put the wording right first: ")


def test_an_unfinished_draft_stays_a_draft() -> None:
    version = draft()
    RuleVersion.objects.filter(pk=version.pk).update(spec={"code": "X"})
    assert refuses(InvalidInput, shadow_start, version).code == "wording_faulty"


def test_a_live_version_is_taken_back_by_a_launcher_and_its_periods_end() -> None:
    version = factories.version()
    refuses(NotAllowed, shadow_start, version)
    shadow_start(actor=staff("launcher"), version_id=version.pk, reason="Only look.")
    version.refresh_from_db()
    assert version.status == "shadow"
    ends_at = LivePeriod.objects.get().ends_at
    assert ends_at is not None
    assert abs(ends_at - timezone.now()) < MINUTE


@pytest.mark.parametrize("role", Role.values)
def test_analysts_and_launchers_move_and_stop_it(role: str) -> None:
    version, until = shadowed(), timezone.now() + 60 * DAY
    actor = staff(role)
    if role not in {"analyst", "launcher"}:
        refuses(NotAllowed, shadow_start, draft(), actor=actor)
        refuses(NotAllowed, shadow_extend, version, actor=actor, until=until)
        refuses(NotAllowed, shadow_stop, version, actor=actor)
        return
    shadow_extend(actor=actor, version_id=version.pk, until=until, reason="Too few signals yet.")
    version.refresh_from_db()
    assert version.shadow_until == until
    event = Event.objects.get(act="rule_version.shadow_extended")
    assert (event.reason, event.after) == ("Too few signals yet.", {"until": until.isoformat()})
    shadow_stop(actor=actor, version_id=version.pk, reason="Seen enough.")
    version.refresh_from_db()
    assert version.status == "shadow"
    assert version.shadow_until is not None
    assert version.shadow_until <= timezone.now()
    assert Event.objects.get(act="rule_version.shadow_stopped").reason == "Seen enough."
    refuses(InvalidTransition, shadow_stop, version)
    shadow_extend(actor=actor, version_id=version.pk, until=until, reason="A little more.")
    version.refresh_from_db()
    assert version.shadow_until == until


def test_the_status_the_reason_and_the_markets_are_checked() -> None:
    until = timezone.now() + DAY
    for status in ("draft", "live", "paused", "retired"):
        version = factories.version(status=status)
        refuses(InvalidTransition, shadow_extend, version, until=until)
        refuses(InvalidTransition, shadow_stop, version)
    refuses(InvalidTransition, shadow_start, shadowed(), actor=staff("launcher"))
    refuses(InvalidTransition, shadow_start, factories.version(status="retired"), actor=staff("launcher"))
    for act, arguments in ((shadow_start, {}), (shadow_extend, {"until": until}), (shadow_stop, {})):
        version = draft() if act is shadow_start else shadowed()
        refuses(InvalidInput, act, version, reason=" ", **arguments)
        refuses(NotAllowed, act, version, actor=staff("analyst", markets=[factories.market()]), **arguments)


def test_versions_about_to_expire_are_told_a_fortnight_ahead() -> None:
    def expiring(days: float, status: str) -> RuleVersion:
        version = draft()
        RuleVersion.objects.filter(pk=version.pk).update(expires_at=timezone.now() + days * DAY)
        door = "demo" if status in {"live", "paused"} else ""
        RuleVersion.objects.filter(pk=version.pk).update(status=status, door=door)
        return version

    later, soon = expiring(13.9, "live"), expiring(1, "paused")
    for days, status in ((14.1, "live"), (-1, "live"), (5, "retired"), (5, "draft")):
        expiring(days, status)
    draft()
    assert list(versions_expiring()) == [soon, later]
    assert list(versions_expiring(days=2)) == [soon]
