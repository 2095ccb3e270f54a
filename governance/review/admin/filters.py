"""What a list of cases can be narrowed to, without telling what a case is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter

from governance.review.enums import CaseKind
from governance.review.models import Case
from governance.review.selectors import OPEN


class AboutFilter(DropdownFilter):
    """What is judged. That one case decides and another only audits is nobody's to know before it is judged."""

    title = _("about")
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return (("violation", _("A violation")), ("day", _("A guild-day")))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        if self.value() == "day":
            return queryset.filter(kind=CaseKind.COVERAGE)
        return queryset.exclude(kind=CaseKind.COVERAGE) if self.value() == "violation" else queryset


class DueFilter(DropdownFilter):
    title = _("time")
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return (("overdue", _("Overdue")), ("warned", _("Soon")), ("escalated", _("Escalated")))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        waits = Q(status__in=OPEN)
        if self.value() == "overdue":
            return queryset.filter(waits, due_at__lte=timezone.now())
        if self.value() == "warned":
            return queryset.filter(waits, due_at__gt=timezone.now(), warned_at__isnull=False)
        return queryset.filter(waits, escalated_at__isnull=False) if self.value() == "escalated" else queryset
