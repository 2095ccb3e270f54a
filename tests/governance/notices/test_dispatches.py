"""Notices by mail, against a mail server of our own: taken, refused, postponed, silent, not there."""

from __future__ import annotations

import datetime as dt
import re
import socket
from email.message import EmailMessage
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.ledger.models import Event
from governance.models import Contact, Dispatch, Notice
from governance.notices.mail import receipt_token
from governance.notices.selectors import dispatches_visible_to, unaddressed, unreached
from governance.notices.services import (
    contact_remove,
    dispatch_confirm,
    dispatch_retry,
    dispatches_send_due,
    notice_issue,
    notice_read,
    notices_send,
)
from governance.notices.services.dispatches import LEASE, RETRY_LADDER, _claim
from guilds.accounts.actor import Actor
from guilds.errors import InvalidTransition, NotAllowed, NotFound
from guilds.models import Guild
from tests import factories
from tests.governance.notices.post_office import post_office, smtp_at

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")


def issued(guild: Guild, **fields: Any) -> Notice:
    values = {
        "sent_at": "Monday",
        "quote": "?",
        "answer": "<b>Yes</b> & no.",
        "feedback_url": "https://x.test/",
    }
    return notice_issue(
        actor=SYSTEM,
        guild=guild,
        kind=fields.pop("kind", "feedback_answered"),
        object_type="feedback",
        object_id="7",
        values=values,
        **fields,
    )


def contact(guild: Guild, email: str = "desk@aurora.test", **fields: Any) -> Contact:
    return Contact.objects.create(guild=guild, email=email, **fields)


@pytest.fixture
def dispatch() -> Dispatch:
    guild = factories.guild("aurora")
    contact(guild)
    return issued(guild).dispatches.get()


def acts() -> list[str]:
    return list(Event.objects.order_by("pk").values_list("act", flat=True))


# --- to whom ----------------------------------------------------------------------------------------------------------
def test_every_active_contact_that_wants_the_kind_gets_it() -> None:
    guild = factories.guild()
    factories.seat(guild, email="owner@aurora.test")
    contact(guild, "all@aurora.test")
    contact(guild, "answers@aurora.test", kinds=["feedback_answered"])
    contact(guild, "legal@aurora.test", kinds=["penalty_imposed"])
    contact(guild, "gone@aurora.test", is_active=False)

    sent = issued(guild).dispatches.order_by("address")

    assert [(one.address, one.channel, one.status) for one in sent] == [
        ("all@aurora.test", "mail", "pending"),
        ("answers@aurora.test", "mail", "pending"),
    ]


def test_the_owners_get_what_no_contact_wants() -> None:
    guild = factories.guild()
    factories.seat(guild, email="owner@aurora.test")
    factories.seat(guild, "manager", email="manager@aurora.test")
    factories.seat(guild, email="left@aurora.test", is_active=False)
    contact(guild, "legal@aurora.test", kinds=["penalty_imposed"])

    [one] = issued(guild).dispatches.all()

    assert (one.address, one.contact) == ("owner@aurora.test", None)


def test_a_guild_without_any_address_has_its_notice_in_the_portal_all_the_same() -> None:
    notice = issued(factories.guild())

    assert not notice.dispatches.exists()
    assert list(unaddressed(Notice.objects.all())) == [notice]


def test_issuing_many_costs_no_statement_per_notice() -> None:
    def drafts(number: int) -> list[Notice]:
        made = []
        for _ in range(number):
            guild = factories.guild()
            contact(guild, f"{guild.external_id}@guild.test")
            made.append(
                Notice(guild=guild, kind="feedback_answered", subject="s", body="b", issued_at=timezone.now())
            )
        return made

    counts = []
    for number in (1, 30):
        batch = drafts(number)
        with CaptureQueriesContext(connection) as queries:
            notices_send(actor=SYSTEM, notices=batch)
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert Dispatch.objects.count() == 31


# --- handing over -----------------------------------------------------------------------------------------------------
def test_a_mail_carries_the_words_the_links_and_one_id(dispatch: Dispatch) -> None:
    with post_office() as office:
        assert dispatches_send_due() == 1

    [mail] = office.mails
    assert isinstance(mail, EmailMessage)
    dispatch.refresh_from_db()
    assert (dispatch.status, dispatch.attempts, dispatch.next_attempt_at) == ("sent", 1, None)
    assert dispatch.sent_at is not None
    assert mail["Message-ID"] == dispatch.receipt
    assert str(dispatch.public_id) in dispatch.receipt
    assert (mail["To"], mail["Subject"]) == ("desk@aurora.test", "We have answered your message")
    assert (mail["Content-Language"], mail["Auto-Submitted"]) == ("en", "auto-generated")
    plain, html = mail.iter_parts()
    assert isinstance(plain, EmailMessage)
    assert isinstance(html, EmailMessage)
    text, page = plain.get_content(), html.get_content()
    assert "<b>Yes</b> & no." in text
    assert "&lt;b&gt;Yes&lt;/b&gt; &amp; no." in page
    assert "/portal/feedback/7/" in text
    assert f"/portal/notices/{dispatch.notice.public_id}/" in text
    assert re.search(r"/portal/received/[\w:-]+/", text)
    assert acts()[-1] == "dispatch.sent"
    assert "aurora.test" not in str(Event.objects.last().after)  # type: ignore[union-attr]


