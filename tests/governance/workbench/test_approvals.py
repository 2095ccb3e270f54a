"""Approval: by another person, of exactly what was frozen; and every way around it that we know, refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, transaction
from django.utils import timezone

from governance.models import Approval, Example, RuleVersion
from governance.workbench.selectors import (
    approval_intact,
    approvals_waiting,
    drafts_of,
    frozen_of,
    requirements,
    spec_of,
    standing_approval,
)
from governance.workbench.services import (
    approval_request,
    approval_withdraw,
    approve,
    draft_save,
    example_add,
    refuse,
    version_copy,
)
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import User
from tests import factories
from tests.governance.workbench import writing

pytestmark = pytest.mark.django_db


def unmet(version: RuleVersion) -> list[str]:
    return [found.key for found in requirements(version) if not found.met]


# --- asking ---------------------------------------------------------------------------------------------------------
def test_asking_freezes_all_that_is_approved() -> None:
    alice = writing.analyst()
    version = writing.ready(alice)
    approval = approval_request(actor=Actor.staff(alice), version_id=version.pk, note="Please before May.")
    version.refresh_from_db()
    assert version.frozen_at is not None
    assert approval.frozen == frozen_of(version, None)
    assert approval.frozen["spec"]["when"] == "signal.score < 10"
    assert approval.frozen["ladder"] == factories.LADDER
    assert approval.frozen["text"] == {"en": "Keep the score above ten."}
    assert approval.frozen["languages"] == ["en"]
    assert [example["name"] for example in approval.frozen["examples"]] == ["Low", "High"]
    assert "nothing to test it on" in approval.frozen["backtest"]["none"]
    assert standing_approval(version) == approval
    assert not approval_intact(version)
    event = writing.events("approval.requested")[0]
    assert (event.object_id, event.reason) == (str(approval.public_id), "Please before May.")
    assert event.after["digest"] == approval.digest


def spoil_condition(by: User, version: RuleVersion) -> None:
    writing.save(by, version, when="signal.score <")


def spoil_types(by: User, version: RuleVersion) -> None:
    writing.save(by, version, on=())


def spoil_ladder(by: User, version: RuleVersion) -> None:
    writing.save(by, version, ladder="")


def spoil_text(by: User, version: RuleVersion) -> None:
    writing.save(by, version, text=(("en", "  "),))


def spoil_examples(by: User, version: RuleVersion) -> None:
    version.examples.filter(must_match=False).delete()


def spoil_result(by: User, version: RuleVersion) -> None:
    writing.save(by, version, when="signal.score < 2")


def spoil_backtest(by: User, version: RuleVersion) -> None:
    factories.signal(factories.guild(), type="gift.score", data={"score": 3})


@pytest.mark.parametrize(
    ("spoil", "missing"),
    [
        (spoil_condition, ["problems", "examples", "backtest"]),
        (spoil_types, ["problems", "examples", "backtest"]),
        (spoil_ladder, ["ladder"]),
        (spoil_text, ["text"]),
        (spoil_examples, ["kinds"]),
        (spoil_result, ["examples"]),
        (spoil_backtest, ["backtest"]),
    ],
)
def test_a_version_that_is_not_ready_is_not_put_up(
    spoil: Callable[[User, RuleVersion], None], missing: list[str]
) -> None:
    alice = writing.analyst()
    version = writing.ready(alice)
    assert unmet(version) == []
    spoil(alice, version)
    recorded = writing.recorded()
    with pytest.raises(InvalidInput) as refusal:
        approval_request(actor=Actor.staff(alice), version_id=version.pk)
    assert [fault["field"] for fault in refusal.value.errors] == missing
    stored = RuleVersion.objects.get()
    assert (stored.frozen_at, Approval.objects.count(), writing.recorded()) == (None, 0, recorded)


def test_with_signals_stored_a_finished_backtest_of_this_very_wording_is_needed() -> None:
    alice = writing.analyst()
    version = writing.ready(alice)
    factories.signal(factories.guild(), type="gift.score", data={"score": 3})
    actor = Actor.staff(alice)
    running = writing.backtest(version, status="running")
    with pytest.raises(InvalidInput):
        approval_request(actor=actor, version_id=version.pk, backtest_id=running.pk)
    earlier = writing.backtest(version)
    writing.save(alice, version, when="signal.score < 11")
    with pytest.raises(InvalidInput):
        approval_request(actor=actor, version_id=version.pk, backtest_id=earlier.pk)
    other = writing.backtest(factories.version(status="draft"), digest=spec_of(version).digest())
    version.refresh_from_db()
    with pytest.raises(NotFound):
        approval_request(actor=actor, version_id=version.pk, backtest_id=other.pk)
    with pytest.raises(InvalidInput):
        approval_request(actor=actor, version_id=version.pk)
    assert Approval.objects.count() == 0
    fitting = writing.backtest(version)
    approval = approval_request(actor=actor, version_id=version.pk)
    assert approval.backtest == fitting
    assert approval.frozen["backtest"]["id"] == str(fitting.public_id)
    assert approval.frozen["backtest"]["result"] == {"totals": {"tested": 3}}


def test_it_is_asked_for_once() -> None:
    alice = writing.analyst()
    approval = writing.requested(alice)
    with pytest.raises(Conflict):
        approval_request(actor=Actor.staff(alice), version_id=approval.version_id)
    assert Approval.objects.count() == 1


@pytest.mark.parametrize("status", ["live", "paused", "retired"])
def test_only_what_is_not_launched_is_put_up(status: str) -> None:
    version = factories.version(status=status)
    with pytest.raises(InvalidTransition):
        approval_request(actor=Actor.staff(writing.analyst()), version_id=version.pk)
    assert Approval.objects.count() == 0


def test_asking_needs_an_analyst_who_reaches_all_of_it() -> None:
    alice = writing.analyst()
    version = writing.ready(alice)
    recorded = writing.recorded()
    for person in (
        writing.approver(),
        factories.staff(Role.LAUNCHER),
        writing.analyst(markets=[factories.market("HERE")]),
    ):
        with pytest.raises(NotAllowed):
            approval_request(actor=Actor.staff(person), version_id=version.pk)
    with pytest.raises(NotAllowed):
        approval_request(actor=Actor.system("script"), version_id=version.pk)
    assert (Approval.objects.count(), writing.recorded()) == (0, recorded)


# --- deciding -------------------------------------------------------------------------------------------------------
def test_another_person_approves_what_was_frozen() -> None:
    alice, bob = writing.analyst(), writing.approver()
    approval = writing.requested(alice)
    assert [found.pk for found in approvals_waiting(Actor.staff(bob))] == [approval.pk]
    approved = approve(actor=Actor.staff(bob), approval_id=approval.pk, reason="Clear and fair.")
    version = RuleVersion.objects.get()
    assert (approved.status, approved.decided_by_id, approved.reason) == (
        "approved",
        bob.pk,
        "Clear and fair.",
    )
    assert version.approver == bob
    assert version.frozen_at is not None
    assert approval_intact(version)
    assert not approvals_waiting(Actor.staff(bob)).exists()
    event = writing.events("approval.approved")[0]
    assert (event.reason, event.after["digest"]) == ("Clear and fair.", approval.digest)


def test_a_refused_draft_is_written_on_and_asked_for_anew() -> None:
    alice, bob = writing.analyst(), writing.approver()
    approval = writing.requested(alice)
    refuse(actor=Actor.staff(bob), approval_id=approval.pk, reason="Ten is too high.")
    version = RuleVersion.objects.get()
    assert (version.frozen_at, version.approver, standing_approval(version)) == (None, None, None)
    assert vars(drafts_of(Actor.staff(alice)).get())["was_refused"] is True
    assert writing.events("approval.refused")[0].reason == "Ten is too high."
    writing.save(alice, version, when="signal.score < 9")
    again = approval_request(actor=Actor.staff(alice), version_id=version.pk)
    approve(actor=Actor.staff(bob), approval_id=again.pk, reason="Better.")
    assert approval_intact(version)
    assert [found.status for found in Approval.objects.order_by("id")] == ["refused", "approved"]


def test_a_request_is_withdrawn_and_so_is_an_approval_before_the_launch() -> None:
    alice, bob = writing.analyst(), writing.approver()
    first = writing.requested(alice)
    version = first.version
    approval_withdraw(actor=Actor.staff(alice), approval_id=first.pk, reason="A slip.")
    version.refresh_from_db()
    assert version.frozen_at is None
    second = approval_request(actor=Actor.staff(alice), version_id=version.pk)
    approve(actor=Actor.staff(bob), approval_id=second.pk, reason="Fine.")
    approval_withdraw(actor=Actor.staff(bob), approval_id=second.pk, reason="I overlooked the cap.")
    version.refresh_from_db()
    assert (version.frozen_at, version.approver) == (None, None)
    assert not approval_intact(version)
    assert [event.reason for event in writing.events("approval.withdrawn")] == [
        "A slip.",
        "I overlooked the cap.",
    ]


def test_nothing_is_taken_back_once_launched() -> None:
    approval = writing.requested(writing.analyst())
    bob = writing.approver()
    approve(actor=Actor.staff(bob), approval_id=approval.pk, reason="Fine.")
    RuleVersion.objects.update(status="live", door="launch")
    recorded = writing.recorded()
    with pytest.raises(InvalidTransition):
        approval_withdraw(actor=Actor.staff(bob), approval_id=approval.pk, reason="Too late.")
    assert (Approval.objects.get().status, writing.recorded()) == ("approved", recorded)


def test_a_version_in_shadow_is_put_up_and_stays_frozen_when_refused() -> None:
    alice, bob = writing.analyst(), writing.approver()
    version = writing.ready(alice)
    RuleVersion.objects.filter(pk=version.pk).update(status="shadow", frozen_at=timezone.now())
    frozen_at = RuleVersion.objects.get().frozen_at
    approval = approval_request(actor=Actor.staff(alice), version_id=version.pk)
    refuse(actor=Actor.staff(bob), approval_id=approval.pk, reason="Too many of them.")
    assert RuleVersion.objects.get().frozen_at == frozen_at
    again = approval_request(actor=Actor.staff(alice), version_id=version.pk)
    approve(actor=Actor.staff(bob), approval_id=again.pk, reason="Seen the report now.")
    assert approval_intact(version)


def test_what_a_version_in_shadow_lacks_is_for_the_next_version() -> None:
    alice = writing.analyst()
    factories.market()
    version = writing.save(alice, writing.empty(alice))
    RuleVersion.objects.filter(pk=version.pk).update(status="shadow", frozen_at=timezone.now())
    with pytest.raises(InvalidInput) as refusal:
        approval_request(actor=Actor.staff(alice), version_id=version.pk)
    assert {fault["field"] for fault in refusal.value.errors} == {"kinds", "examples"}
    assert all("write the next version" in fault["message"] for fault in refusal.value.errors)
    assert Approval.objects.count() == 0


def test_who_decides_says_why() -> None:
    approval, bob = writing.requested(writing.analyst()), writing.approver()
    recorded = writing.recorded()
    for decide in (approve, refuse):
        with pytest.raises(InvalidInput):
            decide(actor=Actor.staff(bob), approval_id=approval.pk, reason=" \n")
    assert (Approval.objects.get().status, writing.recorded()) == ("requested", recorded)


def test_a_decision_is_final() -> None:
    approval, bob = writing.requested(writing.analyst()), writing.approver()
    refuse(actor=Actor.staff(bob), approval_id=approval.pk, reason="No.")
    recorded = writing.recorded()
    for decide in (approve, refuse):
        with pytest.raises(InvalidTransition):
            decide(actor=Actor.staff(bob), approval_id=approval.pk, reason="Or rather.")
    with pytest.raises(ProgrammingError), transaction.atomic():
        Approval.objects.update(status="approved")
    assert (Approval.objects.get().status, writing.recorded()) == ("refused", recorded)


# --- ways around ----------------------------------------------------------------------------------------------------
BOTH = (Role.ANALYST, Role.APPROVER)


def the_author() -> tuple[User, Approval]:
    person = factories.staff(*BOTH)
    return person, writing.requested(person)


def the_author_of_what_another_asked_for() -> tuple[User, Approval]:
    person = factories.staff(*BOTH)
    version = writing.ready(person)
    return person, approval_request(actor=Actor.staff(writing.analyst()), version_id=version.pk)


def a_co_writer() -> tuple[User, Approval]:
    person, alice = factories.staff(*BOTH), writing.analyst()
    version = writing.ready(alice)
    writing.save(person, version, when="signal.score < 9")
    # Taking the own words out again does not undo the hand one had in it.
    writing.save(alice, version)
    return person, approval_request(actor=Actor.staff(alice), version_id=version.pk)


def the_writer_of_an_example() -> tuple[User, Approval]:
    person, alice = factories.staff(*BOTH), writing.analyst()
    version = writing.ready(alice)
    example_add(
        actor=Actor.staff(person),
        version_id=version.pk,
        name="Mine",
        must_match=True,
        pasted='{"score": 1}',
    )
    return person, approval_request(actor=Actor.staff(alice), version_id=version.pk)


def the_one_who_asked() -> tuple[User, Approval]:
    person, alice = factories.staff(*BOTH), writing.analyst()
    version = writing.ready(alice)
    return person, approval_request(actor=Actor.staff(person), version_id=version.pk)


def the_author_behind_a_copy() -> tuple[User, Approval]:
    person, bob = factories.staff(*BOTH), writing.analyst()
    first = writing.requested(person)
    copy = version_copy(actor=Actor.staff(bob), version_id=first.version_id)
    return person, approval_request(actor=Actor.staff(bob), version_id=copy.pk)


def a_superuser_who_wrote_it() -> tuple[User, Approval]:
    person = User.objects.create_superuser("boss@example.test")
    return person, writing.requested(person)


def an_approver_of_other_markets() -> tuple[User, Approval]:
    return writing.approver(markets=[factories.market("HERE")]), writing.requested(writing.analyst())


def an_analyst() -> tuple[User, Approval]:
    return writing.analyst(), writing.requested(writing.analyst())


def an_approver_whose_account_was_closed() -> tuple[User, Approval]:
    return writing.approver(is_active=False), writing.requested(writing.analyst())


@pytest.mark.parametrize(
    "case",
    [
        the_author,
        the_author_of_what_another_asked_for,
        a_co_writer,
        the_writer_of_an_example,
        the_one_who_asked,
        the_author_behind_a_copy,
        a_superuser_who_wrote_it,
        an_approver_of_other_markets,
        an_analyst,
        an_approver_whose_account_was_closed,
    ],
    ids=lambda case: case.__name__,
)
def test_nobody_approves_what_is_not_theirs_to_approve(case: Callable[[], tuple[User, Approval]]) -> None:
    person, approval = case()
    recorded = writing.recorded()
    actor = Actor.staff(person)
    assert approval.pk not in {found.pk for found in approvals_waiting(actor)}
    for decide in (approve, refuse):
        with pytest.raises(NotAllowed):
            decide(actor=actor, approval_id=approval.pk, reason="It is fine.")
    stored = Approval.objects.select_related("version").get(pk=approval.pk)
    assert (stored.status, stored.decided_by, stored.version.approver) == ("requested", None, None)
    assert not approval_intact(stored.version)
    assert writing.recorded() == recorded


def test_the_system_itself_approves_nothing() -> None:
    approval = writing.requested(writing.analyst())
    recorded = writing.recorded()
    with pytest.raises(NotAllowed):
        approve(actor=Actor.system("shell"), approval_id=approval.pk, reason="Batch.")
    assert (Approval.objects.get().status, writing.recorded()) == ("requested", recorded)


def test_the_database_refuses_a_decision_by_the_one_who_asked() -> None:
    alice = writing.analyst()
    approval = writing.requested(alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.filter(pk=approval.pk).update(
            status="approved", decided_by=alice, decided_at=timezone.now()
        )
    assert Approval.objects.get().status == "requested"


@pytest.mark.parametrize("change", [{"frozen": {}}, {"digest": "0" * 64}], ids=["frozen", "digest"])
def test_the_database_keeps_what_was_frozen(change: dict[str, Any]) -> None:
    approval = writing.requested(writing.analyst())
    with pytest.raises(ProgrammingError), transaction.atomic():
        Approval.objects.filter(pk=approval.pk).update(**change)
    with pytest.raises(ProgrammingError), transaction.atomic():
        Approval.objects.filter(pk=approval.pk).delete()
    assert Approval.objects.get().digest == approval.digest


def change_an_example(version: RuleVersion) -> None:
    Example.objects.filter(version=version, name="Low").update(must_match=False)


def add_an_example(version: RuleVersion) -> None:
    low = version.examples.get(name="Low")
    Example.objects.create(version=version, name="Slipped in", must_match=True, facts=low.facts)


def thaw_and_rewrite(version: RuleVersion) -> None:
    RuleVersion.objects.filter(pk=version.pk).update(frozen_at=None)
    spec = replace(spec_of(version), when="true")
    RuleVersion.objects.filter(pk=version.pk).update(spec=spec.to_dict(), frozen_at=timezone.now())


def thaw_and_soften_the_ladder(version: RuleVersion) -> None:
    RuleVersion.objects.filter(pk=version.pk).update(frozen_at=None)
    RuleVersion.objects.filter(pk=version.pk).update(
        ladder={**factories.LADDER, "points": 90}, frozen_at=timezone.now()
    )


TAMPERING = [change_an_example, add_an_example, thaw_and_rewrite, thaw_and_soften_the_ladder]


@pytest.mark.parametrize("tamper", TAMPERING, ids=lambda case: case.__name__)
def test_what_changed_since_it_was_asked_for_is_not_approved(tamper: Callable[[RuleVersion], None]) -> None:
    approval = writing.requested(writing.analyst())
    tamper(approval.version)
    recorded = writing.recorded()
    with pytest.raises(Conflict) as refusal:
        approve(actor=Actor.staff(writing.approver()), approval_id=approval.pk, reason="Fine.")
    assert refusal.value.code == "not_as_frozen"
    assert (Approval.objects.get().status, writing.recorded()) == ("requested", recorded)


def another_approver(version: RuleVersion) -> None:
    RuleVersion.objects.filter(pk=version.pk).update(approver=writing.approver())


def a_hand_after_the_fact(version: RuleVersion) -> None:
    assert version.approver is not None
    version.writers.add(version.approver)


def thaw(version: RuleVersion) -> None:
    RuleVersion.objects.filter(pk=version.pk).update(frozen_at=None)


@pytest.mark.parametrize(
    "tamper", [*TAMPERING, another_approver, a_hand_after_the_fact, thaw], ids=lambda case: case.__name__
)
def test_what_changed_since_it_was_approved_is_not_approved_any_more(
    tamper: Callable[[RuleVersion], None],
) -> None:
    approval = writing.requested(writing.analyst())
    approve(actor=Actor.staff(writing.approver()), approval_id=approval.pk, reason="Fine.")
    version = RuleVersion.objects.get()
    assert approval_intact(version)
    tamper(version)
    assert not approval_intact(RuleVersion.objects.get())


def test_a_backtest_rewritten_after_the_fact_breaks_the_approval() -> None:
    alice = writing.analyst()
    version = writing.ready(alice)
    tested = writing.backtest(version)
    approval = approval_request(actor=Actor.staff(alice), version_id=version.pk, backtest_id=tested.pk)
    approve(actor=Actor.staff(writing.approver()), approval_id=approval.pk, reason="Few hits.")
    assert approval_intact(version)
    tested.result = {"totals": {"tested": 3_000}}
    tested.save()
    assert not approval_intact(version)


def test_frozen_drafts_take_no_examples_and_no_words() -> None:
    alice = writing.analyst()
    version = writing.requested(alice).version
    recorded = writing.recorded()
    with pytest.raises(InvalidTransition):
        example_add(
            actor=Actor.staff(alice), version_id=version.pk, name="Late", must_match=True, pasted="{}"
        )
    with pytest.raises(InvalidTransition):
        draft_save(
            actor=Actor.staff(alice), version_id=version.pk, spec=replace(spec_of(version), when="true")
        )
    assert (Example.objects.count(), writing.recorded()) == (2, recorded)


def test_numbers_of_every_shape_keep_their_digest() -> None:
    """PostgreSQL writes numbers its own way; the digest is of what it gives back, so it is the same ever after."""
    alice = writing.analyst()
    version = writing.ready(alice)
    example_add(
        actor=Actor.staff(alice),
        version_id=version.pk,
        name="Odd numbers",
        must_match=False,
        pasted='{"score": 1e20, "b": 1.50, "c": 1e-7, "d": 9007199254740993, "e": -0.0, "f": "ü"}',
    )
    approval = approval_request(actor=Actor.staff(alice), version_id=version.pk)
    approve(actor=Actor.staff(writing.approver()), approval_id=approval.pk, reason="Fine.")
    assert approval_intact(version)


def test_longest_waiting_first() -> None:
    bob = writing.approver()
    first = writing.requested(writing.analyst())
    second_version = writing.save(alice := writing.analyst(), writing.empty(alice, "GFT-2"))
    writing.with_examples(alice, second_version)
    second = approval_request(actor=Actor.staff(alice), version_id=second_version.pk)
    Approval.objects.filter(pk=second.pk).update(requested_at=first.requested_at - dt.timedelta(days=1))
    assert [found.pk for found in approvals_waiting(Actor.staff(bob))] == [second.pk, first.pk]
