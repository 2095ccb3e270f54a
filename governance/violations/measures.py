"""Measures of a batch: one statement per distinct measure, whatever the size of the batch."""

from __future__ import annotations

import datetime as dt
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
    """`values[n]` holds the measures of the nth signal by key; one without a value is left out, which makes it unknown.

    `failed[key]` says why a measure has no value for any signal.
    """

    values: list[dict[str, Any]]
    failed: dict[str, str] = field(default_factory=dict)


#: A signal's type and market, on which it depends what is measured for it.
Place = tuple[str, int]


def measure_values(
    evaluator: Evaluator, signals: Sequence[StoredSignal], registry: Registry
) -> MeasureValues:
    """Every measure that a rule of the evaluator needs for any of the signals, as of each signal's own time.

    A measure that PostgreSQL refuses is isolated by a savepoint and reported; the others go on. What is no fault of the
    measure, such as a deadlock, ends the batch, which is then taken up again.
    """
    places: dict[Place, list[int]] = defaultdict(list)
    for ordinal, signal in enumerate(signals):
        places[signal.type, signal.market_id].append(ordinal)
    specs: dict[str, MeasureSpec] = {}
    wanted: dict[str, tuple[Place, ...]] = defaultdict(tuple)
    for place in places:
        found_here = evaluator.measures_for(place[0], registry.market_code(place[1]))
        specs |= found_here
        for key in found_here:
            wanted[key] += (place,)
    found = MeasureValues([{} for _ in signals])
    asked: dict[tuple[tuple[Place, ...], str], _Asked | None] = {}
    for key, where in wanted.items():
        measure = specs[key]
        if (where, measure.per) not in asked:
            ordinals = [ordinal for place in where for ordinal in places[place]]
            asked[where, measure.per] = _asked(measure, ordinals, signals)
        about = asked[where, measure.per]
        if about is None:
            continue
        try:
            with transaction.atomic():
                for ordinal, value in _values(measure, about):
                    found.values[ordinal][key] = value
        except (DataError, InternalError, NotSupportedError, ProgrammingError) as error:
            found.failed[key] = f"measure {measure.name}: {str(error).strip().splitlines()[0]}"
    return found


@dataclass(frozen=True)
class _Asked:
    """Which signals a measure is for: the arrays as literals of PostgreSQL's own, written once for all measures.

    Quoting every element of an array one by one, for every measure, takes longer than the measures.
    """

    literals: Mapping[str, str]
    first: dt.datetime
    last: dt.datetime

    def params(self, measure: MeasureSpec) -> dict[str, Any]:
        """As `batch_params` has them: the constant bounds let the planner read only the months it needs."""
        return {**self.literals, "since": self.first - measure.window, "until": self.last}


def _asked(measure: MeasureSpec, ordinals: Sequence[int], signals: Sequence[StoredSignal]) -> _Asked | None:
    """None when no signal has the measure's subject."""
    params = batch_params(
        measure,
        [
            BatchRow(ordinal, signal.guild_id, signal.creator_id, signal.time)
            for ordinal, signal in ((ordinal, signals[ordinal]) for ordinal in ordinals)
        ],
    )
    if params is None:
        return None
    return _Asked(
        {name: "{" + ",".join(map(str, params[name])) + "}" for name in ("ords", "subjects", "times")},
        params["since"] + measure.window,
        params["until"],
    )


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


def _values(measure: MeasureSpec, about: _Asked) -> list[tuple[int, Any]]:
    """(ordinal, value)"""
    params = about.params(measure)
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
        found: list[tuple[int, Any]] = cursor.fetchall()
        return found
