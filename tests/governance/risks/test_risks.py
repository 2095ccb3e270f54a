"""The register of risks: who may write it, and its order."""

from __future__ import annotations

import pytest

from governance.ledger.models import Event
from governance.models import Risk
from governance.risks.selectors import risks_by_priority, risks_without_rule
from governance.risks.services import risk_change, risk_create
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, NotAllowed, NotFound
from tests import factories

pytestmark = pytest.mark.django_db


def analyst() -> Actor:
    return Actor.staff(factories.staff("analyst"))


def add(code: str, harm: int = 3, likelihood: int = 3) -> Risk:
    return risk_create(
        actor=analyst(), code=code, name=code.title(), harm=harm, likelihood=likelihood, owner="safety"
    )


def test_a_risk_is_recorded_and_ranked() -> None:
    add("LOW", 1, 2)
    add("HIGH", 5, 4)
    add("MIDDLE", 3, 3)
    assert [risk.code for risk in risks_by_priority()] == ["HIGH", "MIDDLE", "LOW"]
    assert Event.objects.filter(act="risk.created").count() == 3


def test_a_new_score_keeps_the_old_one_in_the_ledger() -> None:
    add("ONE", 2, 2)
    risk_change(
        actor=analyst(), risk_id=Risk.objects.get().pk, changes={"harm": 5}, reason="Two cases in a week."
    )
    assert Risk.objects.get().priority == 10
    event = Event.objects.get(act="risk.changed")
    assert (event.before["harm"], event.after["harm"], event.reason) == (2, 5, "Two cases in a week.")


def test_what_is_refused_changes_nothing() -> None:
    add("ONE")
    with pytest.raises(Conflict):
        add("ONE")
    with pytest.raises(InvalidInput):
        add("TWO", harm=6)
    one = Risk.objects.get().pk
    with pytest.raises(NotAllowed):
        risk_change(
            actor=Actor.staff(factories.staff("auditor")), risk_id=one, changes={"harm": 1}, reason="So."
        )
    with pytest.raises(InvalidInput):
        risk_change(actor=analyst(), risk_id=one, changes={"harm": 1}, reason=" ")
    with pytest.raises(NotFound):
        risk_change(actor=analyst(), risk_id=0, changes={"harm": 1}, reason="So.")
    assert [(risk.code, risk.harm) for risk in Risk.objects.all()] == [("ONE", 3)]
    assert Event.objects.count() == 1


def test_a_risk_without_a_live_rule_stands_out() -> None:
    add("BARE")
    factories.version(factories.rule(risk=add("DRAFT")), status="draft")
    factories.version(factories.rule(risk=add("LIVE")))
    assert [risk.code for risk in risks_without_rule() if risk.code != "RSK"] == ["BARE", "DRAFT"]
