"""The console pages of quality: a draw seen before it happens, figures with their interval, and acts that say what they did."""

from __future__ import annotations

import csv
import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.models import Case, Event, Feedback, GoldenCase, Plan, Sample, SampleItem
from governance.quality import services
from guilds.console.page import admin_url, list_url
from guilds.models import Guild
from tests import factories
from tests.governance.quality.sampling_world import (
    SINCE,
    UNTIL,
    active,
    acts,
    analyst,
    decided,
    handed_out,
    judge,
    rule_with,
    several,
)

pytestmark = pytest.mark.django_db
REASON = {"reason": "Talked it over with the team."}


@pytest.fixture
def guild(db: None) -> Guild:
    return factories.guild("guild-one", market=factories.market("DE"))


def signed_in(*roles: str, **fields: Any) -> Client:
    client = Client()
    client.force_login(factories.staff(*roles, **fields))
    return client


def act(obj: Any, name: str) -> str:
    label = f"admin:{obj._meta.app_label}_{obj._meta.model_name}_{name}"
    return reverse(label) if isinstance(obj, type) else reverse(label, args=[obj.pk])


DRAW = {
    "name": "March",
    "kind": "decisions",
    "since": f"{SINCE:%Y-%m-%d}",
    "until": f"{UNTIL - dt.timedelta(days=1):%Y-%m-%d}",
    "size": "3",
    "allocation": "proportional",
    "markets": [],
    "seen": "",
}


def test_a_draw_is_shown_before_it_happens(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 6)
    client = signed_in("analyst")
    assert "What would be drawn" not in client.get(act(Sample, "draw")).content.decode()
    first = client.post(act(Sample, "draw"), DRAW)
    assert first.status_code == 422
    shown = first.content.decode()
    assert "This is what would be drawn: 3 of 6." in shown
    assert "What would be drawn" in shown
    assert "ONE · S2 · automatic" in shown
    assert "50.00 %" in shown
    assert (Sample.objects.count(), acts("sample.drawn")) == (0, 0)
    seen = first.context["form"]["seen"].value()
    second = client.post(act(Sample, "draw"), DRAW | {"seen": seen})
    sample = Sample.objects.get()
    assert second.headers["Location"] == admin_url(sample)
    assert (sample.name, sample.since, sample.until, sample.items.count()) == ("March", SINCE, UNTIL, 3)


def test_what_changed_meanwhile_is_shown_again(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 6)
    client = signed_in("analyst")
    seen = client.post(act(Sample, "draw"), DRAW).context["form"]["seen"].value()
    assert client.post(act(Sample, "draw"), DRAW | {"seen": seen, "size": "4"}).status_code == 422
    decided(guild, rule_with("TWO"))
    assert client.post(act(Sample, "draw"), DRAW | {"seen": seen}).status_code == 422
    assert Sample.objects.count() == 0


def test_a_draw_of_nothing_says_so(guild: Guild) -> None:
    answer = signed_in("analyst").post(act(Sample, "draw"), DRAW | {"until": "2026-03-01"})
    assert answer.status_code == 422
    assert "A period ends after it begins." in answer.content.decode()
    assert Sample.objects.count() == 0


def test_the_weekly_numbers_are_set_where_they_differ(guild: Guild) -> None:
    client = signed_in("admin")
    client.post(act(Sample, "plan"), {"decisions": "120", "coverage": "50"} | REASON)
    assert list(Plan.objects.values_list("kind", "weekly")) == [("decisions", 120)]
    assert acts("sampling_plan.set") == 1


def test_the_page_of_a_sample(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 12)
    sample = handed_out(analyst())
    for place, item in enumerate(SampleItem.objects.all()):
        if place < 11:
            judge(item, "confirm" if place else "dismiss")
    shown = signed_in("auditor").get(admin_url(sample)).content.decode()
    assert "90.9 %" in shown
    assert "from 11 judged" in shown
    assert "100.00 %" in shown
    assert "Looked at it." in shown
    listed = signed_in("auditor").get(list_url(Sample)).content.decode()
    assert "11 / 12" in listed


