"""Putting things right in the portal."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client

from governance.models import Penalty, Rectification
from governance.penalties.services import penalties_stay, rectifications_check_due
from guilds.accounts.actor import Actor
from tests.appeals.cases import Case, nothing_changes, put_right_asked, text_of


@pytest.fixture
def pending(case: Case) -> Penalty:
    return put_right_asked(case.guild)


def address(penalty: Penalty) -> str:
    return f"/portal/penalties/{penalty.public_id}/"


def test_the_page_says_until_when_and_takes_the_guilds_word_once(
    case: Case, pending: Penalty, olga: Client
) -> None:
    page = text_of(olga.get(address(pending)))
    assert "This measure does not start if the rule finds nothing more of the matter until" in page
    assert "We have put it right" in page

    answer = olga.post(f"{address(pending)}put-right/", {"statement": "The clause is <gone>."}, follow=True)

    assert answer.status_code == 200
    page = text_of(answer)
    assert "The rule itself checks when the time is over." in page
    assert b"The clause is &lt;gone&gt;." in answer.content
    assert "We have put it right" not in page, "it is said once"
    row = Rectification.objects.get()
    assert (row.status, row.submitted_by_id) == ("submitted", case.olga.user_id)


def test_an_empty_word_is_refused_and_the_page_comes_back(pending: Penalty, olga: Client) -> None:
    with nothing_changes():
        answer = olga.post(f"{address(pending)}put-right/", {"statement": " "})
    assert answer.status_code == 422
    assert "What have you put right?" in text_of(answer)


def test_a_word_that_comes_too_late_is_refused(pending: Penalty, olga: Client) -> None:
    Rectification.objects.update(due_at=pending.starts_at - dt.timedelta(days=8))
    Penalty.objects.filter(pk=pending.pk).update(starts_at=pending.starts_at - dt.timedelta(days=8))
    with nothing_changes():
        answer = olga.post(f"{address(pending)}put-right/", {"statement": "Done."})
    assert answer.status_code == 409


def test_a_viewer_reads_it_without_the_form(case: Case, pending: Penalty, client: Client) -> None:
    client.force_login(case.vera.user)
    page = text_of(client.get(address(pending)))
    assert "Put it right" in page
    assert "We have put it right" not in page


def test_while_an_appeal_is_open_the_time_stands_still(pending: Penalty, olga: Client) -> None:
    penalties_stay(actor=Actor.system("test"), penalty_id=pending.pk, reason="An appeal was filed.")
    page = text_of(olga.get(address(pending)))
    assert "While your appeal is open the time stands still." in page
    assert "We have put it right" in page


def test_what_came_of_it_is_shown(pending: Penalty, olga: Client) -> None:
    rectifications_check_due(now=pending.starts_at)
    page = text_of(olga.get(address(pending)))
    assert "You put the matter right in time. This measure does not take effect." in page


def test_a_penalty_that_asks_nothing_says_nothing_of_it(case: Case, olga: Client) -> None:
    assert "Put it right" not in text_of(olga.get(address(case.penalty)))
    with nothing_changes():
        assert olga.post(f"{address(case.penalty)}put-right/", {"statement": "Done."}).status_code == 409
