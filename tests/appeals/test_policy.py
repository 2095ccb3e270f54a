from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from appeals.enums import AppealStatus, Outcome
from appeals.models import Appeal
from appeals.policy import (
    Refusal,
    appeal_refusal,
    decide_by,
    decision_refusal,
    judging_refusal,
    reduction_checked,
)
from governance.models import Notice, Penalty, Violation
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, NotAllowed
from guilds.models import Regime

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
GUILD, OTHER = 1, 2


def _actor(
    kind: Any, guild_id: int | None = GUILD, *, roles: tuple[str, ...] = (), scopes: tuple[str, ...] = ()
) -> Actor:
    return Actor(
        kind=kind,
        id="7",
        label="someone",
        user_id=None if kind in {"client", "system"} else 7,
        guild_id=guild_id,
        roles=frozenset(roles),
        scopes=frozenset(scopes),
    )


ACTORS = {
    "owner": _actor("guild_user", roles=("owner",)),
    "manager": _actor("guild_user", roles=("manager",)),
    "viewer": _actor("guild_user", roles=("viewer",)),
    "closed seat": _actor("guild_user"),
    "other guild's owner": _actor("guild_user", OTHER, roles=("owner",)),
    "client": _actor("client", scopes=("appeals:write",)),
    "client that only reads": _actor("client", scopes=("appeals:read",)),
    "client of no guild": _actor("client", None, scopes=("appeals:write",)),
    "staff": _actor("staff", None, roles=("adjudicator", "admin")),
    "system": _actor("system", None),
}


def _penalty(
    status: str = "in_force",
    *,
    appeal_by: dt.datetime | None = NOW + dt.timedelta(days=1),
    notice: bool = True,
    appeals: tuple[str, ...] = (),
) -> Penalty:
    """An unsaved penalty with its appeals at hand, as a prefetch would leave them."""
    penalty = Penalty(pk=1, guild_id=GUILD, kind="warning", status=status)
    if notice:
        penalty.notice = Notice(guild_id=GUILD, appeal_by=appeal_by)
    penalty._prefetched_objects_cache = {"appeals": [Appeal(status=earlier) for earlier in appeals]}  # type: ignore[attr-defined]
    return penalty


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("owner", None),
        ("manager", None),
        ("viewer", "viewer_reads_only"),
        ("closed seat", "viewer_reads_only"),
        ("other guild's owner", "guild_only"),
        ("client", None),
        ("client that only reads", "scope_required"),
        ("client of no guild", None),
        ("staff", "guild_only"),
        ("system", "guild_only"),
    ],
)
def test_who_may_appeal(who: str, code: str | None) -> None:
    refusal = appeal_refusal(_penalty(), actor=ACTORS[who], now=NOW)

    assert (refusal.code if refusal else None) == code
    assert refusal is None or (refusal.who and refusal.reason)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("held", "not_appealable"),
        ("scheduled", None),
        ("in_force", None),
        ("lifted", None),
        ("failed", None),
        ("cancelled", "not_appealable"),
        ("reversed", "not_appealable"),
    ],
)
def test_what_may_be_appealed_against(status: str, code: str | None) -> None:
    refusal = appeal_refusal(_penalty(status, notice=status != "held"), actor=ACTORS["owner"], now=NOW)

    assert (refusal.code if refusal else None) == code


@pytest.mark.parametrize(
    ("appeal_by", "code"),
    [
        (NOW + dt.timedelta(seconds=1), None),
        (NOW, None),
        (NOW - dt.timedelta(seconds=1), "window_closed"),
        (None, "not_appealable"),
    ],
)
def test_until_when(appeal_by: dt.datetime | None, code: str | None) -> None:
    refusal = appeal_refusal(_penalty(appeal_by=appeal_by), actor=ACTORS["owner"], now=NOW)

    assert (refusal.code if refusal else None) == code


@pytest.mark.parametrize(
    ("earlier", "code"),
    [
        (("open",), "already_open"),
        (("withdrawn",), None),
        (("decided",), "already_decided"),
        (("withdrawn", "open"), "already_open"),
        (("withdrawn", "decided"), "already_decided"),
    ],
)
def test_what_went_before(earlier: tuple[str, ...], code: str | None) -> None:
    refusal = appeal_refusal(_penalty(appeals=earlier), actor=ACTORS["owner"], now=NOW)

    assert (refusal.code if refusal else None) == code


def test_who_is_refused_before_what_so_that_a_viewer_learns_it_is_about_the_role() -> None:
    refusal = appeal_refusal(_penalty("reversed"), actor=ACTORS["viewer"], now=NOW)

    assert refusal
    assert refusal.code == "viewer_reads_only"


