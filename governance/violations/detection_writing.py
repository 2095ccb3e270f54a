"""What a batch decides and writes: matches become violations, detections and ledger events, all in bulk.

Locks, taken in one ascending sweep after the shard's own: OPENING_LOCK + shard for every shard whose guilds are
charged (a guild's own act may charge a guild of another shard), and CAP_LOCK + rule for every rule with a cap, whose
count all shards share.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
from django.db import connection
from django.db.models import Count

from governance.ledger.services import Entry, record_many
from governance.rules.enums import ReviewMode, VersionStatus
from governance.rules.models import RuleVersion
from governance.rules.services import version_pause_itself
from governance.violations import detection_queue as queue
from governance.violations.detection_facts import Registry, StoredSignal, shard_of
from governance.violations.detection_judging import Verdict
from governance.violations.detection_openings import Openings, Subject, spans
from governance.violations.detection_versions import VersionInPlay, waits
from governance.violations.enums import DetectionMode, DetectionOutcome, FaultStatus, ViolationStatus
from governance.violations.models import Detection, EvaluationFault, Violation
from guilds.accounts.actor import Actor
from guilds.nudges import nudge

OPENING_LOCK = 7_181_000
CAP_LOCK = 7_190_000_000
CAP_WINDOW = dt.timedelta(hours=1)

SANCTION_DUE = "governance.penalties.sanction_due"
REVIEW_DUE = "governance.review.open_due"

_VIOLATION = [column.attname for column in Violation._meta.concrete_fields if column.attname != "id"]
_DETECTION = [column.attname for column in Detection._meta.concrete_fields if column.attname != "id"]
_INSERT_VIOLATIONS = f"""
INSERT INTO governance_violation ({", ".join(_VIOLATION)})
SELECT {", ".join(_VIOLATION)} FROM jsonb_populate_recordset(NULL::governance_violation, %s::jsonb) RETURNING public_id, id
"""  # noqa: S608 - the columns of our own model
_INSERT_DETECTIONS = f"""
INSERT INTO governance_detection ({", ".join(_DETECTION)})
SELECT {", ".join(_DETECTION)} FROM jsonb_populate_recordset(NULL::governance_detection, %s::jsonb)
ON CONFLICT (version_id, signal_key_id) DO NOTHING
"""  # noqa: S608


@dataclass
class Match:
    """A version that matched a signal, and whom that is about. `set_aside` is the outcome of one that opens nothing."""

    version: VersionInPlay
    verdict: Verdict
    guild_id: int
    subject: Subject
    set_aside: DetectionOutcome | None = None

    @classmethod
    def of(cls, version: VersionInPlay, verdict: Verdict) -> Match:
        own = version.charges_own_act
        signal = verdict.signal
        return cls(
            version,
            verdict,
            signal.charged_guild(own_act=own),
            (version.rule_id, signal.subject(own_act=own)),
        )

    @property
    def signal(self) -> StoredSignal:
        return self.verdict.signal


@dataclass
class Decisions:
    """What is to be written for one batch."""

    now: dt.datetime
    shard: int
    registry: Registry
    matches: list[Match] = field(default_factory=list)
    faults: list[tuple[VersionInPlay, StoredSignal, str]] = field(default_factory=list)
    held: list[tuple[VersionInPlay, StoredSignal]] = field(default_factory=list)


@dataclass
class Written:
    """Violations opened by version, how many of them were confirmed at once, and versions that paused themselves."""

    opened: Counter[str] = field(default_factory=Counter)
    confirmed: int = 0
    paused: list[str] = field(default_factory=list)


@dataclass
class _Plan:
    """The outcome of each match that is to be kept as a detection, and the violations to create."""

    detections: list[tuple[Match, DetectionOutcome, Violation | None]] = field(default_factory=list)
    violations: list[tuple[Match, Violation]] = field(default_factory=list)
    over_cap: dict[int, Match] = field(default_factory=dict)


def write(decisions: Decisions) -> Written:
    """Decide and write, inside the batch's transaction. The number of statements does not grow with the batch."""
    decisions.matches.sort(key=lambda match: match.verdict.signal[1::-1])  # time, id
    plan = _plan(decisions)
    explanations = [match.verdict.explanation() for match, _, _ in plan.detections]
    for (_, outcome, violation), explanation in zip(plan.detections, explanations, strict=True):
        if outcome == DetectionOutcome.OPENED and violation is not None:
            violation.explanation = explanation
    _insert_violations([violation for _, violation in plan.violations])
    _insert_detections(decisions.now, plan, explanations)
    written = _record(decisions, plan)
    for match in plan.over_cap.values():
        written.paused += _pause(match)
    queue.hold(
        decisions.shard,
        {
            (signal.id, version.id): (signal.id, signal.time, version.id)
            for version, signal in decisions.held
        }.values(),
    )
    _insert_faults(decisions)
    if written.confirmed:
        nudge(SANCTION_DUE)
    if len(plan.violations) > written.confirmed:
        nudge(REVIEW_DUE)
    return written


