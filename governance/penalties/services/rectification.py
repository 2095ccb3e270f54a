"""Putting things right: a guild is given time, says when it is done, and the rule itself checks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from governance.ledger.services import Entry, record, record_many
from governance.notices.enums import NoticeKind
from governance.notices.wording import Wordings
from governance.penalties import transitions
from governance.penalties.enums import PenaltyStatus, RectificationStatus
from governance.penalties.models import Penalty, Rectification
from governance.penalties.rectification import (
    LONGEST_WAIT,
    checked_from,
    checks_due,
    found_since,
    guilds_waiting,
    still_pending,
)
from governance.penalties.selectors import lock_guilds
from governance.penalties.services.acts import change_notice, locked
from governance.penalties.services.drafts import rectification_entry
from governance.violations.models import Detection
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Scope
from guilds.errors import Conflict, InvalidInput, NotAllowed, NotFound
from guilds.models import Guild
from guilds.nudges import nudge

ACTOR = "rectification"
LONGEST_STATEMENT = 4_000
#: How many findings a result names; it says how many there were in all.
NAMED = 20


@transaction.atomic
def rectification_submit(*, actor: Actor, penalty_id: int, statement: str) -> Rectification:
    """The guild says that it has put right what was found, and how. The rule checks when the time is over, all the same.

    For owners and managers of the guild, and for clients with appeals:write that speak for it. Once, before the time is
    over, and while the penalty is still to come. Records rectification.submitted.
    """
    penalty, guild = locked(penalty_id)
    _require_guild(actor, penalty)
    rectification = (
        Rectification.objects.select_for_update(of=("self",))
        .select_related("penalty")
        .filter(penalty=penalty, penalty__notice__isnull=False)
        .first()
    )
    if rectification is None:
        raise Conflict(_("Nothing is to be put right for this penalty."), code="nothing_to_put_right")
    now = timezone.now()
    transitions.check_rectification(rectification.status, RectificationStatus.SUBMITTED)
    if penalty.status not in (PenaltyStatus.SCHEDULED, PenaltyStatus.STAYED):
        raise Conflict(_("This penalty is not to come any more."), code="penalty_not_pending")
    if penalty.status == PenaltyStatus.SCHEDULED and max(rectification.due_at, penalty.starts_at) <= now:
        raise Conflict(_("The time to put it right is over."), code="time_is_over")
    said = statement.strip()
    if not said:
        raise InvalidInput(_("Say what you have put right."), field="statement")
    if len(said) > LONGEST_STATEMENT:
        raise InvalidInput(
            _("At most %(n)s characters.") % {"n": f"{LONGEST_STATEMENT:,}"}, field="statement"
        )
    rectification.status = RectificationStatus.SUBMITTED
    rectification.submitted_at = now
    rectification.submitted_by_id = actor.user_id
    rectification.statement = said
    rectification.full_clean()
    rectification.save()
    record(
        actor=actor,
        act="rectification.submitted",
        obj=rectification,
        before={"status": RectificationStatus.OPEN.value},
        after={"status": RectificationStatus.SUBMITTED.value, "due_at": rectification.due_at.isoformat()},
        reason=said,
        guild_id=guild.pk,
        market_id=penalty.market_id,
    )
    return rectification


def _require_guild(actor: Actor, penalty: Penalty) -> None:
    """Another guild's penalty is not found; a viewer of the guild itself may only read."""
    if actor.kind == "client":
        if Scope.APPEALS_WRITE not in actor.scopes:
            raise NotAllowed(_("This needs the scope appeals:write."), code="scope_required")
        own = penalty.guild_id == actor.guild_id if actor.guild_id else actor.sees_market(penalty.market_id)
    else:
        own = actor.kind == "guild_user" and penalty.guild_id == actor.guild_id
    if not own:
        raise NotFound(_("There is no such penalty."))
    if actor.kind == "guild_user" and not actor.may_act_for_guild():
        raise NotAllowed(
            _("Only an owner or manager of the guild can say that it is put right."), code="role_required"
        )


