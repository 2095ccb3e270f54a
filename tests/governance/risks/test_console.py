"""The pages of risks and feedback in the console: what they show, what their buttons do, and for whom."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from governance.insights.risk_facts import risk_assessments
from governance.ledger.models import Event
from governance.models import Assessment, Feedback, Notice, Risk
from governance.risks.services import assessments_record, feedback_link, feedback_merge, feedback_send
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.page import admin_url, list_url
from guilds.models import Activity, Guild
from tests import factories

pytestmark = pytest.mark.django_db

BODY = "The rule on idle streams punishes short breaks."
DESCRIBED = {
    "name": "Harm to minors",
    "definition": "",
    "category": "minors",
    "harm": "5",
    "likelihood": "2",
    "owner": "Child safety",
    "treatment": "reduce",
    "treatment_note": "",
    "review_on": "2030-01-31",
}


@pytest.fixture
def guild(db: None) -> Guild:
    return factories.guild("aurora", market=factories.market("HERE"))


@pytest.fixture
def risk(db: None) -> Risk:
    return Risk.objects.create(code="MIN", name="Harm to minors", harm=5, likelihood=2, owner="Child safety")


def signed_in(*roles: str, **fields: Any) -> Client:
    client = Client()
    client.force_login(factories.staff(*roles, **fields))
    return client


def press(
    client: Client, model: type, name: str, obj: Any = None, values: dict[str, Any] | None = None
) -> Any:
    url = reverse(f"admin:governance_{model.__name__.lower()}_{name}", args=[obj.pk] if obj else [])
    return client.get(url) if values is None else client.post(url, values)


def listed(client: Client, model: type, **query: str) -> list[str]:
    rows = client.get(list_url(model), query).context["cl"].result_list
    return [str(row.code) if model is Risk else str(row.body) for row in rows]


# --- the register -----------------------------------------------------------------------------------------------------
def test_an_analyst_keeps_the_register_in_the_browser(db: None) -> None:
    client = signed_in(Role.ANALYST)
    assert press(client, Risk, "create").status_code == 200
    answer = press(client, Risk, "create", values={"code": "MIN", **DESCRIBED})
    risk = Risk.objects.get()
    assert answer.headers["Location"] == admin_url(risk)
    assert (risk.category, risk.harm, risk.review_on) == ("minors", 5, dt.date(2030, 1, 31))

    # The form comes filled in, and only what differs is recorded.
    shown = press(client, Risk, "revise", risk).content.decode()
    assert 'value="Child safety"' in shown
    assert 'value="2030-01-31"' in shown
    press(client, Risk, "revise", risk, {**DESCRIBED, "harm": "4", "reason": "Less than feared."})
    event = Event.objects.get(act="risk.changed")
    assert (event.before, event.after, event.reason) == ({"harm": 5}, {"harm": 4}, "Less than feared.")

    press(client, Risk, "review", risk, {"review_on": "2031-01-01", "reason": "Stands."})
    press(client, Risk, "retire", risk, {"reason": "Gone."})
    press(client, Risk, "restore", risk, {"reason": "Back."})
    risk.refresh_from_db()
    assert (risk.review_on, risk.retired_at) == (dt.date(2031, 1, 1), None)
    page = client.get(admin_url(risk)).content.decode()
    for said in ("Risk restored", "Risk retired", "Risk reviewed", "Less than feared."):
        assert said in page


def test_the_form_says_what_is_wrong(risk: Risk) -> None:
    client, before = signed_in(Role.ANALYST), Event.objects.count()
    for values, status in (
        ({"code": "MIN", **DESCRIBED}, 409),
        ({"code": "a b", **DESCRIBED}, 422),
        ({"code": "X", **DESCRIBED, "harm": "9"}, 422),
        ({}, 422),
    ):
        assert press(client, Risk, "create", values=values).status_code == status
    assert (
        "after today"
        in press(client, Risk, "review", risk, {"review_on": "2020-01-01", "reason": "So."}).content.decode()
    )
    assert (Risk.objects.count(), Event.objects.count()) == (1, before)


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ANALYST])
def test_nobody_else_has_the_buttons(risk: Risk, role: Role) -> None:
    client = signed_in(role)
    page = client.get(admin_url(risk)).content.decode()
    for name in ("revise", "review", "retire"):
        assert reverse(f"admin:governance_risk_{name}", args=[risk.pk]) not in page
        values = {**DESCRIBED, "reason": "So.", "review_on": "2031-01-01"}
        assert press(client, Risk, name, risk, values).status_code == 403
    assert press(client, Risk, "create", values={"code": "X", **DESCRIBED}).status_code == 403
    assert not Event.objects.exists()


def test_the_register_is_narrowed(risk: Risk) -> None:
    today = timezone.now().date()
    made_of: dict[str, dict[str, Any]] = {
        "LATE": {"review_on": today, "category": "fraud"},
        "SOON": {"review_on": today + dt.timedelta(days=30), "treatment": "accept"},
        "GONE": {"review_on": today, "retired_at": timezone.now()},
    }
    for code, fields in made_of.items():
        made = Risk.objects.create(code=code, name=code, harm=1, likelihood=1, owner="X", **fields)
        if code == "LATE":
            factories.version(factories.rule(risk=made))
        if code == "SOON":
            factories.version(factories.rule(risk=made), status="draft")
    Risk.objects.filter(code="RSK").delete()
    client = signed_in(Role.AUDITOR)
    assert listed(client, Risk) == ["GONE", "LATE", "MIN", "SOON"]
    for query, expected in (
        ({"review": "overdue"}, ["LATE"]),
        ({"review": "soon"}, ["SOON"]),
        ({"review": "none"}, ["MIN"]),
        ({"rules": "none"}, ["GONE", "MIN"]),
        ({"rules": "not_live"}, ["GONE", "MIN", "SOON"]),
        ({"rules": "live"}, ["LATE"]),
        ({"state": "retired"}, ["GONE"]),
        ({"category__exact": "fraud"}, ["LATE"]),
        ({"treatment__exact": "accept"}, ["SOON"]),
        ({"q": "harm to"}, ["MIN"]),
    ):
        assert listed(client, Risk, **query) == expected, query


def test_the_page_of_a_risk_tells_where_it_stands(guild: Guild, risk: Risk) -> None:
    version = factories.version(factories.rule("MIN-1", risk=risk))
    Activity.objects.create(
        guild=guild, date=timezone.now().date() - dt.timedelta(days=3), live_hours=100, active_creators=1
    )
    case = factories.violation(
        guild, version, status="confirmed", occurred_at=timezone.now() - dt.timedelta(days=2), evidence=False
    )
    analyst = Actor.staff(factories.staff("analyst"))
    told = feedback_send(actor=analyst, body=BODY, guild_id=guild.pk)
    feedback_link(actor=analyst, feedback_id=told.pk, risk_id=risk.pk)
    Feedback.objects.update(created_at=timezone.now() - dt.timedelta(days=2))
    assessments_record(actor=analyst, rows=risk_assessments(on=timezone.now().date()))
    assessment = Assessment.objects.get(risk=risk)

    page = signed_in(Role.AUDITOR).get(admin_url(risk)).content.decode()
    for said in ("MIN-1", "v1 Live", BODY, admin_url(assessment), "Over 1 market", "1 of 1"):
        assert said in page, said
    detail = signed_in(Role.AUDITOR).get(admin_url(assessment)).content.decode()
    for said in (
        admin_url(case),
        f"rule__id__exact={version.rule_id}",
        BODY,
        "How this was reached",
        "Insufficient data",
    ):
        assert said in detail, said
    # 60 × 25 ÷ 25: one of one guild; half the trend; one message; all the live hours.
    assert assessment.priority == 60 + 7.5 + 1 + 15
    away = signed_in(Role.AUDITOR, markets=[factories.market("ELSE")])
    assert away.get(admin_url(assessment)).status_code == 404
    shown = away.get(admin_url(risk)).content.decode()
    assert BODY not in shown
    assert admin_url(assessment) not in shown


# --- feedback ---------------------------------------------------------------------------------------------------------
def test_a_colleague_notes_down_what_they_heard(guild: Guild) -> None:
    client = signed_in(Role.REVIEWER)
    said = {"source": "creator", "topic": "misconduct", "body": BODY, "guild": "aurora", "language": "en"}
    answer = press(client, Feedback, "note", values=said)
    told = Feedback.objects.get()
    assert answer.headers["Location"] == admin_url(told)
    assert (told.guild, told.market, told.source, told.channel) == (guild, guild.market, "creator", "console")
    for wrong, status in (({"guild": "nobody"}, 404), ({"body": "short"}, 422), ({"topic": ""}, 422)):
        assert press(client, Feedback, "note", values=said | wrong).status_code == status
    assert press(signed_in(Role.AUDITOR), Feedback, "note", values=said).status_code == 403
    elsewhere = signed_in(Role.REVIEWER, markets=[factories.market("ELSE")])
    assert press(elsewhere, Feedback, "note", values=said).status_code == 404
    assert press(elsewhere, Feedback, "note", values=said | {"guild": ""}).status_code == 422
    assert Feedback.objects.count() == 1


def test_a_launcher_sorts_links_merges_and_answers(guild: Guild, risk: Risk) -> None:
    olga = Actor.guild_user(factories.seat(guild))
    first, again = (feedback_send(actor=olga, body=f"{BODY} {n}") for n in ("Really.", "Truly."))
    client = signed_in(Role.LAUNCHER)
    press(client, Feedback, "triage", first, {"topic": "rule_unfair"})
    press(client, Feedback, "link", first, {"risk": risk.pk})
    offered = press(client, Feedback, "merge", again).content.decode()
    assert "Really." in offered
    press(client, Feedback, "merge", again, {"into": str(first.pk), "other": ""})
    page = client.get(admin_url(first)).content.decode()
    assert "Truly." in page
    assert "+1" in client.get(list_url(Feedback)).content.decode()
    press(client, Feedback, "answer", first, {"answer": "Fifteen minutes are right."})
    for message, status in ((first, "answered"), (again, "merged")):
        message.refresh_from_db()
        assert message.status == status
    assert Notice.objects.get().guild == guild
    assert "Fifteen minutes are right." in client.get(admin_url(first)).content.decode()
    # What is answered offers nothing more but the link.
    shown = client.get(admin_url(first)).content.decode()
    offered_acts = {
        name
        for name in ("answer", "triage", "link", "merge", "close", "reopen")
        if reverse(f"admin:governance_feedback_{name}", args=[first.pk]) in shown
    }
    assert offered_acts == {"link"}


def test_merging_by_id_takes_one_or_the_other(guild: Guild) -> None:
    olga = Actor.guild_user(factories.seat(guild))
    first, second = (
        feedback_send(actor=olga, body=BODY),
        feedback_send(actor=olga, body="Quite another thing."),
    )
    client, before = signed_in(Role.ANALYST), Event.objects.count()
    for values in (
        {"into": "", "other": ""},
        {"into": "", "other": "not an id"},
        {"into": "", "other": "00000000"},
        {"into": str(second.pk), "other": ""},  # not of like wording, so not offered
    ):
        assert press(client, Feedback, "merge", first, values).status_code == 422
    assert Event.objects.count() == before
    press(client, Feedback, "merge", first, {"into": "", "other": str(second.public_id)[:8]})
    first.refresh_from_db()
    assert first.merged_into == second


def test_several_are_sorted_and_linked_at_once(guild: Guild, risk: Risk) -> None:
    olga = Actor.guild_user(factories.seat(guild))
    rows = [feedback_send(actor=olga, body=f"{BODY} {n}") for n in range(3)]
    feedback_merge(actor=Actor.system("test"), feedback_id=rows[2].pk, into_id=rows[0].pk)
    client = signed_in(Role.ANALYST)
    chosen = {"_selected_action": [row.pk for row in rows], "confirmed": "1"}
    answer = client.post(list_url(Feedback), {"action": "link", "risk": risk.pk, **chosen})
    assert (answer.context["succeeded"], len(answer.context["results"])) == (2, 3)
    assert "link that one" in answer.content.decode()
    client.post(list_url(Feedback), {"action": "triage", "topic": "process", **chosen})
    assert list(Feedback.objects.order_by("pk").values_list("risk__code", "topic", "status")) == [
        ("MIN", "process", "triaged"),
        ("MIN", "process", "triaged"),
        (None, "other", "merged"),
    ]


def test_the_suggested_risk_is_that_of_the_rule_named(guild: Guild, risk: Risk) -> None:
    factories.version(factories.rule("MIN-1", risk=risk))
    told = feedback_send(actor=Actor.guild_user(factories.seat(guild)), body=BODY, about_rule="MIN-1")
    dialog = press(signed_in(Role.ANALYST), Feedback, "link", told).content.decode()
    assert f'<option value="{risk.pk}" selected' in dialog
    assert "the rule the message names" in dialog


def test_feedback_is_narrowed_and_its_list_costs_the_same_however_long(guild: Guild, risk: Risk) -> None:
    analyst = Actor.staff(factories.staff("analyst"))
    one = feedback_send(
        actor=analyst, body="Gifts that buy themselves.", topic="misconduct", guild_id=guild.pk
    )
    two = feedback_send(actor=analyst, body="Notices at night.", topic="process", source="business")
    feedback_link(actor=analyst, feedback_id=one.pk, risk_id=risk.pk)
    client = signed_in(Role.AUDITOR)
    for query, expected in (
        ({"status__exact": "new"}, [two.body]),
        ({"topic__exact": "misconduct"}, [one.body]),
        ({"source__exact": "business"}, [two.body]),
        ({"market__id__exact": str(guild.market_id)}, [one.body]),
        ({"risk__id__exact": str(risk.pk)}, [one.body]),
        ({"q": "BUY them"}, [one.body]),
        ({"q": "aurora"}, [one.body]),
        ({"q": str(two.public_id)[:8]}, [two.body]),
    ):
        assert listed(client, Feedback, **query) == expected, query

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(list_url(Feedback)).status_code == 200
        return len(queries)

    asked()
    short = asked()
    for n in range(8):
        feedback_send(actor=analyst, body=f"{BODY} {n}", guild_id=guild.pk)
    assert asked() == short


def test_feedback_over_time_is_drawn_and_written(guild: Guild, risk: Risk) -> None:
    client, url = signed_in(Role.AUDITOR), reverse("admin:governance_feedback_trend")
    assert "Nobody has told us anything" in client.get(url).content.decode()
    analyst = Actor.staff(factories.staff("analyst"))
    told = feedback_send(actor=analyst, body=BODY, topic="process", guild_id=guild.pk)
    feedback_link(actor=analyst, feedback_id=told.pk, risk_id=risk.pk)
    by_topic, by_risk = (client.get(url, {"by": by}).content.decode() for by in ("topic", "risk"))
    assert "<rect" in by_topic
    assert "How we work: 1 in 26 weeks, 1 this week" in by_topic
    assert "MIN Harm to minors: 1 in 26 weeks" in by_risk
    away = signed_in(Role.AUDITOR, markets=[factories.market("ELSE")])
    assert "Nobody has told us anything" in away.get(url).content.decode()
    assert signed_in().get(url).status_code == 403
