"""Measures of a batch: one statement per distinct measure, whatever the size of the batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.db import DataError, InternalError, NotSupportedError, ProgrammingError, connection, transaction

from governance.engine import Evaluator, MeasureSpec
from governance.engine.evaluate import Where
from governance.engine.sql import (
    BatchRow,
    SqlFragment,
    batch_params,
    candidates_sql,
    measure_sql,
    needs_candidates,
)
from governance.violations.detection_facts import Registry, StoredSignal, parsed


@dataclass
class MeasureValues:
    """`values[key][n]` is the measure's value for the nth signal of the batch; `failed[key]` why it has none at all."""

    values: dict[str, Mapping[int, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def of(self, ordinal: int, keys: Sequence[str]) -> dict[str, Any]:
        """The values for one signal by key; a measure without one is left out, which makes it unknown."""
        found = {}
        for key in keys:
            values = self.values.get(key)
            if values is not None and ordinal in values:
                found[key] = values[ordinal]
        return found


def measure_values(
    evaluator: Evaluator, signals: Sequence[StoredSignal], registry: Registry
) -> MeasureValues:
    """Every measure that a rule of the evaluator needs for any of the signals, as of each signal's own time.

    A measure that PostgreSQL refuses is isolated by a savepoint and reported; the others go on. What is no fault of the
    measure, such as a deadlock, ends the batch, which is then taken up again.
    """
    rows: dict[str, list[BatchRow]] = defaultdict(list)
    specs: dict[str, MeasureSpec] = {}
    wanted: dict[tuple[str, int], dict[str, MeasureSpec]] = {}
    for ordinal, signal in enumerate(signals):
        place = (signal.type, signal.market_id)
        if place not in wanted:
            wanted[place] = evaluator.measures_for(signal.type, registry.market_code(signal.market_id))
            specs |= wanted[place]
        if wanted[place]:
            row = BatchRow(ordinal, signal.guild_id, signal.creator_id, signal.time)
            for key in wanted[place]:
                rows[key].append(row)
    found = MeasureValues()
    for key, batch in rows.items():
        try:
            with transaction.atomic():
                found.values[key] = _values(specs[key], batch)
        except (DataError, InternalError, NotSupportedError, ProgrammingError) as error:
            found.failed[key] = f"measure {specs[key].name}: {str(error).strip().splitlines()[0]}"
    return found


@dataclass(frozen=True)
class _Statement:
    """What is asked of PostgreSQL. Where SQL cannot decide `where`, it lists candidates and CEL decides."""

    measure: SqlFragment
    candidates: SqlFragment | None = None
    where: Where | None = None


@lru_cache(maxsize=1024)
def _statement(measure: MeasureSpec) -> _Statement:
    if measure.where is not None and needs_candidates(measure):
        return _Statement(
            measure_sql(measure, candidate_ids=True), candidates_sql(measure), Where(measure.where)
        )
    return _Statement(measure_sql(measure))


def _values(measure: MeasureSpec, rows: Sequence[BatchRow]) -> dict[int, Any]:
    params = batch_params(measure, rows)
    if params is None:
        return {}
    # As literals of PostgreSQL's own: quoting every element of an array one by one takes longer than the measure.
    params |= {name: "{" + ",".join(map(str, params[name])) + "}" for name in ("ords", "subjects", "times")}
    statement = _statement(measure)
    with connection.cursor() as cursor:
        if statement.candidates is not None and statement.where is not None:
            cursor.execute(statement.candidates.text, {**params, **statement.candidates.params})
            params["ids"] = [
                signal_id
                for signal_id, signal_type, time, stored in cursor
                if statement.where.accepts(parsed(stored), signal_type, time)
            ]
        cursor.execute(statement.measure.text, {**params, **statement.measure.params})
        return dict(cursor.fetchall())
