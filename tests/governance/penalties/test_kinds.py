"""Every kind of penalty can be undone without a trace, alone and in a pile."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from django.utils import timezone

from governance.education.selectors import assignments_open
from governance.models import Notice, Penalty, Restriction
from governance.penalties.enums import PenaltyKind, PenaltyStatus
from governance.penalties.kinds import KINDS
from guilds.models import Guild
from tests import factories
from tests.governance.education.cases import published

pytestmark = pytest.mark.django_db


def due(guild: Guild, kind: str, days: int | None = 7, **params: object) -> Penalty:
    """A penalty row just as `penalties_apply_due` has it before the kind acts."""
    now = timezone.now()
    violation = factories.violation(guild, status="confirmed", evidence=False, occurred_at=now)
    notice = Notice.objects.create(
        guild=guild,
        kind="penalty_imposed",
        object_type="violation",
        object_id="1",
        language="en",
        subject="s",
        body="b",
        issued_at=now,
    )
    return Penalty.objects.create(
        guild=guild,
        market=guild.market,
        violation=violation,
        version=violation.version,
        kind=kind,
        params={"kind": kind, "days": days, **params},
        status=PenaltyStatus.SCHEDULED,
        applied_at=now,
        notice=notice,
        proposed_at=now,
        starts_at=now,
        ends_at=now + dt.timedelta(days=days) if days else None,
    )


def apply(penalty: Penalty) -> None:
    KINDS[penalty.kind].apply([penalty], now=timezone.now())
    Penalty.objects.filter(pk=penalty.pk).update(status=PenaltyStatus.IN_FORCE, effect=penalty.effect)


def reverse(penalty: Penalty) -> None:
    penalty.refresh_from_db()
    KINDS[penalty.kind].reverse([penalty], now=timezone.now())
    Penalty.objects.filter(pk=penalty.pk).update(status=PenaltyStatus.REVERSED)


def seen_from_outside(guild: Guild) -> tuple[object, ...]:
    guild.refresh_from_db()
    active = Restriction.objects.filter(guild=guild, lifted_at__isnull=True).values_list("kind", "params")
    asked = [assignment.lesson.code for assignment in assignments_open(guild.pk)]
    return (guild.status, guild.tier, sorted(map(str, active)), asked)


def test_there_is_a_class_for_every_kind_and_no_other() -> None:
    assert set(KINDS) == {kind.value for kind in PenaltyKind}


@pytest.mark.parametrize("until_trained", [False, True])
@pytest.mark.parametrize("kind", [kind.value for kind in PenaltyKind])
def test_reversing_an_applied_penalty_leaves_the_guild_as_it_was(kind: str, until_trained: bool) -> None:
    guild = factories.guild(tier="gold")
    before = seen_from_outside(guild)
    penalty = due(guild, kind, until_trained=until_trained)
    published("about", rule=penalty.violation.rule)

    apply(penalty)
    during = seen_from_outside(guild)
    reverse(penalty)

    assert seen_from_outside(guild) == before
    assert (during == before) == (kind == PenaltyKind.WARNING), "only a warning restricts nothing"
    asks = kind == PenaltyKind.TRAINING or (until_trained and kind != PenaltyKind.WARNING)
    assert during[3] == (["about"] if asks else [])


@pytest.mark.parametrize("kind", [kind.value for kind in PenaltyKind])
def test_everything_that_can_be_appealed_can_be_reversed(kind: str) -> None:
    assert KINDS[kind].appealable
    assert KINDS[kind].describe({"kind": kind, "days": 3})


def test_a_suspended_guild_reads_as_suspended_and_a_cleared_out_one_as_terminated() -> None:
    guild = factories.guild()
    apply(due(guild, "suspension"))
    assert seen_from_outside(guild)[0] == "suspended"
    apply(due(guild, "clear_out", days=None))
    assert seen_from_outside(guild)[0] == "terminated"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_pile_can_be_taken_apart_in_any_order(order: tuple[int, ...]) -> None:
    guild = factories.guild(status="onboarding")
    pile = [due(guild, "suspension"), due(guild, "clear_out", None), due(guild, "suspension")]
    for penalty in pile:
        apply(penalty)

    for index in order:
        reverse(pile[index])

    assert seen_from_outside(guild) == ("onboarding", "standard", [], [])


def test_a_pile_undone_in_one_batch_gives_back_the_first_value() -> None:
    guild = factories.guild(tier="star")
    pile = [due(guild, "tier_removal") for _ in range(3)]
    for penalty in pile:
        apply(penalty)
    assert seen_from_outside(guild)[1] == "standard"

    for penalty in pile:
        penalty.refresh_from_db()
    KINDS["tier_removal"].reverse(pile, now=timezone.now())

    assert seen_from_outside(guild)[1] == "star"


def test_what_stays_of_a_pile_is_all_that_weighs() -> None:
    guild = factories.guild(tier="gold")
    pile = [due(guild, "clear_out", None), due(guild, "suspension")]
    pile += [due(guild, "tier_removal"), due(guild, "tier_removal")]
    for penalty in pile:
        apply(penalty)

    reverse(pile[0])
    reverse(pile[2])

    assert seen_from_outside(guild)[:2] == ("suspended", "silver"), "the termination and one tier are gone"
