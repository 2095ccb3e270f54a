"""What confirming a violation would lead to, shown before anybody confirms it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Max, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.penalties.enums import HoldReason
from governance.penalties.ladders import rung_of
from governance.penalties.models import Penalty
from governance.penalties.safeguards import creators_held
from governance.penalties.services.weighing import Case, weigh
from governance.penalties.step_words import step_words
from governance.violations.models import Violation
from guilds.models import Activity, Guild

EXPOSURE_DAYS = 30


@dataclass(frozen=True)
class Measure:
    """One penalty confirming would bring; `held` is why it would wait for a second person, `band` whose crossing brings it.

    Times are aware UTC, as if confirmed now; those of a held one begin when it is released. `ends_at` None: no end by itself.
    """

    kind: str
    words: str
    starts_at: dt.datetime
    ends_at: dt.datetime | None
    held: HoldReason | None
    band: str


@dataclass(frozen=True)
class Exposure:
    """Whom it touches: the guild's last 30 days, and the creators it holds now. Revenue in the reporting currency."""

    gift_revenue_30d: Decimal
    live_hours_30d: Decimal
    creators: int
    creators_held: int


@dataclass(frozen=True)
class Preview:
    """Everything the decision would bring if it fell now. `nth` 0: no offence that counts, for the sake of `lesson`."""

    nth: int
    window: dt.timedelta
    points: int
    score_before: int
    score_after: int
    bands: tuple[str, ...]
    measures: tuple[Measure, ...]
    next_measures: tuple[str, ...]
    exposure: Exposure
    notes: tuple[str, ...]
    lesson: str = ""


def preview(violation: Violation, *, now: dt.datetime | None = None) -> Preview:
    """What would follow if the violation were confirmed now. Writes nothing, locks nothing.

    Reckoned by the same code that decides, together with the guild's confirmed violations that still wait for it. The
    violation comes with its guild; the number of queries does not depend on the guild's history.
    """
    now = now or timezone.now()
    guild = Guild.objects.select_related("market__regime").get(pk=violation.guild_id)
    waiting = Violation.objects.filter(guild=guild, sanction_due=True) | Violation.objects.filter(
        pk=violation.pk
    )
    batch = list(waiting.select_related("version", "rule", "creator", "market").order_by("occurred_at", "pk"))
    cases, _standings = weigh(batch, {guild.pk: guild}, deciders={}, now=now)
    case = next(case for case in cases if case.violation.pk == violation.pk)
    return Preview(
        nth=case.sanction.nth,
        window=case.ladder.window,
        points=case.sanction.points,
        score_before=case.score_before,
        score_after=case.score,
        bands=tuple(crossing.band.name for crossing in case.crossings),
        measures=tuple(_measure(penalty) for penalty in case.penalties),
        next_measures=_next_time(case),
        exposure=exposure_of(guild, now),
        notes=tuple(_notes(case, others=len(batch) - 1)),
        lesson=case.excused_by.code if case.excused_by else "",
    )


def _measure(penalty: Penalty) -> Measure:
    return Measure(
        kind=penalty.kind,
        words=step_words(penalty.params),
        starts_at=penalty.starts_at,
        ends_at=penalty.ends_at,
        held=HoldReason(penalty.hold_reason) if penalty.hold_reason else None,
        band=penalty.crossing.band.name if penalty.crossing else "",
    )


def _next_time(case: Case) -> tuple[str, ...]:
    violation = case.violation
    rung = rung_of(violation.version, violation.market.code, case.sanction.nth + 1)
    return tuple(step_words(step) for step in rung)


def exposure_of(guild: Guild, now: dt.datetime) -> Exposure:
    """What the guild did in its last 30 days on record, and the creators it holds now."""
    since = now.date() - dt.timedelta(days=EXPOSURE_DAYS)
    lately = Activity.objects.filter(guild=guild, date__gt=since, date__lte=now.date() + dt.timedelta(days=1))
    sums = lately.aggregate(
        revenue=Sum("gift_revenue"), hours=Sum("live_hours"), creators=Max("active_creators")
    )
    return Exposure(
        gift_revenue_30d=sums["revenue"] or Decimal(0),
        live_hours_30d=sums["hours"] or Decimal(0),
        creators=sums["creators"] or 0,
        creators_held=creators_held([guild.pk], now).get(guild.pk, 0),
    )


def _notes(case: Case, *, others: int) -> list[str]:
    notes = []
    if others:
        notes.append(
            _(
                "Reckoned together with %(others)s confirmed violations whose consequences are still being worked out."
            )
            % {"others": others}
        )
    if case.excused_by:
        notes.append(_("A warning alone, because the guild had just done a lesson about the rule."))
    if any(penalty.hold_reason for penalty in case.penalties):
        notes.append(_("What is held starts its notice and its time when a second person releases it."))
    if case.ladder.red_line:
        notes.append(_("A red line: every offence takes the last step."))
    return notes
