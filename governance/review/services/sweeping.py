"""What the clock does to cases: claims lapse, holds end, promises come near and are broken, work is shared out."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from governance.ledger.services import Entry, record_many
from governance.review.enums import CaseStatus
from governance.review.models import Case
from governance.review.selectors import promises
from governance.review.services.assigning import cases_cover_absences, cases_share_out
from governance.review.services.holding import resume
from guilds.accounts.actor import Actor

CLOCK = Actor.system("review clock")
BATCH = 1000


@dataclass(frozen=True, kw_only=True)
class Swept:
    """How many cases each part of a sweep dealt with."""

    lapsed: int
    resumed: int
    warned: int
    breached: int
    covered: int
    shared: int


def cases_sweep(now: dt.datetime | None = None) -> Swept:
    """One round of everything the clock does, each part in a transaction of its own and safe to run twice or at once.

    Records `case.resumed`, `case.due_soon`, `case.overdue`, `case.assigned`. Each part deals with at most 1,000 cases.
    """
    now = now or timezone.now()
    return Swept(
        lapsed=_claims_lapse(now),
        resumed=_holds_end(now),
        breached=_mark(now, "breached_at"),
        warned=_mark(now, "warned_at"),
        covered=cases_cover_absences(now=now),
        shared=cases_share_out(now=now),
    )


@transaction.atomic
def _claims_lapse(now: dt.datetime) -> int:
    """Tidy claims nobody keeps up. They hold nobody off as it is; this only makes lists tell the truth."""
    lapsed = (
        Case.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .filter(claimed_by__isnull=False, claimed_until__lte=now)
        .values_list("pk", flat=True)[:BATCH]
    )
    return Case.objects.filter(pk__in=list(lapsed)).update(
        claimed_by=None, claimed_at=None, claimed_until=None
    )


@transaction.atomic
def _holds_end(now: dt.datetime) -> int:
    ended = (
        Case.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .filter(status=CaseStatus.ON_HOLD, held_until__lte=now)
        .order_by("held_until", "pk")[:BATCH]
    )
    cases = list(ended)
    for case in cases:
        resume(CLOCK, case, now, "The hold has ended.")
    return len(cases)


_ACTS = {"warned_at": "case.due_soon", "breached_at": "case.overdue"}


@transaction.atomic
def _mark(now: dt.datetime, which: Literal["warned_at", "breached_at"]) -> int:
    """Note, once per case, that the promise is near or broken. A case on hold has no clock, an overdue one gets no warning."""
    near = Q(due_at__lte=now) if which == "breached_at" else _near(now)
    due = list(
        Case.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .filter(near, status=CaseStatus.WAITING, breached_at__isnull=True)
        .order_by("due_at", "pk")[:BATCH]
    )
    # The revision stays: whoever is at the case is not to lose a race against the clock.
    Case.objects.filter(pk__in=[case.pk for case in due]).update(**{which: now})
    entries = [
        Entry(
            act=_ACTS[which],
            object_type=Case.ledger_type,
            object_id=str(case.public_id),
            after={"due_at": case.due_at.isoformat(), "severity": case.severity},
            guild_id=case.guild_id,
            market_id=case.market_id,
        )
        for case in due
    ]
    record_many(actor=CLOCK, entries=entries, at=now)
    return len(due)


def _near(now: dt.datetime) -> Q:
    """Cases of which so much of the promised time is over that a warning is due, by the target of today."""
    found = promises()
    own: dict[str, list[int]] = defaultdict(list)
    for severity, market_id in found:
        if market_id is not None:
            own[severity].append(market_id)
    near = Q()
    for (severity, market_id), promise in found.items():
        place = Q(market=market_id) if market_id is not None else ~Q(market__in=own[severity])
        near |= Q(severity=severity, due_at__lte=now + promise.lead) & place
    # Said once more for all, so that the index on the due moment is used.
    return near & Q(warned_at__isnull=True, due_at__lte=now + max(promise.lead for promise in found.values()))
