"""What a guild was asked to put right, on the penalty's page."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from governance.penalties.enums import RectificationStatus
from governance.penalties.models import Penalty, Rectification
from governance.penalties.rectification import rectification_of
from governance.violations.models import Violation
from guilds.console.page import Badge, Fact, Link, Prose, Section, Variant, link_to

VARIANTS: dict[str, Variant] = {
    RectificationStatus.OPEN: "info",
    RectificationStatus.SUBMITTED: "info",
    RectificationStatus.MET: "success",
    RectificationStatus.FAILED: "danger",
    RectificationStatus.DROPPED: "default",
}


def rectification_sections(penalty: Penalty) -> Sequence[Section]:
    """One section where something was asked, else none."""
    asked = rectification_of(penalty)
    if asked is None:
        return ()
    facts = [
        Fact(_("Status"), Badge(asked.get_status_display(), VARIANTS[asked.status])),
        Fact(_("Until"), asked.due_at),
    ]
    if asked.submitted_at:
        facts += [
            Fact(_("The guild says"), Prose(asked.statement)),
            Fact(_("When"), asked.submitted_at),
        ]
    if asked.checked_at:
        facts += [
            Fact(_("Checked"), asked.checked_at),
            Fact(_("Found again"), asked.result.get("count", 0)),
            Fact(_("What was found"), _found(asked)),
        ]
    return (
        Section(_("To be put right"), facts, note=_("Not found again by then, the penalty does not start.")),
    )


def _found(asked: Rectification) -> list[Link | str]:
    named = [str(one) for one in asked.result.get("found", ())]
    known = {
        str(violation.public_id): violation
        for violation in Violation.objects.filter(
            public_id__in=[one for one in named if not one.startswith("detection ")]
        )
    }
    return [link_to(known[one], known[one].code) or one if one in known else one for one in named]
