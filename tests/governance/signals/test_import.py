"""manage.py import_signals: whatever the file holds, every line is counted once and no good event is lost."""

from __future__ import annotations

import gzip
import io
import tempfile
from collections import Counter
from pathlib import Path

import orjson
import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.models import PendingSignal, QuarantinedSignal, Signal, SignalKey, SignalSource
from governance.signals import importing, services
from governance.signals.importing import read_lines
from guilds.models import Guild, Market
from tests import factories
from tests.governance.signals.events import event

NYC = Path(__file__).resolve().parents[4] / "shared" / "data" / "nyc-inspections.ndjson.gz"
needs_database = pytest.mark.django_db(transaction=True)


def run(path: Path, *options: str) -> tuple[str, int]:
    """The last line printed, and the exit status."""
    out, status = io.StringIO(), 0
    try:
        call_command("import_signals", str(path), *options, stdout=out, stderr=io.StringIO())
    except SystemExit as end:
        status = int(end.code or 0)
    return out.getvalue().splitlines()[-1], status


def write(path: Path, *lines: bytes | dict[str, object]) -> Path:
    content = b"".join((line if isinstance(line, bytes) else orjson.dumps(line)) + b"\n" for line in lines)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def rejected(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
def guild() -> Guild:
    return factories.guild(external_id="g-1")


# --- the command ------------------------------------------------------------------------------------------------------
@needs_database
@pytest.mark.parametrize("name", ["events.ndjson", "events.ndjson.gz"])
def test_a_file_is_taken_in_and_again_for_free(guild: Guild, tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, *(event(guild="g-1") for _ in range(10)), event(guild="nobody"))
    assert run(path) == ("accepted=10 duplicates=0 quarantined=1 rejected=0", 0)
    assert run(path) == ("accepted=0 duplicates=11 quarantined=0 rejected=0", 0)
    assert (Signal.objects.count(), PendingSignal.objects.count()) == (10, 10)
    assert not (tmp_path / f"{name}.rejected.ndjson").exists()


@needs_database
def test_bad_lines_go_to_the_reject_file(
    guild: Guild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH_LINES", 3)
    long = b'{"a": "' + b"x" * importing.LINE_BYTES + b'"}'
    path = write(
        tmp_path / "events.ndjson",
        b"\xef\xbb\xbf" + orjson.dumps(event(guild="g-1")),
        b"{",
        b"",
        event(guild="g-1"),
        b'{"id": "\xff"}',
        long,
        b"  ",
        orjson.dumps(event(guild="g-1")) + b"\r",
        event(id="bad", time="?", type=None),
        orjson.dumps([event(guild="g-1")]),
        event(guild="g-1"),
    )

    assert run(path) == ("accepted=4 duplicates=0 quarantined=0 rejected=5", 1)

    rows = rejected(tmp_path / "events.ndjson.rejected.ndjson")
    assert [row["line"] for row in rows] == [2, 5, 6, 9, 10]
    assert rows[0]["original"] == "{"
    assert rows[1]["original"] == '{"id": "\\xff"}'
    assert rows[2]["original"] == long[: importing.KEPT_OF_LONG_LINE].decode()
    faults = rows[3]["errors"]
    assert isinstance(faults, list)
    assert {fault["field"] for fault in faults} == {"type", "time", "guild"}


@needs_database
def test_where_the_source_directory_is_read_only_rejects_go_to_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "events.ndjson", b"{")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    real_open = Path.open

    def refuse(self: Path, mode: str = "r", *args: object, **options: object) -> object:
        if mode == "wb" and self.parent == tmp_path:
            raise PermissionError(13, "Permission denied", str(self))
        return real_open(self, mode, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    assert run(path) == ("accepted=0 duplicates=0 quarantined=0 rejected=1", 1)
    assert len(rejected(here / "events.ndjson.rejected.ndjson")) == 1


@needs_database
def test_a_source_fills_in(guild: Guild, tmp_path: Path) -> None:
    path = write(tmp_path / "a.ndjson", event(guild="g-1", source=None), event(guild="g-1", source="/own"))
    assert run(path, "--source", "/files/a") == ("accepted=2 duplicates=0 quarantined=0 rejected=0", 0)
    assert set(SignalSource.objects.values_list("uri", flat=True)) == {"/files/a", "/own"}


@needs_database
def test_a_truncated_gzip_file_gives_what_it_holds(guild: Guild, tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.ndjson.gz", *(event(guild="g-1", data={"n": n}) for n in range(5000)))
    path = tmp_path / "cut.ndjson.gz"
    path.write_bytes(whole.read_bytes()[:-2000])

    line, status = run(path)

    counted = dict(part.split("=") for part in line.split())
    assert status == 1
    assert counted["rejected"] == "1"
    assert 0 < int(counted["accepted"]) == Signal.objects.count() < 5000
    (row,) = rejected(tmp_path / "cut.ndjson.gz.rejected.ndjson")
    assert row["line"] == int(counted["accepted"]) + 1
    assert "cut off" in str(row["errors"])
    assert (
        run(whole)[0]
        == f"accepted={5000 - int(counted['accepted'])} duplicates={counted['accepted']} quarantined=0 rejected=0"
    )


@needs_database
def test_an_import_that_died_is_resumed_by_running_it_again(
    guild: Guild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.ndjson", *(event(guild="g-1") for _ in range(50)))
    monkeypatch.setattr(importing, "BATCH_LINES", 10)
    real_write, calls = services.prepared_write, Counter[str]()

    def die(*args: object) -> list[int]:
        calls["write"] += 1
        if calls["write"] == 4:
            raise KeyboardInterrupt
        return real_write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(importing, "prepared_write", die)
    with pytest.raises(CommandError, match="again to go on"):
        run(path)
    assert Signal.objects.count() == 30
    monkeypatch.setattr(importing, "prepared_write", real_write)
    assert run(path) == ("accepted=20 duplicates=30 quarantined=0 rejected=0", 0)


@needs_database
@pytest.mark.parametrize("name", ["missing.ndjson", "."])
def test_a_file_that_cannot_be_read_is_a_clear_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match=r"No such file|Is a directory"):
        run(tmp_path / name)


@needs_database
def test_an_empty_file_is_fine(tmp_path: Path) -> None:
    assert run(write(tmp_path / "a.ndjson")) == ("accepted=0 duplicates=0 quarantined=0 rejected=0", 0)


@needs_database
@pytest.mark.slow
def test_a_real_file_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gzip.open(NYC) as lines:
        events = [orjson.loads(line) for line in lines]
    for code in sorted({found["market"] for found in events}):
        factories.market(code)

    assert run(NYC) == (f"accepted={len(events)} duplicates=0 quarantined=0 rejected=0", 0)
    assert run(NYC) == (f"accepted=0 duplicates={len(events)} quarantined=0 rejected=0", 0)

    expected = Counter((found["guild"], found["market"]) for found in events)
    stored = Counter(Signal.objects.values_list("guild__external_id", "market__code"))
    assert stored == expected
    assert Signal.objects.count() == SignalKey.objects.count() == PendingSignal.objects.count() == 252_378
    assert Guild.objects.filter(provisional=True).count() == len({found["guild"] for found in events})
    order = Signal.objects.order_by("id").values_list("event_id", flat=True)
    assert list(order) == [found["id"] for found in events]
    assert not QuarantinedSignal.objects.exists()


# --- any bytes --------------------------------------------------------------------------------------------------------
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=40), max_size=12), st.booleans())
def test_lines_are_those_of_python(pieces: list[bytes], packed: bool) -> None:
    content = b"\n".join(pieces)
    stored = gzip.compress(content) if packed else content
    if not packed and content.startswith(b"\x1f\x8b"):
        return
    found = [(line.number, line.text) for line in read_lines(io.BytesIO(stored))]
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    assert found == [(number, line) for number, line in enumerate(lines, 1) if line and not line.isspace()]


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_long_lines_in_any_blocks(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(importing, "_BLOCK", block)
    monkeypatch.setattr(importing, "LINE_BYTES", 50)
    monkeypatch.setattr(importing, "KEPT_OF_LONG_LINE", 10)
    content = b"a\n" + b"x" * 51 + b"\n" + b"y" * 500 + b"\nb\n" + b"z" * 90
    found = [(line.number, line.text, bool(line.fault)) for line in read_lines(io.BytesIO(content))]
    assert found == [
        (1, b"a", False),
        (2, b"x" * 10, True),
        (3, b"y" * 10, True),
        (4, b"b", False),
        (5, b"z" * 10, True),
    ]


GOOD = orjson.dumps(
    {
        "specversion": "1.0",
        "id": "1",
        "source": "/a",
        "type": "t",
        "time": "2026-02-01T10:00:00Z",
        "guild": "g",
    }
)
LINES = st.lists(
    st.binary(max_size=60) | st.just(GOOD) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace"))
    | st.integers(0, len(GOOD)).map(lambda cut: GOOD[:cut])
    | st.binary(min_size=1, max_size=2).flatmap(
        lambda noise: st.integers(0, len(GOOD)).map(lambda at: GOOD[:at] + noise + GOOD[at:])
    ),
    max_size=10,
)  # fmt: skip


@needs_database
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=LINES, packed=st.booleans(), cut=st.integers(0, 30))
def test_a_file_of_anything_is_counted_line_by_line(lines: list[bytes], packed: bool, cut: int) -> None:
    if not Market.objects.exists():
        factories.guild(external_id="g")
    content = b"\n".join(lines)
    if content.startswith(b"\x1f\x8b"):
        return
    stored = gzip.compress(content) if packed else content
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.ndjson"
        path.write_bytes(stored[: len(stored) - cut] if packed else stored)
        line, status = run(path)
        counted = {name: int(count) for name, count in (part.split("=") for part in line.split())}
        rejects = Path(folder) / "any.ndjson.rejected.ndjson"
        assert (status == 1) == (counted["rejected"] > 0) == rejects.exists()
        if counted["rejected"]:
            assert len(rejected(rejects)) == counted["rejected"]
    if not (packed and cut):
        whole = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        assert sum(counted.values()) == sum(1 for text in whole if text and not text.isspace())
