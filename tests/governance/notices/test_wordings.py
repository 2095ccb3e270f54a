"""Which wording a guild gets, and which wordings are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from governance.models import Template
from governance.notices.enums import NoticeKind
from governance.notices.wording import (
    FOLDER,
    PLACEHOLDERS,
    REQUIRED,
    Origin,
    Text,
    Wordings,
    check_wording,
    parts,
    read_back,
    redress,
    shipped,
)
from guilds.errors import InvalidInput
from guilds.models import Regime
from tests import factories

KIND = NoticeKind.APPEAL_RECEIVED


def written(language: str, words: str, *, regime: Regime | None = None, kind: str = KIND) -> Template:
    return Template.objects.create(kind=kind, language=language, regime=regime, subject=words, body=words)


@pytest.mark.django_db
def test_a_regimes_wording_goes_first_then_the_language_then_english() -> None:
    eu, other = factories.regime(code="eu-p2b-dsa"), factories.regime(code="elsewhere")
    languages = ["de", "fr"]

    def found(regime_id: int | None) -> tuple[str, str]:
        language, text = Wordings().find(KIND, languages, regime_id)
        return language, text.body

    english = shipped(KIND, "en")
    assert english is not None
    assert found(eu.pk) == ("en", english.body)
    written("fr", "French")
    assert found(eu.pk) == ("fr", "French")
    written("fr", "French of the EU", regime=eu)
    assert found(eu.pk) == ("fr", "French of the EU")
    assert found(other.pk) == found(None) == ("fr", "French")
    written("de", "German")
    assert found(eu.pk) == ("de", "German"), "a guild's own language goes before the regime of another"
    written("de", "German of the EU", regime=eu)
    assert found(eu.pk) == ("de", "German of the EU")
    assert found(other.pk) == ("de", "German")


@pytest.mark.django_db
def test_wordings_shipped_for_a_regime_are_found_under_its_code() -> None:
    eu = factories.regime(code="eu-p2b-dsa")
    wordings = Wordings()

    assert wordings.at("penalty_imposed", "en", eu.pk) == (
        Origin.REGIME_SHIPPED,
        shipped("penalty_imposed", "en", "eu-p2b-dsa"),
    )
    assert (
        "article 17 of Regulation (EU) 2022/2065" in wordings.find("penalty_imposed", ["de"], eu.pk)[1].body
    )
    assert "Regulation" not in wordings.find("penalty_imposed", ["de"], None)[1].body
    written("en", "Ours", kind="penalty_imposed", regime=eu)
    assert Wordings().at("penalty_imposed", "en", eu.pk) == (Origin.REGIME_WRITTEN, Text("Ours", "Ours"))


@pytest.mark.django_db
def test_a_language_of_a_region_falls_back_on_the_language() -> None:
    written("pt", "Portuguese")

    assert Wordings().find(KIND, ["pt-BR", "en"])[0] == "pt"


@pytest.mark.django_db
def test_wordings_are_read_once_however_many_are_asked_for() -> None:
    regimes = [factories.regime(code=f"r{number}") for number in range(5)]
    written("de", "German")

    with CaptureQueriesContext(
        connection,
    ) as queries:
        wordings = Wordings()
        for regime in regimes * 20:
            wordings.find(KIND, ["de", "en"], regime.pk)

    assert len(queries) == 2


@pytest.mark.parametrize(
    "path", sorted(FOLDER.rglob("*.txt")), ids=lambda path: str(path.relative_to(FOLDER))
)
def test_every_shipped_wording_would_be_accepted_from_ops(path: Path) -> None:
    if path.stem == "redress":
        assert path.read_text().strip()
        assert parts(path.read_text()) == [(path.read_text(), None)]
        return
    subject, _, body = path.read_text(encoding="utf-8").partition("\n\n")

    assert path.stem in NoticeKind.values
    check_wording(path.stem, subject, body)


def test_every_kind_has_english_words_and_its_requirements_are_known() -> None:
    for kind in NoticeKind.values:
        assert shipped(kind, "en") is not None
        assert REQUIRED[kind]
        assert REQUIRED[kind] <= PLACEHOLDERS[kind]


@pytest.mark.parametrize(
    ("subject", "body", "field", "words"),
    [
        ("{guild}", "{measures} {name}", "body", "Unknown placeholder {name}; known are"),
        ("{guild} {of}", "", "subject", "Unknown placeholder {of}"),
        ("{guild", "x", "subject", "Braces do not match"),
        ("x", "{}", "body", "Unknown placeholder {}"),
        ("x", "{guild.pk}", "body", "Unknown placeholder {guild.pk}"),
        ("x", "{guild!r:>99}", "body", "a name in braces and nothing more"),
        (
            "x",
            "Only words.",
            "body",
            "The guild must also be told: {appeal_by}, {appeal_url}, {automation}, {clause}",
        ),
        ("x\ny", "x", "subject", "one line"),
        ("", "x", "subject", "empty"),
    ],
)
def test_faults_are_named_by_field(subject: str, body: str, field: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_wording("penalty_imposed", subject, body)

    assert any(fault["field"] == field and words in fault["message"] for fault in refused.value.errors)


def test_a_regimes_redress_is_told_even_where_only_english_has_it() -> None:
    assert redress("de", "eu-p2b-dsa") == redress("en", "eu-p2b-dsa")
    assert "out-of-court dispute settlement body" in redress("en", "eu-p2b-dsa")[1]
    assert "go to court" in redress("de", "unheard-of")[1]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (
            Text("About {guild}", "{guild}, hear: {measures}\nUntil {appeal_by}."),
            {"measures": "- one\n- two"},
        ),
        (Text("About", "{guild} and {guild}{measures}"), {"measures": ""}),
        (Text("{{About}}", "{measures} until {appeal_by}"), {"measures": "until then"}),
    ],
)
def test_values_are_read_back_from_a_notice(text: Text, values: dict[str, str]) -> None:
    values = {"guild": "Aurora", "appeal_by": "Monday", **values}
    filled = text.fill(values)

    read = read_back(text, *filled)

    assert read is None or text.fill(read) == filled
    if "until then" not in values.values():
        assert read == {
            name: value for name, value in values.items() if f"{{{name}}}" in text.subject + text.body
        }


def test_nothing_is_read_back_with_another_wording() -> None:
    assert read_back(Text("About {guild}", "Hello {guild}."), "About Aurora", "Goodbye Aurora.") is None
