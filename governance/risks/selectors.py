"""Questions to the register of risks."""

from __future__ import annotations

from django.db.models import F, QuerySet

from governance.risks.models import Risk


def risks_by_priority() -> QuerySet[Risk]:
    """The register, highest harm × likelihood first."""
    return Risk.objects.order_by((F("harm") * F("likelihood")).desc(), "code")


def risks_without_rule() -> QuerySet[Risk]:
    """Risks that no live rule answers."""
    return risks_by_priority().exclude(rules__versions__status="live")
