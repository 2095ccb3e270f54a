from __future__ import annotations

import datetime as dt
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from appeals.services import appeal_message
from governance.education.services import lesson_publish
from governance.models import Band, Completion, Penalty, Violation
from governance.penalties.services import penalties_apply_due, sanctions_decide_due
from guilds.accounts.actor import Actor
from tests import factories
from tests.appeals.cases import Case, nothing_changes, text_of, upload
from tests.appeals.files import PNG


# --- what pages say ---------------------------------------------------------------------------------------------------
def test_home_says_where_the_guild_stands_and_what_needs_it(case: Case, olga: Client) -> None:
    Band.objects.create(code="interview", name="Interview", at_or_below=80)
    lesson_publish(
        actor=Actor.system("test"), code="logo", title={"en": "Our logo"}, body={"en": "Not yours."}
    )
    appeal = case.appeal()
    appeal_message(actor=case.adjudicator, appeal_id=appeal.pk, body="Which account?")

    text = text_of(olga.get("/portal/"))

    assert "Healthy Score 90 of 100 10 points count against you." in text
    assert "The appeals team wrote to you Recruitment freeze for 7 days" in text
    assert "2 unread messages" in text
    assert "Our logo" in text
    assert re.search(r"You can still appeal 15 days( \d+ hours)? left Training for 14 days", text)
    assert "Recruitment freeze for 7 days Posing as the platform In force until" in text
    assert "6 days 23 hours left" in text


def test_home_of_a_guild_without_a_blemish(case: Case, client: Client) -> None:
    client.force_login(case.otto.user)

    text = text_of(client.get("/portal/"))

    assert "Healthy Score 100 of 100 0 points count against you." in text
    assert "Nothing at the moment." in text
    assert "Nothing is in force against your guild." in text


def test_the_page_of_a_penalty_gives_the_reasons_in_plain_words(case: Case, olga: Client) -> None:
    version = factories.version(
        factories.rule("DAT-01", name="Fake viewers"),
        measures=[
            {
                "name": "audits_30d",
                "types": ["stream.audit"],
                "window": "30d",
                "per": "guild",
                "aggregate": "count",
            },
            {
                "name": "peak_bots",
                "types": [],
                "window": "12h",
                "per": "creator",
                "aggregate": "max(data.bots)",
            },
        ],
    )
    creator = factories.creator("nova", name="Nova")
    violation = factories.violation(case.guild, version, status="confirmed", creator=creator)
    violation.explanation = {
        "measures": {"audits_30d": 14, "peak_bots": None},
        "conditions": [
            {"text": "audits_30d >= 5", "value": True, "values": {"audits_30d": 14}},
            {
                "text": "signal.bot_share > 0.3 || !signal.verified",
                "value": True,
                "values": {},
                "children": [
                    {"text": "signal.bot_share > 0.3", "value": True, "values": {"signal.bot_share": 0.41}},
                    {"text": "!signal.verified", "value": False, "values": {"signal.verified": True}},
                ],
            },
        ],
    }
    violation.save()
    sanctions_decide_due(limit=5)
    penalty = Penalty.objects.get(violation=violation)

    text = text_of(olga.get(f"/portal/penalties/{penalty.public_id}/"))

    assert "Rule Fake viewers DAT-01, version 1" in text
    assert "Creator Nova" in text
    assert "The rule as it stood that day Do not do DAT-01." in text
    assert (
        "Audits 30d How many reports (stream.audit) of your guild in the 30 days before The rule applies from 5. 14"
        in text
    )
    assert (
        "Peak bots Highest in the reports (test.signal) of this creator in the 12 hours before not reported"
        in text
    )
    assert "Bot share The rule applies above 0.3. 0.41" in text
    assert "Verified yes" in text
    assert text.count("Audits 30d") == 1
    assert re.search(r"Report event-\d+ from /test", text)
    assert "Statement of reasons Sent" in text


