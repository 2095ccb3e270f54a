"""How a violation came to be known and decided, as a statement of reasons and a DSA statement must say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from governance.notices.enums import AutomatedDecision, SourceType
from governance.penalties.models import Penalty
from governance.rules.enums import ReviewMode
from governance.violations.models import Detection, Violation
from governance.violations.selectors import EVIDENCE

#: The first part of a source's path that says what kind of source it is, such as /detectors/gifts.
KINDS_OF_SOURCE: Mapping[str, SourceType] = {
    "detector": SourceType.AUTOMATIC_CHECK,
    "detectors": SourceType.AUTOMATIC_CHECK,
    "integration": SourceType.INTEGRATION,
    "integrations": SourceType.INTEGRATION,
    "report": SourceType.USER_REPORT,
    "reports": SourceType.USER_REPORT,
    "user-reports": SourceType.USER_REPORT,
    "audit": SourceType.AUDIT,
    "audits": SourceType.AUDIT,
}
#: Sources from which a machine, and not a person, told us.
MACHINES = frozenset({SourceType.AUTOMATIC_CHECK, SourceType.INTEGRATION})


def source_type_of(uri: str) -> SourceType:
    """What kind of source a CloudEvents `source` is. One that does not say is another system of the platform."""
    for part in urlsplit(uri).path.lower().split("/"):
        if part in KINDS_OF_SOURCE:
            return KINDS_OF_SOURCE[part]
    return SourceType.INTEGRATION


@dataclass(frozen=True)
class Origin:
    """The kinds of source that a violation's evidence came from, the one that opened it first."""

    sources: Sequence[SourceType]

    @property
    def source_type(self) -> SourceType:
        return self.sources[0] if self.sources else SourceType.AUTOMATIC_CHECK

    @property
    def automated_detection(self) -> bool:
        """Whether a machine found it. Where a person reported it first, a person did."""
        return self.source_type in MACHINES


def origins_of(violations: Iterable[Violation]) -> dict[int, Origin]:
    """The origin of each violation by its key; one query however many there are."""
    found: dict[int, dict[SourceType, None]] = {violation.pk: {} for violation in violations}
    rows = (
        Detection.objects.filter(violation__in=found, outcome__in=EVIDENCE)
        .order_by("pk")
        .values_list("violation_id", "signal_key__source__uri")
    )
    for violation_id, uri in rows:
        if violation_id is not None:
            found[violation_id][source_type_of(uri)] = None
    return {key: Origin(tuple(sources)) for key, sources in found.items()}


def automated_decision(violation: Violation, penalties: Sequence[Penalty]) -> AutomatedDecision:
    """How much of the decision no person took: verdict and measure are looked at, the measure always following the ladder.

    Fully: the rule confirmed and imposed by itself. Partially: one person judged, the rule set the measure. Not automated:
    two persons judged, or one judged and another released the measure.
    """
    released = bool(penalties) and all(penalty.released_by_id for penalty in penalties)
    if violation.review == ReviewMode.AUTO:
        return AutomatedDecision.PARTIALLY if released else AutomatedDecision.FULLY
    if violation.review == ReviewMode.DUAL or released:
        return AutomatedDecision.NOT_AUTOMATED
    return AutomatedDecision.PARTIALLY