@transaction.atomic
def rectifications_check_due(*, limit: int = 200, now: dt.datetime | None = None) -> int:
    """Let the rules check what was to be put right by now; returns how many checks were settled.

    Found again since the notice: failed, and the penalty starts. Not found: met, and the penalty is cancelled. Either way the
    guild is told and the result is kept. Waits for signals of that time that are still to be evaluated, but no longer than
    `LONGEST_WAIT`; and follows a penalty whose start has moved. Guilds somebody else has locked are left for the next call.
    Records rectification.met with penalty.cancelled, or rectification.failed, and notice.sent.
    """
    now = now or timezone.now()
    guilds = lock_guilds(guilds_waiting(now, limit), skip_locked=True)
    rows = list(
        checks_due(now)
        .filter(penalty__guild_id__in=guilds)
        .select_for_update(of=("self", "penalty"))
        .select_related("penalty__violation", "penalty__version", "penalty__notice")
        .order_by("due_at", "pk")[:limit]
    )
    moved = [row for row in rows if row.penalty.starts_at > row.due_at]
    for row in moved:
        row.due_at = row.penalty.starts_at
    Rectification.objects.bulk_update(moved, ["due_at"], batch_size=500)
    due = [row for row in rows if row.due_at <= now]
    pending = still_pending([row for row in due if now - row.due_at < LONGEST_WAIT])
    ready = [row for row in due if row.pk not in pending]
    found = found_since(ready)
    for row in ready:
        _settle(row, guilds[row.penalty.guild_id], found[row.pk], now)
    if any(found.values()):
        nudge("governance.penalties.apply_due")
    return len(moved) + len(ready)


def _settle(row: Rectification, guild: Guild, found: Sequence[Detection], now: dt.datetime) -> None:
    actor, penalty = Actor.system(ACTOR), row.penalty
    before = row.status
    row.status = RectificationStatus.FAILED if found else RectificationStatus.MET
    transitions.check_rectification(before, row.status)
    row.checked_at = now
    looked = {
        "checked_from": checked_from(row).isoformat(),
        "checked_until": row.due_at.isoformat(),
        "count": len(found),
    }
    # What was found may be a suspicion still, so it stays with the platform: the ledger entry is the guild's to read.
    named = [one.violation.public_id if one.violation else f"detection {one.pk}" for one in found[:NAMED]]
    row.result = {**looked, "found": [str(one) for one in named]}
    row.save(update_fields=["status", "checked_at", "result"])
    entries = [
        rectification_entry(
            f"rectification.{row.status}", row, {"status": before}, {"status": row.status, **looked}
        )
    ]
    if not found:
        transitions.check(penalty.status, PenaltyStatus.CANCELLED)
        penalty.status, penalty.ended_at = PenaltyStatus.CANCELLED, now
        penalty.save(update_fields=["status", "ended_at"])
        entries.append(
            Entry(
                act="penalty.cancelled",
                object_type=Penalty.ledger_type,
                object_id=str(penalty.public_id),
                before={"status": PenaltyStatus.SCHEDULED.value},
                after={"kind": penalty.kind, "status": penalty.status},
                reason="Put right in time; the rule found nothing more.",
                guild_id=penalty.guild_id,
                market_id=penalty.market_id,
            )
        )
    record_many(actor=actor, entries=entries)
    language, _text = Wordings().find(
        NoticeKind.PENALTY_CHANGED, guild.market.languages, guild.market.regime_id
    )
    with translation.override(language):
        reason = (
            _(
                "The rule found the matter again in the time given to put it right. The measure takes effect as announced."
            )
            if found
            else _(
                "You have put the matter right in time, as the rule itself has checked. The measure does not take effect."
            )
        )
    change_notice(actor=actor, penalty=penalty, guild=guild, reason=reason)
