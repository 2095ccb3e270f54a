from __future__ import annotations

import hashlib
from typing import Any

from django.test import Client

from appeals.models import Appeal, Evidence
from appeals.services import appeal_decide, appeal_message
from tests.appeals.cases import ANSWER, STATEMENT, Case, nothing_changes, text_of, upload
from tests.appeals.files import PDF, PNG


# --- the appeal, from form to answer ----------------------------------------------------------------------------------
def test_an_appeal_from_form_to_answer(case: Case, olga: Client) -> None:
    response = olga.post(
        f"/portal/penalties/{case.penalty.public_id}/appeal/",
        {
            "grounds": "not_ours",
            "statement": STATEMENT,
            "files": [upload("a.png", PNG), upload("b.pdf", PDF)],
        },
        follow=True,
    )

    appeal = Appeal.objects.get()
    assert response.redirect_chain == [(f"/portal/appeals/{appeal.public_id}/", 302)]
    text = text_of(response)
    assert "Your appeal has been filed." in text
    assert "Grounds It was not our guild or creator" in text
    assert STATEMENT in text

    olga.post(f"/portal/appeals/{appeal.public_id}/message/", {"body": "<b>See</b> the contract."})
    appeal_message(actor=case.adjudicator, appeal_id=appeal.pk, body="Thank you.")
    page = olga.get(f"/portal/appeals/{appeal.public_id}/")
    assert "&lt;b&gt;See&lt;/b&gt; the contract." in page.content.decode()
    assert "The appeals team wrote" in text_of(page)
    assert "ada@staff.test" not in page.content.decode()

    appeal_decide(
        actor=case.adjudicator, appeal_id=appeal.pk, outcome="reduced", answer=ANSWER, reduction={"days": 2}
    )
    text = text_of(olga.get(f"/portal/appeals/{appeal.public_id}/"))
    assert "Our answer Reduced" in text
    assert "Reduced to 2 days" in text
    assert ANSWER in text
    assert "Send" not in text


def test_the_form_keeps_everything_typed_when_it_comes_back(case: Case, olga: Client) -> None:
    typed = {"grounds": "disproportionate", "statement": "Ümlaut, <script>, 字, and\r\na second line."}

    response = olga.post(
        f"/portal/penalties/{case.penalty.public_id}/appeal/", {**typed, "files": [upload("a.exe", PNG)]}
    )

    assert response.status_code == 422
    form = response.context["form"]
    assert (form["grounds"].value(), form["statement"].value()) == (typed["grounds"], typed["statement"])
    assert "a.exe: this type is not accepted." in text_of(response)
    assert "please choose them again" in text_of(response)
    assert "&lt;script&gt;" in response.content.decode()


def test_hostile_posts_are_answered_and_leave_nothing(case: Case, olga: Client) -> None:
    base = f"/portal/penalties/{case.penalty.public_id}/appeal/"
    posts: list[dict[str, Any]] = [
        {},
        {"grounds": "other"},
        {"statement": STATEMENT},
        {"grounds": "../../etc", "statement": STATEMENT},
        {"grounds": ["other", "nonsense"], "statement": STATEMENT},
        {"grounds": "other", "statement": "a\0" * 30},
        {"grounds": "other", "statement": " \n\t" * 30},
        {"grounds": "other", "statement": "x" * 10_001},
        {"grounds": "other", "statement": "\u202e" * 5},
        {"grounds": "other" * 1_000, "statement": STATEMENT},
        {
            "grounds": "other",
            "statement": "?!",
            "status": "decided",
            "outcome": "overturned",
            "guild": "1",
        },
    ]
    with nothing_changes():
        assert [olga.post(base, post).status_code for post in posts] == [422] * len(posts)
        raw = [
            ("multipart/form-data", b"no boundary"),
            ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
            ("application/json", b'{"grounds": "other"}'),
            ("application/x-www-form-urlencoded", b"statement=%ff%fe&grounds=%00"),
            ("application/x-www-form-urlencoded", b"&".join(b"f%d=1" % n for n in range(1_500))),
            ("text/plain", b"\xff" * 100),
        ]
        statuses = [olga.generic("POST", base, body, content_type=kind).status_code for kind, body in raw]
        assert all(status in {400, 422} for status in statuses), statuses


def test_more_files_than_the_form_takes_are_refused_with_a_reason(case: Case, olga: Client) -> None:
    with nothing_changes():
        response = olga.post(
            f"/portal/penalties/{case.penalty.public_id}/appeal/",
            {
                "grounds": "other",
                "statement": STATEMENT,
                "files": [upload(f"{n}.png", PNG) for n in range(6)],
            },
        )
        too_many = olga.post(
            f"/portal/penalties/{case.penalty.public_id}/appeal/",
            {
                "grounds": "other",
                "statement": STATEMENT,
                "files": [upload(f"{n}.png", PNG) for n in range(30)],
            },
        )

    assert "You can add up to 5 files." in text_of(response)
    assert too_many.status_code == 400


def test_files_come_back_as_downloads_only(case: Case, olga: Client) -> None:
    appeal = case.appeal(files=[upload('in"voice; 说明\u202e.pdf', PDF)])
    evidence = Evidence.objects.get()

    response: Any = olga.get(f"/portal/appeals/{appeal.public_id}/files/{evidence.public_id}/")

    content = b"".join(response.streaming_content)
    assert hashlib.sha256(content).hexdigest() == evidence.sha256
    assert response["Content-Disposition"].startswith("attachment; filename")
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"].startswith("default-src 'none'; sandbox")
    assert "no-store" in response["Cache-Control"]


def test_a_file_is_found_only_under_its_own_appeal(case: Case, olga: Client) -> None:
    first = case.appeal(files=[upload("a.png", PNG)])
    second = case.appeal(penalty_id=case.training.pk)
    evidence = first.evidence.get()

    assert olga.get(f"/portal/appeals/{second.public_id}/files/{evidence.public_id}/").status_code == 404


def test_withdrawing_asks_first(case: Case, olga: Client) -> None:
    appeal = case.appeal()
    address = f"/portal/appeals/{appeal.public_id}/withdraw/"
    with nothing_changes():
        assert "Withdraw the appeal?" in text_of(olga.get(address))

    olga.post(address, {"reason": "We found the recruiter."})

    appeal.refresh_from_db()
    assert appeal.status == "withdrawn"
    assert olga.get(address).status_code == 409
    assert olga.post(address).status_code == 409
    assert olga.post(f"/portal/appeals/{appeal.public_id}/message/", {"body": "And…"}).status_code == 409
