"""What may become of a rule version."""

from __future__ import annotations

from governance.rules.enums import VersionStatus
from guilds.errors import InvalidTransition

TRANSITIONS: dict[VersionStatus, frozenset[VersionStatus]] = {
    VersionStatus.DRAFT: frozenset({VersionStatus.SHADOW, VersionStatus.LIVE, VersionStatus.RETIRED}),
    VersionStatus.SHADOW: frozenset({VersionStatus.LIVE, VersionStatus.RETIRED}),
    VersionStatus.LIVE: frozenset({VersionStatus.PAUSED, VersionStatus.SHADOW, VersionStatus.RETIRED}),
    VersionStatus.PAUSED: frozenset({VersionStatus.LIVE, VersionStatus.SHADOW, VersionStatus.RETIRED}),
    # Only the rollback of the version that replaced it brings one back.
    VersionStatus.RETIRED: frozenset({VersionStatus.LIVE}),
}


def check(old: str, new: str) -> None:
    """Raise InvalidTransition unless a version may go from `old` to `new`."""
    if VersionStatus(new) not in TRANSITIONS[VersionStatus(old)]:
        raise InvalidTransition(
            f"A {VersionStatus(old).label.lower()} version cannot become {VersionStatus(new).label.lower()}."
        )