def _plan(decisions: Decisions) -> _Plan:
    plan = _Plan()
    live = [match for match in decisions.matches if match.set_aside is None]
    _lock(live)
    stopped = _stopped_meanwhile(live)
    openings = _stored_openings(live)
    counts = _counts_in_window(live, decisions.now)
    for match in decisions.matches:
        version, signal = match.version, match.signal
        if match.set_aside is not None:
            plan.detections.append((match, match.set_aside, None))
            continue
        if version.id in stopped:
            decisions.held.append((version, signal))
            continue
        if (standing := openings.at(match.subject, signal.time)) is not None:
            plan.detections.append((match, DetectionOutcome.JOINED, standing))
            continue
        if openings.shields(match.subject, signal.time, version.cooldown):
            plan.detections.append((match, DetectionOutcome.COOLDOWN, None))
            continue
        # All versions of the rule together: a cap is not doubled by a second version.
        place = (version.rule_id, signal.market_id)
        if version.cap is not None and counts[place] >= version.cap:
            # A superseded version takes the versions in force with it, see `_pause`.
            superseded = version.status != VersionStatus.LIVE
            stopped |= {
                other.version.id for other in live if superseded and other.version.rule_id == place[0]
            }
            stopped.add(version.id)
            plan.over_cap[version.id] = match
            decisions.held.append((version, signal))
            continue
        violation = _violation(match, decisions.now)
        counts[place] += 1
        openings.add(match.subject, signal.time, violation)
        plan.violations.append((match, violation))
        plan.detections.append((match, DetectionOutcome.OPENED, violation))
    return plan


def _lock(live: Sequence[Match]) -> None:
    keys = {OPENING_LOCK + shard_of(match.guild_id) for match in live}
    keys |= {CAP_LOCK + match.version.rule_id for match in live if match.version.cap is not None}
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(key) FROM (SELECT unnest(%s::bigint[]) AS key ORDER BY 1) AS sweep",
                [sorted(keys)],
            )


def _stopped_meanwhile(live: Sequence[Match]) -> set[int]:
    """Versions that were paused or taken out after the batch read them, by a person or by another shard's cap. One query."""
    versions = {match.version.id: match.version for match in live}
    if not versions:
        return set()
    now: dict[int, str] = {}
    of_rule: dict[int, set[str]] = defaultdict(set)
    for version_id, rule_id, status in RuleVersion.objects.filter(
        rule__in={version.rule_id for version in versions.values()}
    ).values_list("pk", "rule_id", "status"):
        now[version_id] = status
        of_rule[rule_id].add(status)
    return {
        version.id
        for version in versions.values()
        if now[version.id] != version.status or waits(version.status, of_rule[version.rule_id])
    }


