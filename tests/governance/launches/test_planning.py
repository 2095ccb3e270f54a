"""The plan of a launch: gates with owners and evidence, waves, and the word go."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.launches import services
from governance.launches.gating import gate_states
from governance.models import Event, Gate, Launch, Wave
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Market
from tests import factories
from tests.governance.launches.launching import acting, launcher, nothing_changes

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


@pytest.fixture
def market(db: None) -> Market:
    return factories.market("DE")


@pytest.fixture
def launch(market: Market) -> Launch:
    return services.launch_create(actor=launcher(), version_id=factories.draft().pk)


def in_days(days: float) -> dt.datetime:
    return timezone.now() + dt.timedelta(days=days)


def add(launch: Launch, *markets: Market) -> Wave:
    return services.wave_add(
        actor=launcher(),
        launch_id=launch.pk,
        market_ids=[place.pk for place in markets],
        planned_at=in_days(20),
    )


# --- the plan ---------------------------------------------------------------------------------------------------------
def test_a_launch_is_planned_before_it_is_approved_with_a_gate_of_every_kind() -> None:
    version = factories.draft()
    actor = launcher()

    launch = services.launch_create(actor=actor, version_id=version.pk, lesson_percent=60, notes=" Soon. ")

    assert (launch.title, launch.status, launch.lesson_percent) == (version.name, "planning", 60)
    assert (launch.owner_id, launch.notes, len(launch.salt)) == (actor.user_id, "Soon.", 32)
    today = timezone.now().date()
    assert [
        (gate.kind, gate.team, (gate.due_on - today).days) for gate in launch.gates.all() if gate.due_on
    ] == [
        ("approval", "policy", 3),
        ("policy_text", "policy", 5),
        ("notice", "operations", 21),
        ("lesson", "policy", 14),
        ("reviewer_guide", "review", 7),
        ("staffing", "review", 7),
        ("appeal_staffing", "operations", 7),
        ("product", "product", 7),
    ]
    [event] = Event.objects.all()
    assert (event.act, event.object_id) == ("launch.created", str(launch.public_id))


@pytest.mark.parametrize("status", ["live", "paused", "retired"])
def test_only_what_is_not_live_yet_is_launched(status: str) -> None:
    version = factories.version(status=status)
    actor = launcher()
    with nothing_changes(), pytest.raises(InvalidTransition):
        services.launch_create(actor=actor, version_id=version.pk)


def test_a_version_in_shadow_can_be_launched() -> None:
    version = factories.version(status="shadow", live_since=None)
    assert services.launch_create(actor=launcher(), version_id=version.pk).status == "planning"


def test_one_launch_per_version_at_a_time(launch: Launch) -> None:
    actor, another = launcher(), factories.draft()
    with nothing_changes():
        with pytest.raises(Conflict):
            services.launch_create(actor=actor, version_id=launch.version_id)
        with pytest.raises(NotFound):
            services.launch_create(actor=actor, version_id=0)
        for percent in (-1, 101):
            with pytest.raises(InvalidInput):
                services.launch_create(actor=actor, version_id=another.pk, lesson_percent=percent)
    services.launch_cancel(actor=actor, launch_id=launch.pk, reason="Another way.")
    services.launch_create(actor=actor, version_id=launch.version_id)
    assert list(Launch.objects.order_by("id").values_list("status", flat=True)) == ["cancelled", "planning"]


def test_asking_less_of_guilds_takes_the_go_back(market: Market) -> None:
    wave = factories.launch_ready(market)
    Launch.objects.update(lesson_percent=80)
    actor = launcher()

    services.launch_change(actor=actor, launch_id=wave.launch_id, reason="Most know it.", lesson_percent=40)

    wave.refresh_from_db()
    assert (wave.status, wave.decided_by) == ("planned", None)
    changed = Event.objects.get(act="launch.changed")
    assert (changed.before, changed.after) == ({"lesson_percent": 80}, {"lesson_percent": 40})


# --- gates ------------------------------------------------------------------------------------------------------------
def gate_of(launch: Launch, kind: str) -> Gate:
    return launch.gates.get(kind=kind)


def test_the_owner_signs_with_evidence_and_takes_it_back(launch: Launch) -> None:
    owner = factories.staff("reviewer")
    gate = gate_of(launch, "reviewer_guide")
    services.gate_assign(actor=launcher(), gate_id=gate.pk, owner_id=owner.pk, due_on=dt.date(2030, 1, 2))

    services.gate_sign(
        actor=acting(owner),
        gate_id=gate.pk,
        evidence="Guide read by all.",
        evidence_url="https://wiki.test/g",
    )

    gate.refresh_from_db()
    assert (gate.owner, gate.due_on, gate.status) == (owner, dt.date(2030, 1, 2), "passed")
    assert (gate.signed_by, gate.evidence, gate.evidence_url) == (
        owner,
        "Guide read by all.",
        "https://wiki.test/g",
    )
    services.gate_reopen(actor=acting(owner), gate_id=gate.pk, reason="A chapter is missing.")
    gate.refresh_from_db()
    assert (gate.status, gate.signed_by, gate.evidence) == ("open", None, "")
    assert list(Event.objects.filter(object_type="gate").order_by("id").values_list("act", "reason")) == [
        ("gate.assigned", ""),
        ("gate.signed", "Guide read by all."),
        ("gate.reopened", "A chapter is missing."),
    ]


@pytest.mark.parametrize("kind", ["approval", "policy_text", "notice", "lesson"])
def test_facts_are_not_signed(launch: Launch, kind: str) -> None:
    actor = launcher()
    gate = gate_of(launch, kind)
    with nothing_changes(), pytest.raises(NotAllowed) as refused:
        services.gate_sign(actor=actor, gate_id=gate.pk, evidence="I believe so.")
    assert refused.value.code == "gate_automatic"


def test_signing_takes_evidence_and_the_right_person(launch: Launch) -> None:
    gate = gate_of(launch, "product")
    stranger, actor = acting(factories.staff("reviewer")), launcher()
    elsewhere = launcher(markets=[])
    with nothing_changes():
        with pytest.raises(NotAllowed):
            services.gate_sign(actor=stranger, gate_id=gate.pk, evidence="Done.")
        with pytest.raises(InvalidInput):
            services.gate_sign(actor=actor, gate_id=gate.pk, evidence="   ")
        with pytest.raises(InvalidInput):
            services.gate_sign(
                actor=actor, gate_id=gate.pk, evidence="Done.", evidence_url="javascript:alert(1)"
            )
        with pytest.raises(NotAllowed):
            services.gate_reopen(actor=stranger, gate_id=gate.pk, reason="So.")
        with pytest.raises(InvalidTransition):
            services.gate_reopen(actor=actor, gate_id=gate.pk, reason="So.")
    assert elsewhere.market_ids == frozenset()


def test_only_people_in_office_answer_for_a_gate(launch: Launch) -> None:
    actor, gate = launcher(), gate_of(launch, "product")
    nobody = factories.user()
    gone = factories.staff("reviewer", is_active=False)
    with nothing_changes():
        for person in (nobody, gone):
            with pytest.raises(InvalidInput):
                services.gate_assign(actor=actor, gate_id=gate.pk, owner_id=person.pk)


# --- waves ------------------------------------------------------------------------------------------------------------
def test_a_market_is_in_one_wave_of_a_launch(launch: Launch, market: Market) -> None:
    france = factories.market("FR")
    first = add(launch, market)
    actor = launcher()
    with nothing_changes(), pytest.raises(Conflict):
        services.wave_add(
            actor=actor, launch_id=launch.pk, market_ids=[market.pk, france.pk], planned_at=in_days(30)
        )
    second = add(launch, france)
    with nothing_changes(), pytest.raises(Conflict):
        services.wave_change(actor=actor, wave_id=second.pk, market_ids=[market.pk])
    services.wave_remove(actor=actor, wave_id=first.pk, reason="Later.")
    services.wave_change(actor=actor, wave_id=second.pk, market_ids=[market.pk, france.pk])
    assert [(wave.number, wave.status, wave.markets.count()) for wave in launch.waves.all()] == [
        (1, "cancelled", 1),
        (2, "planned", 2),
    ]


def test_a_wave_is_within_the_rule_and_the_limits(market: Market) -> None:
    france = factories.market("FR")
    actor = launcher()
    launch = services.launch_create(actor=actor, version_id=factories.draft(markets=["DE"], severity="S1").pk)
    plan: dict[str, Any] = {
        "actor": actor,
        "launch_id": launch.pk,
        "market_ids": [market.pk],
        "planned_at": in_days(20),
    }
    wrong: list[dict[str, Any]] = [
        {"market_ids": [france.pk]},
        {"market_ids": []},
        {"market_ids": [0]},
        {"planned_at": in_days(-1)},
        {"share": 0},
        {"share": 101},
        {"holdout": 51},
        {"holdout": -1},
        {"holdout": 1},
        {"name": "x" * 121},
    ]
    with nothing_changes():
        for fault in wrong:
            with pytest.raises(InvalidInput):
                services.wave_add(**(plan | fault))


def test_a_new_name_leaves_the_decision_alone(market: Market) -> None:
    wave = factories.launch_ready(market)
    services.wave_change(actor=launcher(), wave_id=wave.pk, name="The first")
    wave.refresh_from_db()
    assert (wave.name, wave.status) == ("The first", "go")


def test_a_live_wave_is_not_changed_or_taken_out(market: Market) -> None:
    from tests.governance.launches.test_starting import live

    wave = live(market)
    actor = launcher()
    with nothing_changes():
        for refused in (
            lambda: services.wave_change(actor=actor, wave_id=wave.pk, share=50),
            lambda: services.wave_remove(actor=actor, wave_id=wave.pk, reason="So."),
            lambda: services.wave_decide(actor=actor, wave_id=wave.pk, decision="no_go", reason="So."),
            lambda: services.wave_announce(actor=actor, wave_id=wave.pk),
            lambda: services.launch_cancel(actor=actor, launch_id=wave.launch_id, reason="So."),
        ):
            with pytest.raises(InvalidTransition):
                refused()


# --- go ---------------------------------------------------------------------------------------------------------------
def test_go_takes_everything_people_can_do_and_names_what_is_missing(launch: Launch, market: Market) -> None:
    factories.guild(market=market)
    wave = add(launch, market)
    actor = launcher()
    with nothing_changes(), pytest.raises(Conflict) as refused:
        services.wave_decide(actor=actor, wave_id=wave.pk, decision="go", reason="Let us.")

    assert [error["message"] for error in refused.value.errors] == [
        "Nobody has approved the version.",
        "Not signed.",
        "Not signed.",
        "Not signed.",
        "Not signed.",
        "The guilds of DE have not all been told.",
    ]


def test_go_waits_neither_for_the_notice_nor_for_the_lessons(market: Market) -> None:
    factories.guild(market=market)
    wave = factories.launch_ready(market)
    Launch.objects.update(lesson_percent=100)
    actor = launcher()
    services.wave_decide(actor=actor, wave_id=wave.pk, decision="no_go", reason="Wait.")

    services.wave_decide(actor=actor, wave_id=wave.pk, decision="go", reason="Go on.")

    wave.refresh_from_db()
    assert (wave.status, wave.decided_by_id, wave.reason) == ("go", actor.user_id, "Go on.")
    open_gates = {state.kind for state in gate_states(wave.launch, wave) if not state.passed}
    assert open_gates == {"notice", "lesson"}
    decided = Event.objects.filter(act="wave.decided").order_by("-id")[0]
    assert (decided.before, decided.reason) == ({"status": "no_go"}, "Go on.")


def test_a_decision_is_go_or_no_go_with_a_reason(market: Market) -> None:
    wave = factories.launch_ready(market)
    actor = launcher()
    with nothing_changes():
        for decision, reason in (("live", "So."), ("planned", "So."), ("", "So."), ("no_go", " ")):
            with pytest.raises(InvalidInput):
                services.wave_decide(actor=actor, wave_id=wave.pk, decision=decision, reason=reason)


def test_giving_up_ends_every_wave(market: Market) -> None:
    wave = factories.launch_ready(market)
    services.launch_cancel(actor=launcher(), launch_id=wave.launch_id, reason="No need.")
    wave.refresh_from_db()
    launch = Launch.objects.get()
    assert (wave.status, launch.status, launch.finished_reason) == ("cancelled", "cancelled", "No need.")
    with nothing_changes(), pytest.raises(InvalidTransition):
        services.wave_add(
            actor=acting(launch.owner), launch_id=launch.pk, market_ids=[market.pk], planned_at=in_days(9)
        )
