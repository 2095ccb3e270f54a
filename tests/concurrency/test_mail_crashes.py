"""A worker killed with SIGKILL while a mail server has the mail already: sent again under the same id, and settled once."""

from __future__ import annotations

import time

import pytest
from django.utils import timezone

from governance.ledger.models import Event
from governance.models import Contact, Dispatch
from governance.notices.services import notice_issue
from governance.notices.services.notices import DISPATCH
from guilds.accounts.actor import Actor
from guilds.nudges import nudge
from tests import factories
from tests.governance.notices.post_office import post_office
from tests.worker import Worker

pytestmark = pytest.mark.slow


def test_a_worker_killed_between_sending_and_settling(
    transactional_db: None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with post_office(silent_at="END") as office:
        monkeypatch.setenv("GUILDHALL_MAIL_URL", f"smtp://127.0.0.1:{office.port}")
        worker: Worker = request.getfixturevalue(
            "worker"
        )  # only now, or it would not know of the post office
        guild = factories.guild()
        Contact.objects.create(guild=guild, email="desk@aurora.test")
        values = {"sent_at": "Monday", "quote": "?", "answer": "Yes.", "feedback_url": "https://x.test/"}
        notice_issue(
            actor=Actor.system("test"),
            guild=guild,
            kind="feedback_answered",
            object_type="feedback",
            object_id="7",
            values=values,
        )
        until = time.monotonic() + 30
        while not office.mails and time.monotonic() < until:
            time.sleep(0.02)
        worker.kill()

        dispatch = Dispatch.objects.get()
        assert (len(office.mails), dispatch.status, dispatch.attempts) == (1, "pending", 0)
        assert dispatch.next_attempt_at is not None
        assert dispatch.next_attempt_at > timezone.now(), "its lease runs"

        office.silent_at = ""
        Dispatch.objects.update(next_attempt_at=timezone.now())
        worker.start()
        nudge(DISPATCH)
        nudge(DISPATCH)  # twice and side by side is no more than once
        worker.wait_idle()

    dispatch.refresh_from_db()
    assert (dispatch.status, dispatch.attempts) == ("sent", 1)
    assert [mail["Message-ID"] for mail in office.mails] == [dispatch.receipt, dispatch.receipt]
    assert Event.objects.filter(act="dispatch.sent").count() == 1
