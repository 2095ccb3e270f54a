"""A cast and a world for tests of review: reviewers as actors, violations that wait, and refusals that leave nothing behind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.forms.models import model_to_dict

from governance.ledger.models import Event
from governance.models import Case, CaseNote, Judgement, Review, Violation
from governance.review import services
from guilds.accounts.actor import Actor
from guilds.errors import DomainError
from guilds.models import Market, User
from tests import factories

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def reviewer(*markets: Market) -> Actor:
    return Actor.staff(factories.staff("reviewer", markets=markets or None))


def person(actor: Actor) -> User:
    assert actor.user_id is not None
    return User.objects.get(pk=actor.user_id)


def admin() -> Actor:
    return Actor.staff(factories.staff("admin"))


def waiting(review: str = "human", severity: str = "S3", **fields: Any) -> Case:
    """The first case of a fresh open violation."""
    return cases_of(found(review, severity, **fields))[0]


def found(review: str = "human", severity: str = "S3", **fields: Any) -> Violation:
    """A fresh open violation with its cases."""
    guild = fields.pop("guild", None) or factories.guild()
    violation = factories.violation(
        guild, factories.version(review=review, severity=severity), evidence=False, **fields
    )
    services.cases_open_due()
    return violation


def cases_of(violation: Violation) -> list[Case]:
    return list(Case.objects.filter(violation=violation).order_by("place", "pk"))


def everything() -> list[object]:
    """What the services of review write, to be compared before and after a refusal."""
    return [
        [model_to_dict(case) for case in Case.objects.order_by("pk")],
        list(Violation.objects.order_by("pk").values("status", "review", "sanction_due")),
        Review.objects.count(),
        Judgement.objects.count(),
        CaseNote.objects.count(),
        Event.objects.count(),
    ]


def refuses(
    kind: type[DomainError], act: Callable[..., Any], /, *, why: str | None = None, **asked: Any
) -> DomainError:
    """The act is refused, nothing has changed and nothing was recorded; returns the refusal."""
    before = everything()
    with pytest.raises(kind) as refusal:
        act(**asked)
    assert everything() == before
    if why is not None:
        assert refusal.value.code == why
    return refusal.value


def acts() -> list[str]:
    return list(Event.objects.order_by("id").values_list("act", flat=True))
