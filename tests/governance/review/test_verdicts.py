"""What people decide about a violation, and who may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from governance.ledger.models import Event
from governance.models import Violation
from governance.review.services import violation_confirm, violation_dismiss
from governance.violations.selectors import evidence_of, violations_visible_to
from governance.violations.services import violation_overturn
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, DomainError, InvalidInput, InvalidTransition, NotAllowed, NotFound
from tests import factories
from tests.governance.review.judging import acts, reviewer
from tests.governance.review.judging import refuses as refused
from tests.governance.violations.detecting import START, arrive, detect

pytestmark = pytest.mark.django_db


def refuses(
    kind: type[DomainError], act: Callable[..., Any], violation: Violation, actor: Actor, reason: str = "No."
) -> None:
    """The act is refused, nothing has changed and nothing was recorded."""
    refused(kind, act, actor=actor, violation_id=violation.pk, reason=reason)


def test_one_verdict_decides_where_one_is_asked_for() -> None:
    found = factories.violation(factories.guild(), review="human")
    actor = reviewer()
    violation_confirm(actor=actor, violation_id=found.pk, reason="Seen on the recording.")
    found.refresh_from_db()
    assert (found.status, found.sanction_due) == ("confirmed", True)
    assert found.decided_at is not None
    event = Event.objects.get()
    assert (event.act, event.actor_id, event.reason) == (
        "violation.confirmed",
        actor.id,
        "Seen on the recording.",
    )
    refuses(InvalidTransition, violation_dismiss, found, reviewer())


def test_a_dismissal_costs_nothing() -> None:
    found = factories.violation(factories.guild(), review="human")
    violation_dismiss(actor=reviewer(), violation_id=found.pk, reason="A rehearsal.")
    found.refresh_from_db()
    assert (found.status, found.sanction_due) == ("dismissed", False)
    assert Event.objects.get().act == "violation.dismissed"


def test_two_verdicts_that_agree_decide_where_two_are_asked_for() -> None:
    found = factories.violation(factories.guild(), review="dual")
    first = reviewer()
    violation_confirm(actor=first, violation_id=found.pk, reason="Yes.")
    found.refresh_from_db()
    assert found.status == "open"
    refuses(Conflict, violation_confirm, found, first)
    violation_dismiss(actor=reviewer(), violation_id=found.pk, reason="No.")
    found.refresh_from_db()
    assert found.status == "open"
    violation_dismiss(actor=reviewer(), violation_id=found.pk, reason="No.")
    found.refresh_from_db()
    assert (found.status, found.sanction_due) == ("dismissed", False)
    assert acts() == [
        "violation.reviewed",
        "violation.reviewed",
        "violation.dismissed",
    ]


@pytest.mark.parametrize("role", [role.value for role in Role if role != Role.REVIEWER])
def test_only_reviewers_decide(role: str) -> None:
    found = factories.violation(factories.guild(), review="human")
    refuses(NotAllowed, violation_confirm, found, Actor.staff(factories.staff(role)))


def test_only_people_in_the_market_decide_and_they_say_why() -> None:
    found = factories.violation(factories.guild(), review="human")
    refuses(NotAllowed, violation_confirm, found, reviewer(factories.market()))
    refuses(NotAllowed, violation_confirm, found, Actor.system("robot"))
    refuses(NotAllowed, violation_confirm, found, Actor.guild_user(factories.seat(found.guild)))
    refuses(InvalidInput, violation_dismiss, found, reviewer(found.market), reason="  ")
    with pytest.raises(NotFound):
        violation_confirm(actor=reviewer(), violation_id=0, reason="No.")


def test_an_appeal_overturns_what_was_confirmed_and_nothing_else() -> None:
    found = factories.violation(factories.guild(), status="confirmed")
    violation_overturn(actor=Actor.system("appeal"), violation_id=found.pk, reason="The appeal succeeded.")
    found.refresh_from_db()
    assert (found.status, found.sanction_due) == ("overturned", False)
    refuses(InvalidTransition, violation_overturn, found, Actor.system("appeal"))
    refuses(InvalidTransition, violation_overturn, factories.violation(found.guild), Actor.system("appeal"))


def test_a_guild_sees_its_own_and_staff_their_markets() -> None:
    mine, other = factories.violation(factories.guild()), factories.violation(factories.guild())
    assert list(violations_visible_to(Actor.guild_user(factories.seat(mine.guild)))) == [mine]
    assert list(violations_visible_to(reviewer(other.market))) == [other]
    assert set(violations_visible_to(reviewer())) == {mine, other}


def test_the_evidence_is_what_opened_and_joined() -> None:
    factories.version(cooldown="7d")
    guild = factories.guild()
    opened, joined, _ = arrive(guild), arrive(guild), arrive(guild, 1)
    detect()
    violation = Violation.objects.get(occurred_at=START)
    assert list(evidence_of(violation)) == [opened, joined]
