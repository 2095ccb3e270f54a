"""The console's pages about notices: wordings with preview and coverage, ways and receipts, mail and contacts."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import quote

import pgtrigger
import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.ledger.models import Event
from governance.models import Contact, Dispatch, Notice, Template
from governance.notices.coverage import coverage
from governance.notices.enums import NoticeKind
from governance.notices.preview import EXAMPLES, real_values
from governance.notices.services import notice_issue, template_reset, template_write
from governance.notices.wording import PLACEHOLDERS, shipped
from governance.webhooks.services import deliveries_create_due
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.page import admin_url, list_url
from guilds.errors import Conflict, InvalidInput, NotAllowed, NotFound
from guilds.models import Guild
from tests import factories
from tests.config import console_world

pytestmark = pytest.mark.django_db

EDIT = "/admin/governance/template/edit/?kind=feedback_answered&language=de"
GOOD = {
    "subject": "Antwort für {guild}",
    "body": "Unsere Antwort: {answer}",
    "reason": "In German.",
    "seen": "",
}


@pytest.fixture(autouse=True)
def fresh_cache() -> None:
    cache.clear()


@pytest.fixture
def guild() -> Guild:
    regime = factories.regime(code="eu-p2b-dsa")
    return factories.guild(
        "aurora", name="Aurora Talent", market=factories.market("DE", languages=["de"], regime=regime)
    )


@pytest.fixture
def admin() -> Client:
    return signed_in(Role.ADMIN)


def signed_in(*roles: str, **fields: Any) -> Client:
    client = Client()
    client.force_login(factories.staff(*roles, **fields))
    return client


def answered(guild: Guild, answer: str = "We changed it.") -> Notice:
    return notice_issue(
        actor=Actor.system("test"),
        guild=guild,
        kind="feedback_answered",
        object_type="feedback",
        object_id="7",
        values={"sent_at": "Monday", "quote": "?", "answer": answer, "feedback_url": "https://x.test/"},
    )


# --- wordings ---------------------------------------------------------------------------------------------------------
def test_examples_cover_every_placeholder() -> None:
    assert set().union(*PLACEHOLDERS.values()) <= set(EXAMPLES)


def test_a_wording_is_previewed_with_a_real_notice_and_saved(guild: Guild, admin: Client) -> None:
    notice = answered(guild, "We changed the rule on gifts.")
    page = admin.get(EDIT)
    assert page.context["preview"].notice == notice
    assert "We changed the rule on gifts." in page.content.decode()

    looked = admin.post(EDIT, GOOD | {"do": "preview"})
    assert looked.context["preview"].subject == "Antwort für Aurora Talent"
    assert looked.context["preview"].body == "Unsere Antwort: We changed the rule on gifts."
    assert not Template.objects.exists()

    saved = admin.post(EDIT, GOOD | {"do": "save"})
    template = Template.objects.get()
    assert saved.status_code == 302
    assert (template.kind, template.language, template.regime) == ("feedback_answered", "de", None)
    assert answered(guild).body == "Unsere Antwort: We changed it.\n"
    event = Event.objects.get(act="notice_template.written")
    assert (event.object_id, event.reason) == ("feedback_answered/de", "In German.")
    assert "In German." in admin.get(EDIT).content.decode(), "the history"


def test_a_regimes_wording_is_written_beside_the_general_one(guild: Guild, admin: Client) -> None:
    admin.post(f"{EDIT}&regime=eu-p2b-dsa", GOOD | {"do": "save"})

    assert Template.objects.get().regime == guild.market.regime
    assert Template.objects.get().public_id == "feedback_answered/de/eu-p2b-dsa"
    assert answered(guild).language == "de"
    assert answered(factories.guild(market=factories.market(languages=["de"]))).language == "en"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"body": "Nothing is answered."}, "The guild must also be told: {answer}"),
        ({"body": "{answer} {colour}"}, "Unknown placeholder {colour}"),
        ({"body": "{answer"}, "Braces do not match"),
        ({"subject": ""}, "Is empty"),
        ({"reason": " "}, "Say why"),
        ({"seen": "2026-01-01T00:00:00+00:00"}, "Somebody changed this wording meanwhile"),
    ],
)
def test_a_faulty_wording_is_refused_and_the_words_are_kept(
    guild: Guild, admin: Client, wrong: dict[str, str], words: str
) -> None:
    answer = admin.post(EDIT, GOOD | wrong | {"do": "save"})

    assert answer.status_code in {409, 422}
    assert words in answer.content.decode()
    assert answer.context["text"].body == (GOOD | wrong)["body"]
    assert not Template.objects.exists()
    assert not Event.objects.filter(act="notice_template.written").exists()


@pytest.mark.parametrize("role", sorted(set(Role.values) - {"admin", "analyst"}))
def test_others_do_not_write(guild: Guild, role: str) -> None:
    client = signed_in(role)
    assert client.get(EDIT).status_code == 403
    assert client.post(EDIT, GOOD | {"do": "save"}).status_code == 403
    assert not Template.objects.exists()


def test_who_is_bound_to_markets_does_not_write_for_all(guild: Guild) -> None:
    client = signed_in(Role.ADMIN, markets=[guild.market])
    answer = client.post(EDIT, GOOD | {"do": "save"})
    assert answer.status_code == 403
    assert not Template.objects.exists()
    with pytest.raises(NotAllowed):
        template_reset(
            actor=Actor.staff(factories.staff(Role.ADMIN, markets=[guild.market])),
            template_id=0,
            reason="No.",
        )


@pytest.mark.parametrize(
    "query",
    ["", "kind=gossip&language=de", "kind=rule_change&language=", "kind=rule_change&language=d%20e",
     "kind=rule_change&language=de&regime=mars", f"kind=rule_change&language={quote('ü')}"],
)  # fmt: skip
def test_what_cannot_be_is_not_found(admin: Client, query: str) -> None:
    assert admin.get(f"/admin/governance/template/edit/?{query}").status_code == 404


def test_a_reset_brings_the_shipped_wording_back_and_keeps_the_history(guild: Guild, admin: Client) -> None:
    actor = Actor.staff(factories.staff(Role.ANALYST))
    english = shipped("feedback_answered", "en")
    assert english is not None
    template = template_write(
        actor=actor, kind="feedback_answered", language="en", subject="S", body="{answer}", reason="Short."
    )
    assert answered(guild).body == "We changed it.\n"

    answer = admin.post(f"/admin/governance/template/{template.pk}/reset/", {"reason": "Too short."})

    assert answer.status_code == 302
    assert answered(guild).subject == english.subject
    event = Event.objects.get(act="notice_template.reset")
    assert event.before["body"] == "{answer}\n"
    assert "Too short." in admin.get(EDIT.replace("de", "en")).content.decode()
    with pytest.raises(NotFound):
        template_reset(actor=actor, template_id=template.pk, reason="Again.")


def test_who_writes_over_somebody_elses_words_is_told(guild: Guild) -> None:
    actor = Actor.staff(factories.staff(Role.ANALYST))
    words = {"kind": "feedback_answered", "language": "de", "subject": "S", "body": "{answer}", "reason": "R"}
    first = template_write(actor=actor, seen="", **words)
    with pytest.raises(Conflict):
        template_write(actor=actor, seen="", **(words | {"body": "Mine: {answer}"}))
    template_write(actor=actor, seen=first.updated_at.isoformat(), **(words | {"body": "Ours: {answer}"}))
    assert Template.objects.get().body == "Ours: {answer}\n"
    with pytest.raises(InvalidInput):
        template_write(actor=actor, **(words | {"kind": "gossip"}))


def test_coverage_says_what_is_missing_where(guild: Guild, admin: Client) -> None:
    factories.market("GB", languages=["en"])
    factories.market("AT", languages=["de"], regime=guild.market.regime)
    admin.post(EDIT, GOOD | {"do": "save"})

    german, english = coverage()

    assert (german.language, german.regime, list(german.markets)) == ("de", guild.market.regime, ["AT", "DE"])
    assert german.missing == len(NoticeKind.values) - 1
    assert german.found["feedback_answered"] is not None
    assert (english.language, english.missing) == ("en", 0)
    page = admin.get(list_url(Template)).content.decode()
    assert "kind=penalty_imposed&amp;language=de&amp;regime=eu-p2b-dsa" in page
    with CaptureQueriesContext(connection) as queries:
        coverage()
    assert len(queries) == 3


def test_values_of_a_notice_are_read_back_whatever_the_kind(guild: Guild) -> None:
    notice = answered(guild, "Line one.\n\nLine two: yes {no}.")
    other = Actor.staff(factories.staff(Role.ADMIN, markets=[factories.market()]))

    found, values = real_values(Actor.system("test"), "feedback_answered")

    assert (found, values["answer"], values["quote"]) == (notice, "Line one.\n\nLine two: yes {no}.", "?")
    assert real_values(other, "feedback_answered") == (None, {})


# --- ways and receipts ------------------------------------------------------------------------------------------------
def test_the_page_of_a_notice_shows_every_way_and_its_receipt(guild: Guild, admin: Client) -> None:
    sent = console_world.delivery(guild).endpoint
    sent.types = ["notice.sent"]
    sent.save()
    Contact.objects.create(guild=guild, email="desk@aurora.test")
    notice = answered(guild)
    Dispatch.objects.update(status="received", received_at=timezone.now())
    notice.read_at = timezone.now()
    notice.save(update_fields=["read_at"])
    deliveries_create_due()

    page = admin.get(admin_url(notice)).content.decode()

    assert "desk@aurora.test" in page
    assert "Received" in page
    for way in ("In the portal", "By mail", "By webhook"):
        assert way in page


def test_notices_that_reached_nobody_are_listed_and_wait_at_home(guild: Guild, admin: Client) -> None:
    console_world.mailed(guild, "failed")
    console_world.notice(guild, subject="No address")
    Notice.objects.update(read_at=None)
    with pgtrigger.ignore("governance.Notice:notice_wording_fixed"):
        Notice.objects.update(issued_at=timezone.now() - dt.timedelta(days=5))

    def listed(reach: str) -> list[str]:
        rows = admin.get(list_url(Notice), {"reach": reach}).context["cl"].result_list
        return [row.subject for row in rows]

    assert listed("nobody") == ["About you"]
    assert listed("no_address") == ["No address"]
    home = signed_in(Role.ENFORCER).get("/admin/").content.decode()
    assert "Notices that reached nobody" in home


def test_the_page_of_a_mail_shows_its_text_without_the_readers_link(guild: Guild, admin: Client) -> None:
    _contact, dispatch = console_world.mailed(guild)

    page = admin.get(admin_url(dispatch)).content.decode()

    assert "What we decided" in page
    assert "[the reader&#x27;s own link]" in page
    assert "/received/" not in page


def test_an_administrator_adds_a_contact_within_the_markets(guild: Guild) -> None:
    url = "/admin/governance/contact/create/"
    said = {"guild": "aurora", "email": "legal@aurora.test", "kinds": ["penalty_imposed"]}
    elsewhere = signed_in(Role.ADMIN, markets=[factories.market()])
    assert elsewhere.post(url, said).status_code == 422
    assert signed_in(Role.ENFORCER).post(url, said).status_code == 403
    assert not Contact.objects.exists()

    assert signed_in(Role.ADMIN).post(url, said).status_code == 302
    contact = Contact.objects.get()
    assert (contact.guild, contact.kinds) == (guild, ["penalty_imposed"])
    assert Event.objects.filter(act="contact.added", guild_id=guild.pk).count() == 1
