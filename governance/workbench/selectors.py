"""Questions about drafts and approvals: whose hand is in a wording, what an approver approves, and what waits for whom."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from governance.backtests.enums import BacktestStatus
from governance.backtests.models import Backtest
from governance.engine import RuleSpec, check_rule
from governance.ledger.models import Event
from governance.rules.enums import VersionStatus
from governance.rules.models import RuleVersion
from governance.signals.models import Signal
from governance.workbench.enums import ApprovalStatus, ExampleResult
from governance.workbench.models import Approval, Example
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import NotFound
from guilds.models import Market, User

STANDING = (ApprovalStatus.REQUESTED, ApprovalStatus.APPROVED)
#: In these states a version may be put up for approval, and what was approved taken back.
BEFORE_LAUNCH = (VersionStatus.DRAFT, VersionStatus.SHADOW)
NO_BACKTEST = {"none": "No signals of these types are stored, so there is nothing to test it on."}


def spec_of(version: RuleVersion) -> RuleSpec:
    """The wording as a value."""
    return RuleSpec.from_dict(version.spec)


# --- who ------------------------------------------------------------------------------------------------------------
def hands_in(version: RuleVersion) -> frozenset[int]:
    """The users who wrote at the version, its examples included: none of them may approve it."""
    writers = set(version.writers.values_list("pk", flat=True))
    return frozenset(writers | ({version.author_id} if version.author_id else set()))


def reaches_all(actor: Actor, markets: Iterable[str]) -> bool:
    """Whether the actor reaches every one of the markets, by code; "*" also stands for those to come."""
    if actor.market_ids is None:
        return True
    codes = set(markets)
    if "*" in codes:
        return False
    known = dict(Market.objects.filter(code__in=codes).values_list("code", "pk"))
    return known.keys() == codes and set(known.values()) <= actor.market_ids


def _governing(actor: Actor) -> Q:
    """Versions all of whose markets the actor reaches."""
    if actor.market_ids is None:
        return Q()
    codes = list(Market.objects.filter(pk__in=actor.market_ids).values_list("code", flat=True))
    return Q(markets__contained_by=codes)


def last_writer(version: RuleVersion) -> str:
    """The label of who last saved the draft, by the ledger; "" if nobody has."""
    acts = ("rule_version.drafted", "rule_version.created")
    found = Event.objects.filter(
        object_type=RuleVersion.ledger_type, object_id=version.public_id, act__in=acts
    )
    return found.order_by("-id").values_list("actor_label", flat=True).first() or ""


# --- what is approved -------------------------------------------------------------------------------------------------
def digest_of(frozen: Any) -> str:
    """SHA-256 (hex) of canonical JSON."""
    canonical = json.dumps(frozen, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def frozen_of(version: RuleVersion, backtest: Backtest | None) -> dict[str, Any]:
    """All an approver approves, as it is now: {"spec", "ladder", "text", "languages", "examples", "backtest"}.

    Of rows read from the database, so that the same wording always yields the same JSON.
    """
    examples = [
        {
            "name": example.name,
            "must_match": example.must_match,
            "facts": example.facts,
            "measures": example.measures,
        }
        for example in version.examples.order_by("id")
    ]
    return {
        "spec": version.spec,
        "ladder": version.ladder,
        "text": version.text,
        "languages": sorted(version.text),
        "examples": examples,
        "backtest": NO_BACKTEST
        if backtest is None
        else {
            "id": str(backtest.public_id),
            "digest": backtest.digest,
            "since": backtest.since.isoformat(),
            "until": backtest.until.isoformat(),
            "markets": list(backtest.markets),
            "signals": backtest.signals_done,
            "faults": backtest.faults,
            "result": backtest.result,
        },
    }


def standing_approval(version: RuleVersion) -> Approval | None:
    """The approval that is asked for or given; at most one stands."""
    return version.approvals.filter(status__in=STANDING).select_related("backtest").first()


def approval_intact(version: RuleVersion) -> bool:
    """Whether the version is approved, by somebody without a hand in it, and is what was approved to the last letter."""
    stored = RuleVersion.objects.get(pk=version.pk)
    approval = stored.approvals.filter(status=ApprovalStatus.APPROVED).select_related("backtest").first()
    if approval is None or approval.decided_by_id is None or stored.frozen_at is None:
        return False
    return (
        digest_of(approval.frozen) == approval.digest
        and digest_of(frozen_of(stored, approval.backtest)) == approval.digest
        and stored.approver_id == approval.decided_by_id
        and approval.decided_by_id not in hands_in(stored) | {approval.requested_by_id}
    )


def fitting_backtest(version: RuleVersion) -> Backtest | None:
    """The newest finished backtest of exactly this wording."""
    digest = spec_of(version).digest()
    done = Backtest.objects.filter(version=version, status=BacktestStatus.DONE, digest=digest)
    return done.order_by("-id").first()


def testable(version: RuleVersion) -> bool:
    """Whether any signal of the version's types is stored, in its markets."""
    found = Signal.objects.filter(type__in=version.on)
    if "*" not in version.markets:
        found = found.filter(market__code__in=version.markets)
    return found.order_by().exists()


