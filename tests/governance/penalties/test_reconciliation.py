"""What enforcing systems confirm, what they hold, and what becomes of the differences."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from governance.models import Acknowledgement, Difference, Event, Penalty, Reconciliation
from governance.penalties import services
from governance.penalties.agreement import (
    LAG,
    differences_visible_to,
    end_unconfirmed,
    reconciliations_visible_to,
    start_unconfirmed,
)
from governance.penalties.services.reconciliation import Reported, reported
from guilds.accounts.actor import Actor
from guilds.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Market
from tests import factories
from tests.api.caller import Caller, problem

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
FREEZE = {**factories.LADDER, "points": 0, "steps": [[{"kind": "recruitment_freeze", "days": 7}]]}
HOLD = {**factories.LADDER, "points": 0, "steps": [[{"kind": "settlement_hold", "days": 7}]]}


def in_force(market: Market | None = None, ladder: dict[str, Any] = FREEZE) -> Penalty:
    """In force for a day."""
    guild = factories.guild(market=market or factories.market())
    violation = factories.violation(guild, factories.version(ladder=ladder), status="confirmed")
    services.sanctions_decide_due(limit=10)
    services.penalties_apply_due()
    Penalty.objects.filter(violation=violation).update(applied_at=timezone.now() - DAY)
    return Penalty.objects.select_related("guild").get(violation=violation)


def machine(*, markets: tuple[Market, ...] = (), name: str = "Payout") -> Actor:
    return Actor.client(
        factories.client("penalties:ack", markets=markets, name=name), scopes=["penalties:ack"]
    )


def line(penalty: Penalty, **fields: Any) -> Reported:
    given: dict[str, Any] = {
        "penalty": penalty.public_id,
        "kind": penalty.kind,
        "guild": penalty.guild.external_id,
    } | fields
    return Reported(**given)


def open_ones() -> list[tuple[str, int | None]]:
    return list(
        Difference.objects.filter(settled_at__isnull=True).order_by("id").values_list("kind", "penalty_id")
    )


# --- confirming -------------------------------------------------------------------------------------------------------
def test_start_and_end_are_confirmed_each_once_by_each_system() -> None:
    penalty, payout, backstage = in_force(), machine(), machine(name="Backstage")
    for actor in (payout, payout, backstage):
        services.penalty_acknowledge(actor=actor, penalty_id=penalty.pk)
    first = Penalty.objects.get(pk=penalty.pk)
    assert (first.acknowledged_by_id, first.acknowledged_at is None) == (payout.client_id, False)
    services.penalties_lift_due(now=timezone.now() + 8 * DAY)
    services.penalty_acknowledge(actor=payout, penalty_id=penalty.pk)
    services.penalty_acknowledge(actor=payout, penalty_id=penalty.pk, effect="ended")
    rows = Acknowledgement.objects.order_by("id").values_list("client_id", "effect")
    assert list(rows) == [
        (payout.client_id, "applied"),
        (backstage.client_id, "applied"),
        (payout.client_id, "ended"),
    ]
    assert Penalty.objects.get(pk=penalty.pk).acknowledged_at == first.acknowledged_at
    effects = Event.objects.filter(act="penalty.acknowledged").order_by("id").values_list("after", flat=True)
    assert [after["effect"] for after in effects] == ["applied", "applied", "ended"]


def test_an_end_is_not_confirmed_before_it_came_and_nothing_that_never_began() -> None:
    penalty, payout = in_force(), machine()
    with pytest.raises(InvalidTransition, match="still in force"):
        services.penalty_acknowledge(actor=payout, penalty_id=penalty.pk, effect="ended")
    Penalty.objects.filter(pk=penalty.pk).update(status="scheduled", applied_at=None)
    with pytest.raises(InvalidTransition):
        services.penalty_acknowledge(actor=payout, penalty_id=penalty.pk)
    assert not Acknowledgement.objects.exists()
    assert not Event.objects.filter(act="penalty.acknowledged").exists()


def test_a_reversed_penalty_is_confirmed_as_ended() -> None:
    penalty, payout = in_force(), machine()
    services.penalty_overturn(
        actor=Actor.staff(factories.staff("adjudicator")), penalty_id=penalty.pk, reason="Not they."
    )
    services.penalty_acknowledge(actor=payout, penalty_id=penalty.pk)
    assert Acknowledgement.objects.get().effect == "ended"


def test_what_nobody_confirmed_is_found_after_a_while() -> None:
    penalty, payout, now = in_force(), machine(), timezone.now()
    young = in_force()
    Penalty.objects.filter(pk=young.pk).update(applied_at=now - LAG + dt.timedelta(minutes=1))
    warning = in_force(ladder={**factories.LADDER, "points": 0})
    assert warning.kind == "warning", "which nobody has to do anything about"
    assert list(Penalty.objects.filter(start_unconfirmed(now))) == [penalty]
    services.penalty_acknowledge(actor=payout, penalty_id=penalty.pk)
    assert not Penalty.objects.filter(start_unconfirmed(now)).exists()

    services.penalties_lift_due(now=now + 8 * DAY)
    later = now + 9 * DAY
    assert list(Penalty.objects.filter(end_unconfirmed(later))) == [penalty], (
        "nobody confirmed the other's start"
    )
    services.penalty_acknowledge(actor=payout, penalty_id=penalty.pk)
    assert not Penalty.objects.filter(end_unconfirmed(later)).exists()


# --- comparing --------------------------------------------------------------------------------------------------------
def test_a_list_that_agrees_finds_nothing() -> None:
    one, two = in_force(), in_force(ladder=HOLD)
    made = services.reconcile(
        actor=machine(), rows=[line(one), line(two, ends_at=two.ends_at, tells_end=True)]
    )
    assert (made.source, made.reported, made.expected, made.agreed) == ("Payout", 2, 2, 2)
    assert open_ones() == []
    event = Event.objects.get(act="reconciliation.compared")
    assert (event.object_id, event.after["agreed"]) == (str(made.public_id), 2)


def test_missing_extra_and_other_end_are_told_apart() -> None:
    missing, lifted, other = in_force(), in_force(), in_force()
    Penalty.objects.filter(pk=lifted.pk).update(status="lifted", ended_at=timezone.now() - DAY)
    stranger = Reported(uuid.uuid4(), "suspension", "nobody")
    made = services.reconcile(
        actor=machine(), rows=[line(lifted), stranger, line(other, ends_at=None, tells_end=True)]
    )
    assert open_ones() == [
        ("extra", lifted.pk),
        ("extra", None),
        ("other_end", other.pk),
        ("missing", missing.pk),
    ]
    assert (made.expected, made.agreed) == (2, 0)
    unknown = Difference.objects.get(penalty=None)
    assert unknown.reported == {"penalty": str(stranger.penalty), "kind": "suspension", "guild": "nobody"}


def test_a_line_about_the_wrong_guild_or_kind_does_not_count_as_ours() -> None:
    penalty = in_force()
    services.reconcile(actor=machine(), rows=[line(penalty, guild="somebody-else")])
    assert open_ones() == [("extra", penalty.pk), ("missing", penalty.pk)]


def test_what_has_just_changed_is_given_time() -> None:
    begun, over = in_force(), in_force()
    now = timezone.now()
    Penalty.objects.filter(pk=begun.pk).update(applied_at=now)
    Penalty.objects.filter(pk=over.pk).update(status="lifted", ended_at=now)
    made = services.reconcile(actor=machine(), rows=[line(over)])
    assert (open_ones(), made.expected) == ([], 0)


def test_a_difference_stays_one_until_a_list_agrees_and_then_settles_by_itself() -> None:
    penalty, payout = in_force(), machine()
    services.reconcile(actor=payout, rows=[])
    services.reconcile(actor=payout, rows=[])
    assert open_ones() == [("missing", penalty.pk)]
    services.reconcile(actor=machine(name="Backstage"), rows=[line(penalty)])
    assert open_ones() == [("missing", penalty.pk)], "what another system says settles nothing"
    services.reconcile(actor=payout, rows=[line(penalty)])
    assert open_ones() == []
    [settled] = Difference.objects.all()
    assert (settled.settled_by, settled.settlement) == (None, "A later comparison agreed.")


def test_a_list_of_one_market_or_kind_says_nothing_about_the_others() -> None:
    here, there = factories.market(), factories.market()
    one, two, held = in_force(here), in_force(there), in_force(here, HOLD)
    payout = machine()
    services.reconcile(actor=payout, rows=[])
    assert len(open_ones()) == 3
    services.reconcile(actor=payout, rows=[line(one), line(held)], market_id=here.pk)
    assert open_ones() == [("missing", two.pk)]
    made = services.reconcile(actor=payout, rows=[line(held)], kinds=["settlement_hold"])
    assert (made.expected, open_ones()) == (1, [("missing", two.pk)])


def test_a_system_of_one_market_hears_nothing_of_another() -> None:
    here, there = factories.market(), factories.market()
    foreign = in_force(there)
    payout = machine(markets=(here,))
    made = services.reconcile(actor=payout, rows=[line(foreign)])
    assert (made.expected, open_ones()) == (0, [("extra", None)])
    with pytest.raises(NotFound):
        services.reconcile(actor=payout, rows=[], market_id=there.pk)
    local = Actor.staff(factories.staff("enforcer", markets=[here]))
    assert not differences_visible_to(local).exists(), "a comparison of no single market"
    assert not reconciliations_visible_to(local).exists()


def test_who_may_compare() -> None:
    guild = factories.guild()
    bound = Actor.client(factories.client("penalties:ack", guild=guild), scopes=["penalties:ack"])
    unscoped = Actor.client(factories.client("penalties:read"), scopes=["penalties:read"])
    for actor in (bound, unscoped, Actor.staff(factories.staff("reviewer"))):
        with pytest.raises(NotAllowed):
            services.reconcile(actor=actor, rows=[])
    with pytest.raises(InvalidInput):
        services.reconcile(actor=machine(), rows=[], kinds=["exile"])
    assert not Reconciliation.objects.exists()
    assert not Event.objects.filter(object_type="reconciliation").exists()


# --- settling ---------------------------------------------------------------------------------------------------------
def test_a_person_settles_with_a_reason_and_a_list_that_still_differs_opens_it_again() -> None:
    penalty, payout = in_force(), machine()
    services.reconcile(actor=payout, rows=[])
    [difference] = Difference.objects.all()
    enforcer = Actor.staff(factories.staff("enforcer"))
    services.difference_settle(actor=enforcer, difference_id=difference.pk, reason=" Entered by hand. ")
    difference.refresh_from_db()
    assert (difference.settled_by_id, difference.settlement) == (enforcer.user_id, "Entered by hand.")
    event = Event.objects.get(act="difference.settled")
    assert (event.guild_id, event.reason) == (penalty.guild_id, "Entered by hand.")
    with pytest.raises(InvalidTransition):
        services.difference_settle(actor=enforcer, difference_id=difference.pk, reason="Again.")
    services.reconcile(actor=payout, rows=[])
    assert open_ones() == [("missing", penalty.pk)]


def test_settling_is_refused_to_others_elsewhere_and_without_a_reason() -> None:
    here = factories.market()
    in_force(here)
    services.reconcile(actor=machine(), rows=[Reported(uuid.uuid4(), "suspension", "nobody")])
    ours, unknown = (Difference.objects.get(kind=kind) for kind in ("missing", "extra"))
    local = Actor.staff(factories.staff("enforcer", markets=[here]))
    refusals: list[tuple[Actor, int, str, type[DomainError]]] = [
        (Actor.staff(factories.staff("auditor")), ours.pk, "Seen.", NotAllowed),
        (
            Actor.staff(factories.staff("enforcer", markets=[factories.market()])),
            ours.pk,
            "Seen.",
            NotAllowed,
        ),
        (local, unknown.pk, "Seen.", NotAllowed),
        (local, ours.pk, " ", InvalidInput),
        (local, ours.pk + 1_000, "Seen.", NotFound),
    ]
    for actor, difference_id, reason, error in refusals:
        with pytest.raises(error):
            services.difference_settle(actor=actor, difference_id=difference_id, reason=reason)
    assert Difference.objects.filter(settled_at__isnull=True).count() == 2
    assert not Event.objects.filter(act="difference.settled").exists()


# --- by REST and by file ----------------------------------------------------------------------------------------------
def test_the_api_takes_a_list_and_answers_with_the_differences() -> None:
    market = factories.market("HERE")
    agreed, missing = in_force(market), in_force(market)
    caller = Caller.with_scopes("penalties:ack")
    assert agreed.ends_at is not None
    row = rows_of(agreed)
    answer = caller.post(
        "penalties/reconciliation?market=HERE", [{**row, "ends_at": agreed.ends_at.isoformat()}]
    )
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["reported"], told["expected"], told["agreed"]) == (1, 2, 1)
    assert [(one["kind"], one["penalty"]) for one in told["differences"]] == [
        ("missing", str(missing.public_id))
    ]
    problem(caller.post("penalties/reconciliation?market=NOWHERE", []), 404)
    problem(caller.post("penalties/reconciliation?markets=HERE", []), 400)
    problem(caller.post("penalties/reconciliation", [{**row, "kind": "exile"}]), 400)
    assert Reconciliation.objects.count() == 1


def test_the_api_takes_the_end_as_well() -> None:
    penalty = in_force()
    caller = Caller.with_scopes("penalties:ack")
    problem(caller.post(f"penalties/{penalty.public_id}/acknowledge", {"effect": "ended"}), 409)
    assert caller.post(f"penalties/{penalty.public_id}/acknowledge", {}).status_code == 200
    services.penalties_lift_due(now=timezone.now() + 8 * DAY)
    assert caller.post(f"penalties/{penalty.public_id}/acknowledge", {"effect": "ended"}).status_code == 200
    assert set(Acknowledgement.objects.values_list("effect", flat=True)) == {"applied", "ended"}


def rows_of(penalty: Penalty) -> dict[str, str]:
    return {"penalty": str(penalty.public_id), "kind": penalty.kind, "guild": penalty.guild.external_id}


def test_a_file_of_lines_or_columns_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    penalty, missing = in_force(), in_force()
    lines = tmp_path / "payout.ndjson"
    lines.write_text(json.dumps(rows_of(penalty)) + "\n\n")
    with pytest.raises(SystemExit) as end:
        call_command("reconcile_penalties", str(lines))
    assert end.value.code == 1
    told = capsys.readouterr().out
    assert "reported=1 expected=2 agreed=1 differences=1" in told
    assert str(missing.public_id) in told
    columns = tmp_path / "payout.csv"
    ends = {row["penalty"]: row for row in (rows_of(penalty), rows_of(missing))}
    columns.write_text(
        "penalty,kind,guild\n" + "".join(f"{','.join(row.values())}\n" for row in ends.values())
    )
    call_command("reconcile_penalties", str(columns))
    assert "differences=0" in capsys.readouterr().out
    assert Reconciliation.objects.values_list("source", flat=True).distinct().get() == "payout"


@pytest.mark.parametrize("wrong", ["not json", '{"penalty": "1"}', "[]"])
def test_a_file_that_cannot_be_read_compares_nothing(tmp_path: Path, wrong: str) -> None:
    lines = tmp_path / "bad.ndjson"
    lines.write_text(wrong + "\n")
    with pytest.raises(CommandError, match="line 1"):
        call_command("reconcile_penalties", str(lines))
    assert not Reconciliation.objects.exists()


def test_every_bad_line_is_named() -> None:
    good = {"penalty": str(uuid.uuid4()), "kind": "warning", "guild": "g"}
    bad: list[dict[str, Any]] = [
        {**good, "penalty": "x"},
        {**good, "kind": "exile"},
        {**good, "guild": ""},
        {**good, "ends_at": "2026-01-01"},
    ]
    with pytest.raises(InvalidInput) as refused:
        reported([good, *bad])
    assert [error["field"] for error in refused.value.errors] == ["1", "2", "3", "4"]
    assert reported([{**good, "ends_at": None}])[0].tells_end
