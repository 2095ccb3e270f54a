"""GET violations: what the rules found, what was decided, and why."""

from __future__ import annotations

import django_filters
from django.db.models import Prefetch, QuerySet
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
from guilds.accounts.api_lists import InstantFilter, VisibleList, one_of
from guilds.accounts.enums import Scope


class EvidenceSerializer(serializers.Serializer[Detection]):
    source = serializers.CharField(  # type: ignore[assignment]
        source="signal_key.source.uri", help_text="CloudEvents source of the signal."
    )
    id = serializers.CharField(source="signal_key.event_id", help_text="CloudEvents id of the signal.")


class ViolationSerializer(serializers.Serializer[Violation]):
    id = serializers.UUIDField(source="public_id")
    rule = serializers.CharField(source="rule.code", help_text="Code of the rule.")
    rule_version = serializers.IntegerField(source="version.number")
    code = serializers.CharField(help_text="Violation code.")
    severity = serializers.ChoiceField(choices=Severity.choices)
    status = serializers.ChoiceField(choices=ViolationStatus.choices)
    guild = serializers.CharField(source="guild.external_id", help_text="Who is charged.")
    creator = serializers.CharField(source="creator.external_id", default=None, allow_null=True)
    market = serializers.CharField(source="market.code")
    occurred_at = serializers.DateTimeField()
    detected_at = serializers.DateTimeField()
    evidence = EvidenceSerializer(many=True, source="detections", help_text="The signals it rests on.")
    explanation = serializers.DictField(
        help_text="Each condition, its value, and the measures, as evaluated."
    )


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


def violations_shown_to(actor: Actor) -> QuerySet[Violation]:
    """Visible violations with what the serializer shows: two queries a page, whatever its length."""
    evidence = Detection.objects.filter(outcome__in=EVIDENCE).select_related("signal_key__source").order_by("id")
    return (
        violations_visible_to(actor)
        .select_related("rule", "version", "guild", "creator", "market")
        .defer("version__spec", "version__ladder", "version__text")
        .prefetch_related(Prefetch("detections", evidence.defer("explanation")))
    )


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
    visible_to = staticmethod(violations_shown_to)
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
        violation = one_of(violations_shown_to(actor_of(request)), public_id)
        return Response(ViolationSerializer(violation).data)
