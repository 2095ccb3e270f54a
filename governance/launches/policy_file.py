"""The policy file goes into the database: all of it or none of it, and only what changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from governance.engine import RuleSpec
from governance.launches.services import versions_activate_without_launch
from governance.ledger.services import Entry, record_many
from governance.penalties.enums import PenaltyKind
from governance.penalties.models import Band
from governance.risks.models import Risk
from governance.rules.enums import VersionStatus
from governance.rules.models import Ladder, Rule, RuleVersion
from governance.rules.policy import NO_REGIME, LadderSpec, Policy, PolicyError, parse_policy
from governance.rules.selectors import newest_versions
from governance.rules.services import version_create
from governance.rules.yaml_fields import Problem
from governance.signals.models import PendingSignal, Signal
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput
from guilds.models import Market, Regime

#: What the console keeps about a risk and a policy file does not say.
NOT_IN_THE_FILE_OF_RISKS = frozenset(
    "definition category treatment treatment_note review_on reviewed_at retired_at".split()
)
#: Two files are never loaded at the same time.
LOAD_LOCK = 7_170_100


@dataclass(frozen=True)
class Change:
    """What became of one entry; `outcome` is created, changed, unchanged, activated, or why it was not."""

    section: str
    code: str
    outcome: str

    def __str__(self) -> str:
        return f"{self.section} {self.code}: {self.outcome}"


@dataclass
class LoadReport:
    """What a load did, in the order of the file.

    `version_ids` holds the newest version of each of its rules by code, `notes` what the person who loads should know.
    """

    changes: list[Change] = field(default_factory=list)
    version_ids: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def changed(self) -> list[Change]:
        return [change for change in self.changes if change.outcome != "unchanged"]


@transaction.atomic
def policy_load(*, actor: Actor, text: str | bytes, filename: str = "", activate: bool = False) -> LoadReport:
    """Write regimes, markets, risks, ladders, bands and rules of a policy file, and with `activate` make its rules live.

    Idempotent: what stands already is left alone, and a rule gets a new version only when its wording or its
    ladder changed. A file with any fault is refused whole: InvalidInput with `errors` [{"field": path, "message",
    "line"}]. What the file does not name stays as it is. Records an event per change and `policy.loaded`.
    `activate` raises NotAllowed outside the demo.
    """
    actor.require_role(Role.ANALYST)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOAD_LOCK])
    try:
        policy = parse_policy(
            text,
            known_kinds=PenaltyKind.values,
            known_regimes=list(Regime.objects.values_list("code", flat=True)),
            known_markets=list(Market.objects.values_list("code", flat=True)),
            known_risks=list(Risk.objects.values_list("code", flat=True)),
            known_ladders=list(Ladder.objects.values_list("code", flat=True)),
        )
    except PolicyError as refusal:
        raise refused(refusal.problems) from refusal
    load = _Load(actor, policy)
    load.run()
    if activate:
        load.activate()
    changed = [str(change) for change in load.report.changed]
    if changed:
        record_many(
            actor=actor,
            entries=[
                *load.entries,
                Entry(
                    act="policy.loaded",
                    object_type="policy",
                    object_id=filename[:120] or "policy",
                    after={"changed": changed},
                ),
            ],
        )
    return load.report


def refused(problems: Sequence[Problem]) -> InvalidInput:
    """The refusal of a file, every fault with its line and cure."""
    return InvalidInput(
        f"The policy file has {len(problems)} fault{'s' if len(problems) != 1 else ''}; nothing was loaded.",
        code="policy_refused",
        errors=[
            {
                "field": problem.path,
                "message": problem.message + (f" ({problem.cure})" if problem.cure else ""),
                "line": problem.line,
            }
            for problem in problems
        ],
    )


def ladder_form(ladder: LadderSpec) -> dict[str, Any]:
    """A ladder as versions keep it, see `Ladder.spec`: the file's form without its name."""
    return {name: value for name, value in ladder.to_dict().items() if name != "name"}