def test_several_mails_go_over_one_connection() -> None:
    guild = factories.guild()
    for number in range(4):
        contact(guild, f"desk-{number}@aurora.test")
    issued(guild)

    with post_office() as office:
        assert dispatches_send_due(limit=3) == 3
        assert dispatches_send_due(limit=3) == 1

    assert (len(office.mails), office.conversations) == (4, 2)
    assert set(Dispatch.objects.values_list("status", flat=True)) == {"sent"}


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"recipients": "450 4.2.0 Greylisted"}, "450 4.2.0 Greylisted"),
        ({"content": "451 4.3.0 Later"}, "451 4.3.0 Later"),
        ({"silent_at": "CONNECT"}, "timed out"),
        ({"silent_at": "RCPT"}, "did not answer in time|SMTPServerDisconnected"),
        ({"silent_at": "END"}, "did not answer in time|SMTPServerDisconnected"),
    ],
)
def test_what_is_not_final_is_tried_again_later(dispatch: Dispatch, how: dict[str, str], error: str) -> None:
    before = timezone.now()

    with post_office(**how):
        assert dispatches_send_due() == 1

    dispatch.refresh_from_db()
    assert (dispatch.status, dispatch.attempts, dispatch.sent_at) == ("pending", 1, None)
    assert re.search(error, dispatch.error)
    assert dispatch.next_attempt_at is not None
    assert dispatch.next_attempt_at >= before + dt.timedelta(seconds=RETRY_LADDER[0])
    assert acts() == ["notice.sent"]
    assert dispatches_send_due(now=before) == 0


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"recipients": "550 5.1.1 No such mailbox"}, "550 5.1.1 No such mailbox"),
        ({"content": "554 5.7.1 We do not want this"}, "554 5.7.1 We do not want this"),
    ],
)
def test_a_refusal_is_final_at_once(dispatch: Dispatch, how: dict[str, str], error: str) -> None:
    with post_office(**how) as office:
        assert dispatches_send_due() == 1
        assert dispatches_send_due(now=timezone.now() + dt.timedelta(days=2)) == 0

    dispatch.refresh_from_db()
    assert (dispatch.status, dispatch.error, dispatch.next_attempt_at) == ("failed", error, None)
    assert office.conversations == 1
    assert acts() == ["notice.sent", "dispatch.failed"]


def test_without_a_mail_server_one_mail_waits_and_the_others_are_not_even_tried() -> None:
    guild = factories.guild()
    for number in range(3):
        contact(guild, f"desk-{number}@aurora.test")
    issued(guild)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with smtp_at(closed.getsockname()[1]):
            assert dispatches_send_due() == 1

    assert sorted(Dispatch.objects.values_list("attempts", flat=True)) == [0, 0, 1]
    assert "refused" in Dispatch.objects.get(attempts=1).error.lower()


def test_the_ladder_ends_after_a_day(dispatch: Dispatch) -> None:
    now = timezone.now()
    with post_office(recipients="450 Later"):
        for _rung in range(len(RETRY_LADDER) + 1):
            Dispatch.objects.update(next_attempt_at=now)
            assert dispatches_send_due() == 1

    dispatch.refresh_from_db()
    assert (dispatch.status, dispatch.attempts) == ("failed", len(RETRY_LADDER) + 1)
    assert sum(RETRY_LADDER) == 87_260
    assert acts() == ["notice.sent", "dispatch.failed"]


def test_one_bad_address_does_not_hold_up_the_next() -> None:
    guild = factories.guild()
    contact(guild, "first@aurora.test")
    contact(guild, "second@aurora.test")
    notice = issued(guild)
    Dispatch.objects.filter(address__startswith="first").update(address="nobody at home\n")

    with post_office() as office:
        assert dispatches_send_due() == 2

    assert [mail["To"] for mail in office.mails] == ["second@aurora.test"]
    assert dict(notice.dispatches.values_list("address", "status")) == {
        "nobody at home\n": "failed",
        "second@aurora.test": "sent",
    }


# --- crashes ----------------------------------------------------------------------------------------------------------
def test_a_claimed_mail_is_left_alone_until_its_lease_is_over_and_keeps_its_id(dispatch: Dispatch) -> None:
    now = timezone.now()
    with post_office() as office:
        assert _claim(now) == dispatch  # and here the worker dies
        assert dispatches_send_due(now=now) == 0
        assert dispatches_send_due(now=now + LEASE) == 1
        Dispatch.objects.update(status="pending", next_attempt_at=now)  # died after sending, before settling
        assert dispatches_send_due(now=now) == 1

    first, second = office.mails
    assert first["Message-ID"] == second["Message-ID"]


