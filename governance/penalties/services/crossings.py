"""Bands after a reversal: those not truly reached fall with their penalties, or move to the violation that did tip the score."""

from __future__ import annotations

from django.db.models import Exists, F, OuterRef, Q

from governance.penalties.enums import PenaltyKind
from governance.penalties.models import BandCrossing, Penalty
from governance.penalties.selectors import CURRENT
from governance.penalties.services.drafts import penalties_draft
from governance.penalties.services.past import Charge, Past
from governance.penalties.services.undoing import (
    Undoing,
    locked_penalties,
    penalties_replace,
    penalties_reverse,
)
from governance.violations.models import Violation


def crossings_redone(undoing: Undoing) -> None:
    """Look at every crossing of the guild again, as its points would have moved without what has fallen.

    A crossing that would not have been is kept as one that lasted no time (`left_at` = `entered_at`), and its penalties are
    reversed. Where a later violation would have tipped the score within the same time, there is a crossing by that one
    instead, with the measures that still weigh on the guild, from the same start. Never more crossings than there were.
    """
    past = Past(undoing.guild.pk)
    weighing = Penalty.objects.filter(crossing=OuterRef("pk"), status__in=CURRENT)
    lasting = (
        BandCrossing.objects.filter(
            Q(left_at__isnull=True) | ~Q(left_at=F("entered_at")) | Exists(weighing), guild=undoing.guild
        )
        .select_related("band", "violation")
        .order_by("pk")
    )
    for crossing in list(lasting):
        score = past.score_at(crossing)
        if past.stands(crossing.violation_id) and score <= max(crossing.score, crossing.band.at_or_below):
            if score != crossing.score:
                BandCrossing.objects.filter(pk=crossing.pk).update(score=score)
            continue
        tipping = past.tipped_later(crossing)
        BandCrossing.objects.filter(pk=crossing.pk).update(score=score, left_at=crossing.entered_at)
        old = locked_penalties(Penalty.objects.filter(crossing=crossing))
        if tipping is None:
            penalties_reverse(undoing, old)
        else:
            _move(undoing, crossing, old, tipping)


def _move(undoing: Undoing, crossing: BandCrossing, old: list[Penalty], tipping: Charge) -> None:
    violation = Violation.objects.select_related("version", "rule", "creator").get(pk=tipping.violation_id)
    moved = BandCrossing.objects.create(
        guild=undoing.guild,
        band=crossing.band,
        violation=violation,
        score=100 - tipping.points,
        entered_at=tipping.at,
        left_at=crossing.left_at,
    )
    weighing = [penalty for penalty in old if penalty.status in CURRENT]
    drafts = penalties_draft(
        guild=undoing.guild,
        violation=violation,
        steps=[penalty.params for penalty in weighing],
        now=undoing.now,
        crossing=moved,
    )
    for draft, penalty in zip(drafts, weighing, strict=True):
        # A termination has its whole notice period again.
        if draft.kind == PenaltyKind.CLEAR_OUT:
            continue
        # The same measure in the same time; one that still waits for a second person has waited since it was proposed.
        draft.starts_at, draft.ends_at = penalty.starts_at, penalty.ends_at
        if penalty.status == draft.status:
            draft.proposed_at = penalty.proposed_at
    penalties_replace(undoing, old, drafts, violation=violation)
