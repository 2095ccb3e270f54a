"""What counts as a CloudEvent here, and what an integrator is told about one that does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.signals.cloudevents import Event, check, check_json, event_id, latest_time

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATEST = latest_time(NOW)
GOOD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/detectors/gifts",
    "type": "gift.self",
    "time": "2026-02-01T10:00:00Z",
    "guild": "g-1",
    "data": {"amount": 5},
}
MISSING = object()


def event(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in {**GOOD, **fields}.items() if value is not MISSING}


def read(**fields: Any) -> Event:
    found = check(event(**fields), latest=LATEST)
    assert isinstance(found, Event), found
    return found


def faults(**fields: Any) -> dict[str, str]:
    found = check(event(**fields), latest=LATEST)
    assert isinstance(found, list), found
    return {fault["field"]: fault["message"] for fault in found}


def test_a_good_event_is_read() -> None:
    found = read(creator="c-1", market="US-NY-MN")
    assert found[:8] == (
        "/detectors/gifts",
        "e-1",
        "gift.self",
        datetime(2026, 2, 1, 10, tzinfo=UTC),
        "g-1",
        "c-1",
        "US-NY-MN",
        b'{"amount":5}',
    )


@pytest.mark.parametrize("content", [MISSING, None, {}])
def test_absent_data_is_an_empty_object(content: Any) -> None:
    assert read(data=content).data == b"{}"


@pytest.mark.parametrize(
    ("time", "utc"),
    [
        ("2026-02-01T10:00:00Z", datetime(2026, 2, 1, 10, tzinfo=UTC)),
        ("2026-02-01t10:00:00z", datetime(2026, 2, 1, 10, tzinfo=UTC)),
        ("2026-02-01 10:00:00.25Z", datetime(2026, 2, 1, 10, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-02-01T10:00:00.123456789Z", datetime(2026, 2, 1, 10, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-02-01T10:00:00+05:30", datetime(2026, 2, 1, 4, 30, tzinfo=UTC)),
        ("2026-02-01T00:30:00+01:00", datetime(2026, 1, 31, 23, 30, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
        ("2026-03-02T12:00:00Z", LATEST),
    ],
)
def test_times_become_utc(time: str, utc: datetime) -> None:
    found = read(time=time).time
    assert found == utc
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (MISSING, "Missing"),
        (None, "Missing"),
        (1_770_000_000, "RFC 3339"),
        ("yesterday", "RFC 3339"),
        ("2026-02-01", "RFC 3339"),
        ("2026-02-01T10:00:00", "with its zone"),
        ("2026-W05-7T10:00:00Z", "RFC 3339"),
        ("20260201T100000.00Z ", "RFC 3339"),
        ("2026-02-01T10:00:00,5Z", "RFC 3339"),
        ("２０２６-02-01T10:00:00Z", "RFC 3339"),
        ("2026-02-30T10:00:00Z", "calendar"),
        ("2026-02-01T25:00:00Z", "calendar"),
        ("2026-02-01T10:00:00+25:00", "calendar"),
        ("0001-01-01T00:00:00+23:59", "calendar"),
        ("1999-12-31T23:59:59Z", "before 2000"),
        ("2026-03-02T12:00:01Z", "ahead of our clock"),
    ],
)
def test_times_that_are_refused(time: Any, words: str) -> None:
    found = faults(time=time)
    assert list(found) == ["time"]
    assert words in found["time"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("specversion", MISSING, "1.0"),
        ("specversion", "0.3", "1.0"),
        ("specversion", 1.0, "1.0"),
        ("id", MISSING, "Missing"),
        ("id", "", "empty"),
        ("id", 7, "quotes"),
        ("id", "x" * 301, "301 characters"),
        ("id", "a\0b", "U+0000"),
        ("id", "a\tb", "U+0009"),
        ("id", "a\ud800b", "U+D800"),
        ("source", MISSING, "Missing"),
        ("source", "x" * 301, "at most 300"),
        ("source", ["/a"], "array"),
        ("type", MISSING, "Missing"),
        ("type", "x" * 201, "at most 200"),
        ("type", {"a": 1}, "object"),
        ("guild", "x" * 121, "at most 120"),
        ("guild", "", "empty"),
        ("guild", 42, "a number"),
        ("guild", True, "a boolean"),
        ("guild", " g-1", "space"),
        ("creator", "x" * 121, "at most 120"),
        ("creator", "c-1 ", "space"),
        ("market", "x" * 21, "at most 20"),
        ("market", 5, "quotes"),
        ("data", [1], "an array"),
        ("data", "text", "a string"),
        ("data", 0, "a number"),
        ("data", {"a": "x" * 65_537}, "65536"),
        ("data.a", {"a": "x\0y"}, "U+0000"),
        ("data", {"a\0": 1}, "U+0000"),
        ("data.a[1].b", {"a": [1, {"b": 2**63}]}, "64 bits"),
        ("data.a", {"a": 2**63}, "64 bits"),
        ("data", {"a": 2**64}, "JSON"),
        ("data_base64", "aGVsbG8=", "JSON object"),
        ("datacontenttype", "text/xml", "application/json"),
        ("datacontenttype", 5, "application/json"),
        ("guildId", "g-1", "lower-case"),
        ("sequence", 2**31, "32 bits"),
        ("extra", {"a": 1}, "an object"),
        ("subject", ["a"], "an array"),
    ],
)
def test_every_fault_names_its_field_and_the_cure(field: str, value: Any, words: str) -> None:
    name = field.partition(".")[0]
    found = faults(**{name: value})
    assert list(found) == [field]
    assert words in found[field]


def test_nobody_to_charge() -> None:
    assert "Name a guild or a creator" in faults(guild=MISSING)["guild"]
    assert read(guild=MISSING, creator="c-1").guild == ""
    assert read(guild=None, creator="c-1").creator == "c-1"


def test_all_faults_are_told_at_once() -> None:
    found = faults(specversion="2", id="", time="?", guild=MISSING, data=[])
    assert set(found) == {"specversion", "id", "time", "guild", "data"}


@pytest.mark.parametrize("raw", [None, 5, "text", [GOOD], True])
def test_an_event_is_an_object(raw: Any) -> None:
    found = check(raw, latest=LATEST)
    assert isinstance(found, list)
    assert found[0]["field"] == ""
    assert "JSON object" in found[0]["message"]


def test_depth_beyond_what_is_kept_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(600):
        deep = {"a": deep}
    assert "200 levels" in faults(data=deep)["data"]


def test_what_is_unusual_but_fine() -> None:
    found = read(
        id="éü 公会 \\ 'quoted' \u00a0",
        datacontenttype="application/vnd.x+json; charset=utf-8",
        subject="stream-5",
        dataschema="https://example.com/schema",
        traceparent="00-abc",
        sequence=5,
        final=True,
        data={"text": "a\\u0000b", "deep": {"list": [1, None, 2.5, -(2**63), 2**63 - 1]}},
        guild="guild with spaces",
    )
    assert found.id == "éü 公会 \\ 'quoted' \u00a0"
    assert orjson.loads(found.data)["text"] == "a\\u0000b"


def test_a_source_fills_in_where_there_is_none() -> None:
    bare = check(event(source=MISSING), latest=LATEST, source="/files/a")
    named = check(event(), latest=LATEST, source="/files/a")
    assert isinstance(bare, Event)
    assert isinstance(named, Event)
    assert (bare.source, named.source) == ("/files/a", "/detectors/gifts")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [({"id": "x"}, "x"), ({"id": "a\ud800"}, "a?"), ({"id": 5}, None), ({}, None), (b"", None), ([], None)],
)
def test_the_id_a_refused_event_is_reported_by(raw: Any, shown: str | None) -> None:
    assert event_id(raw) == shown


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"a": NaN}', b'"\xff"', b'{"a": "\\ud800"}', b"[" * 2000, b"{}{}", b"1e999"]
)
def test_text_that_is_no_json(text: bytes) -> None:
    raw, found = check_json(text, latest=LATEST)
    assert raw is None
    assert isinstance(found, list)
    assert found[0]["message"].startswith("This is not JSON")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_any_bytes_are_judged(text: bytes) -> None:
    check_json(text, latest=LATEST)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*GOOD, "creator", "market", "subject", "x"]), VALUES))
def test_any_object_is_judged(changes: dict[str, Any]) -> None:
    found = check({**GOOD, **changes}, latest=LATEST)
    if isinstance(found, Event):
        assert found.time.utcoffset() == timedelta(0)
        assert b"\\u0000" not in found.data.replace(b"\\\\", b"")
    else:
        assert found
        assert all(fault["message"] for fault in found)
