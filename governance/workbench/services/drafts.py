"""Writing a rule: a draft is rewritten in place until it is frozen, and every hand in it is remembered."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.engine import RuleSpec
from governance.ledger.services import record
from governance.risks.models import Risk
from governance.rules.differences import differences
from governance.rules.enums import VersionStatus
from governance.rules.models import Rule, RuleVersion
from governance.rules.selectors import locked_version
from governance.workbench import wording
from governance.workbench.enums import ApprovalStatus
from governance.workbench.models import Comment, Example
from governance.workbench.selectors import hands_in, last_writer, reaches_all, spec_of
from governance.workbench.services.runs import examples_run
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Market

_CODE = re.compile(r"[A-Z0-9][A-Z0-9_.-]{0,59}")
MAY_COMMENT = (Role.ANALYST, Role.APPROVER, Role.LAUNCHER, Role.REVIEWER, Role.ENFORCER)
COMMENT_LENGTH = 5_000


def require_reach(actor: Actor, markets: list[str]) -> None:
    """NotAllowed unless the actor reaches every one of the markets."""
    if not reaches_all(actor, markets):
        raise NotAllowed(_("This rule also governs markets outside your scope."), code="market_out_of_scope")


def draft_locked(actor: Actor, version_id: int) -> RuleVersion:
    """The draft, locked, for an analyst who reaches all of it. NotFound, NotAllowed, InvalidTransition (frozen)."""
    version = locked_version(version_id)
    actor.require_role(Role.ANALYST)
    require_reach(actor, version.markets)
    if version.status != VersionStatus.DRAFT:
        raise InvalidTransition(_("This version is no draft any more: write the next version."))
    if version.frozen_at is not None:
        raise InvalidTransition(
            _(
                "This version is frozen since approval was asked for: withdraw that, or write the next version."
            )
        )
    return version


def hand_in(actor: Actor, version: RuleVersion) -> None:
    """Remember that the actor wrote at the version."""
    if actor.kind == "staff" and actor.user_id is not None:
        version.writers.add(actor.user_id)


@transaction.atomic
def rule_create(*, actor: Actor, code: str, name: str, risk_code: str) -> RuleVersion:
    """A new rule with an empty draft, its first version. Records `rule.created` and `rule_version.created`.

    Raises NotAllowed, InvalidInput (code, name, risk), Conflict (the code is taken).
    """
    actor.require_role(Role.ANALYST)
    code, name = code.strip().upper(), name.strip()
    if not _CODE.fullmatch(code):
        raise InvalidInput(
            _("A code is capital letters, digits and - _ . such as GFT-CYCLE; at most 60."), field="code"
        )
    if not name or len(name) > wording.LONGEST["name"] or wording.unfit(name):
        raise InvalidInput(_("Give the rule a name of at most 200 characters."), field="name")
    risk = Risk.objects.filter(code=risk_code, retired_at__isnull=True).first()
    if risk is None:
        raise InvalidInput(_("Choose the risk this rule answers."), field="risk_code")
    taken = Conflict(_("There is a rule %(code)s already.") % {"code": code}, field="code")
    if Rule.objects.filter(code__iexact=code).exists():
        raise taken
    try:
        with transaction.atomic():
            rule = Rule.objects.create(code=code, name=name, risk=risk)
    except IntegrityError:  # by somebody else, this very moment
        raise taken from None
    record(actor=actor, act="rule.created", obj=rule, after={"name": name, "risk": risk.code})
    spec = RuleSpec(
        code=code,
        name=name,
        risk=risk.code,
        violation_code=code[: wording.LONGEST["violation_code"]],
        severity="S3",
        on=(),
        when="",
        markets=_markets_of(actor),
    )
    return _first_or_next(actor, rule, 1, spec, {})


def _markets_of(actor: Actor) -> tuple[str, ...]:
    if actor.market_ids is None:
        return ("*",)
    codes = Market.objects.filter(pk__in=actor.market_ids).order_by("code").values_list("code", flat=True)
    if not codes:
        raise NotAllowed(_("No market is within your reach."), code="market_out_of_scope")
    return tuple(codes)


@transaction.atomic
def version_copy(*, actor: Actor, version_id: int) -> RuleVersion:
    """The next version as a draft with the same wording and examples. Records `rule_version.created`.

    One draft at a time: Conflict while another of the rule is still being written. Whoever wrote a wording that nobody else
    approved has a hand in its copy as well.
    """
    actor.require_role(Role.ANALYST)
    source = locked_version(version_id)
    rule = Rule.objects.select_for_update(no_key=True).get(pk=source.rule_id)
    require_reach(actor, source.markets)
    unfrozen = rule.versions.filter(status=VersionStatus.DRAFT, frozen_at__isnull=True).first()
    if unfrozen is not None:
        raise Conflict(
            _("%(version)s is still being written: go on with that one.") % {"version": unfrozen},
            code="draft_exists",
        )
    newest = rule.versions.order_by("-number").values_list("number", flat=True).first() or 0
    spec = spec_of(source)
    ladder = wording.ladder_now(spec) if wording.ladder_known(spec) else dict(source.ladder)
    made = _first_or_next(actor, rule, newest + 1, spec, ladder, copied=source)
    if not source.approvals.filter(status=ApprovalStatus.APPROVED).exists():
        made.writers.add(*hands_in(source))
    Example.objects.bulk_create(
        Example(
            version=made,
            name=example.name,
            must_match=example.must_match,
            facts=example.facts,
            measures=example.measures,
        )
        for example in source.examples.order_by("id")
    )
    examples_run(made)
    return made


def _first_or_next(
    actor: Actor,
    rule: Rule,
    number: int,
    spec: RuleSpec,
    ladder: dict[str, Any],
    copied: RuleVersion | None = None,
) -> RuleVersion:
    version = RuleVersion(
        rule=rule,
        number=number,
        status=VersionStatus.DRAFT,
        author_id=actor.user_id if actor.kind == "staff" else None,
    )
    wording.put(version, spec, ladder)
    version.save()
    hand_in(actor, version)
    after: dict[str, Any] = {"status": version.status, "digest": spec.digest()}
    if copied is not None:
        after["copied_from"] = copied.public_id
    record(actor=actor, act="rule_version.created", obj=version, after=after)
    return version


@transaction.atomic
def draft_save(
    *,
    actor: Actor,
    version_id: int,
    spec: RuleSpec,
    ladder: dict[str, Any] | None = None,
    expected_written_at: dt.datetime | None = None,
) -> RuleVersion:
    """Rewrite a draft and run its examples. Records `rule_version.drafted` with the differences in words.

    Whatever is wrong with the condition does not keep it from being saved, so that no work is lost; it keeps it from approval,
    shadow and backtests. The ladder is copied as it is today unless given. Saving what stands already changes nothing.
    Raises NotFound, NotAllowed, InvalidTransition (frozen), InvalidInput (`errors` by field) and Conflict
    (`edited_meanwhile`: the draft was saved by another since `expected_written_at`).
    """
    version = draft_locked(actor, version_id)
    if expected_written_at is not None and version.written_at != expected_written_at:
        raise Conflict(
            _(
                "%(who)s saved this draft at %(when)s UTC, after you opened it. Nothing of yours is lost: look at"
                " theirs in another tab, then save again to put yours in its place."
            )
            % {
                "who": last_writer(version) or _("Somebody"),
                "when": f"{version.written_at.astimezone(dt.UTC):%H:%M}",
            },
            code="edited_meanwhile",
        )
    wording.require_fit(version, spec)
    require_reach(actor, list(spec.markets))
    ladder = wording.ladder_now(spec) if ladder is None else ladder
    before, old_ladder = spec_of(version), version.ladder
    if before.digest() == spec.digest() and ladder == old_ladder:
        examples_run(version)
        return version
    wording.put(version, spec, ladder)
    version.written_at = timezone.now()
    version.save(update_fields=[*wording.COLUMNS, "written_at"])
    hand_in(actor, version)
    if version.number == 1 and version.rule.name != spec.name:
        version.rule.name = spec.name
        version.rule.save(update_fields=["name"])
    record(
        actor=actor,
        act="rule_version.drafted",
        obj=version,
        before={"digest": before.digest()},
        after={
            "digest": spec.digest(),
            "changes": differences(before, spec, old_ladder=old_ladder or None, new_ladder=ladder or None),
        },
    )
    examples_run(version)
    return version


@transaction.atomic
def comment_add(*, actor: Actor, version_id: int, body: str) -> Comment:
    """A word about a version, kept for good. Records `rule_version.commented`."""
    version = RuleVersion.objects.select_related("rule").filter(pk=version_id).first()
    if version is None:
        raise NotFound(_("There is no such rule version."))
    actor.require_role(*MAY_COMMENT)
    if actor.kind != "staff" or actor.user_id is None:
        raise NotAllowed(_("Comments are written by people."))
    if not body.strip() or len(body) > COMMENT_LENGTH or wording.unfit(body):
        raise InvalidInput(_("Write a comment of at most 5,000 characters."), field="body")
    comment = Comment.objects.create(
        version=version, author_id=actor.user_id, body=body.strip(), created_at=timezone.now()
    )
    record(actor=actor, act="rule_version.commented", obj=version, reason=comment.body)
    return comment
