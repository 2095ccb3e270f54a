"""Two people press the button at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection

from appeals.models import Appeal, Decision
from appeals.services import appeal_decide, appeal_withdraw
from governance.models import Event, Finding, Standing
from guilds.accounts.actor import Actor
from guilds.accounts.services import guild_user_invite, link_accept, one_time_link
from guilds.errors import Conflict, DomainError, InvalidTransition, NotFound
from guilds.models import GuildUser
from tests import factories
from tests.appeals.cases import ANSWER, Case, build_case

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def case(transactional_db: None) -> Case:
    return build_case()


def _together(*acts: Callable[[], Any]) -> list[str]:
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


def test_of_two_appeals_filed_at_once_one_is_open(case: Case) -> None:
    other = Actor.guild_user(case.max)

    results = _together(case.appeal, lambda: case.appeal(actor=other))

    assert sorted(results) == [Conflict.__name__, "done"]
    assert Appeal.objects.count() == Event.objects.filter(act="appeal.filed").count() == 1


def test_of_two_decisions_at_once_one_stands(case: Case) -> None:
    appeal = case.appeal()

    def decide(actor: Actor, outcome: str) -> Callable[[], Any]:
        return lambda: appeal_decide(actor=actor, appeal_id=appeal.pk, outcome=outcome, answer=ANSWER)

    # Deciding takes the case, so whoever comes second finds it taken or settled.
    results = _together(decide(case.adjudicator, "overturned"), decide(Actor.staff(case.abel), "upheld"))

    assert results.count("done") == 1
    decision = Decision.objects.get()
    assert Event.objects.filter(act="appeal.decided").count() == 1
    overturned = decision.outcome == "overturned"
    assert Standing.objects.get(guild=case.guild).score == (100 if overturned else 90)
    assert Finding.objects.count() == int(overturned)


def test_withdrawing_while_it_is_decided_ends_one_way(case: Case) -> None:
    appeal = case.appeal()

    results = _together(
        lambda: appeal_withdraw(actor=case.owner, appeal_id=appeal.pk),
        lambda: appeal_decide(
            actor=case.adjudicator, appeal_id=appeal.pk, outcome="overturned", answer=ANSWER
        ),
    )

    assert sorted(results) == [InvalidTransition.__name__, "done"]
    appeal.refresh_from_db()
    assert (appeal.status == "decided") == Decision.objects.exists()


def test_of_two_uses_of_a_one_time_link_one_counts(case: Case) -> None:
    uid, token = urlsplit(one_time_link(factories.user("nina@guild.test"))).path.strip("/").split("/")[2:]

    results = _together(
        *(
            lambda password=password: link_accept(uid=uid, token=token, password=password)
            for password in ("seven new lanterns", "eight new lanterns")
        )
    )

    assert sorted(results) == [NotFound.__name__, "done"]
    assert Event.objects.filter(act="user.password_set").count() == 1


def test_two_first_invitations_make_one_owner(transactional_db: None) -> None:
    guild = factories.guild()

    _together(
        *(
            lambda email=email: guild_user_invite(actor=Actor.system("test"), email=email, guild=guild)
            for email in ("a@guild.test", "b@guild.test")
        )
    )

    assert sorted(GuildUser.objects.values_list("role", flat=True)) == ["manager", "owner"]
