"""Builders of valid rows. They insert what a test takes as given; states that services bring about come from services.

Names count up, so that two calls never collide; every builder takes overrides by keyword.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from itertools import count
from typing import Any

import pgtrigger
from django.db.models import F
from django.utils import timezone

from governance.ledger.services import Entry, record_many
from governance.models import (
    Detection,
    Lesson,
    LivePeriod,
    Risk,
    Rule,
    RuleVersion,
    Signal,
    SignalKey,
    SignalSource,
    Violation,
    Wave,
)
from guilds.accounts.actor import Actor
from guilds.models import Client, Creator, Guild, GuildUser, Market, Membership, Regime, StaffRole, User

_number = count(1)
UTC = dt.UTC

#: A ladder in the form of the policy file; three rungs, ten points, half a year.
LADDER: dict[str, Any] = {
    "code": "standard",
    "window": "180d",
    "points": 10,
    "decay": "180d",
    "steps": [
        [{"kind": "warning"}],
        [{"kind": "recruitment_freeze", "days": 7}],
        [{"kind": "settlement_hold", "days": 30}],
    ],
}


def regime(**fields: Any) -> Regime:
    code = fields.pop("code", "none")
    found, _ = Regime.objects.get_or_create(code=code, defaults={"name": code, **fields})
    return found


def market(code: str | None = None, **fields: Any) -> Market:
    fields.setdefault("regime", regime())
    fields.setdefault("languages", ["en"])
    number = next(_number)
    return Market.objects.create(
        code=code or f"M{number}", name=fields.pop("name", f"Market {number}"), **fields
    )


def guild(external_id: str | None = None, **fields: Any) -> Guild:
    external_id = external_id or f"guild-{next(_number)}"
    if "market" not in fields:
        fields["market"] = market()
    fields.setdefault("name", external_id.replace("-", " ").title())
    return Guild.objects.create(external_id=external_id, **fields)


def creator(external_id: str | None = None, **fields: Any) -> Creator:
    external_id = external_id or f"creator-{next(_number)}"
    return Creator.objects.create(external_id=external_id, **fields)


def membership(
    of: Creator, held_by: Guild, starts_at: dt.datetime, ends_at: dt.datetime | None = None
) -> Membership:
    return Membership.objects.create(creator=of, guild=held_by, starts_at=starts_at, ends_at=ends_at)


def user(email: str | None = None, *, password: str | None = None, **fields: Any) -> User:
    return User.objects.create_user(email or f"person-{next(_number)}@example.test", password, **fields)


def staff(
    *roles: str, markets: Iterable[Market] | None = None, password: str | None = None, **fields: Any
) -> User:
    """A member of staff with roles; in every market unless some are given."""
    person = user(password=password, is_staff=True, all_markets=markets is None, **fields)
    StaffRole.objects.bulk_create(StaffRole(user=person, role=role) for role in roles)
    if markets is not None:
        person.markets.set(list(markets))
    return person


def seat(of: Guild, role: str = "owner", *, password: str | None = None, **fields: Any) -> GuildUser:
    """A person with a seat in a guild."""
    return GuildUser.objects.create(user=user(password=password, **fields), guild=of, role=role)


def client(*scopes: str, markets: Iterable[Market] = (), guild: Guild | None = None, **fields: Any) -> Client:
    """A machine client; its secret in plain text is `fields["client_secret"]`, default "secret"."""
    fields.setdefault("client_secret", "secret")
    made: Client = Client.objects.create(
        name=fields.pop("name", f"client-{next(_number)}"),
        client_type=Client.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Client.GRANT_CLIENT_CREDENTIALS,
        allowed_scopes=list(scopes),
        guild=guild,
        **fields,
    )
    made.markets.set(list(markets))
    return made


def rule(code: str | None = None, **fields: Any) -> Rule:
    code = code or f"RULE-{next(_number)}"
    risk, _ = Risk.objects.get_or_create(
        code="RSK", defaults={"name": "A risk", "harm": 3, "likelihood": 3, "owner": "analyst"}
    )
    fields.setdefault("risk", risk)
    return Rule.objects.create(code=code, name=fields.pop("name", code), **fields)


def version(
    of: Rule | None = None,
    *,
    status: str = "live",
    live_since: dt.datetime | None = dt.datetime(2010, 1, 1, tzinfo=UTC),
    ladder: dict[str, Any] | None = None,
    author: User | None = None,
    **spec: Any,
) -> RuleVersion:
    """A rule version, live everywhere since 2010 unless told otherwise. `spec` overrides fields of its policy form."""
    of = of or rule()
    number = of.versions.count() + 1
    full = {
        "code": of.code,
        "name": of.name,
        "risk": of.risk.code,
        "violation_code": f"{of.code}-V",
        "severity": "S3",
        "on": ["test.signal"],
        "measures": [],
        "when": "signal.bad == true",
        "cooldown": "0d",
        "effective_from": live_since.isoformat() if live_since else None,
        "review": "auto",
        "cap": None,
        "ladder": "standard",
        "markets": ["*"],
        "charge": None,
        **spec,
    }
    full["violation"] = {"code": full["violation_code"], "severity": full["severity"]}
    made = RuleVersion.objects.create(
        rule=of,
        number=number,
        status=status,
        spec=full,
        ladder=ladder or LADDER,
        text={"en": f"Do not do {of.code}."},
        violation_code=full["violation_code"],
        severity=full["severity"],
        review=full["review"],
        on=full["on"],
        markets=full["markets"],
        cap=full["cap"],
        effective_from=live_since,
        author=author,
        door="demo" if status in {"live", "paused"} else "",
        frozen_at=None if status == "draft" else timezone.now(),
    )
    if live_since is not None and status in {"live", "paused", "retired"}:
        LivePeriod.objects.create(version=made, starts_at=live_since)
    return made


def signal(of: Guild, *, time: dt.datetime | None = None, source: str = "/test", **fields: Any) -> Signal:
    """A stored signal, already evaluated (nothing pending)."""
    from django.db import connection

    time = time or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT governance_signal_month(%s)", [time])
    origin, _ = SignalSource.objects.get_or_create(uri=source)
    event_id = fields.pop("event_id", f"event-{next(_number)}")
    key = SignalKey.objects.create(source=origin, event_id=event_id, time=time)
    return Signal.objects.create(
        id=key.pk,
        time=time,
        type=fields.pop("type", "test.signal"),
        source=origin,
        event_id=event_id,
        guild=of,
        market=fields.pop("market", of.market),
        data=fields.pop("data", {"bad": True}),
        received_at=fields.pop("received_at", timezone.now()),
        **fields,
    )


def violation(
    of: Guild,
    by: RuleVersion | None = None,
    *,
    status: str = "open",
    occurred_at: dt.datetime | None = None,
    evidence: bool = True,
    **fields: Any,
) -> Violation:
    """A violation as detection leaves it: open, or confirmed and due for its sanction; with one signal as evidence."""
    by = by or version()
    now = timezone.now()
    occurred_at = occurred_at or now
    fields.setdefault("review", by.review)
    made = Violation.objects.create(
        rule=by.rule,
        version=by,
        code=by.violation_code,
        severity=by.severity,
        status=status,
        guild=of,
        market=fields.pop("market", of.market),
        subject=fields.pop("subject", f"g{of.pk}"),
        occurred_at=occurred_at,
        detected_at=fields.pop("detected_at", now),
        decided_at=None if status == "open" else now,
        sanction_due=status == "confirmed",
        explanation={"state": "true", "when": by.spec["when"], "conditions": {}, "measures": {}},
        **fields,
    )
    if evidence:
        fact = signal(of, time=occurred_at, market=made.market)
        Detection.objects.create(
            version=by,
            signal_key_id=fact.pk,
            violation=made,
            mode="live",
            outcome="opened",
            guild=of,
            market=made.market,
            occurred_at=occurred_at,
            detected_at=now,
            explanation=made.explanation,
        )
    return made


def event(act: str = "test.done", **fields: Any) -> None:
    """One ledger event by the system; the caller is inside a transaction."""
    entry = Entry(act=act, object_type="test", object_id=str(next(_number)), **fields)
    record_many(actor=Actor.system("test"), entries=[entry])


# --- launches ---------------------------------------------------------------------------------------------------------
def approved(of: RuleVersion, *, by: User | None = None) -> RuleVersion:
    """The version with the standing approval of another person, frozen as it is."""
    from governance.models import Approval
    from governance.workbench.selectors import digest_of, frozen_of

    now = timezone.now()
    person = by or staff("approver")
    RuleVersion.objects.filter(pk=of.pk).update(frozen_at=now, approver=person)
    of.refresh_from_db()
    frozen = frozen_of(of, None)
    Approval.objects.create(
        version=of,
        status="approved",
        frozen=frozen,
        digest=digest_of(frozen),
        requested_by=of.author or staff("analyst"),
        requested_at=now,
        decided_by=person,
        decided_at=now,
    )
    return of


def draft(of: Rule | None = None, **spec: Any) -> RuleVersion:
    """A draft by an analyst."""
    made = version(of, status="draft", live_since=None, **spec)
    made.author = staff("analyst")
    with pgtrigger.ignore("governance.RuleVersion:rule_version_identity_fixed"):
        made.save(update_fields=["author"])
    return made


def lesson(about: Rule, *, languages: Iterable[str] = ("en",), **fields: Any) -> Lesson:
    """A published lesson about a rule."""
    words = dict.fromkeys(languages, "What the rule means.")
    fields = {"title": words, "body": words, "published_at": timezone.now()} | fields
    return Lesson.objects.create(code=f"lesson-{next(_number)}", rule=about, **fields)


def launch_ready(
    *markets: Market,
    of: RuleVersion | None = None,
    launcher: User | None = None,
    planned_in: dt.timedelta = dt.timedelta(days=20),
    **wave: Any,
) -> Wave:
    """A wave with go, planned in twenty days: approved, taught, signed and announced, every guild told. Only time is missing."""
    from governance.launches import services

    of = of or draft()
    if not of.approvals.filter(status="approved").exists():
        approved(of)
    if not of.rule.lessons.exists():
        lesson(of.rule, languages={place.default_language for place in markets})
    person = Actor.staff(launcher or staff("launcher"))
    launch = of.launches.exclude(status__in=["cancelled", "rolled_back"]).first()
    launch = launch or services.launch_create(actor=person, version_id=of.pk, lesson_percent=0)
    for gate in launch.gates.filter(kind__in=SIGNED_GATES, status="open"):
        services.gate_sign(
            actor=person,
            gate_id=gate.pk,
            evidence="Done and seen.",
            capacity_hours_per_day=8,
            shortfall_reason="Enough for a start.",
        )
    made = services.wave_add(
        actor=person,
        launch_id=launch.pk,
        market_ids=[place.pk for place in markets],
        planned_at=timezone.now() + planned_in,
        **wave,
    )
    services.wave_announce(actor=person, wave_id=made.pk)
    while services.announcements_send():
        pass
    return services.wave_decide(actor=person, wave_id=made.pk, decision="go", reason="All is ready.")


SIGNED_GATES = ("reviewer_guide", "staffing", "appeal_staffing", "product")


def aged(wave: Wave, by: dt.timedelta = dt.timedelta(days=20, minutes=1)) -> Wave:
    """The wave as it is after so much time: all that was said and planned about it lies that much further back."""
    with pgtrigger.ignore("governance.Announcement:announcement_fixed"):
        wave.announcements.update(
            asked_at=F("asked_at") - by, sent_at=F("sent_at") - by, told_at=F("told_at") - by
        )
    Wave.objects.filter(pk=wave.pk).update(
        planned_at=F("planned_at") - by, announced_at=F("announced_at") - by, decided_at=F("decided_at") - by
    )
    wave.refresh_from_db()
    return wave
