"""What colleagues tell each other about a case. The guild never learns of it."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.ledger.services import record
from governance.review.models import CaseNote
from governance.review.selectors import locked_case
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, NotAllowed

MAY_NOTE = (Role.REVIEWER, Role.ENFORCER, Role.ADJUDICATOR)
LONGEST_NOTE = 4000


@transaction.atomic
def note_add(*, actor: Actor, case_id: int, body: str) -> CaseNote:
    """Write a note on the case, whatever its status. Records `case.noted`, without the text.

    Reviewers, enforcers and adjudicators of the market. Raises NotFound, NotAllowed, InvalidInput.
    """
    case = locked_case(case_id)
    actor.require_role(*MAY_NOTE, market_id=case.market_id)
    if actor.kind != "staff" or actor.user_id is None:
        raise NotAllowed(_("Notes are written by people."), code="person_required")
    body = body.strip()
    if not body or len(body) > LONGEST_NOTE:
        raise InvalidInput(_("Write a note of at most 4,000 letters."), field="body")
    note = CaseNote.objects.create(case=case, author_id=actor.user_id, body=body, created_at=timezone.now())
    record(
        actor=actor,
        act="case.noted",
        obj=case,
        after={"note": note.pk},
        guild_id=case.guild_id,
        market_id=case.market_id,
    )
    return note
