"""Fields learned from stored signals: paths, types and examples, and what is never shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from governance.signals.fields import Field, fields_of, known_types
from guilds.models import Guild
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def store(*contents: Any, guild: Guild | None = None, signal_type: str = "gift.score") -> None:
    guild = guild or factories.guild()
    for content in contents:
        factories.signal(guild, type=signal_type, data=content)


def learned(*types: str, **asked: Any) -> dict[str, Field]:
    return {found.path: found for found in fields_of(types or ("gift.score",), **asked)}


def test_paths_are_written_as_in_a_condition() -> None:
    store({"a": 1, "shop": {"city": "Bern", "geo": {"zone": 3}}, "odd name": True, "in": 1, "größe": 2})
    assert set(learned()) == {
        "signal.a",
        "signal.shop",
        "signal.shop.city",
        "signal.shop.geo",
        "signal.shop.geo.zone",
        'signal["odd name"]',
        'signal["in"]',
        'signal["größe"]',
    }


def test_lists_are_marked_with_what_they_hold() -> None:
    store({"tags": ["a", "b"], "lines": [{"code": "04L"}, {"code": "06C", "points": 5}], "empty": []})
    found = learned()
    assert found["signal.tags"].types == ("list",)
    assert found["signal.tags[]"].types == ("text",)
    assert (found["signal.lines[].code"].types, found["signal.lines[].code"].count) == (("text",), 1)
    assert found["signal.lines[].points"].in_list
    assert "signal.empty[]" not in found


def test_types_share_and_examples_are_those_of_the_signals() -> None:
    store(
        *[{"score": n, "level": "high"} for n in (3, 3, 7)], {"score": 2.5}, {"score": None, "level": "low"}
    )
    found = learned()
    assert found["signal.score"] == Field("signal.score", ("whole", "null", "decimal"), 1.0, (3, 2.5, 7), 5)
    assert found["signal.level"] == Field("signal.level", ("text",), 0.8, ("high", "low"), 4)
    assert list(found) == ["signal.score", "signal.level"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reporter", "ann@example.test"),
        ("contact", "+41 44 123 45 67"),
        ("reference", "4412345678"),
        ("proof", "https://example.test/ann"),
        ("device", "9f86d081884c7d659a2feaa0c55ad015"),
        ("long", "x" * 41),
        ("user_id", "u1"),
        ("legal_name", "Ann"),
        ("ip", "10.0.0.1"),
        ("note", "she said so"),
        ("account", 12),
    ],
)
def test_what_may_lead_to_a_person_is_no_example(name: str, value: Any) -> None:
    store({name: value})
    found = learned()[f"signal.{name}"]
    assert (found.examples, found.count) == ((), 1)


def test_only_signals_of_the_markets_teach() -> None:
    here, there = factories.guild(), factories.guild()
    store({"a": 1}, guild=here)
    store({"b": 1}, guild=there)
    store({"c": 1}, guild=there, signal_type="other.type")
    assert set(learned(markets=[here.market_id])) == {"signal.a"}
    assert set(learned("gift.score", "other.type")) == {"signal.a", "signal.b", "signal.c"}
    assert known_types() == ["gift.score", "other.type"]
    assert known_types([here.market_id]) == ["gift.score"]
    assert known_types([]) == []


def test_what_was_learned_is_kept_a_while() -> None:
    store({"a": 1})
    assert set(learned()) == {"signal.a"}
    store({"b": 1})
    assert set(learned()) == {"signal.a"}
    cache.clear()
    assert set(learned()) == {"signal.a", "signal.b"}


def test_no_more_of_the_past_is_read_than_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance.signals.fields.LOOKED_THROUGH", 2)
    store({"a": 1})
    store({"b": 1}, {"c": 1}, signal_type="other.type")
    assert learned("gift.score") == {}
    assert set(learned("other.type")) == {"signal.b", "signal.c"}


def test_signals_of_any_shape_teach_no_more_than_a_page_can_show() -> None:
    deep: Any = {"x": 1}
    for _ in range(30):
        deep = {"d": deep}
    store(deep, {f"k{n}": n for n in range(400)}, {"list": [{"a": n} for n in range(100)]})
    assert len(fields_of(["gift.score"])) == 300
    assert fields_of([]) == []
    assert fields_of(["never.seen"]) == []
