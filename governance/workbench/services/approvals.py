"""Approval: what is asked for is frozen, and decided by a person without a hand in it."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.backtests.enums import BacktestStatus
from governance.backtests.models import Backtest
from governance.ledger.services import record
from governance.rules.enums import VersionStatus
from governance.rules.models import RuleVersion
from governance.rules.selectors import locked_version
from governance.workbench import transitions, wording
from governance.workbench.enums import ApprovalStatus
from governance.workbench.models import Approval
from governance.workbench.selectors import (
    BEFORE_LAUNCH,
    digest_of,
    fitting_backtest,
    frozen_of,
    hands_in,
    locked_approval,
    requirements,
    spec_of,
    standing_approval,
)
from governance.workbench.services.drafts import require_reach
from governance.workbench.services.runs import examples_run
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound

TEXT_LENGTH = 5_000


def _reason(reason: str, field: str = "reason") -> str:
    reason = reason.strip()
    if not reason:
        raise InvalidInput(_("Give a reason."), field=field)
    return _kept(reason, field)


def _kept(text: str, field: str) -> str:
    if len(text) > TEXT_LENGTH or wording.unfit(text):
        raise InvalidInput(_("At most 5,000 characters."), field=field)
    return text.strip()


@transaction.atomic
def approval_request(
    *, actor: Actor, version_id: int, backtest_id: int | None = None, note: str = ""
) -> Approval:
    """Put a version before another person and freeze it. Records `approval.requested`.

    A draft, or a version in shadow. `backtest_id` must be a finished backtest of exactly this wording; left out, it is the
    newest such. Raises NotFound, NotAllowed, InvalidTransition, Conflict (asked for already), InvalidInput (`errors`: all that
    is missing, by requirement).
    """
    version = locked_version(version_id)
    actor.require_role(Role.ANALYST)
    require_reach(actor, version.markets)
    if actor.kind != "staff" or actor.user_id is None:
        raise NotAllowed(_("Approval is asked for by people."))
    if version.status not in BEFORE_LAUNCH:
        raise InvalidTransition(_("Only a draft or a version in shadow is put up for approval."))
    if standing_approval(version) is not None:
        raise Conflict(_("This version waits for approval already, or has it."))
    examples_run(version)
    backtest = _backtest(version, backtest_id)
    missing = [found for found in requirements(version) if not found.met]
    if missing:
        raise InvalidInput(
            _("This version is not ready for approval."),
            code="not_ready",
            errors=[{"field": found.key, "message": str(found.cure or found.label)} for found in missing],
        )
    now = timezone.now()
    version.frozen_at = version.frozen_at or now
    version.save(update_fields=["frozen_at"])
    frozen = frozen_of(version, backtest)
    approval = Approval.objects.create(
        version=version,
        backtest=backtest,
        frozen=frozen,
        digest=digest_of(frozen),
        note=_kept(note, "note"),
        requested_by_id=actor.user_id,
        requested_at=now,
    )
    record(
        actor=actor,
        act="approval.requested",
        obj=approval,
        after={"version": version.public_id, "digest": approval.digest, "status": approval.status},
        reason=approval.note,
    )
    return approval


def _backtest(version: RuleVersion, backtest_id: int | None) -> Backtest | None:
    if backtest_id is None:
        return fitting_backtest(version)
    found = Backtest.objects.filter(pk=backtest_id, version=version).first()
    if found is None:
        raise NotFound(_("There is no such backtest of this version."), field="backtest_id")
    if found.status != BacktestStatus.DONE:
        raise InvalidInput(_("This backtest is not finished."), field="backtest_id")
    if found.digest != spec_of(version).digest():
        raise InvalidInput(_("This backtest ran an earlier wording: start a new one."), field="backtest_id")
    return found


@transaction.atomic
def approve(*, actor: Actor, approval_id: int, reason: str) -> Approval:
    """Approve what was frozen. Records `approval.approved`.

    An approver who reaches all of the version's markets, and is neither its author, one of its writers, nor the one who asked.
    Raises NotFound, NotAllowed, InvalidTransition, InvalidInput, Conflict (it is no longer what was asked for).
    """
    version, approval = _locked(approval_id)
    _require_decider(actor, version, approval)
    transitions.check(approval.status, ApprovalStatus.APPROVED)
    reason = _reason(reason)
    if version.status not in BEFORE_LAUNCH:
        raise InvalidTransition(_("This version is past approval."))
    if digest_of(frozen_of(version, approval.backtest)) != approval.digest:
        raise Conflict(
            _(
                "This version is no longer what was put up for approval: refuse it, and let it be asked for anew."
            ),
            code="not_as_frozen",
        )
    version.approver_id = actor.user_id
    version.save(update_fields=["approver"])
    return _decide(actor, approval, ApprovalStatus.APPROVED, reason, "approval.approved")


@transaction.atomic
def refuse(*, actor: Actor, approval_id: int, reason: str) -> Approval:
    """Refuse with reasons; a draft may be written on. Records `approval.refused`. Raises as `approve` does."""
    version, approval = _locked(approval_id)
    _require_decider(actor, version, approval)
    transitions.check(approval.status, ApprovalStatus.REFUSED)
    reason = _reason(reason)
    _thaw(version)
    return _decide(actor, approval, ApprovalStatus.REFUSED, reason, "approval.refused")


@transaction.atomic
def approval_withdraw(*, actor: Actor, approval_id: int, reason: str) -> Approval:
    """Take a request back, or an approval before the version is live; a draft may be written on.

    A request by an analyst, an approval by an analyst or an approver. Records `approval.withdrawn`.
    """
    version, approval = _locked(approval_id)
    if approval.status == ApprovalStatus.APPROVED:
        actor.require_role(Role.ANALYST, Role.APPROVER)
    else:
        actor.require_role(Role.ANALYST)
    require_reach(actor, version.markets)
    transitions.check(approval.status, ApprovalStatus.WITHDRAWN)
    reason = _reason(reason)
    if version.status not in BEFORE_LAUNCH or version.door:
        raise InvalidTransition(_("This version has been launched: pause it or roll it back instead."))
    before = approval.status
    _thaw(version)
    approval.status = ApprovalStatus.WITHDRAWN
    approval.save(update_fields=["status"])
    record(
        actor=actor,
        act="approval.withdrawn",
        obj=approval,
        before={"status": before},
        after={"status": approval.status, "version": version.public_id},
        reason=reason,
    )
    return approval


def _locked(approval_id: int) -> tuple[RuleVersion, Approval]:
    """Version and approval, both locked, the version first as everywhere."""
    version_id = Approval.objects.filter(pk=approval_id).values_list("version_id", flat=True).first()
    if version_id is None:
        raise NotFound(_("There is no such approval."))
    version = locked_version(version_id)
    return version, locked_approval(approval_id)


def _require_decider(actor: Actor, version: RuleVersion, approval: Approval) -> None:
    actor.require_role(Role.APPROVER)
    if actor.kind != "staff" or actor.user_id is None:
        raise NotAllowed(_("A person decides about approval."), code="person_required")
    if actor.user_id in hands_in(version) | {approval.requested_by_id}:
        raise NotAllowed(_("You have a hand in this version: somebody else must decide."), code="own_rule")
    require_reach(actor, version.markets)


def _thaw(version: RuleVersion) -> None:
    """Let a draft be written on, and nobody be its approver; a version in shadow stays frozen."""
    version.approver = None
    if version.status == VersionStatus.DRAFT:
        version.frozen_at = None
    version.save(update_fields=["approver", "frozen_at"])


def _decide(actor: Actor, approval: Approval, to: ApprovalStatus, reason: str, act: str) -> Approval:
    before = approval.status
    approval.status, approval.reason = to, reason
    approval.decided_by_id, approval.decided_at = actor.user_id, timezone.now()
    approval.save(update_fields=["status", "reason", "decided_by", "decided_at"])
    record(
        actor=actor,
        act=act,
        obj=approval,
        before={"status": before},
        after={
            "status": approval.status,
            "version": approval.version.public_id,
            "digest": approval.digest,
        },
        reason=reason,
    )
    return approval
