"""What becomes of a rule version, who may bring it about, and when a version counts as live."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from governance.ledger.models import Event
from governance.models import LivePeriod, RuleVersion
from governance.rules import transitions
from governance.rules.enums import VersionStatus
from governance.rules.selectors import live_versions, was_live
from governance.rules.services import version_pause, version_resume, version_retire
from governance.rules.shadow import shadow_start
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed, NotFound
from tests import factories

pytestmark = pytest.mark.django_db

MONDAY = dt.datetime(2024, 4, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
Act = Callable[..., RuleVersion]


def staff(*roles: str, **fields: Any) -> Actor:
    return Actor.staff(factories.staff(*roles, **fields))


def refuses(
    kind: type[DomainError], act: Act, version: RuleVersion, actor: Actor, reason: str = "So."
) -> None:
    before = (version.status, Event.objects.count(), list(LivePeriod.objects.values_list("ends_at")))
    with pytest.raises(kind):
        act(actor=actor, version_id=version.pk, reason=reason)
    version.refresh_from_db()
    assert (version.status, Event.objects.count(), list(LivePeriod.objects.values_list("ends_at"))) == before


#: Who may do what; everybody else is refused.
MAY: dict[Act, set[str]] = {
    version_pause: {"launcher", "analyst", "approver", "enforcer"},
    version_resume: {"launcher"},
    version_retire: {"launcher"},
    shadow_start: {"launcher"},
}
FROM: dict[Act, str] = {
    version_pause: "live",
    version_resume: "paused",
    version_retire: "live",
    shadow_start: "live",
}


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("act", MAY)
def test_who_may_stop_and_start_a_version(act: Act, role: str) -> None:
    version = factories.version(status=FROM[act])
    if role in MAY[act]:
        act(actor=staff(role), version_id=version.pk, reason="So.")
        version.refresh_from_db()
        assert version.status != FROM[act]
        assert version.status_reason == "So."
        assert Event.objects.get().reason == "So."
    else:
        refuses(NotAllowed, act, version, staff(role))


@pytest.mark.parametrize("act", MAY)
def test_a_reason_and_the_right_status_are_needed(act: Act) -> None:
    launcher = staff("launcher")
    refuses(InvalidInput, act, factories.version(status=FROM[act]), launcher, reason=" ")
    refuses(InvalidTransition, act, factories.version(status="retired"), launcher)
    with pytest.raises(NotFound):
        act(actor=launcher, version_id=0, reason="So.")


def test_markets_bound_who_may_act() -> None:
    here, there = factories.market("HERE"), factories.market("THERE")
    both = factories.version(markets=["HERE", "THERE"])
    local = staff("launcher", markets=[here])
    refuses(NotAllowed, version_retire, both, local)
    refuses(NotAllowed, version_pause, factories.version(markets=["THERE"]), local)
    refuses(NotAllowed, version_retire, factories.version(), local)
    version_pause(actor=local, version_id=both.pk, reason="Stopping is easy.")
    both.refresh_from_db()
    refuses(NotAllowed, version_resume, both, local)
    version_resume(actor=staff("launcher", markets=[here, there]), version_id=both.pk, reason="All of it.")


def test_only_a_paused_version_resumes() -> None:
    refuses(InvalidTransition, version_resume, factories.version(status="draft"), staff("launcher"))
    refuses(InvalidTransition, version_resume, factories.version(status="shadow"), staff("launcher"))


def test_an_analyst_may_try_a_draft_in_shadow() -> None:
    draft = factories.version(status="draft", live_since=None)
    shadow_start(actor=staff("analyst"), version_id=draft.pk, reason="Try it.")
    draft.refresh_from_db()
    assert draft.status == "shadow"


def test_retiring_ends_the_live_period_now() -> None:
    version = factories.version()
    before = timezone.now()
    version_retire(actor=staff("launcher"), version_id=version.pk, reason="Gone.")
    period = LivePeriod.objects.get()
    assert period.ends_at is not None
    assert before <= period.ends_at <= timezone.now()


def test_pausing_does_not_end_the_live_period() -> None:
    version = factories.version()
    version_pause(actor=staff("enforcer"), version_id=version.pk, reason="Wait.")
    assert LivePeriod.objects.get().ends_at is None


def test_was_live_knows_the_day_and_the_market() -> None:
    here, there = factories.market("HERE"), factories.market("THERE")
    version = factories.version(live_since=MONDAY, markets=["HERE"])
    LivePeriod.objects.update(ends_at=MONDAY + 7 * DAY)
    assert not was_live(version, here.pk, MONDAY - DAY)
    assert was_live(version, here.pk, MONDAY)
    assert was_live(version, here.pk, MONDAY + 6.9 * DAY)
    assert not was_live(version, here.pk, MONDAY + 7 * DAY)
    assert not was_live(version, there.pk, MONDAY)
    assert list(live_versions(MONDAY)) == [version]
    assert not live_versions(MONDAY - DAY).exists()


def test_a_period_of_one_market_counts_there_only() -> None:
    here, there = factories.market(), factories.market()
    version = factories.version(live_since=None)
    LivePeriod.objects.create(version=version, market=here, starts_at=MONDAY)
    assert was_live(version, here.pk, MONDAY)
    assert not was_live(version, there.pk, MONDAY)


@pytest.mark.parametrize(
    "change",
    [{"cap": 9}, {"severity": "S1"}, {"spec": {}}, {"ladder": {}}, {"markets": ["X"]}, {"number": 7}],
)
def test_the_wording_cannot_be_changed(change: dict[str, Any]) -> None:
    version = factories.version()
    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
        RuleVersion.objects.filter(pk=version.pk).update(**change)
    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
        RuleVersion.objects.filter(pk=version.pk).delete()


def test_the_table_of_transitions_is_complete() -> None:
    assert set(transitions.TRANSITIONS) == set(VersionStatus)
    # Retirement ends every path but one: the rollback of the version that came after.
    assert transitions.TRANSITIONS[VersionStatus.RETIRED] == frozenset({VersionStatus.LIVE})
