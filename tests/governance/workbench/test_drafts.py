"""Drafts: made, saved with all their faults, kept from being overwritten unseen, and copied."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from django.db import ProgrammingError, transaction

from governance.engine import MeasureSpec
from governance.ledger.models import Event
from governance.models import Comment, Ladder, Rule, RuleVersion
from governance.workbench.selectors import drafts_of, hands_in, spec_of
from governance.workbench.services import (
    approve,
    comment_add,
    draft_save,
    rule_create,
    version_copy,
)
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound
from tests import factories
from tests.governance.workbench import writing

pytestmark = pytest.mark.django_db


def test_a_new_rule_begins_as_an_empty_draft_of_its_author() -> None:
    alice = writing.analyst()
    version = rule_create(
        actor=Actor.staff(alice), code=" gft-low ", name="Low scores", risk_code=writing.risk().code
    )
    assert (version.rule.code, version.rule.name, version.number) == ("GFT-LOW", "Low scores", 1)
    assert (version.status, version.frozen_at, version.author_id) == ("draft", None, alice.pk)
    assert (version.on, version.markets, version.spec["when"]) == ([], ["*"], "")
    assert [event.object_id for event in writing.events("rule.created")] == ["GFT-LOW"]
    assert [event.object_id for event in writing.events("rule_version.created")] == ["GFT-LOW/1"]


def test_the_draft_of_a_person_with_markets_holds_in_those_markets() -> None:
    here = factories.market("HERE")
    factories.market("ELSE")
    assert writing.empty(writing.analyst(markets=[here])).markets == ["HERE"]


@pytest.mark.parametrize(
    ("values", "error", "field"),
    [
        ({"code": "two words"}, InvalidInput, "code"),
        ({"code": ""}, InvalidInput, "code"),
        ({"code": "X" * 61}, InvalidInput, "code"),
        ({"name": "  "}, InvalidInput, "name"),
        ({"name": "a\0b"}, InvalidInput, "name"),
        ({"risk_code": "NONE"}, InvalidInput, "risk_code"),
        ({"code": "taken"}, Conflict, "code"),
    ],
)
def test_a_rule_needs_a_free_code_a_name_and_a_risk(
    values: dict[str, str], error: type[Exception], field: str
) -> None:
    factories.rule("TAKEN")
    usual = {"code": "GFT-LOW", "name": "Low scores", "risk_code": writing.risk().code}
    with pytest.raises(error) as refusal:
        rule_create(actor=Actor.staff(writing.analyst()), **{**usual, **values})
    assert refusal.value.field == field  # type: ignore[attr-defined]
    assert list(Rule.objects.values_list("code", flat=True)) == ["TAKEN"]
    assert writing.recorded() == 0


@pytest.mark.parametrize("role", sorted(set(Role.values) - {Role.ANALYST}))
def test_only_analysts_write(role: str) -> None:
    version = writing.empty(writing.analyst())
    other, recorded = factories.staff(role), writing.recorded()
    with pytest.raises(NotAllowed):
        rule_create(actor=Actor.staff(other), code="NEW", name="New", risk_code="GFT")
    with pytest.raises(NotAllowed):
        writing.save(other, version)
    with pytest.raises(NotAllowed):
        version_copy(actor=Actor.staff(other), version_id=version.pk)
    assert RuleVersion.objects.get().spec["when"] == ""
    assert writing.recorded() == recorded


def test_saving_rewrites_the_draft_its_columns_and_its_copy_of_the_ladder() -> None:
    alice = writing.analyst()
    version = writing.empty(alice)
    before = version.written_at
    saved = writing.save(alice, version, name="Very low", severity="S2", review="dual", cap=20)
    stored = RuleVersion.objects.get()
    assert stored.spec["when"] == "signal.score < 10"
    assert (stored.on, stored.severity, stored.review, stored.cap) == (["gift.score"], "S2", "dual", 20)
    assert stored.text == {"en": "Keep the score above ten."}
    assert stored.ladder == factories.LADDER
    assert stored.written_at == saved.written_at > before
    assert stored.rule.name == "Very low"
    Ladder.objects.update(spec={**factories.LADDER, "points": 40})
    assert stored.ladder["points"] == 10
    assert (
        writing.save(alice, stored, name="Very low", severity="S2", review="dual", cap=20).ladder["points"]
        == 40
    )
    (first, second) = writing.events("rule_version.drafted")
    assert first.after["digest"] == second.after["digest"] == spec_of(stored).digest()
    assert first.after["changes"]


def test_a_faulty_condition_is_kept_as_it_is() -> None:
    alice = writing.analyst()
    writing.save(alice, writing.empty(alice), when="signal.score < ", on=(), ladder="", text=())
    assert RuleVersion.objects.get().spec["when"] == "signal.score < "


def test_saving_what_stands_already_records_nothing() -> None:
    alice = writing.analyst()
    version = writing.save(alice, writing.empty(alice))
    recorded = writing.recorded()
    bob = writing.analyst()
    again = writing.save(bob, version)
    assert (again.written_at, writing.recorded()) == (version.written_at, recorded)
    assert hands_in(version) == {alice.pk}


def test_everybody_who_saves_has_a_hand_in_it() -> None:
    alice, bob = writing.analyst(), writing.analyst()
    version = writing.empty(alice)
    writing.save(bob, version)
    assert hands_in(version) == {alice.pk, bob.pk}
    assert [draft.pk for draft in drafts_of(Actor.staff(bob))] == [version.pk]
    assert not drafts_of(Actor.staff(writing.analyst())).exists()


def test_who_comes_second_hears_who_was_first_and_overwrites_nothing() -> None:
    alice, bob = writing.analyst(email="alice@example.test"), writing.analyst()
    version = writing.empty(alice)
    opened = version.written_at
    writing.save(alice, version, when="signal.score < 5")
    recorded = writing.recorded()
    with pytest.raises(Conflict) as refusal:
        draft_save(
            actor=Actor.staff(bob),
            version_id=version.pk,
            spec=writing.wording(version, when="signal.score < 7"),
            expected_written_at=opened,
        )
    assert refusal.value.code == "edited_meanwhile"
    assert "alice@example.test" in refusal.value.message
    stored = RuleVersion.objects.get()
    assert (stored.spec["when"], writing.recorded()) == ("signal.score < 5", recorded)
    assert draft_save(
        actor=Actor.staff(bob),
        version_id=version.pk,
        spec=writing.wording(version, when="signal.score < 7"),
        expected_written_at=stored.written_at,
    ).spec["when"] == ("signal.score < 7")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"code": "OTHER"}, "code"),
        ({"risk": "OTHER"}, "risk"),
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"violation_code": "GFT 09"}, "violation_code"),
        ({"severity": "S9"}, "severity"),
        ({"review": "nobody"}, "review"),
        ({"cap": 0}, "cap"),
        ({"notice_days": -1}, "notice_days"),
        ({"share": 1.5}, "share"),
        ({"charge": "everybody"}, "charge"),
        ({"on": ("",)}, "on"),
        ({"markets": ()}, "markets"),
        ({"markets": ("NOWHERE",)}, "markets"),
        ({"ladder": "none-such"}, "ladder"),
        ({"second_person": ("tickle",)}, "second_person"),
        ({"text": (("not a tag", "Words."),)}, "text"),
        ({"text": (("en", "x" * 20_001),)}, "text"),
        ({"when": "x" * 20_001}, "when"),
        ({"when": "signal.x == 'a\0b'"}, "when"),
        ({"when": "signal.x == '\ud800'"}, "when"),
        ({"measures": tuple(MeasureSpec(f"m{n}") for n in range(26))}, "measures"),
    ],
)
def test_what_no_draft_can_hold_is_refused_by_field(changes: dict[str, object], field: str) -> None:
    alice = writing.analyst()
    version = writing.save(alice, writing.empty(alice))
    recorded = writing.recorded()
    with pytest.raises(InvalidInput) as refusal:
        writing.save(alice, version, **changes)
    assert field in [fault["field"] for fault in refusal.value.errors]
    assert RuleVersion.objects.get().spec == version.spec
    assert writing.recorded() == recorded


def test_nobody_writes_a_rule_of_markets_outside_their_reach() -> None:
    here, there = factories.market("HERE"), factories.market("ELSE")
    alice, bob = writing.analyst(), writing.analyst(markets=[here])
    everywhere = writing.empty(alice)
    local = writing.save(alice, writing.empty(alice, "GFT-LOCAL"), markets=(here.code,))
    recorded = writing.recorded()
    with pytest.raises(NotAllowed):
        writing.save(bob, everywhere, markets=(here.code,))
    with pytest.raises(NotAllowed):
        version_copy(actor=Actor.staff(bob), version_id=everywhere.pk)
    with pytest.raises(NotAllowed):
        writing.save(bob, local, markets=(here.code, there.code))
    with pytest.raises(NotAllowed):
        writing.save(bob, local, markets=("*",))
    assert writing.recorded() == recorded
    assert RuleVersion.objects.get(pk=local.pk).markets == ["HERE"]
    assert writing.save(bob, local, markets=(here.code,), name="Mine").name == "Mine"


def test_a_frozen_version_is_not_rewritten_by_any_path() -> None:
    alice = writing.analyst()
    version = writing.requested(alice).version
    recorded = writing.recorded()
    with pytest.raises(InvalidTransition):
        writing.save(alice, version, when="signal.score < 99")
    with pytest.raises(ProgrammingError), transaction.atomic():
        RuleVersion.objects.filter(pk=version.pk).update(spec={**version.spec, "when": "true"})
    assert RuleVersion.objects.get().spec["when"] == "signal.score < 10"
    assert writing.recorded() == recorded


@pytest.mark.parametrize("status", ["shadow", "live", "paused", "retired"])
def test_what_has_left_the_status_of_a_draft_is_not_rewritten(status: str) -> None:
    version = factories.version(status=status)
    with pytest.raises(InvalidTransition):
        draft_save(
            actor=Actor.staff(writing.analyst()),
            version_id=version.pk,
            spec=replace(spec_of(version), when="true"),
        )
    assert RuleVersion.objects.get().spec["when"] == "signal.bad == true"


def test_the_next_version_takes_wording_and_examples_along() -> None:
    alice, bob, carol = writing.analyst(), writing.analyst(), writing.approver()
    first = approve(actor=Actor.staff(carol), approval_id=writing.requested(alice).pk, reason="Fair.").version
    copy = version_copy(actor=Actor.staff(bob), version_id=first.pk)
    assert (copy.number, copy.status, copy.frozen_at, copy.approver_id) == (2, "draft", None, None)
    assert spec_of(copy) == spec_of(first)
    assert [(example.name, example.result) for example in copy.examples.all()] == [
        ("Low", "passed"),
        ("High", "passed"),
    ]
    # Somebody else approved the first wording, so its author may judge what Bob makes of it.
    assert hands_in(copy) == {bob.pk}
    assert writing.events("rule_version.created")[-1].after["copied_from"] == "GFT-LOW/1"


def test_a_copy_of_what_nobody_approved_is_still_its_authors_work() -> None:
    alice, bob = writing.analyst(), writing.analyst()
    version = writing.requested(alice).version
    copy = version_copy(actor=Actor.staff(bob), version_id=version.pk)
    assert hands_in(copy) == {alice.pk, bob.pk}


def test_one_draft_of_a_rule_at_a_time() -> None:
    alice = writing.analyst()
    version = writing.empty(alice)
    recorded = writing.recorded()
    with pytest.raises(Conflict) as refusal:
        version_copy(actor=Actor.staff(alice), version_id=version.pk)
    assert "GFT-LOW v1" in refusal.value.message
    assert (RuleVersion.objects.count(), writing.recorded()) == (1, recorded)


def test_there_is_nothing_to_save_where_there_is_no_version() -> None:
    with pytest.raises(NotFound):
        version_copy(actor=Actor.staff(writing.analyst()), version_id=1)
    assert Event.objects.count() == 0


def test_a_comment_stays() -> None:
    alice = writing.analyst()
    version = writing.empty(alice)
    comment_add(actor=Actor.staff(alice), version_id=version.pk, body=" Ten is a guess. ")
    assert [(found.author, found.body) for found in Comment.objects.all()] == [(alice, "Ten is a guess.")]
    assert writing.events("rule_version.commented")[0].reason == "Ten is a guess."
    with pytest.raises(ProgrammingError), transaction.atomic():
        Comment.objects.update(body="Never said.")
    with pytest.raises(InvalidInput):
        comment_add(actor=Actor.staff(alice), version_id=version.pk, body="  ")
    with pytest.raises(NotAllowed):
        comment_add(actor=Actor.staff(factories.staff(Role.AUDITOR)), version_id=version.pk, body="Hm.")
    assert Comment.objects.count() == 1


def test_the_day_of_expiry_is_part_of_the_wording() -> None:
    alice = writing.analyst()
    version = writing.empty(alice)
    end = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    digest = spec_of(writing.save(alice, version)).digest()
    saved = writing.save(alice, version, expires_at=end)
    assert RuleVersion.objects.get().expires_at == end
    assert spec_of(saved).digest() != digest
