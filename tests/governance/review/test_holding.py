"""Cases put off and handed up, and what the clock does to those that wait."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.ledger.models import Event
from governance.models import Case
from governance.review import services, tasks
from governance.review.selectors import escalations, my_queue
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound
from tests import factories
from tests.governance.review.judging import DAY, HOUR, acts, admin, refuses, reviewer, waiting

pytestmark = pytest.mark.django_db

MINUTE = dt.timedelta(minutes=1)


def test_the_clock_stands_still_while_a_case_is_on_hold() -> None:
    case, ann = waiting(), reviewer()
    services.case_claim(actor=ann, case_id=case.pk)
    until = timezone.now() + 2 * DAY
    held = services.case_hold(actor=ann, case_id=case.pk, until=until, reason="A video is coming.")
    assert (held.status, held.held_until, held.hold_reason) == ("on_hold", until, "A video is coming.")
    assert held.claimed_by_id is None
    shifted = held.due_at - case.due_at
    assert 2 * DAY - MINUTE < shifted <= 2 * DAY
    assert held.urgent_at - case.urgent_at == shifted

    back = services.case_resume(actor=reviewer(), case_id=case.pk, reason="It came early.")
    assert (back.status, back.held_until, back.hold_reason) == ("waiting", None, "")
    assert case.due_at <= back.due_at < case.due_at + MINUTE
    assert back.revision == case.revision + 2
    assert acts() == ["case.claimed", "case.held", "case.resumed"]
    event = Event.objects.get(act="case.held")
    assert (event.reason, event.after["held_until"]) == ("A video is coming.", until.isoformat())


def test_a_hold_ends_by_itself_once() -> None:
    case, ann = waiting(), reviewer()
    held = services.case_hold(
        actor=ann, case_id=case.pk, until=timezone.now() + HOUR, reason="A video is coming."
    )
    assert services.cases_sweep().resumed == 0
    assert not my_queue(ann).exists()
    later = timezone.now() + HOUR + MINUTE
    assert [services.cases_sweep(later).resumed, services.cases_sweep(later).resumed] == [1, 0]
    case.refresh_from_db()
    assert (case.status, case.due_at) == ("waiting", held.due_at)
    assert acts() == ["case.held", "case.resumed"]
    assert list(my_queue(ann)) == [case]


def test_a_hold_has_an_end_within_thirty_days_and_a_reason() -> None:
    case, ann, now = waiting(), reviewer(), timezone.now()
    asked: dict[str, Any] = {"actor": ann, "case_id": case.pk}
    for until in (now - MINUTE, now + 31 * DAY, dt.datetime(2100, 1, 1)):
        refuses(InvalidInput, services.case_hold, until=until, reason="Later.", **asked)
    refuses(InvalidInput, services.case_hold, until=now + HOUR, reason=" ", **asked)
    refuses(InvalidTransition, services.case_resume, reason="Now.", **asked)
    services.case_hold(until=now + HOUR, reason="Later.", **asked)
    refuses(InvalidTransition, services.case_hold, until=now + HOUR, reason="Later still.", **asked)
    refuses(InvalidTransition, services.case_escalate, reason="Too hard.", **asked)
    refuses(InvalidTransition, services.case_decide, opinion="confirm", reason="Yes.", **asked)
    refuses(InvalidInput, services.case_resume, reason="", **asked)


def test_only_reviewers_of_the_market_put_off_and_hand_up() -> None:
    case = waiting()
    for actor in (admin(), reviewer(factories.market()), Actor.system("robot")):
        asked: dict[str, Any] = {"actor": actor, "case_id": case.pk, "reason": "Because."}
        refuses(NotAllowed, services.case_hold, until=timezone.now() + HOUR, **asked)
        refuses(NotAllowed, services.case_resume, **asked)
        refuses(NotAllowed, services.case_escalate, **asked)
    refuses(NotFound, services.case_escalate, actor=reviewer(), case_id=0, reason="Because.")


def test_an_escalated_case_goes_to_the_top_of_everybody_elses_queue() -> None:
    urgent, mild = waiting(severity="S1"), waiting(severity="S4")
    ann, bob = reviewer(), reviewer()
    services.case_assign(actor=admin(), case_id=mild.pk, user_id=ann.user_id, reason="Knows it.")
    services.case_claim(actor=ann, case_id=mild.pk)
    services.case_escalate(actor=ann, case_id=mild.pk, reason="Too hard.")
    mild.refresh_from_db()
    assert (mild.escalated_by_id, mild.escalation) == (ann.user_id, "Too hard.")
    assert (mild.claimed_by, mild.assigned_to) == (None, None)
    assert list(my_queue(bob)) == [mild, urgent]
    assert list(my_queue(ann)) == [urgent]
    asked: dict[str, Any] = {"actor": ann, "case_id": mild.pk, "reason": "After all."}
    refuses(Conflict, services.case_decide, why="escalated", opinion="confirm", **asked)
    refuses(
        Conflict,
        services.case_escalate,
        why="escalated",
        actor=bob,
        case_id=mild.pk,
        reason="Me neither.",
    )
    services.case_decide(actor=bob, case_id=mild.pk, opinion="confirm", reason="Yes.")
    refuses(InvalidTransition, services.case_escalate, actor=reviewer(), case_id=mild.pk, reason="Why?")


def test_enforcers_see_the_gravest_escalations() -> None:
    grave, mild, ann = waiting(severity="S1"), waiting(severity="S2"), reviewer()
    waiting(severity="S1")
    for case in (grave, mild):
        services.case_escalate(actor=ann, case_id=case.pk, reason="Too hard.")
    enforcer = Actor.staff(factories.staff("enforcer"))
    assert list(escalations(enforcer)) == [grave]
    assert list(escalations(reviewer())) == [grave, mild]
    assert list(escalations(reviewer(mild.market))) == [mild]
    assert not escalations(Actor.staff(factories.staff("analyst"))).exists()
    assert not escalations(Actor.guild_user(factories.seat(grave.guild))).exists()


# --- promises ---------------------------------------------------------------------------------------------------------
def test_a_warning_and_a_breach_are_noted_once_each() -> None:
    case = waiting(severity="S2")
    begun = case.opened_at
    assert tasks.sweep() == dict.fromkeys(("lapsed", "resumed", "warned", "breached", "covered", "shared"), 0)
    assert vars(services.cases_sweep(begun + 17 * HOUR)) == dict.fromkeys(
        ("lapsed", "resumed", "warned", "breached", "covered", "shared"), 0
    )
    assert services.cases_sweep(begun + 18 * HOUR).warned == 1
    assert services.cases_sweep(begun + 19 * HOUR).warned == 0
    assert services.cases_sweep(begun + 24 * HOUR).breached == 1
    assert services.cases_sweep(begun + 25 * HOUR).breached == 0
    case.refresh_from_db()
    assert (case.warned_at, case.breached_at) == (begun + 18 * HOUR, begun + 24 * HOUR)
    assert case.revision == 1
    assert acts() == ["case.due_soon", "case.overdue"]
    event = Event.objects.get(act="case.overdue")
    assert (event.after["due_at"], event.market_id) == (case.due_at.isoformat(), case.market_id)


def test_a_case_found_overdue_gets_no_warning_any_more() -> None:
    case = waiting(severity="S1")
    swept = services.cases_sweep(case.opened_at + 5 * HOUR)
    assert (swept.breached, swept.warned) == (1, 0)
    assert acts() == ["case.overdue"]


def test_a_case_on_hold_breaks_no_promise() -> None:
    case = waiting(severity="S1")
    services.case_hold(
        actor=reviewer(), case_id=case.pk, until=timezone.now() + 10 * HOUR, reason="A video is coming."
    )
    swept = services.cases_sweep(case.opened_at + 9 * HOUR)
    assert (swept.breached, swept.warned) == (0, 0)
    swept = services.cases_sweep(case.opened_at + 11 * HOUR)
    assert (swept.resumed, swept.breached, swept.warned) == (1, 0, 0)
    assert services.cases_sweep(case.opened_at + 13.5 * HOUR).warned == 1


def test_a_target_of_the_market_warns_in_its_own_time() -> None:
    ours, theirs = waiting(severity="S2"), waiting(severity="S2")
    boss = admin()
    services.target_save(
        actor=boss, severity="S2", market_id=ours.market_id, hours=24, warn_percent=50, reason="Sooner."
    )
    begun = max(ours.opened_at, theirs.opened_at)
    services.cases_sweep(begun + 12.5 * HOUR)
    assert list(Case.objects.filter(warned_at__isnull=False)) == [ours]
    services.cases_sweep(begun + 18.5 * HOUR)
    assert Case.objects.filter(warned_at__isnull=False).count() == 2


def test_a_decided_case_breaks_no_promise() -> None:
    case = waiting(severity="S1")
    services.case_decide(actor=reviewer(), case_id=case.pk, opinion="confirm", reason="Yes.")
    swept = services.cases_sweep(case.opened_at + 5 * HOUR)
    assert (swept.breached, swept.warned) == (0, 0)