def test_times_are_the_markets_with_the_zone_named(case: Case, olga: Client) -> None:
    noon = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
    Violation.objects.filter(pk=case.violation.pk).update(occurred_at=noon)
    address = f"/portal/penalties/{case.penalty.public_id}/"

    page = olga.get(address).content.decode()
    assert (
        '<time datetime="2026-07-01T14:00:00+02:00">1 Jul 2026, 14:00 <span class="zone">CEST</span></time>'
        in page
    )

    market = case.guild.market
    market.timezone = "America/Sao_Paulo"
    market.save()
    page = olga.get(address).content.decode()
    assert (
        '<time datetime="2026-07-01T09:00:00-03:00">1 Jul 2026, 09:00 <span class="zone">UTC−03:00</span></time>'
        in page
    )
    assert "America/Sao_Paulo" in page


def test_a_penalty_that_cannot_be_appealed_says_why(case: Case, olga: Client) -> None:
    address = f"/portal/penalties/{case.penalty.public_id}/"
    assert "Appeal against this" in text_of(olga.get(address))

    case.appeal()

    text = text_of(olga.get(address))
    assert "Appeal against this" not in text
    assert "Your appeal against this penalty is open." in text
    assert olga.get(f"{address}appeal/").status_code == 409


def test_filters_and_pages_of_the_list(case: Case, olga: Client) -> None:
    Penalty.objects.filter(pk=case.training.pk).update(status="lifted")

    assert olga.get("/portal/penalties/").context["page"].paginator.count == 2
    for status, kinds in {
        "in_force": ["recruitment_freeze"],
        "lifted": ["training"],
        "scheduled": [],
        "reversed": [],
        "nonsense": ["training", "recruitment_freeze"],
    }.items():
        response = olga.get("/portal/penalties/", {"status": status, "page": "\0"})
        assert [penalty.kind for penalty in response.context["page"]] == kinds
    assert "None of this kind" in text_of(olga.get("/portal/penalties/?status=scheduled"))


def test_lists_are_paged_and_keep_their_filter(case: Case, olga: Client) -> None:
    copy = {
        field.attname: getattr(case.training, field.attname)
        for field in Penalty._meta.concrete_fields
        if field.name not in {"id", "public_id"}
    }
    Penalty.objects.bulk_create(Penalty(**copy) for _ in range(21))

    response = olga.get("/portal/penalties/?status=in_force")

    assert len(response.context["page"].object_list) == 20
    page = response.content.decode()
    assert 'href="?status=in_force&amp;page=2"' in page
    assert len(olga.get("/portal/penalties/?status=in_force&page=2").context["page"].object_list) == 3


# --- lessons and messages ---------------------------------------------------------------------------------------------
def test_a_lesson_is_read_in_ones_language_and_acknowledged_once(case: Case, olga: Client) -> None:
    lesson_publish(
        actor=Actor.system("test"),
        code="logo",
        title={"en": "Our logo", "de": "Unser Logo"},
        body={"en": "Not yours.\n\nNever.", "de": "Nicht eures."},
    )
    assert "Not yours." in text_of(olga.get("/portal/lessons/logo/"))
    assert "Nicht eures." in text_of(olga.get("/portal/lessons/logo/", HTTP_ACCEPT_LANGUAGE="de"))

    for _again in range(2):
        assert olga.post("/portal/lessons/logo/acknowledge/").status_code == 302

    completion = Completion.objects.get()
    assert (completion.guild, completion.user) == (case.guild, case.olga.user)
    text = text_of(olga.get("/portal/lessons/logo/"))
    assert "Acknowledged" in text
    assert "We have read and understood this" not in text


def test_a_message_counts_as_read_when_somebody_says_so(case: Case, olga: Client) -> None:
    notice = case.penalty.notice
    assert notice
    address = f"/portal/notices/{notice.public_id}/"
    with nothing_changes():
        assert "Mark as read" in text_of(olga.get(address))

    olga.post(f"{address}read/")

    notice.refresh_from_db()
    assert notice.read_at
    assert "Marked as read" in text_of(olga.get(address))