def test_a_share_of_few_is_not_shown(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 12)
    sample = handed_out(analyst())
    judge(SampleItem.objects.all()[0], "confirm")
    shown = signed_in("auditor").get(admin_url(sample)).content.decode()
    assert "insufficient data: 1 of at least 10" in shown
    assert "100.0 %" not in shown


def rows(client: Client, sample: Sample) -> list[dict[str, str]]:
    answer = client.get(act(sample, "items"))
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.DictReader(text.splitlines()))


def test_items_leave_with_their_chances_and_to_reviewers_once_judged(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 4)
    sample = handed_out(analyst(), size=2)
    judge(SampleItem.objects.all()[0], "confirm")
    every = rows(signed_in("auditor"), sample)
    assert [(row["probability"], row["opinion"]) for row in every] == [("0.5", "confirm"), ("0.5", "")]
    assert len(rows(signed_in("reviewer", "analyst"), sample)) == 1
    assert signed_in("auditor", markets=[factories.market("FR")]).get(act(sample, "items")).status_code == 200
    assert rows(signed_in("auditor", markets=[factories.market("IT")]), sample) == []


def test_the_seed_is_not_for_those_who_judge(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 2)
    sample = handed_out(analyst(), seed=123456789)
    for role, told in (("auditor", True), ("reviewer", False)):
        assert ("123456789" in signed_in(role).get(admin_url(sample)).content.decode()) is told
    services.sample_close(actor=analyst(), sample_id=sample.pk, reason="Enough.")
    assert "123456789" in signed_in("reviewer").get(admin_url(sample)).content.decode()


def test_handing_out_and_closing_are_buttons(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 4)
    sample = handed_out(analyst(), size=2)
    other = services.sample_draw(
        actor=analyst(), kind="decisions", name="Two", since=SINCE, until=UNTIL, size=4
    )
    client = signed_in("analyst")
    client.post(act(other, "hand_out"), {"items": "3"})
    assert Case.objects.filter(sample_item__sample=other).count() == 3
    client.post(act(sample, "close"), REASON)
    sample.refresh_from_db()
    assert sample.status == "closed"
    assert signed_in("enforcer").post(act(other, "close"), REASON).status_code == 403
    other.refresh_from_db()
    assert (other.status, acts("sample.closed")) == ("drawn", 1)


def test_a_difference_is_listed_settled_and_gone(guild: Guild) -> None:
    decided(guild, rule_with("ONE"))
    handed_out(analyst())
    item = SampleItem.objects.get()
    judge(item, "dismiss")
    client = signed_in("adjudicator")
    disputed = list_url(SampleItem, "answer=disputed")
    assert [row.pk for row in client.get(disputed).context["cl"].result_list] == [item.pk]
    assert "put right on its own page" in client.get(admin_url(item)).content.decode()
    client.post(act(item, "settle"), REASON)
    item.refresh_from_db()
    assert item.settlement == REASON["reason"]
    assert list(client.get(disputed).context["cl"].result_list) == []
    for answer, count in (("settled", 1), ("agreed", 0), ("unclear", 0)):
        assert len(client.get(list_url(SampleItem, f"answer={answer}")).context["cl"].result_list) == count


def test_who_audited_is_not_told_to_those_who_judge(guild: Guild) -> None:
    decided(guild, rule_with("ONE"))
    handed_out(analyst())
    item = SampleItem.objects.get()
    judge(item, "dismiss")
    by = Case.objects.get(sample_item=item).done_by
    assert by is not None
    part = "The audit"
    for role, told in (("auditor", True), ("reviewer", False)):
        sections = signed_in(role).get(admin_url(item)).context["sections"]
        facts = next(section.body for section in sections if section.title == part)
        assert (by in [fact.value for fact in facts]) is told


