"""Ops' own wordings of notices."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from governance.ledger.services import record
from governance.notices.models import Template
from governance.notices.wording import PLACEHOLDERS, check_wording
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidInput, NotAllowed, NotFound
from guilds.models import Regime

WRITERS = (Role.ADMIN, Role.ANALYST)


def _require_writer(actor: Actor) -> None:
    """A wording is read in every market of its language and regime, so only who reaches them all may write one."""
    actor.require_role(*WRITERS)
    if actor.market_ids is not None:
        raise NotAllowed("A wording is read in every market; yours are limited.", code="market_out_of_scope")


def _regime(code: str) -> Regime | None:
    if not code:
        return None
    regime = Regime.objects.filter(code=code).first()
    if regime is None:
        raise NotFound(f"There is no regime {code}.")
    return regime


@transaction.atomic
def template_write(
    *,
    actor: Actor,
    kind: str,
    language: str,
    subject: str,
    body: str,
    reason: str,
    regime: str = "",
    seen: str | None = None,
) -> Template:
    """Set ops' own wording of a notice in a language, for one regime (its code) or for all. Later notices use it; sent ones stay.

    `seen` is the moment (ISO 8601) the writer saw it changed last, empty for never: who writes over somebody else's words is
    told so. Raises InvalidInput for faults in the wording, Conflict when it was changed meanwhile. Records
    notice_template.written.
    """
    _require_writer(actor)
    if kind not in PLACEHOLDERS:
        raise InvalidInput(f"There is no notice of the kind {kind}.", field="kind")
    if not reason.strip():
        raise InvalidInput("Say why: the reason is kept in the ledger.", field="reason")
    place = _regime(regime)
    subject, body = subject.strip(), body.replace("\r\n", "\n").strip() + "\n"
    check_wording(kind, subject, body)
    template = (
        Template.objects.select_for_update(of=("self",))
        .filter(kind=kind, language=language, regime=place)
        .first()
    )
    last = template.updated_at.isoformat() if template else ""
    if seen is not None and seen != last:
        raise Conflict("Somebody changed this wording meanwhile. Load it again and compare.", code="stale")
    before: dict[str, Any] = {"subject": template.subject, "body": template.body} if template else {}
    template = template or Template(kind=kind, language=language, regime=place)
    template.subject, template.body = subject, body
    try:
        template.full_clean()
    except ValidationError as error:
        faults = [{"field": field, "message": " ".join(words)} for field, words in error.message_dict.items()]
        raise InvalidInput("The template has faults.", errors=faults) from error
    template.save()
    after = {"subject": subject, "body": body}
    record(
        actor=actor, act="notice_template.written", obj=template, before=before, after=after, reason=reason
    )
    return template


@transaction.atomic
def template_reset(*, actor: Actor, template_id: int, reason: str) -> None:
    """Give up ops' own wording: what we ship, or the next in line, is used again. Records notice_template.reset."""
    _require_writer(actor)
    template = Template.objects.select_for_update(of=("self",)).filter(pk=template_id).first()
    if template is None:
        raise NotFound("This wording was given up already.")
    before = {"subject": template.subject, "body": template.body}
    record(actor=actor, act="notice_template.reset", obj=template, before=before, reason=reason)
    template.delete()