def test_a_refusal_of_the_person_is_403_and_of_the_case_409() -> None:
    assert isinstance(Refusal("a", "b", who=True).error(), NotAllowed)
    assert isinstance(Refusal("a", "b").error(), Conflict)


@pytest.mark.parametrize(
    ("severity", "kind", "days"),
    [("S1", "warning", 7), ("S2", "clear_out", 7), ("S2", "suspension", 15), ("S4", "warning", 15)],
)
def test_the_gravest_cases_are_answered_sooner(severity: str, kind: str, days: int) -> None:
    penalty = Penalty(kind=kind, violation=Violation(severity=severity))

    assert decide_by(penalty, Regime(decide_days=15, decide_urgent_days=7), NOW) == NOW + dt.timedelta(
        days=days
    )


def _judge(
    *, roles: tuple[str, ...] = ("adjudicator",), markets: frozenset[int] | None = None, user_id: int = 7
) -> Actor:
    return Actor(
        kind="staff",
        id=str(user_id),
        label="ada",
        user_id=user_id,
        roles=frozenset(roles),
        market_ids=markets,
    )


@pytest.mark.parametrize(
    ("actor", "assigned_to", "participants", "code"),
    [
        (_judge(), None, set(), None),
        (_judge(markets=frozenset({3})), None, set(), None),
        (_judge(), 7, {8}, None),
        (_judge(roles=("admin", "reviewer", "enforcer")), None, set(), "role_required"),
        (_judge(markets=frozenset({4})), None, set(), "market_out_of_scope"),
        (_judge(), None, {7, 8}, "took_part"),
        (_judge(), 9, set(), "assigned_to_another"),
        (ACTORS["system"], None, set(), "role_required"),
        (ACTORS["owner"], None, set(), "role_required"),
        (ACTORS["client"], None, set(), "role_required"),
    ],
)
def test_who_may_decide(
    actor: Actor, assigned_to: int | None, participants: set[int], code: str | None
) -> None:
    appeal = Appeal(market_id=3, assigned_to_id=assigned_to, status=AppealStatus.OPEN)

    refusal = decision_refusal(appeal, actor=actor, participants=participants)

    assert (refusal.code if refusal else None) == code
    if code != "assigned_to_another":
        assert judging_refusal(appeal, actor=actor, participants=participants) == refusal


@pytest.mark.parametrize(
    ("outcome", "reduction", "kept"),
    [
        (Outcome.UPHELD, None, {}),
        (Outcome.OVERTURNED, {}, {}),
        (Outcome.OVERTURNED, {"days": None}, {}),
        (Outcome.REDUCED, {"days": 3}, {"days": 3}),
        (Outcome.REDUCED, {"days": 0, "points": 9}, {"days": 0, "points": 9}),
    ],
)
def test_a_reduction_says_what_is_left(
    outcome: str, reduction: dict[str, Any] | None, kept: dict[str, int]
) -> None:
    assert reduction_checked(outcome, reduction, days=7, points=10) == kept


@pytest.mark.parametrize(
    ("outcome", "reduction", "days", "points"),
    [
        (Outcome.UPHELD, {"days": 1}, 7, 10),
        (Outcome.OVERTURNED, {"points": 1}, 7, 10),
        (Outcome.REDUCED, None, 7, 10),
        (Outcome.REDUCED, {}, 7, 10),
        (Outcome.REDUCED, {"months": 1}, 7, 10),
        (Outcome.REDUCED, {"days": 7}, 7, 10),
        (Outcome.REDUCED, {"days": -1}, 7, 10),
        (Outcome.REDUCED, {"days": 1.5}, 7, 10),
        (Outcome.REDUCED, {"days": True}, 7, 10),
        (Outcome.REDUCED, {"points": "3"}, 7, 10),
        (Outcome.REDUCED, {"points": 10}, 7, 10),
        (Outcome.REDUCED, {"days": 1}, None, 10),
        (Outcome.REDUCED, {"points": 1}, 7, 0),
        (Outcome.REDUCED, {"days": 1, "points": 10}, 7, 10),
    ],
)
def test_a_reduction_that_does_not_reduce_is_refused(
    outcome: str, reduction: dict[str, Any] | None, days: int | None, points: int
) -> None:
    with pytest.raises(InvalidInput) as refused:
        reduction_checked(outcome, reduction, days=days, points=points)

    assert refused.value.errors


def test_now_is_the_callers() -> None:
    """Nothing in the policy looks at the clock: a window long past is open to a caller of that time."""
    assert timezone.now() > NOW + dt.timedelta(days=1)
    assert appeal_refusal(_penalty(), actor=ACTORS["owner"], now=NOW) is None
