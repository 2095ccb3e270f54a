"""Drafts at each stage of their way to approval, brought there by the services."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.utils import timezone

from governance.backtests.models import Backtest
from governance.engine import RuleSpec
from governance.ledger.models import Event
from governance.models import Approval, Ladder, Risk, RuleVersion
from governance.workbench.selectors import spec_of
from governance.workbench.services import approval_request, draft_save, example_add, rule_create
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.models import Market, User
from tests import factories


def analyst(**fields: Any) -> User:
    return factories.staff(Role.ANALYST, **fields)


def approver(**fields: Any) -> User:
    return factories.staff(Role.APPROVER, **fields)


def ladder() -> Ladder:
    return Ladder.objects.get_or_create(code="standard", defaults={"spec": factories.LADDER})[0]


def risk() -> Risk:
    return Risk.objects.get_or_create(
        code="GFT", defaults={"name": "Gifts", "harm": 4, "likelihood": 4, "owner": "analyst"}
    )[0]


def empty(by: User, code: str = "GFT-LOW") -> RuleVersion:
    return rule_create(actor=Actor.staff(by), code=code, name="Low scores", risk_code=risk().code)


def wording(version: RuleVersion, **changes: Any) -> RuleSpec:
    """A whole wording of the version's rule."""
    usual: dict[str, Any] = {
        "violation_code": "GFT-09",
        "on": ("gift.score",),
        "when": "signal.score < 10",
        "ladder": ladder().code,
        "text": (("en", "Keep the score above ten."),),
    }
    return replace(spec_of(version), **{**usual, **changes})


def save(by: User, version: RuleVersion, **changes: Any) -> RuleVersion:
    return draft_save(actor=Actor.staff(by), version_id=version.pk, spec=wording(version, **changes))


def with_examples(by: User, version: RuleVersion) -> None:
    for name, must_match, score in (("Low", True, 3), ("High", False, 30)):
        example_add(
            actor=Actor.staff(by),
            version_id=version.pk,
            name=name,
            must_match=must_match,
            pasted=f'{{"score": {score}}}',
        )


def ready(by: User, **changes: Any) -> RuleVersion:
    """A draft that may be put up for approval: no signal of its type is stored, so no backtest is asked for."""
    if not Market.objects.exists():
        factories.market()
    version = save(by, empty(by), **changes)
    with_examples(by, version)
    version.refresh_from_db()
    return version


def backtest(version: RuleVersion, **fields: Any) -> Backtest:
    """A finished backtest of the wording as it is now."""
    version.refresh_from_db()
    now = timezone.now()
    return Backtest.objects.create(
        **{
            "version": version,
            "spec": version.spec,
            "digest": spec_of(version).digest(),
            "since": now - dt.timedelta(days=30),
            "until": now,
            "status": "done",
            "result": {"totals": {"tested": 3}},
            "created_at": now,
            "finished_at": now,
            **fields,
        }
    )


def requested(by: User, **changes: Any) -> Approval:
    return approval_request(actor=Actor.staff(by), version_id=ready(by, **changes).pk)


def events(act: str) -> list[Event]:
    return list(Event.objects.filter(act=act).order_by("id"))


def recorded() -> int:
    with transaction.atomic():
        return Event.objects.count()
