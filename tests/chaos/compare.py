"""Looking at the database after the storm, by SQL of its own, and comparing with the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.chaos.model import Found, Planned, Span, differences, working_seconds
from tests.chaos.servers import Server, connected

#: Differences printed at most.
SHOWN = 40


def found_in(data_dir: Path) -> dict[str, Found]:
    """What became of every penalty, by its id."""
    with connected(data_dir) as connection:
        penalties: list[tuple[Any, ...]] = connection.execute(
            """
            SELECT p.public_id::text, p.status, count(r.id), count(r.lifted_at)
            FROM governance_penalty p LEFT JOIN governance_restriction r ON r.penalty_id = p.id
            GROUP BY p.id
            """
        ).fetchall()
        events: list[tuple[Any, ...]] = connection.execute(
            """
            SELECT object_id, act, extract(epoch FROM at)::float8
            FROM governance_event WHERE object_type = 'penalty' ORDER BY id
            """
        ).fetchall()
    applied: dict[str, list[float]] = {}
    lifted: dict[str, list[float]] = {}
    others: dict[str, list[str]] = {}
    for key, act, at in events:
        if act == "penalty.applied":
            applied.setdefault(key, []).append(at)
        elif act == "penalty.lifted":
            lifted.setdefault(key, []).append(at)
        else:
            others.setdefault(key, []).append(act)
    return {
        key: Found(status, applied.get(key, []), lifted.get(key, []), others.get(key, []), made, ended)
        for key, status, made, ended in penalties
    }


def guilds_changed(data_dir: Path) -> list[str]:
    """Every guild began as an active star; whatever lay on it has ended."""
    with connected(data_dir) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(
            "SELECT external_id, status, tier FROM guilds_guild WHERE (status, tier) <> ('active', 'star')"
        ).fetchall()
    return [f"guild {name}: {status}, {tier}" for name, status, tier in rows]


def unfinished(data_dir: Path) -> int:
    """Penalties whose start or end has passed without anything having happened."""
    with connected(data_dir) as connection:
        row: Any = connection.execute(
            """
            SELECT count(*) FROM governance_penalty
            WHERE (status = 'scheduled' AND starts_at <= now()) OR (status = 'in_force' AND ends_at <= now())
            """
        ).fetchone()
    return int(row[0])


def compared(
    planned: Sequence[Planned], found: Mapping[str, Found], outages: Sequence[Span], *, work: float
) -> tuple[list[str], Counter[str]]:
    """Every difference in words, and how many there are of each sort."""
    lines: list[str] = []
    sorts: Counter[str] = Counter()
    for penalty in planned:
        for line in differences(penalty, found.get(penalty.key), outages, work=work):
            lines.append(f"{penalty.kind} {penalty.key}: {line}")
            sorts[sort_of(line)] += 1
    unknown = set(found) - {penalty.key for penalty in planned}
    lines += [f"penalty {key} was never planned" for key in sorted(unknown)]
    sorts["unplanned"] += len(unknown)
    return lines, sorts


def sort_of(line: str) -> str:
    for word, sort in (("early", "early"), ("late", "late"), ("restrictions", "restrictions")):
        if word in line:
            return sort
    if "times" in line:
        return "lost" if " 0 times" in line else "doubled"
    return "lost" if line.startswith("lost") else "status"


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def table(
    planned: Sequence[Planned],
    found: Mapping[str, Found],
    servers: Sequence[Server],
    outages: Sequence[Span],
    sorts: Mapping[str, int],
    guilds: int,
) -> str:
    """The result as people read it."""
    lines = ["", f"{'killed':<14}{'times':>7}{'ended':>7}{'down for, s':>14}{'longest, s':>14}"]
    for server in servers:
        spans = [end - begin for begin, end in server.outages]
        lines.append(
            f"{server.name:<14}{server.kills:>7}{server.ends:>7}{sum(spans):>14.1f}{max(spans, default=0):>14.1f}"
        )
    down = sum(end - begin for begin, end in outages)
    lines += [
        f"{'anything':<14}{sum(s.kills for s in servers):>7}{sum(s.ends for s in servers):>7}{down:>14.1f}",
        "",
    ]
    applied = [(p.starts, f.applied[0]) for p in planned if (f := found.get(p.key)) and f.applied]
    lifted = [(p.ends, f.lifted[0]) for p in planned if p.ends and (f := found.get(p.key)) and f.lifted]
    lines.append(f"{'after the due time, s':<26}{'number':>8}{'median':>9}{'95 %':>9}{'longest':>9}")
    for name, moments in (("took effect", applied), ("were lifted", lifted)):
        for words, seconds in (
            ("by the clock", [at - due for due, at in moments]),
            ("while all was up", [working_seconds(due, at, outages) for due, at in moments]),
        ):
            lines.append(
                f"{name + ' ' + words:<30}{len(moments):>4}{quantile(seconds, 0.5):>9.1f}"
                f"{quantile(seconds, 0.95):>9.1f}{max(seconds, default=0):>9.1f}"
            )
    lines += ["", f"{len(planned)} penalties against the model:"]
    for sort in ("lost", "doubled", "early", "late", "restrictions", "status", "unplanned"):
        lines.append(f"  {sort:<24}{sorts.get(sort, 0):>8}")
    lines.append(f"  {'guilds not as before':<24}{guilds:>8}")
    return "\n".join(lines)