def test_what_an_audit_saw_is_passed_on(guild: Guild) -> None:
    active(guild, dt.date(2026, 3, 3))
    handed_out(analyst(), "coverage")
    item = SampleItem.objects.get()
    judge(item, "confirm", code="NEW-01")
    client = signed_in("analyst")
    client.post(act(item, "tell"), REASON)
    feedback = Feedback.objects.get()
    assert feedback.about_rule == "NEW-01"
    item.refresh_from_db()
    assert admin_url(feedback) in client.get(admin_url(item)).content.decode()


def test_a_golden_case_is_made_by_the_id_of_its_violation(guild: Guild) -> None:
    violation = decided(guild, rule_with("ONE"))
    client = signed_in("adjudicator")
    values = {"expected": "confirm", "explanation": "The clip shows it."}
    lost = client.post(act(GoldenCase, "make"), values | {"violation": "0" * 8})
    assert lost.status_code == 422
    assert GoldenCase.objects.count() == 0
    client.post(act(GoldenCase, "make"), values | {"violation": str(violation.public_id)[:8]})
    golden = GoldenCase.objects.get()
    assert golden.violation == violation
    shown = client.get(admin_url(golden)).content.decode()
    assert "The clip shows it." in shown
    client.post(act(golden, "retire"), REASON)
    golden.refresh_from_db()
    assert not golden.is_active
    assert (acts("golden_case.made"), acts("golden_case.retired")) == (1, 1)


def test_the_golden_list_is_empty_for_whoever_may_be_asked(guild: Guild) -> None:
    violation = decided(guild, rule_with("ONE"))
    golden = services.golden_make(
        actor=analyst(), violation_id=violation.pk, expected="confirm", explanation="The clip shows it."
    )
    client = signed_in("reviewer")
    assert list(client.get(list_url(GoldenCase)).context["cl"].result_list) == []
    assert client.get(admin_url(golden)).status_code == 404
    assert client.post(act(golden, "retire"), REASON).status_code == 404
    # Nor do the violation's own page and the ledger tell, neither that it is one nor what is right.
    for url in (admin_url(violation), list_url(Event), admin_url(Event.objects.get(act="golden_case.made"))):
        shown = client.get(url).content.decode()
        assert "The clip shows it." not in shown
    event = Event.objects.get(act="golden_case.made")
    assert str(violation.public_id) not in f"{event.before} {event.after} {event.reason}"


def test_the_list_of_samples_costs_the_same_whatever_their_number(
    guild: Guild, django_assert_max_num_queries: Any
) -> None:
    several(guild, rule_with("ONE"), 2)
    by = analyst()
    for number in range(12):
        services.sample_draw(
            actor=by, kind="decisions", name=f"No. {number}", since=SINCE, until=UNTIL, size=2
        )
    client = signed_in("auditor")
    client.get(list_url(Sample))
    with django_assert_max_num_queries(14):
        assert len(client.get(list_url(Sample)).context["cl"].result_list) == 12


def test_after_a_golden_case_the_desk_says_why(guild: Guild) -> None:
    violation = decided(guild, rule_with("GOLD"))
    services.golden_make(
        actor=analyst(), violation_id=violation.pk, expected="confirm", explanation="The clip shows it."
    )
    person = factories.staff("reviewer")
    decided(guild, rule_with("WORK"), by=person, at=timezone.now() - dt.timedelta(hours=1))
    assert services.golden_mix() == 1
    case = Case.objects.get()
    client = Client()
    client.force_login(person)
    before = client.get(admin_url(case)).content.decode()
    for tell_tale in ("The clip shows it.", "for practice", "Confirmed"):
        assert tell_tale not in before, tell_tale
    values = {"choice": "dismiss", "reason": "Seen.", "revision": case.revision, "until": "", "code": ""}
    answer = client.post(
        reverse("admin:governance_case_decide", args=[case.pk]), values, follow=True
    ).content.decode()
    assert "This one was for practice" in answer
    assert "The clip shows it." in answer
    assert "The clip shows it." in client.get(reverse("admin:governance_sample_doing")).content.decode()
