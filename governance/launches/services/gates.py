"""Gates: who answers for one, and that it has been passed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.utils import timezone

from governance.launches.enums import AUTOMATIC, GateStatus
from governance.launches.gating import CAPACITY, SHORTFALL, STAFFED, markets_named, shortfall
from governance.launches.models import Gate
from governance.launches.selectors import OPEN_WAVES, locked_gate
from governance.launches.services.steps import (
    LAUNCHER,
    colleague,
    require_open,
    require_person,
    require_text,
)
from governance.launches.staffing import estimate
from governance.launches.transitions import check_gate
from governance.ledger.services import record
from governance.rules.services import require_markets
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, NotAllowed
from guilds.models import Market


@transaction.atomic
def gate_assign(
    *, actor: Actor, gate_id: int, owner_id: int | None = None, due_on: dt.date | None = None
) -> Gate:
    """Say who answers for a gate and until when; None leaves either as it is. Records `gate.assigned`."""
    require_person(actor, *LAUNCHER)
    gate = locked_gate(gate_id)
    require_markets(actor, gate.launch.version, every=False)
    require_open(gate.launch)
    before = {
        "owner": str(gate.owner) if gate.owner else None,
        "due_on": gate.due_on.isoformat() if gate.due_on else None,
    }
    if owner_id is not None:
        gate.owner = colleague(owner_id, field="owner")
    if due_on is not None:
        gate.due_on = due_on
    after = {
        "owner": str(gate.owner) if gate.owner else None,
        "due_on": gate.due_on.isoformat() if gate.due_on else None,
    }
    if after != before:
        gate.save(update_fields=["owner", "due_on"])
        record(actor=actor, act="gate.assigned", obj=gate, before=before, after={"kind": gate.kind, **after})
    return gate


@transaction.atomic
def gate_sign(
    *,
    actor: Actor,
    gate_id: int,
    evidence: str,
    evidence_url: str = "",
    capacity_hours_per_day: float | None = None,
    shortfall_reason: str = "",
    figures: Mapping[str, Any] | None = None,
) -> Gate:
    """Say, with evidence, that a gate is passed. Its owner may, and a launcher.

    Gates read from facts cannot be signed. For staffing the signer states the hours a day at hand; fewer than the estimate, or
    none to be had, ask for a reason. `figures` are kept beside. Raises NotAllowed, InvalidInput, InvalidTransition. Records
    `gate.signed`.
    """
    gate = locked_gate(gate_id)
    _require_answerable(actor, gate)
    require_open(gate.launch)
    if gate.kind in AUTOMATIC:
        raise NotAllowed("This gate is read from facts; nobody can sign it.", code="gate_automatic")
    check_gate(gate.status, GateStatus.PASSED)
    gate.evidence = require_text(evidence, field="evidence", message="Say what shows that it is done.")
    gate.evidence_url = _address(evidence_url)
    gate.figures = dict(figures or {})
    if gate.kind in STAFFED:
        _state_capacity(gate, capacity_hours_per_day, shortfall_reason)
    gate.status, gate.signed_by_id, gate.signed_at = GateStatus.PASSED, actor.user_id, timezone.now()
    gate.save()
    record(
        actor=actor,
        act="gate.signed",
        obj=gate,
        before={"status": GateStatus.OPEN.value},
        after={
            "status": gate.status,
            "kind": gate.kind,
            "evidence_url": gate.evidence_url,
            **_recorded(gate),
        },
        reason=gate.evidence,
    )
    return gate


def _require_answerable(actor: Actor, gate: Gate) -> None:
    person = require_person(actor, *Role.values)
    if person != gate.owner_id and not actor.has_role(Role.LAUNCHER):
        raise NotAllowed("Only the owner of the gate or a launcher may do this.", code="not_the_owner")
    require_markets(actor, gate.launch.version, every=False)


def _address(url: str) -> str:
    url = url.strip()
    if url:
        try:
            URLValidator(schemes=["https", "http"])(url)
        except ValidationError as error:
            raise InvalidInput("Give a whole address, https://…", field="evidence_url") from error
        if len(url) > 200:
            raise InvalidInput("At most 200 characters.", field="evidence_url")
    return url


def _state_capacity(gate: Gate, hours: float | None, why_not: str) -> None:
    if hours is None or not 0 <= hours <= 100_000:
        raise InvalidInput(
            "Say how many hours a day there are for it.",
            field="capacity_hours_per_day",
            code="capacity_missing",
        )
    waves = gate.launch.waves.filter(status__in=OPEN_WAVES)
    version = gate.launch.version
    markets = list(Market.objects.filter(waves__in=waves).distinct().order_by("code"))
    expected = STAFFED[gate.kind](estimate(version, markets or markets_named(version)))
    gate.figures |= {"estimate": expected, CAPACITY: hours, SHORTFALL: why_not.strip()}
    lacking = shortfall(gate, expected.get("hours_per_day"))
    if lacking:
        raise InvalidInput(
            f"{lacking} Give a reason why that is enough.", field="shortfall_reason", code="capacity_short"
        )


def _recorded(gate: Gate) -> dict[str, Any]:
    """The figures a reader of the ledger wants: hours at hand, and hours expected."""
    if gate.kind not in STAFFED:
        return {}
    return {
        CAPACITY: gate.figures[CAPACITY],
        "estimate_hours_per_day": gate.figures["estimate"].get("hours_per_day"),
        SHORTFALL: gate.figures[SHORTFALL],
    }


@transaction.atomic
def gate_reopen(*, actor: Actor, gate_id: int, reason: str) -> Gate:
    """Take a signature back: what it said does not hold any more. Records `gate.reopened`."""
    gate = locked_gate(gate_id)
    _require_answerable(actor, gate)
    require_open(gate.launch)
    reason = require_text(reason)
    check_gate(gate.status, GateStatus.OPEN)
    before = {"status": gate.status, "signed_by": str(gate.signed_by), "evidence": gate.evidence}
    gate.status, gate.signed_by, gate.signed_at = GateStatus.OPEN, None, None
    gate.evidence, gate.evidence_url, gate.figures = "", "", {}
    gate.save()
    record(
        actor=actor,
        act="gate.reopened",
        obj=gate,
        before=before,
        after={"status": gate.status, "kind": gate.kind},
        reason=reason,
    )
    return gate
