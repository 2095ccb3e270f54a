"""Two people at the same rule in the same moment: one of them is told, and nothing is half done."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from governance.models import Approval, Event, RuleVersion
from governance.workbench.selectors import approval_intact, digest_of, frozen_of
from governance.workbench.services import (
    approval_request,
    approval_withdraw,
    approve,
    draft_save,
    refuse,
    rule_create,
    version_copy,
)
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, DomainError, InvalidTransition
from tests.governance.workbench import writing

pytestmark = pytest.mark.django_db(transaction=True)


def together(*acts: Callable[[], Any]) -> list[str]:
    """Run all at once, each in a thread and a connection of its own; "done" or the kind of refusal, in order."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> str:
        try:
            barrier.wait(timeout=20)
            act()
        except DomainError as refusal:
            return type(refusal).__name__
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_of_two_saves_from_the_same_page_one_is_told() -> None:
    alice, bob = writing.analyst(), writing.analyst()
    version = writing.save(alice, writing.empty(alice))

    def save(person: Any, when: str) -> Callable[[], Any]:
        spec, opened = writing.wording(version, when=when), version.written_at
        actor = Actor.staff(person)
        return lambda: draft_save(actor=actor, version_id=version.pk, spec=spec, expected_written_at=opened)

    results = together(save(alice, "signal.score < 1"), save(bob, "signal.score < 2"))

    assert sorted(results) == [Conflict.__name__, "done"]
    won = ("signal.score < 1", "signal.score < 2")[results.index("done")]
    assert RuleVersion.objects.get().spec["when"] == won
    assert len(writing.events("rule_version.drafted")) == 2


def test_a_save_and_a_request_at_once_never_freeze_what_was_not_asked_for() -> None:
    alice, bob = writing.analyst(), writing.analyst()
    version = writing.ready(alice)
    spec = writing.wording(version, when="signal.score < 4")
    asking, saving = Actor.staff(alice), Actor.staff(bob)

    results = together(
        lambda: approval_request(actor=asking, version_id=version.pk),
        lambda: draft_save(actor=saving, version_id=version.pk, spec=spec),
    )

    approval, stored = Approval.objects.get(), RuleVersion.objects.get()
    assert results[0] == "done"
    assert results[1] in {"done", InvalidTransition.__name__}
    assert approval.digest == digest_of(frozen_of(stored, None))
    # Whoever came in before the freeze has a hand in what is frozen.
    assert stored.writers.filter(pk=bob.pk).exists() == (results[1] == "done")


def test_of_two_decisions_and_a_withdrawal_one_stands() -> None:
    alice, bob, carol = writing.analyst(), writing.approver(), writing.approver()
    approval = writing.requested(alice)
    author, first, second = Actor.staff(alice), Actor.staff(bob), Actor.staff(carol)

    results = together(
        lambda: approve(actor=first, approval_id=approval.pk, reason="Fair."),
        lambda: refuse(actor=second, approval_id=approval.pk, reason="Unfair."),
        lambda: approval_withdraw(actor=author, approval_id=approval.pk, reason="A slip."),
    )

    stored = Approval.objects.select_related("version").get()
    acts = [act for act in Event.objects.values_list("act", flat=True) if act.startswith("approval.")]
    assert results.count("done") == len(acts) - 1
    # An approval may be taken back at once; nothing else may follow a decision.
    assert results.count("done") == 1 or acts[1:] == ["approval.approved", "approval.withdrawn"]
    assert approval_intact(stored.version) == (stored.status == "approved")
    assert (stored.version.frozen_at is None) == (stored.status != "approved")


def test_one_code_one_rule_and_one_draft() -> None:
    alice, bob = writing.analyst(), writing.analyst()
    risk, actors = writing.risk().code, [Actor.staff(alice), Actor.staff(bob)]

    def create(actor: Actor) -> Callable[[], Any]:
        return lambda: rule_create(actor=actor, code="GFT-LOW", name="Low", risk_code=risk)

    assert sorted(together(*map(create, actors))) == [Conflict.__name__, "done"]
    version = RuleVersion.objects.get()
    RuleVersion.objects.update(status="shadow")

    def copy(actor: Actor) -> Callable[[], Any]:
        return lambda: version_copy(actor=actor, version_id=version.pk)

    assert sorted(together(*map(copy, actors))) == [Conflict.__name__, "done"]
    assert RuleVersion.objects.filter(status="draft").count() == 1