@dataclass(frozen=True)
class Requirement:
    """One thing that must hold before a version is put up for approval; `cure` says what to do when it does not."""

    key: str
    label: str | Promise
    met: bool
    cure: str | Promise = ""


def requirements(version: RuleVersion) -> list[Requirement]:
    """What approval asks of a wording, in the order an author gets there."""
    problems = check_rule(spec_of(version))
    examples = list(version.examples.all())
    failing = [example.name for example in examples if example.result != ExampleResult.PASSED]
    kinds = {example.must_match for example in examples}
    backtest = fitting_backtest(version)
    tested = backtest is not None or (not problems and not testable(version))
    missing = _("Add an example that must match, and one that must not.")
    found = [
        Requirement(
            "problems", _("The rule has no problems"), not problems, str(problems[0]) if problems else ""
        ),
        Requirement(
            "ladder", _("A ladder is chosen"), bool(version.ladder), _("Choose what a violation costs.")
        ),
        Requirement(
            "text",
            _("The policy is worded in at least one language"),
            any(words.strip() for words in version.text.values()),
            _("Write what guilds may not do, in their words."),
        ),
        Requirement("kinds", _("One example must match and one must not"), kinds == {True, False}, missing),
        Requirement(
            "examples",
            _("Every example comes out as expected"),
            bool(examples) and not failing,
            _("Not as expected: %(names)s") % {"names": ", ".join(failing[:5])} if failing else "",
        ),
        Requirement(
            "backtest",
            _("A backtest of exactly this wording is finished")
            if backtest is not None or not tested
            else _("No signals are stored to test it on"),
            tested,
            _("Start a backtest; any change of the wording asks for a new one."),
        ),
    ]
    if version.status == VersionStatus.DRAFT:
        return found
    # A wording in shadow is frozen for good; only a backtest may still be added.
    next_version = _("Frozen in shadow: write the next version, with this put right.")
    return [
        unmet if unmet.met or unmet.key == "backtest" else replace(unmet, cure=next_version)
        for unmet in found
    ]


# --- what waits -------------------------------------------------------------------------------------------------------
def approvals_visible_to(actor: Actor) -> QuerySet[Approval]:
    """Approvals of rules that hold in one of the actor's markets; rules, like laws, may be read by all staff."""
    return Approval.objects.none() if actor.guild_id is not None else Approval.objects.all()


def approvals_waiting(actor: Actor) -> QuerySet[Approval]:
    """Approvals this person may decide, longest waiting first."""
    if not actor.has_role(Role.APPROVER) or actor.user_id is None:
        return Approval.objects.none()
    versions = RuleVersion.objects.filter(_governing(actor)).exclude(author=actor.user_id)
    hands = RuleVersion.writers.through.objects.filter(ruleversion=OuterRef("version"), user_id=actor.user_id)
    return (
        Approval.objects.filter(status=ApprovalStatus.REQUESTED, version__in=versions.values("pk"))
        .filter(~Exists(hands))
        .exclude(requested_by=actor.user_id)
        .select_related("version__rule", "requested_by")
        .order_by("requested_at")
    )


def drafts_of(actor: Actor) -> QuerySet[RuleVersion]:
    """Drafts this person has a hand in and that are still being written, last written first.

    `was_refused` is set on those whose last approval was refused.
    """
    if actor.user_id is None:
        return RuleVersion.objects.none()
    hands = RuleVersion.writers.through.objects.filter(ruleversion=OuterRef("pk"), user_id=actor.user_id)
    return (
        drafts_visible_to(actor)
        .filter(Q(author=actor.user_id) | Exists(hands), frozen_at__isnull=True)
        .order_by("-written_at")
    )


def drafts_visible_to(actor: Actor) -> QuerySet[RuleVersion]:
    """Every version before its launch, with `was_refused`; wordings may be read by all staff."""
    if actor.guild_id is not None:
        return RuleVersion.objects.none()
    later = Approval.objects.filter(version=OuterRef("version"), pk__gt=OuterRef("pk"))
    refused = Approval.objects.filter(~Exists(later), version=OuterRef("pk"), status=ApprovalStatus.REFUSED)
    return (
        RuleVersion.objects.filter(status__in=BEFORE_LAUNCH)
        .annotate(was_refused=Exists(refused))
        .select_related("rule", "author")
    )


# --- locks ------------------------------------------------------------------------------------------------------------
def locked_example(example_id: int) -> Example:
    """The example, locked. NotFound. Lock its version first."""
    found = Example.objects.select_for_update(of=("self",)).filter(pk=example_id).first()
    if found is None:
        raise NotFound("There is no such example.")
    return found


def locked_approval(approval_id: int) -> Approval:
    """The approval, locked. NotFound. Lock its version first."""
    found = (
        Approval.objects.select_for_update(of=("self",))
        .select_related("backtest", "requested_by")
        .filter(pk=approval_id)
        .first()
    )
    if found is None:
        raise NotFound("There is no such approval.")
    return found


def editors(version: RuleVersion) -> list[User]:
    """Author and writers, by e-mail."""
    return list(User.objects.filter(pk__in=hands_in(version)).order_by("email"))
