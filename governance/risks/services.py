"""The writers of the register of risks."""

from __future__ import annotations

from django.db import transaction

from governance.ledger.services import record
from governance.risks.models import Risk
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidInput, NotFound


@transaction.atomic
def risk_create(
    *, actor: Actor, code: str, name: str, harm: int, likelihood: int, owner: str, definition: str = ""
) -> Risk:
    """Put a harm on the register. `harm` and `likelihood` run from 1 to 5. Records `risk.created`.

    Raises Conflict, InvalidInput.
    """
    actor.require_role(Role.ANALYST)
    if Risk.objects.filter(code=code).exists():
        raise Conflict(f"There is a risk {code} already.", field="code")
    risk = Risk(code=code, name=name, harm=harm, likelihood=likelihood, owner=owner, definition=definition)
    _require_scale(harm, likelihood)
    risk.full_clean()
    risk.save()
    record(actor=actor, act="risk.created", obj=risk, after=_scores(risk))
    return risk


@transaction.atomic
def risk_score(*, actor: Actor, code: str, harm: int, likelihood: int, reason: str) -> Risk:
    """Assess a risk anew. Records `risk.changed`; raises NotFound, InvalidInput."""
    risk = Risk.objects.select_for_update().filter(code=code).first()
    if risk is None:
        raise NotFound(f"There is no risk {code}.", field="code")
    actor.require_role(Role.ANALYST)
    if not reason.strip():
        raise InvalidInput("Give a reason.", field="reason")
    _require_scale(harm, likelihood)
    before = _scores(risk)
    risk.harm, risk.likelihood = harm, likelihood
    risk.save(update_fields=["harm", "likelihood"])
    record(actor=actor, act="risk.changed", obj=risk, before=before, after=_scores(risk), reason=reason)
    return risk


def _scores(risk: Risk) -> dict[str, object]:
    return {"name": risk.name, "harm": risk.harm, "likelihood": risk.likelihood, "owner": risk.owner}


def _require_scale(harm: int, likelihood: int) -> None:
    for field, value in (("harm", harm), ("likelihood", likelihood)):
        if not 1 <= value <= 5:
            raise InvalidInput("Score it from 1 to 5.", field=field)
