"""GET violations: what the rules found, what was decided, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.rules.enums import Severity
from governance.violations.enums import ViolationStatus
from governance.violations.models import Detection, Violation
from governance.violations.selectors import EVIDENCE, violations_visible_to
from guilds.accounts.actor import Actor
from guilds.accounts.api_auth import actor_of
from guilds.accounts.api_lists import InstantFilter, RowSerializer, VisibleList, with_id
from guilds.accounts.enums import Scope


class EvidenceSerializer(serializers.Serializer[Any]):
    source = serializers.CharField(help_text="CloudEvents source of the signal.")  # type: ignore[assignment]
    id = serializers.CharField(help_text="CloudEvents id of the signal.")


class ViolationSerializer(RowSerializer):
    id = serializers.UUIDField(source="public_id")
    rule = serializers.CharField(source="rule__code", help_text="Code of the rule.")
    rule_version = serializers.IntegerField(source="version__number")
    code = serializers.CharField(help_text="Violation code.")
    severity = serializers.ChoiceField(choices=Severity.choices)
    status = serializers.ChoiceField(choices=ViolationStatus.choices)
    guild = serializers.CharField(source="guild__external_id", help_text="Who is charged.")
    creator = serializers.CharField(source="creator__external_id", allow_null=True)
    market = serializers.CharField(source="market__code")
    occurred_at = serializers.DateTimeField()
    detected_at = serializers.DateTimeField()
    evidence = EvidenceSerializer(many=True, help_text="The signals it rests on.")
    explanation = serializers.DictField(
        help_text="Each condition, its value, and the measures, as evaluated."
    )

    def complete(self, rows: Sequence[dict[str, Any]], actor: Actor) -> None:
        found: dict[int, list[dict[str, str]]] = {row["id"]: [] for row in rows}
        signals = Detection.objects.filter(violation__in=found, outcome__in=EVIDENCE).order_by("id")
        for violation_id, source, event_id in signals.values_list(
            "violation_id", "signal_key__source__uri", "signal_key__event_id"
        ):
            found[violation_id].append({"source": source, "id": event_id})
        for row in rows:
            row["evidence"] = found[row["id"]]


class ViolationFilters(django_filters.FilterSet):
    guild = django_filters.CharFilter(field_name="guild__external_id")
    creator = django_filters.CharFilter(field_name="creator__external_id")
    rule = django_filters.CharFilter(field_name="rule__code")
    code = django_filters.CharFilter()
    severity = django_filters.ChoiceFilter(choices=Severity.choices)
    status = django_filters.ChoiceFilter(choices=ViolationStatus.choices)
    market = django_filters.CharFilter(field_name="market__code")
    occurred_after = InstantFilter(
        field_name="occurred_at", lookup_expr="gte", label="At or after this time."
    )
    occurred_before = InstantFilter(field_name="occurred_at", lookup_expr="lt", label="Before this time.")
    detected_after = InstantFilter(
        field_name="detected_at", lookup_expr="gte", label="At or after this time."
    )
    detected_before = InstantFilter(field_name="detected_at", lookup_expr="lt", label="Before this time.")


@extend_schema_view(
    get=extend_schema(
        operation_id="violations_list",
        summary="List violations",
        description="Newest first. Filters take the values of the fields; an unknown guild gives an empty list.",
        tags=["violations"],
    )
)
class ViolationsView(VisibleList[Violation]):
    required_scopes = {"GET": Scope.VIOLATIONS_READ}
    queryset = Violation.objects.none()
    visible_to = staticmethod(violations_visible_to)
    serializer_class = ViolationSerializer
    filterset_class = ViolationFilters


class ViolationView(APIView):
    required_scopes = {"GET": Scope.VIOLATIONS_READ}

    @extend_schema(
        operation_id="violations_read",
        summary="Read one violation",
        tags=["violations"],
        responses=ViolationSerializer,
    )
    def get(self, request: Request, public_id: str) -> Response:
        actor = actor_of(request)
        return Response(ViolationSerializer.shown(with_id(violations_visible_to(actor), public_id), actor))
