"""Questions about appeals: what an actor sees, what waits, who may judge."""

from __future__ import annotations

import uuid

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from appeals.enums import AppealStatus
from appeals.models import Appeal, Evidence
from governance.ledger.models import Event
from governance.ledger.selectors import events_of
from governance.penalties.selectors import case_participants
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import NotFound
from guilds.models import User


def appeals_visible_to(actor: Actor) -> QuerySet[Appeal]:
    """Appeals in the actor's reach, with everything a list shows: a guild's own, a market's, or all."""
    appeals = Appeal.objects.select_related(
        "guild",
        "market",
        "penalty__version__rule",
        "penalty__violation",
        "assigned_to",
        "filed_by",
        "filed_by_client",
    )
    if actor.guild_id is not None:
        return appeals.filter(guild_id=actor.guild_id)
    if actor.market_ids is not None:
        return appeals.filter(market_id__in=actor.market_ids)
    return appeals


def appeal_for(actor: Actor, public_id: uuid.UUID | str) -> Appeal:
    """One appeal with its decision; NotFound when there is none or it is not the actor's to see."""
    appeal = appeals_visible_to(actor).select_related("decision").filter(public_id=public_id).first()
    if appeal is None:
        raise NotFound(_("There is no such appeal."))
    return appeal


def evidence_for(actor: Actor, appeal_id: uuid.UUID | str, evidence_id: uuid.UUID | str) -> Evidence:
    """One file of one appeal; NotFound when the actor may not see the appeal."""
    found = Evidence.objects.filter(
        public_id=evidence_id,
        appeal__public_id=appeal_id,
        appeal__in=appeals_visible_to(actor).select_related(None).values("pk"),
    ).first()
    if found is None:
        raise NotFound(_("There is no such file."))
    return found


def open_appeals(actor: Actor) -> QuerySet[Appeal]:
    """What waits for a decision in the actor's reach, the most urgent first."""
    return appeals_visible_to(actor).filter(status=AppealStatus.OPEN).order_by("decide_by", "id")


def assigned_to(actor: Actor) -> QuerySet[Appeal]:
    """The actor's own open cases, the most urgent first."""
    return open_appeals(actor).filter(assigned_to_id=actor.user_id)


def eligible_adjudicators(appeal: Appeal) -> QuerySet[User]:
    """Who may judge this appeal: adjudicators in its market who took no part in the case."""
    return (
        User.objects.filter(is_staff=True, is_active=True)
        .filter(Q(staff_roles__role=Role.ADJUDICATOR) | Q(is_superuser=True))
        .filter(Q(all_markets=True) | Q(is_superuser=True) | Q(markets=appeal.market_id))
        .exclude(pk__in=case_participants(appeal.penalty_id))
        .distinct()
        .order_by("email")
    )


def locked_appeal(appeal_id: int) -> Appeal:
    """The appeal under a row lock, with what its services need; NotFound when there is none."""
    appeal = (
        Appeal.objects.select_for_update(of=("self",))
        .select_related("guild", "market__regime", "penalty__version__rule", "penalty__violation")
        .filter(pk=appeal_id)
        .first()
    )
    if appeal is None:
        raise NotFound(_("There is no such appeal."))
    return appeal


def timeline_of(appeal: Appeal) -> QuerySet[Event]:
    """What happened to an appeal, oldest first."""
    return events_of(appeal)
