"""What a wave still needs before it may go live: the gates as facts decide them now, and everything else in the way.

Asked by the pages for show and by the one service that starts a wave for real, so both always say the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from governance.education.selectors import completion_share, lessons_published_for
from governance.launches.enums import (
    AUTOMATIC,
    AnnouncementKind,
    GateKind,
    GateStatus,
    LaunchStatus,
    WaveStatus,
)
from governance.launches.models import Gate, Launch, Wave
from governance.launches.notice_period import free_at
from governance.launches.selectors import OPEN_WAVES, guilds_to_tell, notices_about
from governance.launches.staffing import AppealHistory, Estimate, estimate
from governance.rules.enums import Door, Severity, VersionStatus
from governance.rules.models import LivePeriod, RuleVersion
from governance.rules.selectors import CURRENT
from governance.workbench.enums import ApprovalStatus
from governance.workbench.selectors import approval_intact, hands_in, standing_approval
from guilds.accounts.enums import Role
from guilds.models import Market

#: Where the hours a signer has at hand are kept in `Gate.figures`.
CAPACITY = "capacity_hours_per_day"
SHORTFALL = "shortfall_reason"


@dataclass(frozen=True, kw_only=True)
class GateState:
    """A gate as it stands now. `reason` says what is missing, or on what it passed."""

    gate: Gate
    passed: bool
    reason: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.gate.kind

    @property
    def automatic(self) -> bool:
        return self.gate.kind in AUTOMATIC

    def overdue(self, today: dt.date) -> bool:
        return not self.passed and self.gate.due_on is not None and self.gate.due_on < today


@dataclass(frozen=True)
class Block:
    """One thing that keeps a wave from going live. `gate` names the gate, empty for what is no gate."""

    code: str
    message: str
    gate: str = ""


def gate_states(
    launch: Launch, wave: Wave | None = None, history: AppealHistory | None = None
) -> list[GateState]:
    """Every gate of a launch for one of its waves, or for all waves that are not over."""
    waves = (
        [wave] if wave is not None else list(launch.waves.filter(status__in=(*OPEN_WAVES, WaveStatus.LIVE)))
    )
    return _Facts(launch, waves, history=history).states()


def start_blocks(wave: Wave, at: dt.datetime) -> list[Block]:
    """All that keeps the wave from going live at `at`; empty when it may. The one list there is."""
    launch, version = wave.launch, RuleVersion.objects.get(pk=wave.launch.version_id)
    blocks = list(_version_blocks(launch, version, at))
    if wave.status != WaveStatus.GO:
        blocks.append(Block("no_go", _("Nobody has said go.")))
    else:
        blocks += decider_blocks(wave, version)
    if wave.planned_at > at:
        blocks.append(Block("too_early", _("Its time has not come.")))
    blocks += wave_blocks(wave, version)
    blocks += [
        Block("gate_open", state.reason, state.kind)
        for state in _Facts(launch, [wave], at).states()
        if not state.passed
    ]
    return blocks


def hard_blocks(wave: Wave, at: dt.datetime, gates: Iterable[str]) -> list[Block]:
    """What must hold for a live wave as well, whenever a period is opened in its name: these gates, and who said go."""
    version = RuleVersion.objects.get(pk=wave.launch.version_id)
    wanted = set(gates)
    return [
        *decider_blocks(wave, version),
        *wave_blocks(wave, version),
        *(
            Block("gate_open", state.reason, state.kind)
            for state in _Facts(wave.launch, [wave], at).states()
            if state.kind in wanted and not state.passed
        ),
    ]


def _version_blocks(launch: Launch, version: RuleVersion, at: dt.datetime) -> Iterable[Block]:
    if launch.status not in {LaunchStatus.PLANNING, LaunchStatus.RUNNING}:
        yield Block("launch_over", _("The launch is over."))
    elif launch.status == LaunchStatus.RUNNING and version.status != VersionStatus.LIVE:
        # Its first wave was live: somebody has taken the version out of force since.
        yield Block(
            "version_not_live",
            _("The version was live and is now: %(status)s.")
            % {"status": version.get_status_display().lower()},
        )
        return
    if version.status == VersionStatus.PAUSED:
        yield Block("version_paused", _("The version is paused. Resume it, or take the launch back."))
    elif version.status == VersionStatus.RETIRED or version.withdrawn_at is not None:
        yield Block("version_retired", _("The version is retired."))
    elif version.status == VersionStatus.LIVE and version.door != Door.LAUNCH:
        yield Block("version_live", _("The version is live already, without a launch."))
    if version.expires_at is not None and version.expires_at <= at:
        yield Block("version_expired", _("The version has expired."))
    if version.effective_from is not None and version.effective_from > at:
        yield Block(
            "not_effective",
            _("Its wording says that it holds from %(day)s.") % {"day": f"{version.effective_from:%Y-%m-%d}"},
        )


def decider_blocks(wave: Wave, version: RuleVersion) -> list[Block]:
    """Whether who said go may say so, asked anew of the accounts as they are now."""
    person = wave.decided_by
    if person is None or not (person.is_active and person.is_staff):
        return [
            Block(
                "decider_gone", _("Who said go is no longer with us: somebody in office has to say it anew.")
            )
        ]
    if not (person.is_superuser or person.staff_roles.filter(role=Role.LAUNCHER).exists()):
        return [Block("decider_not_launcher", _("Who said go does not run launches any more."))]
    if person.pk in hands_in(version):
        return [Block("decider_wrote_it", _("Who said go had a hand in the rule."))]
    if not (person.is_superuser or person.all_markets):
        beyond = wave.markets.exclude(pk__in=person.markets.values("pk"))
        if beyond.exists():
            return [
                Block(
                    "decider_market", _("Who said go does not answer for every market of the wave any more.")
                )
            ]
    return []


def wave_blocks(wave: Wave, version: RuleVersion) -> list[Block]:
    """What is wrong with the wave itself: its markets and its shares."""
    markets = list(wave.markets.order_by("code"))
    if not markets:
        return [Block("no_market", _("The wave has no market."))]
    blocks = []
    beyond = [market.code for market in markets if not names(version, market)]
    if beyond:
        blocks.append(
            Block(
                "market_not_named", _("The rule does not name %(markets)s.") % {"markets": ", ".join(beyond)}
            )
        )
    if version.severity == Severity.S1 and wave.holdout:
        blocks.append(Block("holdout_refused", _("A rule against the worst harm spares nobody: no holdout.")))
    newer = LivePeriod.objects.filter(
        version__rule_id=version.rule_id,
        version__number__gt=version.number,
        version__status__in=CURRENT,
        ends_at__isnull=True,
        market__in=markets,
    ).select_related("version__rule")
    period = newer.first()
    if period is not None:
        message = _("%(version)s is newer and live there.") % {"version": period.version}
        blocks.append(Block("newer_live", message))
    return blocks


def names(version: RuleVersion, market: Market) -> bool:
    """Whether the wording is meant for the market."""
    return "*" in version.markets or market.code in version.markets


def markets_named(version: RuleVersion) -> list[Market]:
    """The markets the wording is meant for, as they are today."""
    rows = Market.objects.order_by("code")
    return list(rows if "*" in version.markets else rows.filter(code__in=version.markets))


def spoken(wordings: Mapping[str, str], language: str) -> bool:
    """Whether there are words in the language, or in the language it is a variety of."""
    known = {tag.lower() for tag, words in wordings.items() if words.strip()}
    return language.lower() in known or language.partition("-")[0].lower() in known


class _Facts:
    """What the gates of some waves of one launch are decided on."""

    def __init__(
        self,
        launch: Launch,
        waves: Sequence[Wave],
        at: dt.datetime | None = None,
        history: AppealHistory | None = None,
    ) -> None:
        self.launch = launch
        self.history = history
        self.version = launch.version
        self.waves = list(waves)
        self.at = at
        self.markets = {
            wave.pk: list(wave.markets.select_related("regime").order_by("code")) for wave in self.waves
        }
        self.all_markets = list(
            {market.pk: market for some in self.markets.values() for market in some}.values()
        )

    def states(self) -> list[GateState]:
        gates = {gate.kind: gate for gate in self.launch.gates.select_related("owner", "signed_by")}
        found = [self.state(gates[kind]) for kind in GateKind.values if kind in gates]
        # A gate that somebody removed is not a gate passed.
        missing = [kind for kind in GateKind.values if kind not in gates]
        return found + [
            GateState(
                gate=Gate(launch=self.launch, kind=kind), passed=False, reason=_("The gate is missing.")
            )
            for kind in missing
        ]

    def state(self, gate: Gate) -> GateState:
        decide = {
            GateKind.APPROVAL: self._approval,
            GateKind.POLICY_TEXT: self._policy_text,
            GateKind.NOTICE: self._notice,
            GateKind.LESSON: self._lesson,
        }.get(GateKind(gate.kind))
        if decide is not None:
            passed, reason = decide()
            return GateState(gate=gate, passed=passed, reason=reason)
        return self._signed(gate)

    # --- read from facts ------------------------------------------------------------------------------------------
    def _approval(self) -> tuple[bool, str]:
        approval = standing_approval(self.version)
        if approval is None:
            return False, _("Nobody has approved the version.")
        if approval.status == ApprovalStatus.REQUESTED:
            return False, _("The version waits for approval.")
        if not approval_intact(self.version):
            return False, _("What was approved is not what the version says now, or not approved by another.")
        return True, _("Approved by %(who)s.") % {"who": approval.decided_by}

    def _policy_text(self) -> tuple[bool, str]:
        if not self.all_markets:
            return False, _("No wave names a market yet.")
        text = {str(tag): str(words) for tag, words in self.version.text.items()}
        missing = [
            f"{market.code} ({market.default_language})"
            for market in self.all_markets
            if not spoken(text, market.default_language)
        ]
        if missing:
            return False, _("No wording in the language of %(markets)s.") % {"markets": _few(missing)}
        return True, _("In %(languages)s.") % {"languages": ", ".join(sorted(text))}

    def _notice(self) -> tuple[bool, str]:
        if not self.all_markets:
            return False, _("No wave names a market yet.")
        latest: dt.datetime | None = None
        for wave in self.waves:
            announced = list(wave.announcements.filter(kind=AnnouncementKind.COMING))
            for market in self.markets[wave.pk]:
                moment = free_at(announced, self.version, market)
                if moment is None:
                    sending = any(one.market_id == market.pk and one.sent_at is None for one in announced)
                    return False, (
                        _("The guilds of %(market)s are being told.")
                        if sending
                        else _("The guilds of %(market)s have not been told.")
                    ) % {"market": market.code}
                latest = moment if latest is None else max(latest, moment)
                untold = self._untold(wave, market)
                if untold:
                    return False, _("%(count)d guilds of %(market)s have no notice.") % {
                        "count": untold,
                        "market": market.code,
                    }
        assert latest is not None
        now = self.at or dt.datetime.now(dt.UTC)
        day = f"{latest:%Y-%m-%d %H:%M} UTC"
        if latest > now:
            return False, _("Runs until %(moment)s.") % {"moment": day}
        return True, _("Run out since %(moment)s.") % {"moment": day}

    def _untold(self, wave: Wave, market: Market) -> int:
        """Guilds that were there when the market was told and have no notice of it all the same."""
        first = (
            wave.announcements.filter(market=market, kind=AnnouncementKind.COMING, sent_at__isnull=False)
            .order_by("-sent_at")
            .first()
        )
        if first is None:
            return 0
        told = notices_about(wave, market.pk).filter(guild=OuterRef("pk"))
        return guilds_to_tell(market.pk).filter(~Exists(told), created_at__lte=first.sent_at).count()

    def _lesson(self) -> tuple[bool, str]:
        if not self.all_markets:
            return False, _("No wave names a market yet.")
        lessons = list(lessons_published_for(self.version.rule_id))
        if not lessons:
            return False, _("No lesson about the rule is published.")
        for lesson in lessons:
            missing = [
                f"{market.code} ({market.default_language})"
                for market in self.all_markets
                if not (
                    spoken(lesson.title, market.default_language)
                    and spoken(lesson.body, market.default_language)
                )
            ]
            if missing:
                return False, _("The lesson %(lesson)s is not in the language of %(markets)s.") % {
                    "lesson": lesson.code,
                    "markets": _few(missing),
                }
        done, total = completion_share(
            market_ids=[market.pk for market in self.all_markets], rule_id=self.version.rule_id
        )
        figures = {"done": done, "total": total, "percent": self.launch.lesson_percent}
        if done * 100 < self.launch.lesson_percent * total:
            return False, _("%(done)d of %(total)d guilds have completed it; %(percent)d %% must.") % figures
        return True, _("%(done)d of %(total)d guilds have completed it.") % figures

    # --- signed by people -----------------------------------------------------------------------------------------
    def _signed(self, gate: Gate) -> GateState:
        if gate.status != GateStatus.PASSED:
            return GateState(gate=gate, passed=False, reason=_("Not signed."), figures=self._figures(gate))
        figures = self._figures(gate)
        lacking = shortfall(gate, figures.get("hours_per_day"))
        if lacking:
            return GateState(gate=gate, passed=False, reason=lacking, figures=figures)
        signed = _("Signed by %(who)s.") % {"who": gate.signed_by}
        return GateState(gate=gate, passed=True, reason=signed, figures=figures)

    def _figures(self, gate: Gate) -> Mapping[str, Any]:
        if gate.kind not in STAFFED:
            return {}
        return STAFFED[gate.kind](self._estimate)

    @cached_property
    def _estimate(self) -> Estimate:
        return estimate(self.version, self.all_markets or markets_named(self.version), self.history)


def shortfall(gate: Gate, hours: float | None) -> str:
    """Why the hours stated by the signer do not carry the work expected of these markets; empty when they do."""
    if gate.kind not in STAFFED or gate.figures.get(SHORTFALL):
        return ""
    capacity = gate.figures.get(CAPACITY)
    if hours is None:
        return _("The work cannot be estimated: say why it can be done all the same.")
    if capacity is None or float(capacity) < hours:
        return _("%(capacity)s hours a day are at hand, %(hours)s are needed.") % {
            "capacity": f"{float(capacity or 0):g}",
            "hours": f"{hours:g}",
        }
    return ""


def _review(expected: Estimate) -> dict[str, Any]:
    return expected.review_figures()


def _appeals(expected: Estimate) -> dict[str, Any]:
    return expected.appeal_figures()


STAFFED = {GateKind.STAFFING.value: _review, GateKind.APPEAL_STAFFING.value: _appeals}


def _few(items: Sequence[str], most: int = 6) -> str:
    return ", ".join(items[:most]) + (" …" if len(items) > most else "")
