"""Putting things right: what the guild says, what the rule checks, and what becomes of the penalty."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from governance.models import Detection, Event, Notice, Penalty, PendingSignal, Rectification, Violation
from governance.penalties import services
from governance.penalties.rectification import LONGEST_WAIT
from governance.penalties.selectors import lock_guilds
from governance.violations.enums import DetectionMode, DetectionOutcome
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, DomainError, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Guild
from tests import factories

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
STEP = {"kind": "recruitment_freeze", "days": 14, "grace": "7d", "stops": ["correction", "appeal"]}


def asked(guild: Guild | None = None, *, days_ago: int = 0, step: dict[str, Any] = STEP) -> Penalty:
    """A penalty with seven days to put things right, decided so many days ago."""
    version = factories.version(ladder={**factories.LADDER, "steps": [[step]]})
    at = timezone.now() - days_ago * DAY
    violation = factories.violation(
        guild or factories.guild(), version, status="confirmed", occurred_at=at - HOUR
    )
    services.sanctions_decide_due(now=at)
    return violation.penalties.get()


def detect(penalty: Penalty, *, days_after: float, **fields: Any) -> Detection:
    """The rule finds something so many days after the guild was told."""
    at = penalty.proposed_at + days_after * DAY
    guild = fields.pop("guild", penalty.guild)
    signal = factories.signal(guild, time=at, market=penalty.market)
    return Detection.objects.create(
        version=fields.pop("version", penalty.version),
        signal_key_id=signal.pk,
        violation=fields.pop("violation", None),
        mode=fields.pop("mode", DetectionMode.LIVE),
        outcome=fields.pop("outcome", DetectionOutcome.COOLDOWN),
        guild=guild,
        market=penalty.market,
        occurred_at=at,
        detected_at=at,
    )


def owner(penalty: Penalty, role: str = "owner") -> Actor:
    return Actor.guild_user(factories.seat(penalty.guild, role))


def submit(
    penalty: Penalty, actor: Actor | None = None, statement: str = "Clause struck out."
) -> Rectification:
    return services.rectification_submit(
        actor=actor or owner(penalty), penalty_id=penalty.pk, statement=statement
    )


def state(penalty: Penalty) -> tuple[str, str]:
    penalty.refresh_from_db()
    return penalty.status, Rectification.objects.get(penalty=penalty).status


# --- asked ------------------------------------------------------------------------------------------------------------
def test_a_pending_penalty_that_correction_stops_asks_for_it() -> None:
    penalty = asked()
    row = Rectification.objects.get(penalty=penalty)
    assert (row.status, row.due_at) == ("open", penalty.starts_at)
    assert penalty.notice is not None
    assert "put" in penalty.notice.body, "the notice says how it is stopped"
    event = Event.objects.get(act="rectification.asked")
    assert (event.object_id, event.guild_id) == (str(penalty.public_id), penalty.guild_id)


@pytest.mark.parametrize(
    "step",
    [
        {"kind": "recruitment_freeze", "days": 14},
        {"kind": "recruitment_freeze", "days": 14, "grace": "7d"},
        {"kind": "recruitment_freeze", "days": 14, "grace": "7d", "stops": ["appeal"]},
    ],
)
def test_nothing_is_asked_where_nothing_would_come_of_it(step: dict[str, Any]) -> None:
    asked(step=step)
    assert not Rectification.objects.exists()


# --- submitted --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("role", ["owner", "manager"])
def test_the_guild_says_that_it_is_put_right(role: str) -> None:
    penalty = asked()
    actor = owner(penalty, role)
    row = submit(penalty, actor, "  We struck the clause out of 14 contracts. ")
    assert (row.status, row.submitted_by_id) == ("submitted", actor.user_id)
    assert row.statement == "We struck the clause out of 14 contracts."
    event = Event.objects.get(act="rectification.submitted")
    assert event.reason == row.statement
    assert penalty.status == "scheduled", "what the guild says does not stop it: the rule checks"


def test_a_client_that_speaks_for_the_guild_may_say_it_too() -> None:
    penalty = asked()
    client = factories.client("appeals:write", guild=penalty.guild)
    assert submit(penalty, Actor.client(client, scopes=["appeals:write"])).submitted_by is None


def viewer(penalty: Penalty) -> Actor:
    return owner(penalty, "viewer")


def stranger(penalty: Penalty) -> Actor:
    return Actor.guild_user(factories.seat(factories.guild()))


def enforcer(penalty: Penalty) -> Actor:
    return Actor.staff(factories.staff("enforcer"))


def unscoped(penalty: Penalty) -> Actor:
    client = factories.client("appeals:write", guild=penalty.guild)
    return Actor.client(client, scopes=["penalties:read"])


@pytest.mark.parametrize(
    ("who", "error"),
    [(viewer, NotAllowed), (stranger, NotFound), (enforcer, NotFound), (unscoped, NotAllowed)],
)
def test_nobody_else_speaks_for_the_guild(who: Callable[[Penalty], Actor], error: type[DomainError]) -> None:
    penalty = asked()
    actor = who(penalty)
    refused(penalty, error, actor=actor)


def refused(penalty: Penalty, error: type[DomainError], **given: Any) -> None:
    """Submitting is refused, nothing changes, and nothing is recorded."""
    rows = list(Rectification.objects.values())
    events = Event.objects.count()
    with pytest.raises(error):
        submit(penalty, **given)
    assert list(Rectification.objects.values()) == rows
    assert Event.objects.count() == events


def test_it_is_said_once() -> None:
    penalty = asked()
    submit(penalty)
    refused(penalty, InvalidTransition)


@pytest.mark.parametrize("statement", ["", "   ", "x" * 4_001])
def test_an_empty_or_endless_statement_is_refused(statement: str) -> None:
    refused(asked(), InvalidInput, statement=statement)


def test_nothing_is_put_right_for_a_penalty_that_never_asked() -> None:
    penalty = asked(step={"kind": "recruitment_freeze", "days": 14, "grace": "7d"})
    with pytest.raises(Conflict) as refusal:
        submit(penalty)
    assert refusal.value.code == "nothing_to_put_right"


def test_after_the_time_it_is_too_late() -> None:
    refused(asked(days_ago=8), Conflict)


def test_a_cancelled_penalty_is_not_put_right_any_more() -> None:
    penalty = asked()
    services.penalty_cancel(
        actor=Actor.staff(factories.staff("enforcer")), penalty_id=penalty.pk, reason="A mistake."
    )
    assert state(penalty) == ("cancelled", "dropped")
    refused(penalty, InvalidTransition)


# --- checked ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("said", [True, False])
def test_what_the_rule_does_not_find_again_is_put_right_and_the_penalty_never_starts(said: bool) -> None:
    penalty = asked()
    if said:
        submit(penalty)
    due = penalty.starts_at
    assert services.rectifications_check_due(now=due - HOUR) == 0, "not before the time is over"
    assert services.rectifications_check_due(now=due) == 1
    assert state(penalty) == ("cancelled", "met")
    row = Rectification.objects.get()
    assert (row.checked_at, row.result["count"], row.result["found"]) == (due, 0, [])
    notice = Notice.objects.latest("pk")
    assert notice.pk != penalty.notice_id
    assert "put the matter right in time" in notice.body
    acts = set(Event.objects.values_list("act", flat=True))
    assert {"rectification.met", "penalty.cancelled", "notice.sent"} <= acts
    assert services.penalties_apply_due(now=due + DAY) == 0


@pytest.mark.parametrize(
    "outcome", [DetectionOutcome.OPENED, DetectionOutcome.JOINED, DetectionOutcome.COOLDOWN]
)
def test_what_the_rule_finds_again_is_not_and_the_penalty_starts_as_announced(outcome: str) -> None:
    penalty = asked()
    submit(penalty)
    detect(penalty, days_after=3, outcome=outcome)
    due = penalty.starts_at
    assert services.penalties_apply_due(now=due) == 0, "it waits for the check"
    services.rectifications_check_due(now=due)
    assert state(penalty) == ("scheduled", "failed")
    assert Rectification.objects.get().result["count"] == 1
    assert "found the matter again" in Notice.objects.latest("pk").body
    assert services.penalties_apply_due(now=due) == 1
    assert state(penalty) == ("in_force", "failed")


def test_a_new_version_of_the_rule_counts_as_the_rule() -> None:
    penalty = asked()
    detect(penalty, days_after=1, version=factories.version(penalty.violation.rule))
    services.rectifications_check_due(now=penalty.starts_at)
    assert state(penalty) == ("scheduled", "failed")


@pytest.mark.parametrize(
    "found",
    [
        {"days_after": -0.5},
        {"days_after": 0},
        {"days_after": 7.01},
        {"days_after": 3, "mode": DetectionMode.SHADOW, "outcome": DetectionOutcome.SHADOW},
        {"days_after": 3, "outcome": DetectionOutcome.HELD_OUT},
        {"days_after": 3, "outcome": DetectionOutcome.EXCEPTED},
        {"days_after": 3, "guild": "another"},
        {"days_after": 3, "version": "another"},
        {"days_after": 3, "violation": "dismissed"},
        {"days_after": 3, "violation": "overturned"},
    ],
)
def test_what_does_not_count_against_the_guild(found: dict[str, Any]) -> None:
    penalty = asked()
    if "guild" in found:
        found = {**found, "guild": factories.guild(market=penalty.market)}
    if "version" in found:
        found = {**found, "version": factories.version()}
    if "violation" in found:
        other = factories.violation(
            penalty.guild,
            penalty.version,
            status=str(found["violation"]),
            occurred_at=timezone.now(),
            evidence=False,
        )
        found = {**found, "violation": other, "outcome": DetectionOutcome.OPENED}
    detect(penalty, **found)
    services.rectifications_check_due(now=penalty.starts_at)
    assert state(penalty) == ("cancelled", "met")


def test_what_was_found_is_kept_but_a_suspicion_is_not_told() -> None:
    penalty = asked()
    suspected = factories.violation(
        penalty.guild, penalty.version, occurred_at=penalty.proposed_at + DAY, evidence=False
    )
    detect(penalty, days_after=1, violation=suspected, outcome=DetectionOutcome.OPENED)
    services.rectifications_check_due(now=penalty.starts_at)
    assert Rectification.objects.get().result["found"] == [str(suspected.public_id)]
    assert str(suspected.public_id) not in str(Event.objects.get(act="rectification.failed").after)
    assert str(suspected.public_id) not in Notice.objects.latest("pk").body


def pend(penalty: Penalty, *, days_after: float) -> PendingSignal:
    at = penalty.proposed_at + days_after * DAY
    signal = factories.signal(penalty.guild, time=at, market=penalty.market)
    return PendingSignal.objects.create(signal_id=signal.pk, shard=0, time=at)


def test_signals_of_that_time_that_are_not_evaluated_yet_are_waited_for_up_to_a_bound() -> None:
    penalty = asked()
    waiting = pend(penalty, days_after=3)
    due = penalty.starts_at
    assert services.rectifications_check_due(now=due + HOUR) == 0
    assert services.penalties_apply_due(now=due + HOUR) == 0
    assert state(penalty) == ("scheduled", "open")
    waiting.delete()
    detect(penalty, days_after=3)
    assert services.rectifications_check_due(now=due + 2 * HOUR) == 1
    assert state(penalty) == ("scheduled", "failed")


def test_no_longer_than_that() -> None:
    penalty = asked()
    pend(penalty, days_after=3)
    assert services.rectifications_check_due(now=penalty.starts_at + LONGEST_WAIT) == 1
    assert state(penalty) == ("cancelled", "met")


def test_pending_signals_of_another_time_or_guild_are_not_waited_for() -> None:
    penalty, other = asked(), asked()
    pend(penalty, days_after=8)
    pend(other, days_after=3)
    services.rectifications_check_due(now=max(penalty.starts_at, other.starts_at))
    assert state(penalty) == ("cancelled", "met")
    assert state(other) == ("scheduled", "open")


def test_a_stayed_penalty_is_checked_when_it_goes_on_over_the_time_it_then_had() -> None:
    penalty = asked(days_ago=3)
    adjudicator = Actor.system("appeals")
    services.penalties_stay(actor=adjudicator, penalty_id=penalty.pk, reason="An appeal was filed.")
    due = Rectification.objects.get().due_at
    assert services.rectifications_check_due(now=due + DAY) == 0
    assert state(penalty) == ("stayed", "open")
    assert submit(penalty).status == "submitted", "meanwhile the guild may put it right"
    Penalty.objects.filter(pk=penalty.pk).update(
        status="scheduled", starts_at=due + 10 * DAY, ends_at=due + 24 * DAY
    )
    assert services.rectifications_check_due(now=due + DAY) in (0, 1)
    assert state(penalty) == ("scheduled", "submitted")
    detect(penalty, days_after=12)
    services.rectifications_check_due(now=due + 10 * DAY)
    assert state(penalty) == ("scheduled", "failed")
    assert Rectification.objects.get().due_at == due + 10 * DAY


def test_when_a_stayed_penalty_goes_on_so_does_the_time_to_put_it_right() -> None:
    penalty = asked(days_ago=3)
    services.penalties_stay(actor=Actor.system("appeals"), penalty_id=penalty.pk, reason="Filed.")
    services.penalties_go_on(actor=Actor.system("appeals"), penalty_id=penalty.pk, reason="Withdrawn.")
    penalty.refresh_from_db()
    assert penalty.status == "scheduled"
    assert Rectification.objects.get().due_at == penalty.starts_at


def test_a_signal_that_comes_after_the_check_is_a_new_matter() -> None:
    penalty = asked()
    services.rectifications_check_due(now=penalty.starts_at)
    detect(penalty, days_after=5)
    assert services.rectifications_check_due(now=penalty.starts_at + DAY) == 0
    assert state(penalty) == ("cancelled", "met")


def test_a_won_appeal_asks_no_longer() -> None:
    penalty = asked()
    services.penalty_overturn(
        actor=Actor.staff(factories.staff("adjudicator")), penalty_id=penalty.pk, reason="Not proven."
    )
    assert state(penalty) == ("reversed", "dropped")
    assert services.rectifications_check_due(now=penalty.starts_at) == 0


def test_checks_ask_the_same_questions_for_a_batch_as_for_one() -> None:
    """But for what is written for each: its own row, its penalty, its notice and its events."""
    from django.test.utils import CaptureQueriesContext

    def asking(count: int) -> int:
        for _ in range(count):
            penalty = asked()
        with CaptureQueriesContext(connection) as done:
            assert services.rectifications_check_due(now=penalty.starts_at + DAY) == count
        return sum(
            "governance_detection" in query["sql"] or "governance_pendingsignal" in query["sql"]
            for query in done
        )

    assert asking(1) == asking(6)


@pytest.mark.django_db(transaction=True)
def test_two_workers_settle_each_check_once() -> None:
    penalties = [asked() for _ in range(6)]
    due = max(penalty.starts_at for penalty in penalties)
    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(lambda _n: _check(due), range(2)))
    assert sum(counts) <= 6
    services.rectifications_check_due(now=due)
    assert Rectification.objects.filter(status="met").count() == 6
    assert Event.objects.filter(act="rectification.met").count() == 6
    assert Event.objects.filter(act="penalty.cancelled").count() == 6
    assert Violation.objects.filter(sanction_due=True).count() == 0


def _check(now: dt.datetime) -> int:
    try:
        return services.rectifications_check_due(now=now)
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_a_guild_somebody_else_is_at_work_on_is_left_for_the_next_sweep() -> None:
    penalty = asked()
    with transaction.atomic():
        lock_guilds([penalty.guild_id])
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(_check, penalty.starts_at).result() == 0
    assert services.rectifications_check_due(now=penalty.starts_at) == 1