def _stored_openings(live: Sequence[Match]) -> Openings[Violation]:
    """The violations that stand already and could matter to these matches. One query."""
    openings: Openings[Violation] = Openings()
    wanted = spans((match.subject, match.signal.time, match.version.cooldown) for match in live)
    if not wanted:
        return openings
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT v.id, v.rule_id, v.subject, v.occurred_at
            FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::timestamptz[])
                AS wanted (rule_id, subject, since, until)
            CROSS JOIN LATERAL (
                SELECT id, rule_id, subject, occurred_at FROM governance_violation v
                WHERE v.rule_id = wanted.rule_id AND v.subject = wanted.subject
                    AND v.occurred_at BETWEEN wanted.since AND wanted.until
                OFFSET 0
            ) AS v
            """,
            [
                [rule_id for rule_id, _ in wanted],
                [subject for _, subject in wanted],
                [since for since, _ in wanted.values()],
                [until for _, until in wanted.values()],
            ],
        )
        for key, rule_id, subject, occurred_at in cursor.fetchall():
            openings.add((rule_id, subject), occurred_at, Violation(pk=key))
    return openings


def _counts_in_window(live: Sequence[Match], now: dt.datetime) -> Counter[tuple[int, int]]:
    """Violations opened within the last hour by rule and market, for rules with a cap. One query."""
    rules = {match.version.rule_id for match in live if match.version.cap is not None}
    counts: Counter[tuple[int, int]] = Counter()
    if rules:
        markets = {match.signal.market_id for match in live}
        for rule_id, market_id, opened in (
            Violation.objects.filter(rule__in=rules, market__in=markets, detected_at__gt=now - CAP_WINDOW)
            .order_by()
            .values_list("rule_id", "market_id")
            .annotate(opened=Count("pk"))
        ):
            counts[rule_id, market_id] = opened
    return counts


def _violation(match: Match, now: dt.datetime) -> Violation:
    version, signal = match.version, match.signal
    automatic = version.review == ReviewMode.AUTO
    return Violation(
        rule_id=version.rule_id,
        version_id=version.id,
        code=version.violation_code,
        severity=version.severity,
        review=version.review,
        status=ViolationStatus.CONFIRMED if automatic else ViolationStatus.OPEN,
        guild_id=match.guild_id,
        creator_id=None if version.charges_own_act else signal.creator_id,
        market_id=signal.market_id,
        subject=match.subject[1],
        occurred_at=signal.time,
        detected_at=now,
        decided_at=now if automatic else None,
        sanction_due=automatic,
    )


def _insert_violations(violations: Sequence[Violation]) -> None:
    """Rows go over as one JSON text: several times faster than a placeholder for every value."""
    if not violations:
        return
    rows = [{name: getattr(violation, name) for name in _VIOLATION} for violation in violations]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_VIOLATIONS, [orjson.dumps(rows).decode()])
        keys = dict(cursor.fetchall())
    for violation in violations:
        violation.pk = keys[violation.public_id]


def _insert_detections(now: dt.datetime, plan: _Plan, explanations: Sequence[object]) -> None:
    """Detections are evidence and never change: a signal evaluated once more leaves the first one."""
    if not plan.detections:
        return
    rows = [
        {
            "version_id": match.version.id,
            "signal_key_id": match.signal.id,
            "violation_id": violation.pk if violation is not None else None,
            "mode": (DetectionMode.SHADOW if match.version.is_shadow else DetectionMode.LIVE).value,
            "outcome": outcome.value,
            "guild_id": match.guild_id,
            "market_id": match.signal.market_id,
            "occurred_at": match.signal.time,
            "detected_at": now,
            "explanation": explanation,
        }
        for (match, outcome, violation), explanation in zip(plan.detections, explanations, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_DETECTIONS, [orjson.dumps(rows).decode()])


def _record(decisions: Decisions, plan: _Plan) -> Written:
    """Events by the rule that acted: `violation.confirmed` where no person is asked, else `violation.opened`."""
    written = Written()
    by_version: dict[VersionInPlay, list[Entry]] = defaultdict(list)
    for match, violation in plan.violations:
        confirmed = violation.status == ViolationStatus.CONFIRMED
        written.opened[match.version.label] += 1
        written.confirmed += confirmed
        by_version[match.version].append(
            Entry(
                act="violation.confirmed" if confirmed else "violation.opened",
                object_type=Violation.ledger_type,
                object_id=str(violation.public_id),
                after=_after(violation, match, decisions.registry),
                guild_id=violation.guild_id,
                market_id=violation.market_id,
            )
        )
    for version, entries in by_version.items():
        record_many(actor=Actor.system(f"rule {version.label}"), entries=entries, at=decisions.now)
    return written


def _after(violation: Violation, match: Match, registry: Registry) -> dict[str, object]:
    creator = registry.creators[violation.creator_id]["id"] if violation.creator_id is not None else None
    return {
        "status": str(violation.status),
        "rule": match.version.code,
        "rule_version": match.version.number,
        "code": violation.code,
        "severity": violation.severity,
        "guild": registry.guilds[violation.guild_id]["id"],
        "creator": creator,
        "market": registry.market_code(violation.market_id),
        "occurred_at": violation.occurred_at.isoformat(),
    }


def _pause(match: Match) -> list[str]:
    """The version stops. A superseded one stops with the versions in force, for it goes on while one of them does."""
    version = match.version
    if version.status == VersionStatus.LIVE:
        stopping = [version.id]
    else:
        live = RuleVersion.objects.filter(rule=version.rule_id, status=VersionStatus.LIVE)
        stopping = list(live.order_by("pk").values_list("pk", flat=True))
    reason = (
        f"More than {version.cap} violations in market {match.verdict.facts.market['code']} within an hour. "
        "The signals from here on wait until somebody resumes the rule."
    )
    paused = [version_pause_itself(version_id=key, reason=reason) for key in stopping]
    return [found.public_id for found in paused if found is not None]


def _insert_faults(decisions: Decisions) -> None:
    """A fault on a signal that had one before opens that one again with the new error."""
    if decisions.faults:
        found = {(version.id, signal.id): error for version, signal, error in decisions.faults}
        EvaluationFault.objects.bulk_create(
            [
                EvaluationFault(
                    version_id=version_id,
                    signal_key_id=signal_id,
                    error=error.replace("\0", "")[:2000],
                    status=FaultStatus.OPEN,
                    created_at=decisions.now,
                )
                for (version_id, signal_id), error in found.items()
            ],
            batch_size=2_000,
            update_conflicts=True,
            unique_fields=["version", "signal_key"],
            update_fields=["error", "status"],
        )
