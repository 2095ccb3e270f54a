"""What the clock does: a sample of each kind a week, handed out in good time, followed up, closed when all is judged."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.ledger.services import record
from governance.quality.enums import SampleKind, SampleStatus
from governance.quality.models import Plan, Sample, SampleItem
from governance.quality.selectors import DRAWN_BY, weekly_size
from governance.quality.services.samples import LARGEST, sample_close, sample_draw, sample_hand_out
from governance.quality.services.settling import settle
from governance.review.enums import CaseStatus
from governance.review.models import Judgement
from governance.rules.findings import finding_open
from governance.rules.models import RuleVersion
from governance.rules.selectors import live_versions, was_live
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, NotAllowed

CLOCK = Actor.system("quality")
WEEK = dt.timedelta(days=7)
NAMES = {SampleKind.DECISIONS: "Decisions, {week}", SampleKind.COVERAGE: "Unflagged days, {week}"}


@transaction.atomic
def plan_set(*, actor: Actor, kind: str, weekly: int, reason: str) -> Plan:
    """How many items of a kind the clock draws each week from the next on; 0 for none. Records `sampling_plan.set`.

    Analysts and administrators of every market. Raises NotAllowed, InvalidInput.
    """
    actor.require_role(*DRAWN_BY)
    if actor.market_ids is not None:
        raise NotAllowed(
            _("The clock draws from every market; this is for somebody who reaches them all."),
            code="market_out_of_scope",
        )
    if kind not in SampleKind.values:
        raise InvalidInput(_("Choose what to sample."), field="kind")
    if not 0 <= weekly <= LARGEST:
        raise InvalidInput(_("From 0 to %(most)s items.") % {"most": LARGEST}, field="weekly")
    if not reason.strip():
        raise InvalidInput(_("Give a reason."), field="reason")
    before = weekly_size(SampleKind(kind))
    plan, _made = Plan.objects.update_or_create(kind=kind, defaults={"weekly": weekly})
    record(
        actor=actor,
        act="sampling_plan.set",
        obj=plan,
        before={"weekly": before},
        after={"weekly": weekly},
        reason=reason.strip(),
    )
    return plan


def samples_draw_due(*, now: dt.datetime | None = None) -> int:
    """Draw last week's sample of each kind where it has not been, and hand out what is not yet; returns how many were drawn.

    A week is Monday to Monday, UTC. Asked for hourly; safe twice, side by side and after a week without a clock. A week in
    which nothing of a kind happened has no sample.
    """
    now = now or timezone.now()
    until = _monday(now)
    drawn = sum(_draw(kind, until - WEEK, until) for kind in SampleKind)
    for sample in Sample.objects.filter(
        automatic=True, status=SampleStatus.DRAWN, items__case=None
    ).distinct():
        while sample_hand_out(actor=CLOCK, sample_id=sample.pk):
            pass
    return drawn


def _draw(kind: SampleKind, since: dt.datetime, until: dt.datetime) -> int:
    size = weekly_size(kind)
    if size == 0 or Sample.objects.filter(automatic=True, kind=kind, since=since, until=until).exists():
        return 0
    name = NAMES[kind].format(week=f"{since:%G-W%V}")
    try:
        sample_draw(actor=CLOCK, kind=kind, name=name, since=since, until=until, size=size, automatic=True)
    except Conflict:
        return 0  # another clock was faster
    except InvalidInput as error:
        if error.code != "empty":
            raise
        return 0
    return 1


def _monday(now: dt.datetime) -> dt.datetime:
    day = now.astimezone(dt.UTC).date()
    return dt.datetime.combine(day - dt.timedelta(days=day.weekday()), dt.time(), dt.UTC)


def follow_up() -> int:
    """See to what has been judged; returns how many items led to something. Safe twice and side by side.

    A violation that an audit saw on an unflagged day, and for which a version was live in that market at the time, opens a
    finding on that version: the rule missed it. Where no rule looks for it the item waits for a person (`item_tell`). A sample
    whose items are all judged is closed.
    """
    settled = sum(_finding(pk) for pk in _unsettled())
    for pk in _finished():
        sample_close(actor=CLOCK, sample_id=pk, reason="Everything drawn has been judged.")
    return settled


def _unsettled() -> list[int]:
    """Seen and not settled, with a code that some version ever charged."""
    codes = RuleVersion.objects.filter(live_periods__isnull=False).values("violation_code")
    waiting = SampleItem.objects.disputed().filter(
        settled_at__isnull=True, day__isnull=False, case__judgement__code__in=codes
    )
    return list(waiting.order_by("pk").values_list("pk", flat=True))


@transaction.atomic
def _finding(item_id: int) -> int:
    item = (
        SampleItem.objects.select_for_update(of=("self",), skip_locked=True, no_key=True)
        .filter(pk=item_id, settled_at__isnull=True)
        .first()
    )
    if item is None or item.day is None:
        return 0
    seen = Judgement.objects.get(case=item.case_id)
    version = _looking(seen.code, item.guild.market_id, item.day)
    if version is None:
        return 0
    finding = finding_open(
        actor=CLOCK,
        version_id=version.pk,
        source_type=SampleItem.ledger_type,
        source_id=str(item.pk),
        summary=f"Missed {seen.code} of {item.guild} on {item.day}, which an audit saw: {seen.reason}",
        guild_id=item.guild_id,
        market_id=item.guild.market_id,
    )
    settle(
        CLOCK, item, reason="The rule that missed it has a finding.", led_to=f"finding:{finding.public_id}"
    )
    return 1


def _looking(code: str, market_id: int, day: dt.date) -> RuleVersion | None:
    """A version that charged the code in the market at noon (UTC) of the day; the newest of several."""
    noon = dt.datetime.combine(day, dt.time(12), dt.UTC)
    found = live_versions(noon).filter(violation_code=code).order_by("-pk")
    return next((version for version in found if was_live(version, market_id, noon)), None)


def _finished() -> list[int]:
    judged = SampleItem.objects.filter(case__status=CaseStatus.DONE).values("pk")
    unfinished = SampleItem.objects.exclude(pk__in=judged).values("sample")
    return list(
        Sample.objects.filter(status=SampleStatus.DRAWN)
        .exclude(pk__in=unfinished)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
