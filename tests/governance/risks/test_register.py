"""The register: described anew, looked at again, retired and put back; every refusal leaves it as it was."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from governance.launches.policy_file import policy_load
from governance.ledger.models import Event
from governance.models import Risk
from governance.risks.selectors import risks_standing, risks_to_review, risks_without_rule
from governance.risks.services import risk_change, risk_create, risk_restore, risk_retire, risk_review
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed, NotFound
from tests import factories

pytestmark = pytest.mark.django_db

TODAY = timezone.now().date()
NEXT = TODAY + dt.timedelta(days=90)


@pytest.fixture
def analyst() -> Actor:
    return Actor.staff(factories.staff("analyst"))


@pytest.fixture
def risk(analyst: Actor) -> Risk:
    return risk_create(
        actor=analyst,
        code="MIN",
        name="Harm to minors",
        harm=5,
        likelihood=2,
        owner="Child safety",
        definition="A guild recruits somebody under age.",
        category="minors",
        review_on=TODAY,
    )


def standing(risk: Risk) -> list[Any]:
    return [Risk.objects.filter(pk=risk.pk).values().get(), Event.objects.count()]


def test_the_ledger_keeps_what_was_put_down(risk: Risk) -> None:
    event = Event.objects.get(act="risk.created")
    assert event.object_id == "MIN"
    assert (event.after["category"], event.after["review_on"]) == ("minors", TODAY.isoformat())


def test_a_change_tells_what_differs_before_and_after(analyst: Actor, risk: Risk) -> None:
    risk_change(
        actor=analyst,
        risk_id=risk.pk,
        changes={
            "name": "Harm to minors ",
            "harm": 5,
            "likelihood": 4,
            "treatment": "reduce",
            "treatment_note": "Lessons first.",
            "review_on": NEXT,
        },
        reason="Three cases in a week.",
    )
    event = Event.objects.get(act="risk.changed")
    assert event.before == {
        "likelihood": 2,
        "treatment": "undecided",
        "treatment_note": "",
        "review_on": TODAY.isoformat(),
    }
    assert event.after == {
        "likelihood": 4,
        "treatment": "reduce",
        "treatment_note": "Lessons first.",
        "review_on": NEXT.isoformat(),
    }
    assert event.reason == "Three cases in a week."


def test_looking_again_moves_the_day(analyst: Actor, risk: Risk) -> None:
    assert list(risks_to_review()) == [risk]
    risk_review(actor=analyst, risk_id=risk.pk, review_on=NEXT, reason="Nothing new.")
    risk.refresh_from_db()
    assert (risk.review_on, risk.reviewed_at is not None) == (NEXT, True)
    assert not risks_to_review()
    event = Event.objects.get(act="risk.reviewed")
    assert (event.before, event.after) == (
        {"review_on": TODAY.isoformat()},
        {"review_on": NEXT.isoformat()},
    )


def test_a_retired_risk_leaves_the_register_and_can_come_back(analyst: Actor, risk: Risk) -> None:
    risk_retire(actor=analyst, risk_id=risk.pk, reason="Merged into another.")
    assert not risks_standing().exists()
    assert not risks_without_rule().exists()
    assert not risks_to_review()

    risk_restore(actor=analyst, risk_id=risk.pk, reason="Needed after all.")
    assert list(risks_standing()) == [risk]
    assert list(Event.objects.order_by("id").values_list("act", flat=True)) == [
        "risk.created",
        "risk.retired",
        "risk.restored",
    ]


@pytest.mark.parametrize(
    ("changes", "reason", "error", "field"),
    [
        ({"harm": 6}, "So.", InvalidInput, "harm"),
        ({"likelihood": 0}, "So.", InvalidInput, "likelihood"),
        ({"harm": "high"}, "So.", InvalidInput, "harm"),
        ({"category": "weather"}, "So.", InvalidInput, "category"),
        ({"treatment": "pray"}, "So.", InvalidInput, "treatment"),
        ({"name": " "}, "So.", InvalidInput, "name"),
        ({"owner": "x" * 81}, "So.", InvalidInput, "owner"),
        ({"code": "OTHER"}, "So.", InvalidInput, None),
        ({"retired_at": None}, "So.", InvalidInput, None),
        ({"harm": 5}, "Nothing differs.", InvalidInput, None),
        ({"harm": 4}, "  ", InvalidInput, "reason"),
    ],
)
def test_unsound_changes_are_refused(
    analyst: Actor,
    risk: Risk,
    changes: dict[str, Any],
    reason: str,
    error: type[DomainError],
    field: str | None,
) -> None:
    before = standing(risk)
    with pytest.raises(error) as refused:
        risk_change(actor=analyst, risk_id=risk.pk, changes=changes, reason=reason)
    assert standing(risk) == before
    assert ([item["field"] for item in refused.value.errors] or [None]) == [field]


ACTS: dict[str, Callable[[Actor, int], Risk]] = {
    "change": lambda actor, pk: risk_change(actor=actor, risk_id=pk, changes={"harm": 1}, reason="So."),
    "review": lambda actor, pk: risk_review(actor=actor, risk_id=pk, review_on=NEXT, reason="So."),
    "retire": lambda actor, pk: risk_retire(actor=actor, risk_id=pk, reason="So."),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("role", [role for role in Role if role != Role.ANALYST])
def test_only_analysts_keep_the_register(risk: Risk, role: Role, act: str) -> None:
    actor, before = Actor.staff(factories.staff(role)), standing(risk)
    with pytest.raises(NotAllowed):
        ACTS[act](actor, risk.pk)
    assert standing(risk) == before


@pytest.mark.parametrize("act", ACTS)
def test_nothing_is_done_to_a_retired_or_unknown_risk(analyst: Actor, risk: Risk, act: str) -> None:
    with pytest.raises(NotFound):
        ACTS[act](analyst, 0)
    risk_retire(actor=analyst, risk_id=risk.pk, reason="Gone.")
    before = standing(risk)
    with pytest.raises(InvalidTransition):
        ACTS[act](analyst, risk.pk)
    assert standing(risk) == before


def test_what_else_is_refused(analyst: Actor, risk: Risk) -> None:
    before = standing(risk)
    with pytest.raises(InvalidInput, match="after today"):
        risk_review(actor=analyst, risk_id=risk.pk, review_on=TODAY, reason="So.")
    with pytest.raises(InvalidTransition):
        risk_restore(actor=analyst, risk_id=risk.pk, reason="So.")
    for code in ("", "a b", "-x", "x" * 41, "ü"):
        with pytest.raises(InvalidInput):
            risk_create(actor=analyst, code=code, name="N", harm=1, likelihood=1, owner="O")
    assert standing(risk) == before


def test_a_policy_file_leaves_alone_what_it_does_not_say(analyst: Actor, risk: Risk) -> None:
    risk_change(actor=analyst, risk_id=risk.pk, changes={"treatment": "avoid"}, reason="So.")
    risk_review(actor=analyst, risk_id=risk.pk, review_on=NEXT, reason="So.")
    risk_retire(actor=analyst, risk_id=risk.pk, reason="So.")
    risk.refresh_from_db()
    before = Risk.objects.filter(pk=risk.pk).values().get()

    policy_load(
        actor=analyst, text="risks: [{code: MIN, name: Minors, harm: 4, likelihood: 2, owner: Safety}]"
    )

    assert Risk.objects.filter(pk=risk.pk).values().get() == before | {
        "name": "Minors",
        "harm": 4,
        "owner": "Safety",
    }