def test_a_receipt_that_is_quicker_than_the_settling_stands(dispatch: Dispatch) -> None:
    with post_office() as office:
        claimed = _claim(timezone.now())
        assert claimed is not None
        dispatch_confirm(actor=SYSTEM, token=receipt_token(claimed))
        assert dispatches_send_due(now=timezone.now() + LEASE) == 0

    dispatch.refresh_from_db()
    assert dispatch.status == "received"
    assert office.mails == []


# --- what comes between -----------------------------------------------------------------------------------------------
def test_a_removed_contact_gets_nothing_more(dispatch: Dispatch) -> None:
    owner = factories.seat(dispatch.notice.guild)
    assert dispatch.contact is not None
    contact_remove(actor=Actor.guild_user(owner), contact_id=dispatch.contact.pk)

    with post_office() as office:
        assert dispatches_send_due() == 0

    dispatch.refresh_from_db()
    assert (dispatch.status, office.mails) == ("cancelled", [])


def test_an_owner_who_left_meanwhile_gets_nothing_more() -> None:
    guild = factories.guild()
    seat = factories.seat(guild, email="owner@aurora.test")
    notice = issued(guild)
    seat.is_active = False
    seat.save()

    with post_office() as office:
        assert dispatches_send_due() == 0

    assert (notice.dispatches.get().status, office.mails) == ("cancelled", [])
    assert acts()[-1] == "dispatch.cancelled"


# --- receipts ---------------------------------------------------------------------------------------------------------
def test_a_receipt_counts_once(dispatch: Dispatch) -> None:
    token = receipt_token(dispatch)

    first = dispatch_confirm(actor=SYSTEM, token=token)
    again = dispatch_confirm(actor=SYSTEM, token=token)

    assert first.received_at == again.received_at
    assert again.status == "received"
    assert acts().count("dispatch.received") == 1


@pytest.mark.parametrize("token", ["", "nonsense", "a:b:c", "eyJ:x:y"])
def test_a_link_we_did_not_sign_is_nothing(dispatch: Dispatch, token: str) -> None:
    before = acts()
    with pytest.raises(NotFound):
        dispatch_confirm(actor=SYSTEM, token=token)
    dispatch.refresh_from_db()
    assert (dispatch.status, acts()) == ("pending", before)


def test_the_receipt_of_a_cancelled_mail_is_nothing(dispatch: Dispatch) -> None:
    Dispatch.objects.update(status="cancelled")
    with pytest.raises(NotFound):
        dispatch_confirm(actor=SYSTEM, token=receipt_token(dispatch))
    assert "dispatch.received" not in acts()


def test_a_notice_that_nobody_could_be_reached_with_is_found(dispatch: Dispatch) -> None:
    guild, later = dispatch.notice.guild, timezone.now() + dt.timedelta(days=3, seconds=1)
    everything = Notice.objects.all()
    contact(guild, "other@aurora.test")
    mixed = issued(guild)
    Dispatch.objects.filter(contact=dispatch.contact).update(status="failed")

    assert list(unreached(everything, timezone.now())) == []
    assert list(unreached(everything, later)) == [dispatch.notice]
    assert mixed.dispatches.filter(status="pending").count() == 1

    notice_read(actor=Actor.guild_user(factories.seat(guild)), notice_id=dispatch.notice.pk)
    assert list(unreached(everything, later)) == []


# --- by hand ----------------------------------------------------------------------------------------------------------
def test_a_failed_mail_is_sent_again_by_hand(dispatch: Dispatch) -> None:
    Dispatch.objects.update(status="failed", attempts=9, error="550 No", next_attempt_at=None)

    dispatch_retry(
        actor=Actor.staff(factories.staff("enforcer")), dispatch_id=dispatch.pk, reason="Box is open."
    )

    dispatch.refresh_from_db()
    assert (dispatch.status, dispatch.attempts, dispatch.error) == ("pending", 0, "")
    assert dispatch.next_attempt_at is not None


@pytest.mark.parametrize("status", ["pending", "sent", "received", "cancelled"])
def test_only_a_failed_mail_is_sent_again(dispatch: Dispatch, status: str) -> None:
    Dispatch.objects.update(status=status, attempts=1)
    before = acts()
    with pytest.raises(InvalidTransition):
        dispatch_retry(actor=SYSTEM, dispatch_id=dispatch.pk, reason="Why not")
    dispatch.refresh_from_db()
    assert (dispatch.status, dispatch.attempts, acts()) == (status, 1, before)


def test_staff_of_another_market_neither_see_nor_send(dispatch: Dispatch) -> None:
    Dispatch.objects.update(status="failed")
    elsewhere = Actor.staff(factories.staff("enforcer", markets=[factories.market()]))
    before = acts()

    assert not dispatches_visible_to(elsewhere).exists()
    assert not dispatches_visible_to(Actor.guild_user(factories.seat(dispatch.notice.guild))).exists()
    with pytest.raises(NotAllowed):
        dispatch_retry(actor=elsewhere, dispatch_id=dispatch.pk, reason="Why not")
    dispatch.refresh_from_db()
    assert (dispatch.status, acts()) == ("failed", before)
