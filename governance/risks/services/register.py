"""The register: a harm is put on it, described anew, looked at again, and taken off it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.ledger.services import record
from governance.risks.enums import RiskCategory, Treatment
from governance.risks.models import Risk
from governance.risks.selectors import locked_risk
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidInput, InvalidTransition

#: What `risk_change` may change. The code stays, for rules and policy files name it.
CHANGEABLE = "name definition category harm likelihood owner treatment treatment_note review_on".split()
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")


@transaction.atomic
def risk_create(
    *,
    actor: Actor,
    code: str,
    name: str,
    harm: int,
    likelihood: int,
    owner: str,
    definition: str = "",
    category: str = RiskCategory.OTHER,
    treatment: str = Treatment.UNDECIDED,
    treatment_note: str = "",
    review_on: dt.date | None = None,
) -> Risk:
    """Put a harm on the register. `harm` and `likelihood` run from 1 to 5. Records `risk.created`.

    Raises Conflict when the code is taken, InvalidInput.
    """
    actor.require_role(Role.ANALYST)
    if not _CODE.fullmatch(code):
        raise InvalidInput(
            _("A code is made of letters, digits, - _ and ., and begins with a letter or digit."),
            field="code",
        )
    if Risk.objects.filter(code=code).exists():
        raise Conflict(_("There is a risk %(code)s already.") % {"code": code}, field="code")
    risk = Risk(
        code=code,
        name=name.strip(),
        harm=harm,
        likelihood=likelihood,
        owner=owner.strip(),
        definition=definition.strip(),
        category=category,
        treatment=treatment,
        treatment_note=treatment_note.strip(),
        review_on=review_on,
    )
    _require_sound(risk)
    risk.save()
    record(actor=actor, act="risk.created", obj=risk, after=_told(risk, CHANGEABLE))
    return risk


@transaction.atomic
def risk_change(*, actor: Actor, risk_id: int, changes: Mapping[str, Any], reason: str) -> Risk:
    """Describe, score, own or treat a risk anew: `changes` maps names of CHANGEABLE to their new values.

    Records `risk.changed` with what differs, before and after. Raises NotFound, InvalidInput (also when nothing differs),
    InvalidTransition for a retired risk.
    """
    risk = locked_risk(risk_id)
    actor.require_role(Role.ANALYST)
    _require_standing(risk)
    reason = _required(reason)
    unknown = sorted(set(changes) - set(CHANGEABLE))
    if unknown:
        raise InvalidInput(_("This cannot be changed: %(names)s.") % {"names": ", ".join(unknown)})
    wanted = {name: value.strip() if isinstance(value, str) else value for name, value in changes.items()}
    differing = [name for name, value in wanted.items() if getattr(risk, name) != value]
    if not differing:
        raise InvalidInput(_("Nothing differs from what the register says."))
    before = _told(risk, differing)
    for name in differing:
        setattr(risk, name, wanted[name])
    _require_sound(risk)
    risk.save(update_fields=differing)
    record(
        actor=actor,
        act="risk.changed",
        obj=risk,
        before=before,
        after=_told(risk, differing),
        reason=reason,
    )
    return risk


@transaction.atomic
def risk_review(*, actor: Actor, risk_id: int, review_on: dt.date, reason: str) -> Risk:
    """Note that a risk was looked at again and stands as it is; `review_on`, after today, is when next.

    Records `risk.reviewed`. Raises NotFound, InvalidInput, InvalidTransition for a retired risk.
    """
    risk = locked_risk(risk_id)
    actor.require_role(Role.ANALYST)
    _require_standing(risk)
    reason = _required(reason)
    now = timezone.now()
    if review_on <= now.date():
        raise InvalidInput(_("The next review must lie after today."), field="review_on")
    before = _told(risk, ("review_on",))
    risk.review_on, risk.reviewed_at = review_on, now
    risk.save(update_fields=["review_on", "reviewed_at"])
    record(
        actor=actor,
        act="risk.reviewed",
        obj=risk,
        before=before,
        after=_told(risk, ("review_on",)),
        reason=reason,
    )
    return risk


@transaction.atomic
def risk_retire(*, actor: Actor, risk_id: int, reason: str) -> Risk:
    """Take a risk off the register: it is assessed no more, and rules that name it show on the coverage page.

    Records `risk.retired`. Raises NotFound, InvalidInput, InvalidTransition when it was retired before.
    """
    risk = locked_risk(risk_id)
    actor.require_role(Role.ANALYST)
    _require_standing(risk)
    reason = _required(reason)
    risk.retired_at = timezone.now()
    risk.save(update_fields=["retired_at"])
    record(actor=actor, act="risk.retired", obj=risk, after={"name": risk.name}, reason=reason)
    return risk


@transaction.atomic
def risk_restore(*, actor: Actor, risk_id: int, reason: str) -> Risk:
    """Put a retired risk back. Records `risk.restored`. Raises NotFound, InvalidInput, InvalidTransition."""
    risk = locked_risk(risk_id)
    actor.require_role(Role.ANALYST)
    reason = _required(reason)
    if risk.retired_at is None:
        raise InvalidTransition(_("This risk is on the register."))
    risk.retired_at = None
    risk.save(update_fields=["retired_at"])
    record(actor=actor, act="risk.restored", obj=risk, after={"name": risk.name}, reason=reason)
    return risk


def _require_standing(risk: Risk) -> None:
    if risk.retired_at is not None:
        raise InvalidTransition(_("This risk is retired. Put it back on the register first."))


def _required(reason: str) -> str:
    if not reason.strip():
        raise InvalidInput(_("Give a reason."), field="reason")
    return reason.strip()


def _require_sound(risk: Risk) -> None:
    """Raise InvalidInput with every fault of the row, by field."""
    faults = []
    for field in ("harm", "likelihood"):
        value = getattr(risk, field)
        if not isinstance(value, int) or not 1 <= value <= 5:
            faults.append({"field": field, "message": _("Score it from 1 to 5.")})
    try:
        risk.full_clean(exclude=["harm", "likelihood"])
    except ValidationError as refusal:
        faults += [
            {"field": field, "message": " ".join(messages)}
            for field, messages in refusal.message_dict.items()
        ]
    if faults:
        raise InvalidInput(_("The risk is not sound."), errors=faults)


def _told(risk: Risk, names: tuple[str, ...] | list[str]) -> dict[str, Any]:
    """Columns as the ledger keeps them."""
    told = {}
    for name in names:
        value = getattr(risk, name)
        told[name] = value.isoformat() if isinstance(value, dt.date) else value
    return told
