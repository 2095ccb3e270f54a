"""The buttons of an approval: the same beside the version in the workbench and on the approval's own page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant

from governance.workbench.enums import ApprovalStatus
from governance.workbench.models import Approval, Draft
from governance.workbench.selectors import BEFORE_LAUNCH, standing_approval
from governance.workbench.services import approval_withdraw, approve, refuse
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act


def _of(shown: Approval | Draft) -> Approval | None:
    """The approval itself, or the one that stands for a version."""
    return shown if isinstance(shown, Approval) else standing_approval(shown)


def _key(shown: Approval | Draft) -> int:
    """0 for none: the service then finds nothing."""
    found = _of(shown)
    return found.pk if found is not None else 0


def waits(shown: Approval | Draft) -> bool:
    found = _of(shown)
    return found is not None and found.status == ApprovalStatus.REQUESTED


def may_be_taken_back(shown: Approval | Draft) -> bool:
    """Approved, and not launched yet."""
    found = _of(shown)
    if found is None or found.status != ApprovalStatus.APPROVED:
        return False
    return found.version.status in BEFORE_LAUNCH and not found.version.door


class Decisions:
    """To be mixed into a console page of approvals or of versions; `actions_detail` names what it offers."""

    @act(
        label=_("Approve"),
        roles=(Role.APPROVER,),
        question=_(
            "You answer for this rule with its author: its text, its condition, its examples and what it costs."
        ),
        done=_("Approved. It may be launched."),
        when=waits,
        icon="check",
        variant=ActionVariant.PRIMARY,
    )
    def approve(self, actor: Actor, shown: Approval | Draft, values: Mapping[str, Any]) -> Answer:
        approve(actor=actor, approval_id=_key(shown), reason=values["reason"])
        return None

    @act(
        label=_("Refuse"),
        roles=(Role.APPROVER,),
        question=_("The author reads your reasons and may write on."),
        done=_("Refused. The author may write on."),
        when=waits,
        icon="close",
        variant=ActionVariant.DANGER,
    )
    def refuse(self, actor: Actor, shown: Approval | Draft, values: Mapping[str, Any]) -> Answer:
        refuse(actor=actor, approval_id=_key(shown), reason=values["reason"])
        return None

    @act(
        label=_("Withdraw"),
        roles=(Role.ANALYST,),
        question=_("What was asked for no longer stands. A draft may be written on."),
        done=_("Withdrawn."),
        when=waits,
        icon="undo",
    )
    def withdraw(self, actor: Actor, shown: Approval | Draft, values: Mapping[str, Any]) -> Answer:
        approval_withdraw(actor=actor, approval_id=_key(shown), reason=values["reason"])
        return None

    @act(
        label=_("Take approval back"),
        roles=(Role.ANALYST, Role.APPROVER),
        question=_(
            "It can then not be launched. A draft may be written on, and is put up for approval anew."
        ),
        done=_("The approval no longer stands."),
        when=may_be_taken_back,
        icon="undo",
    )
    def take_back(self, actor: Actor, shown: Approval | Draft, values: Mapping[str, Any]) -> Answer:
        approval_withdraw(actor=actor, approval_id=_key(shown), reason=values["reason"])
        return None