class _Load:
    """One file on its way in."""

    def __init__(self, actor: Actor, policy: Policy) -> None:
        self.actor = actor
        self.policy = policy
        self.report = LoadReport()
        self.entries: list[Entry] = []
        self.problems: list[Problem] = []

    def run(self) -> None:
        self._regimes()
        self._markets()
        self._risks()
        self._ladders()
        self._bands()
        lines = dict(self.policy.rule_lines)
        newest = newest_versions()
        for index, spec in enumerate(self.policy.rules):
            self._rule(spec, newest.get(spec.code), line=lines.get(spec.code, 1), path=f"rules[{index}]")
        if self.problems:
            raise refused(sorted(self.problems, key=lambda problem: problem.line))

    def _regimes(self) -> None:
        used = {market.regime for market in self.policy.markets}
        if NO_REGIME in used and not Regime.objects.filter(code=NO_REGIME).exists():
            self._upsert(Regime(code=NO_REGIME, name="No particular regime"), "regime", 1, "regimes")
        for index, spec in enumerate(self.policy.regimes):
            regime = Regime(
                code=spec.code,
                name=spec.name,
                notice_days=spec.notice_days,
                appeal_days=spec.appeal_days,
                termination_days=spec.termination_days,
                acknowledge_hours=spec.acknowledge_hours,
                decide_days=spec.decide_days,
                decide_urgent_days=spec.decide_urgent_days,
            )
            self._upsert(regime, "regime", spec.line, f"regimes[{index}]")

    def _markets(self) -> None:
        regimes = {regime.code: regime for regime in Regime.objects.all()}
        for index, spec in enumerate(self.policy.markets):
            if spec.regime not in regimes:
                continue  # the regime itself was faulty and has been reported
            market = Market(
                code=spec.code,
                name=spec.name,
                timezone=spec.timezone,
                languages=list(spec.languages),
                regime=regimes[spec.regime],
            )
            self._upsert(market, "market", spec.line, f"markets[{index}]")

    def _risks(self) -> None:
        for index, spec in enumerate(self.policy.risks):
            risk = Risk(
                code=spec.code,
                name=spec.name,
                harm=spec.harm,
                likelihood=spec.likelihood,
                owner=spec.owner or "unassigned",
            )
            self._upsert(risk, "risk", spec.line, f"risks[{index}]", keep=NOT_IN_THE_FILE_OF_RISKS)

    def _ladders(self) -> None:
        for index, spec in enumerate(self.policy.ladders):
            self._upsert(
                Ladder(code=spec.code, spec=ladder_form(spec)), "ladder", spec.line, f"ladders[{index}]"
            )

    def _bands(self) -> None:
        """A market's own bands stand beside the general ones; codes and thresholds are unique within either."""
        stored = {
            (band.code, band.market.code if band.market else ""): band
            for band in Band.objects.select_related("market")
        }
        thresholds = {(band.at_or_below, market): code for (code, market), band in stored.items()}
        for spec in self.policy.bands:
            if (band := stored.get((spec.code, spec.market))) is not None:
                thresholds.pop((band.at_or_below, spec.market), None)
        for index, spec in enumerate(self.policy.bands):
            taken = thresholds.setdefault((spec.at_or_below, spec.market), spec.code)
            if taken != spec.code:
                self.problems.append(
                    Problem(
                        spec.line,
                        f"bands[{index}].at_or_below",
                        f"band {taken} begins at {spec.at_or_below} already",
                        "give each band a threshold of its own",
                    )
                )
        if self.problems:
            return
        # Thresholds are unique, so bands that trade places step aside first.
        for spec in self.policy.bands:
            band = stored.get((spec.code, spec.market))
            if band is not None and band.at_or_below != spec.at_or_below:
                Band.objects.filter(pk=band.pk).update(at_or_below=-band.pk)
        markets = dict(Market.objects.values_list("code", "pk"))
        for index, spec in enumerate(self.policy.bands):
            wanted = Band(
                code=spec.code,
                name=spec.name,
                market_id=markets[spec.market] if spec.market else None,
                at_or_below=spec.at_or_below,
                penalties=[penalty.to_dict() for penalty in spec.penalties],
            )
            self._upsert(wanted, "band", spec.line, f"bands[{index}]", market=spec.market)

    def _upsert(
        self,
        wanted: models.Model,
        section: str,
        line: int,
        path: str,
        keep: frozenset[str] | set[str] = frozenset(),
        *,
        market: str | None = None,
    ) -> None:
        """Create the row, or bring the stored one with the same code into line; faults go to `problems`.

        `market` is given for what has its codes per market: the market's code, empty for none.
        """
        faults = list(_faults(wanted, line, path))
        self.problems += faults
        if faults:
            return
        model = type(wanted)
        code = str(_value(wanted, "code"))
        same: dict[str, Any] = {"code": code}
        if market is not None:
            same["market"] = _value(wanted, "market_id")
        shown = f"{code} in {market}" if market else code
        stored = model._default_manager.select_for_update(no_key=True, of=("self",)).filter(**same).first()
        if stored is None:
            wanted.save(force_insert=True)
            self._note(section, shown, "created", {}, _plain(wanted, _columns(wanted, keep)))
            return
        differing = [name for name in _columns(wanted, keep) if _value(stored, name) != _value(wanted, name)]
        if not differing:
            self.report.changes.append(Change(section, shown, "unchanged"))
            return
        before = _plain(stored, differing)
        for name in differing:
            setattr(stored, name, _value(wanted, name))
        stored.save()
        self._note(section, shown, "changed", before, _plain(stored, differing))

    def _note(
        self, section: str, code: str, outcome: str, before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        self.report.changes.append(Change(section, code, outcome))
        self.entries.append(
            Entry(act=f"{section}.{outcome}", object_type=section, object_id=code, before=before, after=after)
        )

    def _rule(self, spec: RuleSpec, newest: RuleVersion | None, *, line: int, path: str) -> None:
        if self.problems:
            return
        rule = Rule(code=spec.code, name=spec.name, risk=Risk.objects.get(code=spec.risk))
        version = RuleVersion(
            violation_code=spec.violation_code, on=list(spec.on), markets=list(spec.markets), cap=spec.cap
        )
        faults = [
            *_faults(rule, line, path),
            *_faults(version, line, path, only=("violation_code", "on", "markets", "cap")),
        ]
        self.problems += faults
        if faults:
            return
        ladder = dict(Ladder.objects.get(code=spec.ladder).spec)
        if newest is not None and newest.ladder == ladder and _same_wording(newest, spec):
            self.report.changes.append(Change("rule", spec.code, "unchanged"))
            self.report.version_ids[spec.code] = newest.pk
            return
        stored, _ = Rule.objects.update_or_create(
            code=spec.code, defaults={"name": rule.name, "risk": rule.risk}
        )
        made = version_create(actor=self.actor, rule=stored, spec=spec, ladder=ladder)
        self.report.changes.append(Change("rule", spec.code, f"version {made.number} created"))
        self.report.version_ids[spec.code] = made.pk

    def activate(self) -> None:
        """Make the newest version of every rule of the file live; a paused one is left to a person."""
        versions = RuleVersion.objects.select_related("rule").in_bulk(self.report.version_ids.values())
        wanted: list[int] = []
        lines = dict(self.policy.rule_lines)
        for index, spec in enumerate(self.policy.rules):
            version = versions[self.report.version_ids[spec.code]]
            if version.status == VersionStatus.RETIRED:
                self.problems.append(
                    Problem(
                        lines.get(spec.code, 1),
                        f"rules[{index}]",
                        f"version {version.number} of {spec.code} is retired",
                        "change its wording, which makes a new version",
                    )
                )
            elif version.status == VersionStatus.PAUSED:
                self.report.changes.append(
                    Change("rule", spec.code, f"version {version.number} is paused: resume it in the console")
                )
            else:
                wanted.append(version.pk)
        if self.problems:
            raise refused(self.problems)
        for version in versions_activate_without_launch(actor=self.actor, version_ids=wanted):
            self.report.changes.append(
                Change("rule", version.rule.code, f"version {version.number} activated")
            )
            if _missed_signals(version):
                self.report.notes.append(
                    f"{version.rule.code}: signals evaluated before it went live are not evaluated again; "
                    f"backtest {version.rule.code} shows what it would have found"
                )


def _missed_signals(version: RuleVersion) -> bool:
    """Whether signals of its days were evaluated before a back-dated version went live."""
    if version.effective_from is None or version.effective_from >= timezone.now():
        return False
    waiting = PendingSignal.objects.filter(signal_id=OuterRef("pk"))
    stored = Signal.objects.filter(type__in=version.on, time__gte=version.effective_from)
    return stored.filter(~Exists(waiting)).exists()


def _same_wording(version: RuleVersion, spec: RuleSpec) -> bool:
    try:
        return RuleSpec.from_dict(version.spec).digest() == spec.digest()
    except (KeyError, TypeError, ValueError):
        return False  # written by hand or by another release; the file's wording replaces it


def _columns(row: models.Model, keep: frozenset[str] | set[str]) -> list[str]:
    own = {"id", "code", "created_at", "updated_at", *keep}
    return [column.attname for column in row._meta.concrete_fields if column.attname not in own]


def _value(row: models.Model, name: str) -> Any:
    return getattr(row, name)


def _plain(row: models.Model, names: Sequence[str]) -> dict[str, Any]:
    return {name: _value(row, name) for name in names}


def _faults(row: models.Model, line: int, path: str, only: Sequence[str] | None = None) -> Iterator[Problem]:
    """What the columns of the row refuse, such as a code that is too long."""
    names = [column.name for column in row._meta.concrete_fields]
    left_out = [name for name in names if name not in only] if only else ["risk", "regime", "market"]
    try:
        row.clean_fields(exclude=left_out)
    except ValidationError as refusal:
        for name, messages in refusal.message_dict.items():
            for message in messages:
                yield Problem(line, f"{path}.{name}", message, "shorten or correct it")
