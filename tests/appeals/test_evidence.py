from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.test import Client

from appeals.evidence import MAX_FILES, accept, shown_name
from appeals.models import Appeal, Evidence
from guilds.errors import InvalidInput
from tests.appeals.cases import PASSWORD, STATEMENT, Case, nothing_changes, upload
from tests.appeals.files import HONEST, HOSTILE, HOSTILE_NAMES, PDF, PNG


def _stored(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_honest_files_are_taken_for_what_they_are() -> None:
    accepted = [file for name, content in HONEST.items() for file in accept([upload(name, content)])]

    assert [file.content_type for file in accepted] == [
        "application/pdf",
        "image/png",
        "image/jpeg",
        "image/jpeg",
        "image/webp",
        "text/plain",
        "video/mp4",
    ]
    assert [file.content for file in accepted] == list(HONEST.values())


@pytest.mark.parametrize(("name", "content"), HOSTILE, ids=lambda value: repr(value)[:40])
def test_a_hostile_file_is_refused_with_a_reason(name: str, content: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        accept([upload(name, content)])

    [error] = refused.value.errors
    assert error["field"] == "files"
    assert len(error["message"].removeprefix(error["file"])) > 15


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=repr)
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    # Django cleans names it parses; other faces may not.
    file = io.BytesIO(PDF)
    file.name = name
    with pytest.raises(InvalidInput) as refused:
        accept([file])

    assert len(refused.value.errors) == 1


def test_each_bad_file_has_its_own_error_and_the_good_one_none() -> None:
    with pytest.raises(InvalidInput) as refused:
        accept([upload("good.png", PNG), upload("bad.exe", PNG), upload("empty.pdf", b"")])

    assert [error["file"] for error in refused.value.errors] == ["bad.exe", "empty.pdf"]


def test_more_files_than_allowed_are_refused() -> None:
    with pytest.raises(InvalidInput, match="up to 5 files") as refused:
        accept([upload(f"{number}.png", PNG) for number in range(MAX_FILES + 1)])

    assert refused.value.code == "too_many_files"


def test_a_name_is_shown_without_what_misleads() -> None:
    assert shown_name("invoice\u202efdp.exe\n  x") == "invoice fdp.exe x"


def test_the_form_refuses_every_hostile_file_and_stores_nothing(
    case: Case, client: Client, uploads: Path
) -> None:
    client.login(username="olga@guild.test", password=PASSWORD)
    unexpected = []
    with nothing_changes():
        for name, content in HOSTILE:
            response = client.post(
                f"/portal/penalties/{case.penalty.public_id}/appeal/",
                {
                    "grounds": "facts_wrong",
                    "statement": STATEMENT,
                    "files": [upload("good.png", PNG), upload(name, content)],
                },
            )
            said = response.context["form"].errors.get("files") if response.context else None
            if response.status_code != 422 or not said or STATEMENT not in response.content.decode():
                unexpected.append((name, response.status_code, said))

    assert unexpected == []
    assert _stored(uploads) == []


def test_accepted_files_lie_under_random_names_outside_of_any_address(case: Case, uploads: Path) -> None:
    appeal = case.appeal(files=[upload("screen shot.PNG", PNG), upload("contract.pdf", PDF)])

    first, second = Evidence.objects.filter(appeal=appeal)
    assert (first.name, first.content_type, first.size) == ("screen shot.PNG", "image/png", len(PNG))
    assert len(first.sha256) == 64
    assert {path.read_bytes() for path in _stored(uploads)} == {PNG, PDF}
    for evidence in (first, second):
        stored = Path(evidence.file.path)
        assert stored.is_relative_to(uploads)
        assert stored.suffix == ""
        assert not {"screen", "contract"} & set(stored.name.split("_"))


def test_files_go_again_when_the_filing_fails_after_them(
    case: Case, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def full_disk(self: Evidence, *args: object, **kwargs: object) -> None:
        seen.append(len(_stored(uploads)))
        if len(seen) == 2:
            raise OSError("disk full")

    monkeypatch.setattr(Evidence, "save", full_disk)
    with nothing_changes(), pytest.raises(OSError, match="disk full"):
        case.appeal(files=[upload("a.png", PNG), upload("b.png", PNG)])

    assert seen == [1, 2]
    assert _stored(uploads) == []
    assert not Appeal.objects.exists()