# --- every page -------------------------------------------------------------------------------------------------------
@pytest.fixture
def addresses(case: Case) -> list[str]:
    appeal = case.appeal(penalty_id=case.training.pk, files=[upload("a.png", PNG)])
    lesson_publish(
        actor=Actor.system("test"), code="logo", title={"en": "Our logo"}, body={"en": "Not yours."}
    )
    assert case.penalty.notice
    return [
        "/portal/",
        "/portal/penalties/",
        f"/portal/penalties/{case.penalty.public_id}/",
        f"/portal/penalties/{case.penalty.public_id}/appeal/",
        "/portal/appeals/",
        f"/portal/appeals/{appeal.public_id}/",
        f"/portal/appeals/{appeal.public_id}/withdraw/",
        "/portal/lessons/",
        "/portal/lessons/logo/",
        "/portal/notices/",
        f"/portal/notices/{case.penalty.notice.public_id}/",
        "/portal/guild/",
        "/portal/penalties/00000000-0000-0000-0000-000000000000/",
    ]


def test_reading_writes_nothing_and_costs_few_queries(case: Case, olga: Client, addresses: list[str]) -> None:
    for address in addresses:
        with CaptureQueriesContext(connection) as queries:
            olga.get(address)
        statements = [query["sql"] for query in queries]
        assert not [sql for sql in statements if re.match(r"(INSERT|UPDATE|DELETE)", sql)], address
        assert len(statements) <= 20, (address, len(statements))


def test_lists_cost_the_same_whatever_their_length(case: Case, olga: Client, addresses: list[str]) -> None:
    def cost() -> list[int]:
        counts = []
        for address in (
            "/portal/",
            "/portal/penalties/",
            "/portal/appeals/",
            "/portal/lessons/",
            "/portal/notices/",
        ):
            with CaptureQueriesContext(connection) as queries:
                olga.get(address)
            counts.append(len(queries))
        return counts

    before = cost()
    for number in range(4):
        version = factories.version(severity="S4")
        factories.violation(case.guild, version, status="confirmed")
        lesson_publish(actor=Actor.system("test"), code=f"l{number}", title={"en": "A"}, body={"en": "B"})
    sanctions_decide_due(limit=50)
    penalties_apply_due(limit=50)
    for penalty in Penalty.objects.exclude(appeals__status="open").order_by("-pk")[:4]:
        case.appeal(penalty_id=penalty.pk)

    assert cost() == before


class _Outline(HTMLParser):
    """What assistive technology goes by: landmarks, headings, labels, names."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag in names]


def test_every_page_is_made_for_everybody(case: Case, olga: Client, addresses: list[str]) -> None:
    for address in [*addresses, "/portal/nowhere/"]:
        response = olga.get(address)
        outline = _Outline(response.content.decode())
        assert len(outline.all("h1")) == 1, address
        assert len(outline.all("main")) == 1
        assert outline.all("html")[0]["lang"] == "en"
        assert outline.all("a")[0]["href"] == "#main"
        ids = [attrs["id"] for _tag, attrs in outline.tags if "id" in attrs]
        assert len(ids) == len(set(ids)), address
        labelled = {attrs.get("for") for attrs in outline.all("label")}
        for field in outline.all("input", "select", "textarea"):
            if field.get("type") not in {"hidden", "radio"}:
                assert field.get("id") in labelled, (address, field)
            for described in (field.get("aria-describedby") or "").split():
                assert described in ids, (address, described)
        assert not outline.all("script"), address
        assert not [
            attrs
            for _tag, attrs in outline.tags
            if "style" in attrs or any(a.startswith("on") for a in attrs)
        ]
        assert "unsafe" not in response["Content-Security-Policy"]


def test_right_to_left_and_other_languages_by_choice(case: Case, olga: Client, settings: Any) -> None:
    settings.LANGUAGES = [*settings.LANGUAGES, ("ar", "Arabic")]
    response = olga.post("/i18n/setlang/", {"language": "ar", "next": "/portal/penalties/"})

    assert response["Location"] == "/portal/penalties/"
    assert '<html lang="ar" dir="rtl">' in olga.get("/portal/penalties/").content.decode()


def test_failing_pages_are_friendly_and_lead_back(
    case: Case, olga: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("on purpose")

    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    strict.force_login(case.olga.user)
    assert "This form has expired" in text_of(strict.post("/portal/logout/"))
    assert "use the buttons of the page" in text_of(olga.get("/portal/logout/"))
    assert olga.get("/portal/penalties")["Location"] == "/portal/penalties/"
    monkeypatch.setattr("appeals.portal.home.standing_of", broken)
    response = strict.get("/portal/")
    assert response.status_code == 500
    assert "Something went wrong on our side" in text_of(response)
