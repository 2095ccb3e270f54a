"""The second person: for large guilds and under a shield, and what a release sets going."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.models import Event, Notice, Penalty, Rectification, Safeguard, Shield
from governance.penalties import services
from governance.penalties.safeguards import creators_held, safeguard_of, shielded
from governance.penalties.services.safeguards import safeguard_set
from guilds.accounts.actor import Actor
from guilds.errors import DomainError, InvalidInput, NotAllowed
from guilds.models import Guild, Market
from tests import factories

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
FREEZE = {"kind": "recruitment_freeze", "days": 7}
TWO = {**factories.LADDER, "steps": [[{"kind": "warning"}, FREEZE], [FREEZE]]}


def hold_creators(guild: Guild, count: int, *, ended: bool = False) -> None:
    now = timezone.now()
    for _ in range(count):
        factories.membership(factories.creator(), guild, now - 90 * DAY, now - DAY if ended else None)


def shield(guild: Guild, *, days: int = 90) -> None:
    """A won appeal of the guild, `days` before it lapses."""
    now = timezone.now()
    factories.violation(guild, factories.version(), status="confirmed", occurred_at=now - 300 * DAY)
    services.sanctions_decide_due()
    fallen = Penalty.objects.latest("pk")
    Penalty.objects.filter(pk=fallen.pk).update(status="reversed")
    Shield.objects.create(
        guild=guild, penalty=fallen, starts_at=now - 100 * DAY, ends_at=now + (days - 90) * DAY + DAY
    )


def decided(guild: Guild, **spec: Any) -> dict[str, tuple[str, str]]:
    """kind → (status, why it is held) of one more violation."""
    violation = factories.violation(guild, factories.version(**spec), status="confirmed")
    services.sanctions_decide_due()
    return {one.kind: (one.status, one.hold_reason) for one in violation.penalties.all()}


@pytest.mark.parametrize(("held", "waits"), [(2, False), (3, True)])
def test_a_large_guild_has_a_second_person_for_all_but_a_warning(held: int, waits: bool) -> None:
    Safeguard.objects.create(large_creators=3)
    guild = factories.guild()
    hold_creators(guild, held)
    hold_creators(guild, 5, ended=True)
    expected = ("held", "size") if waits else ("scheduled", "")
    assert decided(guild, ladder=TWO) == {"warning": ("scheduled", ""), "recruitment_freeze": expected}


def test_a_markets_own_safeguard_comes_before_the_general_one() -> None:
    Safeguard.objects.create(large_creators=1)
    market = factories.market()
    Safeguard.objects.create(market=market, large_creators=10)
    guild, other = factories.guild(market=market), factories.guild()
    hold_creators(guild, 2)
    hold_creators(other, 2)
    assert decided(guild, ladder=TWO)["recruitment_freeze"] == ("scheduled", "")
    assert decided(other, ladder=TWO)["recruitment_freeze"] == ("held", "size")
    assert safeguard_of(market).large_creators == 10
    assert safeguard_of(other.market).large_creators == 1


def test_without_any_safeguard_the_defaults_hold() -> None:
    assert safeguard_of(factories.market()).large_creators == 500
    assert safeguard_of(None).shield_days == 90


def test_a_shield_keeps_suspension_and_the_last_rung_from_starting_by_themselves() -> None:
    guild = factories.guild()
    shield(guild)
    suspend = {**factories.LADDER, "steps": [[{"kind": "suspension", "days": 3}, FREEZE], [FREEZE]]}
    assert decided(guild, ladder=suspend) == {
        "suspension": ("held", "shield"),
        "recruitment_freeze": ("scheduled", ""),
    }
    assert decided(guild, ladder={**factories.LADDER, "steps": [[FREEZE]]}) == {
        "recruitment_freeze": ("held", "shield")
    }
    assert decided(factories.guild(), ladder={**factories.LADDER, "steps": [[FREEZE]]}) == {
        "recruitment_freeze": ("scheduled", "")
    }


def test_a_shield_that_has_lapsed_protects_no_more() -> None:
    guild = factories.guild()
    shield(guild, days=80)
    assert shielded([guild.pk], timezone.now()) == set()
    assert decided(guild, ladder={**factories.LADDER, "steps": [[FREEZE]]}) == {
        "recruitment_freeze": ("scheduled", "")
    }


def test_creators_are_counted_as_the_guild_holds_them_at_the_moment() -> None:
    guild, now = factories.guild(), timezone.now()
    hold_creators(guild, 2)
    hold_creators(guild, 1, ended=True)
    assert creators_held([guild.pk, factories.guild().pk], now) == {guild.pk: 2}
    assert creators_held([guild.pk], now - 2 * DAY) == {guild.pk: 3}
    assert creators_held([guild.pk], now - 100 * DAY) == {}


def test_size_and_shields_cost_the_same_number_of_questions_for_any_batch() -> None:
    Safeguard.objects.create(large_creators=1)
    version = factories.version(ladder=TWO)

    def queries(count: int) -> int:
        for _ in range(count):
            guild = factories.guild()
            hold_creators(guild, 1)
            factories.violation(guild, version, status="confirmed", evidence=False)
        with CaptureQueriesContext(connection) as asked:
            services.sanctions_decide_due(limit=200)
        return len(asked)

    assert queries(2) == queries(30)
    assert Penalty.objects.filter(hold_reason="size").count() == 32


def test_with_the_release_notice_grace_length_and_correction_begin() -> None:
    step = {**FREEZE, "grace": "5d", "stops": ["correction"]}
    now = timezone.now()
    violation = factories.violation(
        factories.guild(),
        factories.version(
            ladder={**factories.LADDER, "steps": [[step]]}, second_person=["recruitment_freeze"]
        ),
        status="confirmed",
    )
    services.sanctions_decide_due(now=now - 10 * DAY)
    penalty = violation.penalties.get()
    assert (penalty.status, penalty.hold_reason, penalty.starts_at) == ("held", "rule", now - 5 * DAY)
    assert not Rectification.objects.exists(), "the guild does not know of it yet"

    services.penalty_release(
        actor=Actor.staff(factories.staff("enforcer")), penalty_id=penalty.pk, reason="Sound evidence."
    )

    penalty.refresh_from_db()
    assert penalty.notice is not None
    told = penalty.notice.issued_at
    assert told >= now
    assert (penalty.starts_at, penalty.ends_at) == (told + 5 * DAY, told + 12 * DAY)
    assert Rectification.objects.get().due_at == penalty.starts_at


def test_a_released_termination_has_its_whole_notice_period() -> None:
    market = factories.market(regime=factories.regime(code="p2b", termination_days=30))
    version = factories.version(ladder={**factories.LADDER, "steps": [[{"kind": "clear_out"}]]})
    factories.violation(factories.guild(market=market), version, status="confirmed")
    services.sanctions_decide_due(now=timezone.now() - 29 * DAY)
    penalty = Penalty.objects.get()
    services.penalty_release(
        actor=Actor.staff(factories.staff("enforcer")), penalty_id=penalty.pk, reason="Sound evidence."
    )
    penalty.refresh_from_db()
    assert penalty.starts_at - timezone.now() > 30 * DAY - dt.timedelta(minutes=1)


# --- setting them -----------------------------------------------------------------------------------------------------
VALUES = {"large_creators": 50, "shield_days": 30, "hold_hours": 24}


def test_an_administrator_sets_what_protects_guilds() -> None:
    admin, market = Actor.staff(factories.staff("admin")), factories.market()
    made = safeguard_set(actor=admin, market_id=market.pk, reason="Small market.", **VALUES)
    again = safeguard_set(
        actor=admin, market_id=market.pk, reason="Smaller.", **{**VALUES, "large_creators": 20}
    )
    assert made.pk == again.pk
    assert safeguard_of(market).large_creators == 20
    last = Event.objects.filter(act="safeguard.set").latest("id")
    assert last.before["large_creators"] == 50
    assert last.after["large_creators"] == 20
    assert (last.reason, last.market_id) == ("Smaller.", market.pk)


def refused_by(role: str, market: Market | None = None) -> Actor:
    return Actor.staff(factories.staff(role, markets=[market] if market else None))


@pytest.mark.parametrize(
    ("role", "own", "changes", "error"),
    [
        ("enforcer", True, {}, NotAllowed),
        ("approver", True, {}, NotAllowed),
        ("admin", False, {}, NotAllowed),
        ("admin", True, {"reason": " "}, InvalidInput),
        ("admin", True, {"large_creators": 0}, InvalidInput),
        ("admin", True, {"shield_days": -1}, InvalidInput),
        ("admin", True, {"hold_hours": 0}, InvalidInput),
    ],
)
def test_what_is_refused_changes_and_records_nothing(
    role: str, own: bool, changes: dict[str, Any], error: type[DomainError]
) -> None:
    market, other = factories.market(), factories.market()
    actor = refused_by(role, market if own else other)
    with pytest.raises(error):
        safeguard_set(actor=actor, **{"market_id": market.pk, "reason": "Because.", **VALUES, **changes})
    assert not Safeguard.objects.exists()
    assert not Event.objects.exists()


def test_a_member_of_staff_of_some_markets_does_not_set_those_of_all() -> None:
    actor = refused_by("admin", factories.market())
    with pytest.raises(NotAllowed):
        safeguard_set(actor=actor, market_id=None, reason="Because.", **VALUES)
    assert not Safeguard.objects.exists()
    assert not Notice.objects.exists()
