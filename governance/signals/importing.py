"""A file of CloudEvents, one a line, into the database: reading and checking on one thread, writing on another.

Batches are written in the order of the file, each in a transaction of its own, so detection that runs meanwhile never
sees a later batch before an earlier one. An import that stopped is resumed by running it again: what is stored already
counts as a duplicate, which costs a fraction of storing it, and needs no position file that could be wrong.
"""

from __future__ import annotations

import codecs
import gc
import gzip
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson
from django.db import connection, transaction

from governance.signals.services import (
    IngestReport,
    Rejection,
    events_prepare,
    nudge_detection,
    prepared_write,
)
from governance.signals.staging import Prepared
from guilds.accounts.actor import Actor

#: An event has at most 64 KiB of data; written with escapes and spaces it stays far below this.
LINE_BYTES = 1024 * 1024
#: Of an over-long line the reject file keeps the beginning.
KEPT_OF_LONG_LINE = 4096
#: A batch has at most so many lines, and ends with the line that takes it past so many bytes.
BATCH_LINES = 10_000
BATCH_BYTES = 16 * 1024 * 1024
_BLOCK = 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_TOO_LONG = f"The line is longer than {LINE_BYTES} bytes: check that there is one event a line."


class Line(NamedTuple):
    """One line that is not blank. `fault` says why it cannot even be looked at; then `text` may be cut off."""

    number: int
    text: bytes
    fault: str = ""


@dataclass
class ImportReport:
    """What became of a file. The counts add up to its lines that are not blank."""

    accepted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    rejected: int = 0
    #: Where the rejected lines are, if there are any.
    rejects: Path | None = None


class _Batch(NamedTuple):
    lines: list[Line]
    prepared: Prepared
    report: IngestReport
    #: How far the file has been read, in bytes as stored.
    position: int


@dataclass
class _Rejects:
    """The reject file, made with its first line: next to the source, or in the current directory if that is read-only."""

    source: Path
    path: Path | None = None
    stream: IO[bytes] | None = field(default=None, repr=False)

    def add(self, line: Line, errors: list[Any]) -> None:
        if self.stream is None:
            self.path, self.stream = self._open()
        row = {"line": line.number, "errors": errors, "original": line.text.decode(errors="backslashreplace")}
        self.stream.write(orjson.dumps(row) + b"\n")

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()

    def _open(self) -> tuple[Path, IO[bytes]]:
        name = f"{self.source.name}.rejected.ndjson"
        try:
            path = self.source.with_name(name)
            return path, path.open("wb")
        except OSError:
            path = Path.cwd() / name
            return path, path.open("wb")


def file_import(
    *, actor: Actor, path: Path, source: str = "", progress: Callable[[int], object] | None = None
) -> ImportReport:
    """Take in a file of CloudEvents, plain or gzip; `source` fills in where an event has none.

    Lines that are refused go to `<file name>.rejected.ndjson` with their number and every fault; they stop nothing.
    `progress` is told how many bytes of the file have been dealt with. Detection is nudged once, at the end. Raises OSError
    when the file cannot be read or the reject file not be written.
    """
    report, rejects = ImportReport(), _Rejects(path)
    shards: set[int] = set()
    with path.open("rb") as stored, ThreadPoolExecutor(1, "import-reader") as reader, _uncollected():
        batches = _batches(actor, stored, source)
        try:
            coming = reader.submit(next, batches, None)
            while (batch := coming.result()) is not None:
                coming = reader.submit(next, batches, None)
                shards.update(_write_batch(batch, report, rejects))
                if progress is not None:
                    progress(batch.position)
        finally:
            reader.submit(connection.close)
            rejects.close()
            with transaction.atomic():
                nudge_detection(sorted(shards))
    report.rejects = rejects.path
    return report


@contextmanager
def _uncollected() -> Iterator[None]:
    """Batches are trees of plain values: counting references frees them, and looking for cycles among them is slow."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _write_batch(batch: _Batch, report: ImportReport, rejects: _Rejects) -> list[int]:
    with transaction.atomic():
        shards = prepared_write(batch.prepared, batch.report)
    report.accepted += batch.report.accepted
    report.duplicates += batch.report.duplicates
    report.quarantined += batch.report.quarantined
    report.rejected += len(batch.report.rejected)
    for rejection in batch.report.rejected:
        rejects.add(batch.lines[rejection["index"]], list(rejection["errors"]))
    return shards


def _batches(actor: Actor, stored: IO[bytes], source: str) -> Iterator[_Batch]:
    """Batch after batch, checked and prepared on the connection of the thread that asks for it."""
    lines: list[Line] = []
    size = 0
    for line in read_lines(stored):
        lines.append(line)
        size += len(line.text)
        if len(lines) >= BATCH_LINES or size >= BATCH_BYTES:
            yield _prepare_lines(actor, source, lines, stored.tell())
            lines, size = [], 0
    if lines:
        yield _prepare_lines(actor, source, lines, stored.tell())


def _prepare_lines(actor: Actor, source: str, lines: list[Line], position: int) -> _Batch:
    faulty: list[Rejection] = []
    places, texts = [], []
    for index, line in enumerate(lines):
        if line.fault:
            faulty.append({"index": index, "id": None, "errors": [{"field": "", "message": line.fault}]})
        else:
            places.append(index)
            texts.append(line.text)
    with transaction.atomic():
        prepared, report = events_prepare(actor=actor, events=texts, source=source)
    for rejection in report.rejected:
        rejection["index"] = places[rejection["index"]]
    report.rejected = sorted([*report.rejected, *faulty], key=lambda rejection: rejection["index"])
    return _Batch(lines, prepared, report, position)


def read_lines(stored: IO[bytes]) -> Iterator[Line]:
    """The lines of a plain or gzip stream that are not blank, numbered from 1, in bounded memory.

    A line of more than LINE_BYTES comes cut off, with a fault; so does what a damaged gzip stream ends with.
    """
    number, rest, is_cut, damage = 0, b"", False, ""
    try:
        for block in _blocks(stored):
            *finished, rest = (rest + block).split(b"\n")
            for text in finished:
                number += 1
                yield from _line(number, text, is_cut=is_cut)
                is_cut = False
            if len(rest) > LINE_BYTES:
                rest, is_cut = rest[:KEPT_OF_LONG_LINE], True
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        damage = f"The gzip file is damaged or cut off here: {error}"
    if damage:
        yield Line(number + 1, rest[:KEPT_OF_LONG_LINE], damage)
    else:
        yield from _line(number + 1, rest, is_cut=is_cut)


def _line(number: int, text: bytes, *, is_cut: bool) -> Iterator[Line]:
    if number == 1:
        text = text.removeprefix(codecs.BOM_UTF8)
    if is_cut or len(text) > LINE_BYTES:
        yield Line(number, text[:KEPT_OF_LONG_LINE], _TOO_LONG)
    elif text and not text.isspace():
        yield Line(number, text)


def _blocks(stored: IO[bytes]) -> Iterator[bytes]:
    """The stream's content in blocks; a gzip stream, known by its first bytes, is unpacked."""
    start = stored.read(len(_GZIP_MAGIC))
    stored.seek(0)
    if start != _GZIP_MAGIC:
        yield from iter(lambda: stored.read(_BLOCK), b"")
    else:
        with gzip.GzipFile(fileobj=stored) as unpacked:
            # read1 hands out what there is before it complains about the rest.
            yield from iter(lambda: unpacked.read1(_BLOCK), b"")
