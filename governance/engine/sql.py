"""Measures as SQL: text and parameters only; who runs them has the connection.

One statement yields a measure for a whole batch of signals. Its cost grows with the signals in the windows
taken together, not with windows times batch, because the width of the window is the same for every row:

- count and sum are running totals: total(t) − total(t − window).
- max cuts time into blocks one window long; every window is the end of one block and the beginning of the
  next.
- distinct counts values present: one is present from its first signal until a window after the last one
  before a gap.

Windows are (t − window, t]; rows of equal time are included. Lengths are seconds, never calendar days.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from governance.engine.spec import Aggregate, MeasureSpec, parse_aggregate
from governance.engine.where_sql import SqlFragment, narrowing_sql, where_sql

__all__ = [
    "BatchRow",
    "SqlFragment",
    "batch_params",
    "candidates_sql",
    "measure_sql",
    "narrowing_sql",
    "needs_candidates",
    "where_sql",
]


class BatchRow(NamedTuple):
    """One signal of a batch, by whatever number the caller counts it; `time` aware, ids those of the
    database.
    """

    ord: int
    guild_id: int
    creator_id: int | None
    time: datetime


_BATCH = """WITH batch AS MATERIALIZED (
    SELECT ord, subject, t
    FROM unnest(%(ords)s::bigint[], %(subjects)s::bigint[], %(times)s::timestamptz[]) AS given (ord, subject, t)
), spans AS MATERIALIZED (
    SELECT subject, min(t) - make_interval(secs => %(window)s::float8) AS since, max(t) AS until
    FROM batch GROUP BY subject
)"""

_LOOKED_UP = """spans CROSS JOIN LATERAL (
        SELECT s.* FROM governance_signal s
        WHERE {wanted}
        OFFSET 0
    ) AS s"""

_COUNTED = """, found AS (
    SELECT {subject} AS subject, s.time AS t, {value} AS v
    FROM {slice}
), marks AS (
    SELECT subject, t, v, NULL::bigint AS ord, NULL::int AS side FROM found
    UNION ALL SELECT subject, t, NULL, ord, 1 FROM batch
    UNION ALL SELECT subject, t - make_interval(secs => %(window)s::float8), NULL, ord, -1 FROM batch
), totals AS (
    SELECT ord, side, coalesce(sum(v) OVER (PARTITION BY subject ORDER BY t), 0) AS total FROM marks
)
SELECT ord, sum(side * total)::{type} AS value FROM totals WHERE ord IS NOT NULL GROUP BY ord"""

_MAXIMUM = """, found AS (
    SELECT {subject} AS subject, s.time AS t, {value} AS v
    FROM {slice}
), marks AS (
    SELECT subject, t, v, NULL::bigint AS ord, FALSE AS early FROM found
    UNION ALL SELECT subject, t, NULL, ord, FALSE FROM batch
    UNION ALL SELECT subject, t - make_interval(secs => %(window)s::float8) + interval '1 microsecond',
        NULL, ord, TRUE FROM batch
), blocks AS (
    SELECT *, floor(extract(epoch FROM t - %(since)s::timestamptz) / %(window)s::int)::bigint AS block FROM marks
), peaks AS (
    SELECT ord, early,
        max(v) OVER (PARTITION BY subject, block ORDER BY t) AS up_to_here,
        max(v) OVER (PARTITION BY subject, block ORDER BY t DESC) AS from_here
    FROM blocks
)
SELECT ord, max(CASE WHEN early THEN from_here ELSE up_to_here END) AS value
FROM peaks WHERE ord IS NOT NULL GROUP BY ord"""

_DISTINCT = """, found AS (
    SELECT {subject} AS subject, s.time AS t, {value} AS v
    FROM {slice}
), seen AS (
    SELECT subject, t, lag(t) OVER same AS previous, lead(t) OVER same AS following,
        make_interval(secs => %(window)s::float8) AS width
    FROM found WHERE v IS NOT NULL WINDOW same AS (PARTITION BY subject, v ORDER BY t)
), marks AS (
    SELECT subject, t, 1 AS step, NULL::bigint AS ord FROM seen
        WHERE previous IS NULL OR previous + width <= t
    UNION ALL SELECT subject, t + width, -1, NULL FROM seen
        WHERE following IS NULL OR following >= t + width
    UNION ALL SELECT subject, t, 0, ord FROM batch
), totals AS (
    SELECT ord, sum(step) OVER (PARTITION BY subject ORDER BY t) AS value FROM marks
)
SELECT ord, value::bigint AS value FROM totals WHERE ord IS NOT NULL"""


def needs_candidates(measure: MeasureSpec) -> bool:
    """True when `where` has no exact SQL: then CEL filters the rows of `candidates_sql` and `measure_sql`
    gets their ids.
    """
    return measure.where is not None and where_sql(measure.where) is None


def measure_sql(measure: MeasureSpec, *, candidate_ids: bool = False) -> SqlFragment:
    """The statement that yields (ord, value); add `batch_params`, and %(ids)s when `candidate_ids`.

    count and distinct are whole numbers, sum and max numeric; sum over nothing 0, max over nothing NULL.
    Rows of the batch without a creator yield no row for a measure per creator. `measure.types` must be
    filled in.
    """
    condition = None
    if measure.where is not None and not candidate_ids:
        condition = where_sql(measure.where)
        if condition is None:
            raise ValueError(f"measure {measure.name}: `where` needs candidate ids")
    aggregate = parse_aggregate(measure.aggregate)
    path = _Path(aggregate)
    parts = {
        "subject": f"s.{measure.per}_id",
        "value": path.value(aggregate),
        "slice": _slice(measure, condition, candidate_ids=candidate_ids),
        "type": "bigint" if aggregate.counts else "numeric",
    }
    body = {"distinct": _DISTINCT, "max": _MAXIMUM}.get(aggregate.function, _COUNTED)
    params = {**path.params, **_own_params(measure), **(condition.params if condition else {})}
    return SqlFragment(_BATCH + body.format(**parts), params)


def candidates_sql(measure: MeasureSpec) -> SqlFragment:
    """The statement that yields (id, type, time, data) of every signal that `where` may accept; add
    `batch_params`.

    Narrowed by those parts of `where` that SQL can decide; the others are for CEL.
    """
    condition = narrowing_sql(measure.where) if measure.where is not None else None
    narrowed = _slice(measure, condition, candidate_ids=False)
    text = f"{_BATCH}\nSELECT s.id, s.type, s.time, s.data FROM {narrowed}"
    return SqlFragment(text, {**_own_params(measure), **(condition.params if condition else {})})


def batch_params(measure: MeasureSpec, rows: Sequence[BatchRow]) -> dict[str, Any] | None:
    """The parameters that say which signals the measure is for; None when none of them has its subject."""
    subjects = [
        (row.ord, row.guild_id if measure.per == "guild" else row.creator_id, row.time) for row in rows
    ]
    known = [(ordinal, subject, time) for ordinal, subject, time in subjects if subject is not None]
    if not known:
        return None
    times = [time for _, _, time in known]
    return {
        "ords": [ordinal for ordinal, _, _ in known],
        "subjects": [subject for _, subject, _ in known],
        "times": times,
        # constants, so that the planner reads only the months it needs
        "since": min(times) - measure.window,
        "until": max(times),
    }


def _own_params(measure: MeasureSpec) -> dict[str, Any]:
    if not measure.types:
        raise ValueError(f"measure {measure.name}: its signal types are not filled in")
    return {"window": int(measure.window / timedelta(seconds=1)), "types": sorted(set(measure.types))}


def _slice(measure: MeasureSpec, condition: SqlFragment | None, *, candidate_ids: bool) -> str:
    wanted = [
        f"s.{measure.per}_id = spans.subject",
        "s.time > spans.since AND s.time <= spans.until",
        "s.time > %(since)s::timestamptz AND s.time <= %(until)s::timestamptz",
        "s.type = ANY(%(types)s::text[])",
    ]
    if candidate_ids:
        wanted.append("s.id = ANY(%(ids)s::bigint[])")
    if condition is not None:
        wanted.append(f"({condition.text})")
    # One look into the index per subject, whatever the planner believes: right after an import it knows
    # nothing about the newest months and would read everybody's signals for the few that are asked about
    return _LOOKED_UP.format(wanted="\n        AND ".join(wanted))


class _Path:
    """The jsonb at the aggregate's path, its steps as parameters."""

    def __init__(self, aggregate: Aggregate) -> None:
        self.params = {f"path{index}": step for index, step in enumerate(aggregate.path)}
        self.jsonb = "(s.data" + "".join(f" -> %({name})s::text" for name in self.params) + ")"

    def value(self, aggregate: Aggregate) -> str:
        if aggregate.function == "count":
            return "1"
        if aggregate.function == "distinct":
            return f"nullif({self.jsonb}, 'null'::jsonb)" if aggregate.path else "s.creator_id"
        return f"CASE WHEN jsonb_typeof({self.jsonb}) = 'number' THEN ({self.jsonb})::numeric END"
