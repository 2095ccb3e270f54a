"""An overturned appeal takes back all that was derived; a reduced one takes back a part."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.models import (
    Band,
    Event,
    Notice,
    Penalty,
    PointEntry,
    Rectification,
    Safeguard,
    Shield,
    Violation,
)
from governance.penalties import services
from governance.penalties.selectors import points_in_force, standing_of
from guilds.accounts.actor import Actor
from guilds.errors import DomainError, InvalidInput, NotAllowed
from guilds.models import Guild
from tests import factories

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def adjudicator() -> Actor:
    return Actor.staff(factories.staff("adjudicator"))


def settle() -> None:
    while services.sanctions_decide_due():
        pass
    while services.penalties_apply_due():
        pass


def offend(guild: Guild, version: Any, times: int = 1) -> list[Violation]:
    made = []
    for _ in range(times):
        made.append(factories.violation(guild, version, status="confirmed", occurred_at=timezone.now()))
        settle()
    return made


def state(guild: Guild) -> dict[str, Any]:
    guild.refresh_from_db()
    standing = standing_of(guild.pk)
    standing["restrictions"] = sorted(row["kind"] for row in standing["restrictions"])
    standing["points"] = sorted(row["points"] for row in standing["points"])
    return {"status": guild.status, "tier": guild.tier, **standing}


def test_an_overturn_restores_the_guild(adjudicator: Actor) -> None:
    guild = factories.guild(tier="gold")
    before = state(guild)
    steps = [
        [{"kind": "suspension", "days": 7}, {"kind": "tier_removal"}, {"kind": "settlement_hold", "days": 30}]
    ]
    [violation] = offend(guild, factories.version(ladder={**factories.LADDER, "steps": steps}))
    during = state(guild)
    assert (during["status"], during["tier"], during["score"]) == ("suspended", "silver", 90)

    penalty = violation.penalties.first()
    assert penalty is not None
    services.penalty_overturn(actor=adjudicator, penalty_id=penalty.pk, reason="mistaken identity")

    assert state(guild) == before
    violation.refresh_from_db()
    assert violation.status == "overturned"
    assert set(Penalty.objects.values_list("status", flat=True)) == {"reversed"}
    assert list(PointEntry.objects.order_by("pk").values_list("points", "reason")) == [
        (10, "violation"),
        (-10, "reversal"),
    ]
    assert Notice.objects.filter(kind="penalty_reversed").count() == 1
    acts = Event.objects.filter(reason="mistaken identity").order_by("id").values_list("act", flat=True)
    assert list(acts) == ["violation.overturned", *["penalty.reversed"] * 3, "points.reversed"]


def test_overturning_the_first_offence_moves_the_later_ones_down(adjudicator: Actor) -> None:
    guild, version = factories.guild(), factories.version()
    first, second, third = offend(guild, version, 3)
    assert state(guild)["restrictions"] == ["recruitment_freeze", "settlement_hold"]

    services.penalty_overturn(actor=adjudicator, penalty_id=first.penalties.get().pk, reason="wrong")
    settle()

    second.sanction.refresh_from_db()
    third.sanction.refresh_from_db()
    assert (second.sanction.nth, third.sanction.nth) == (1, 2)
    current = (
        Penalty.objects.filter(status="in_force").order_by("violation_id").values_list("violation_id", "kind")
    )
    assert list(current) == [(second.pk, "warning"), (third.pk, "recruitment_freeze")]
    assert state(guild)["restrictions"] == ["recruitment_freeze"]
    assert state(guild)["score"] == 80


def test_time_already_served_counts_when_a_rung_is_replaced(adjudicator: Actor) -> None:
    guild, version = factories.guild(), factories.version()
    first, second = offend(guild, version, 2)
    freeze = second.penalties.get()
    # Ten days have passed since: the first rung's warning still stands for the rest of its window from the same start.
    Penalty.objects.filter(pk=freeze.pk).update(starts_at=freeze.starts_at - 10 * DAY)

    services.penalty_overturn(actor=adjudicator, penalty_id=first.penalties.get().pk, reason="wrong")

    warning = second.penalties.get(kind="warning")
    assert warning.starts_at == freeze.starts_at - 10 * DAY
    assert warning.ends_at == warning.starts_at + 180 * DAY


def test_a_rung_whose_time_would_be_over_is_not_imposed_again(adjudicator: Actor) -> None:
    ladder = {
        **factories.LADDER,
        "steps": [[{"kind": "reward_freeze", "days": 2}], [{"kind": "settlement_hold", "days": 30}]],
    }
    guild, version = factories.guild(), factories.version(ladder=ladder)
    first, second = offend(guild, version, 2)
    Penalty.objects.filter(violation=second).update(starts_at=timezone.now() - 10 * DAY)
    services.penalty_overturn(actor=adjudicator, penalty_id=first.penalties.get().pk, reason="wrong")
    assert list(second.penalties.values_list("kind", "status")) == [("settlement_hold", "reversed")]


@pytest.fixture
def band() -> Band:
    return Band.objects.create(
        code="hold", name="Hold", at_or_below=80, penalties=[{"kind": "traffic_limit", "days": 30}]
    )


@pytest.mark.usefixtures("band")
def test_a_band_that_was_reached_only_by_the_overturned_points_is_undone(adjudicator: Actor) -> None:
    guild = factories.guild()
    [first] = offend(guild, factories.version())
    offend(guild, factories.version())
    assert state(guild)["restrictions"] == ["traffic_limit"]

    services.penalty_overturn(actor=adjudicator, penalty_id=first.penalties.get().pk, reason="wrong")

    assert state(guild)["restrictions"] == []
    assert (state(guild)["score"], state(guild)["band"]) == (90, "healthy")
    assert Penalty.objects.get(kind="traffic_limit").status == "reversed"


@pytest.mark.usefixtures("band")
def test_a_band_that_would_have_been_reached_anyway_stands(adjudicator: Actor) -> None:
    guild = factories.guild()
    [light] = offend(guild, factories.version())
    offend(guild, factories.version(ladder={**factories.LADDER, "points": 25, "steps": [[]]}))
    services.penalty_overturn(actor=adjudicator, penalty_id=light.penalties.get().pk, reason="wrong")
    assert state(guild)["restrictions"] == ["traffic_limit"]
    assert (state(guild)["score"], state(guild)["band"]) == (75, "hold")


@pytest.mark.usefixtures("band")
def test_two_overturns_one_after_another_add_up(adjudicator: Actor) -> None:
    guild = factories.guild()
    [one] = offend(guild, factories.version())
    [two] = offend(guild, factories.version())
    offend(guild, factories.version(ladder={**factories.LADDER, "points": 15, "steps": [[]]}))
    services.penalty_overturn(actor=adjudicator, penalty_id=one.penalties.get().pk, reason="wrong")
    services.penalty_overturn(
        actor=adjudicator, penalty_id=two.penalties.get(kind="warning").pk, reason="wrong"
    )
    assert set(Penalty.objects.filter(kind="traffic_limit").values_list("status", flat=True)) == {"reversed"}
    assert state(guild) | {"points": []} == {
        "status": "active",
        "tier": "standard",
        "score": 85,
        "band": "healthy",
        "points": [],
        "restrictions": [],
    }


@pytest.mark.usefixtures("band")
def test_winning_against_a_band_penalty_leaves_the_violations_standing(adjudicator: Actor) -> None:
    guild, version = factories.guild(), factories.version()
    offend(guild, version, 2)
    services.penalty_overturn(
        actor=adjudicator, penalty_id=Penalty.objects.get(kind="traffic_limit").pk, reason="too harsh here"
    )
    assert (state(guild)["score"], state(guild)["restrictions"]) == (80, ["recruitment_freeze"])
    assert not Violation.objects.filter(status="overturned").exists()


def test_a_held_penalty_of_an_overturned_violation_is_cancelled_unseen(adjudicator: Actor) -> None:
    steps = [[{"kind": "warning"}, {"kind": "clear_out"}]]
    [violation] = offend(factories.guild(), factories.version(ladder={**factories.LADDER, "steps": steps}))
    services.penalty_overturn(
        actor=adjudicator, penalty_id=violation.penalties.get(kind="warning").pk, reason="wrong"
    )
    assert violation.penalties.get(kind="clear_out").status == "cancelled"


def test_a_lifted_penalty_can_still_be_overturned_and_twice_is_refused(adjudicator: Actor) -> None:
    guild = factories.guild()
    [violation] = offend(
        guild,
        factories.version(ladder={**factories.LADDER, "steps": [[{"kind": "reward_freeze", "days": 1}]]}),
    )
    services.penalties_lift_due(now=timezone.now() + 2 * DAY)
    penalty = violation.penalties.get()
    services.penalty_overturn(actor=adjudicator, penalty_id=penalty.pk, reason="wrong")
    assert state(guild)["score"] == 100
    count = Event.objects.count()
    with pytest.raises(DomainError):
        services.penalty_overturn(actor=adjudicator, penalty_id=penalty.pk, reason="again")
    assert Event.objects.count() == count


def test_a_reduction_shortens_and_lowers_and_says_so(adjudicator: Actor) -> None:
    guild = factories.guild()
    ladder = {**factories.LADDER, "steps": [[{"kind": "settlement_hold", "days": 30}]]}
    [violation] = offend(guild, factories.version(ladder=ladder))
    penalty = violation.penalties.get()

    services.penalty_reduce(actor=adjudicator, penalty_id=penalty.pk, days=10, points=4, reason="too long")

    penalty.refresh_from_db()
    assert penalty.ends_at == penalty.starts_at + 10 * DAY
    assert state(guild)["score"] == 96
    assert points_in_force(guild.pk) == 4
    assert Notice.objects.filter(kind="penalty_changed").count() == 1
    violation.refresh_from_db()
    assert violation.status == "confirmed"


def test_a_reduction_to_a_time_already_served_lifts_at_once(adjudicator: Actor) -> None:
    guild = factories.guild()
    ladder = {**factories.LADDER, "steps": [[{"kind": "settlement_hold", "days": 30}]]}
    [violation] = offend(guild, factories.version(ladder=ladder))
    services.penalty_reduce(
        actor=adjudicator, penalty_id=violation.penalties.get().pk, days=0, reason="served"
    )
    assert (violation.penalties.get().status, state(guild)["restrictions"]) == ("lifted", [])


@pytest.mark.parametrize(
    ("reduction", "field"),
    [
        ({}, "reduction"),
        ({"days": 30}, "days"),
        ({"days": -1}, "days"),
        ({"points": 10}, "points"),
        ({"points": -1}, "points"),
    ],
)
def test_a_reduction_that_reduces_nothing_is_refused(
    adjudicator: Actor, reduction: dict[str, int], field: str
) -> None:
    ladder = {**factories.LADDER, "steps": [[{"kind": "settlement_hold", "days": 30}]]}
    [violation] = offend(factories.guild(), factories.version(ladder=ladder))
    before = list(Penalty.objects.values()), Event.objects.count()
    with pytest.raises(InvalidInput) as refusal:
        services.penalty_reduce(
            actor=adjudicator, penalty_id=violation.penalties.get().pk, reason="x", **reduction
        )
    assert refusal.value.field == field
    assert (list(Penalty.objects.values()), Event.objects.count()) == before


@pytest.mark.parametrize(
    "role", ["analyst", "approver", "reviewer", "enforcer", "launcher", "auditor", "admin"]
)
def test_only_an_adjudicator_overturns_or_reduces(role: str) -> None:
    actor = Actor.staff(factories.staff(role))
    [violation] = offend(factories.guild(), factories.version())
    penalty, count = violation.penalties.get(), Event.objects.count()
    with pytest.raises(NotAllowed):
        services.penalty_overturn(actor=actor, penalty_id=penalty.pk, reason="x")
    with pytest.raises(NotAllowed):
        services.penalty_reduce(actor=actor, penalty_id=penalty.pk, days=1, reason="x")
    assert Event.objects.count() == count


def test_an_adjudicator_of_another_market_is_refused() -> None:
    actor = Actor.staff(factories.staff("adjudicator", markets=[factories.market()]))
    [violation] = offend(factories.guild(), factories.version())
    with pytest.raises(NotAllowed, match="outside your scope"):
        services.penalty_overturn(actor=actor, penalty_id=violation.penalties.get().pk, reason="x")


def test_a_won_appeal_shields_the_guild_once_for_as_long_as_its_market_says(adjudicator: Actor) -> None:
    guild = factories.guild()
    Safeguard.objects.create(market=guild.market, shield_days=40)
    steps = [[{"kind": "warning"}, {"kind": "reward_freeze", "days": 9}]]
    [violation] = offend(guild, factories.version(ladder={**factories.LADDER, "steps": steps}))
    penalty = violation.penalties.get(kind="warning")

    services.penalty_overturn(actor=adjudicator, penalty_id=penalty.pk, reason="wrong")

    shield = Shield.objects.get()
    assert (shield.guild, shield.penalty, shield.ends_at - shield.starts_at) == (guild, penalty, 40 * DAY)
    event = Event.objects.get(act="shield.granted")
    assert event.after["penalty"] == str(penalty.public_id)


def test_no_days_no_shield(adjudicator: Actor) -> None:
    Safeguard.objects.create(market=None, shield_days=0)
    [violation] = offend(factories.guild(), factories.version())
    services.penalty_overturn(actor=adjudicator, penalty_id=violation.penalties.get().pk, reason="wrong")
    assert not Shield.objects.exists()
    assert not Event.objects.filter(act="shield.granted").exists()


def test_what_a_penalty_waited_for_is_no_longer_asked(adjudicator: Actor) -> None:
    steps = [[{"kind": "warning"}, {"kind": "suspension", "days": 9, "grace": "9d", "stops": ["correction"]}]]
    [violation] = offend(factories.guild(), factories.version(ladder={**factories.LADDER, "steps": steps}))
    assert Rectification.objects.get().status == "open"
    services.penalty_overturn(
        actor=adjudicator, penalty_id=violation.penalties.get(kind="warning").pk, reason="wrong"
    )
    assert Rectification.objects.get().status == "dropped"
    assert Event.objects.get(act="rectification.dropped").before == {"status": "open"}


def test_a_shortened_restriction_says_so_to_enforcing_systems(adjudicator: Actor) -> None:
    ladder = {**factories.LADDER, "steps": [[{"kind": "settlement_hold", "days": 30}]]}
    guild = factories.guild()
    [violation] = offend(guild, factories.version(ladder=ladder))
    penalty = services.penalty_reduce(
        actor=adjudicator, penalty_id=violation.penalties.get().pk, days=10, reason="too long"
    )
    [restriction] = standing_of(guild.pk)["restrictions"]
    assert restriction["ends_at"] == penalty.ends_at == penalty.starts_at + 10 * DAY


@pytest.mark.usefixtures("band")
def test_fewer_points_undo_a_band_that_would_not_have_been_reached(adjudicator: Actor) -> None:
    guild = factories.guild()
    first, _second = offend(guild, factories.version(), 2)
    services.penalty_reduce(
        actor=adjudicator, penalty_id=first.penalties.get().pk, points=3, reason="too many"
    )
    assert Penalty.objects.get(kind="traffic_limit").status == "reversed"
    assert (state(guild)["score"], state(guild)["restrictions"]) == (87, ["recruitment_freeze"])
    assert Notice.objects.filter(kind="penalty_reversed").count() == 1


def test_an_appeal_can_be_won_after_the_penalty_was_cancelled(adjudicator: Actor) -> None:
    ladder = {**factories.LADDER, "steps": [[{"kind": "settlement_hold", "days": 30, "grace": "5d"}]]}
    guild = factories.guild()
    [violation] = offend(guild, factories.version(ladder=ladder))
    penalty = violation.penalties.get()
    enforcer = Actor.staff(factories.staff("enforcer"))
    services.penalty_cancel(actor=enforcer, penalty_id=penalty.pk, reason="Not now.")
    services.penalty_overturn(actor=adjudicator, penalty_id=penalty.pk, reason="wrong")
    violation.refresh_from_db()
    assert (violation.status, state(guild)["score"]) == ("overturned", 100)
