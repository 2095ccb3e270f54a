"""GET insights: the scorecard of a rule, every share with its interval and n."""

from __future__ import annotations

from typing import Any

from django import forms
from django_filters.utils import translate_validation
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.insights.intervals import FEWEST, Share
from governance.insights.selectors import OUTCOMES, Scorecard, rule_scorecard
from governance.penalties.enums import PenaltyKind
from governance.rules.models import Rule
from governance.violations.enums import DetectionMode, ViolationStatus
from guilds.accounts.api_auth import actor_of
from guilds.accounts.api_lists import InstantField, one_named, refuse_unknown_parameters
from guilds.accounts.enums import Scope


class ShareSerializer(serializers.Serializer[Share]):
    value = serializers.FloatField(allow_null=True, min_value=0, max_value=1)
    low = serializers.FloatField(allow_null=True, help_text="Lower end of the Wilson 95 % interval.")
    high = serializers.FloatField(allow_null=True, help_text="Upper end.")
    successes = serializers.IntegerField()
    n = serializers.IntegerField()
    insufficient_data = serializers.BooleanField(
        help_text=f"True below n = {FEWEST}; then there is no value."
    )


def _counts(name: str, values: list[str]) -> serializers.Serializer[Any]:
    fields: dict[str, serializers.Field[Any, Any, Any, Any]] = {
        value: serializers.IntegerField() for value in values
    }
    return inline_serializer(name, fields)


class WindowSerializer(serializers.Serializer[Scorecard]):
    since = serializers.DateTimeField(allow_null=True, help_text="Null: from the beginning.")
    until = serializers.DateTimeField(allow_null=True, help_text="Null: up to now.")


class ScorecardSerializer(serializers.Serializer[Scorecard]):
    """One rule over a window, within the caller's guild or markets."""

    rule = serializers.CharField()
    name = serializers.CharField()
    window = WindowSerializer(source="*")
    detections = _counts("DetectionCounts", DetectionMode.values)
    violations = _counts("ViolationCounts", ViolationStatus.values)
    penalties = _counts("PenaltyCounts", PenaltyKind.values)
    appeals = _counts("AppealCounts", ["filed", "decided", *OUTCOMES])
    confirmed_share = ShareSerializer(
        source="confirmed",
        help_text="Of the violations decided, those that stand confirmed; overturned ones do not.",
    )
    overturn_share = ShareSerializer(
        source="overturned",
        help_text="Of the appeals decided, those overturned. Not an error rate: few appeal.",
    )


class WindowForm(forms.Form):
    since = InstantField(required=False)
    until = InstantField(required=False)


class RuleScorecardView(APIView):
    required_scopes = {"GET": Scope.INSIGHTS_READ}

    @extend_schema(
        operation_id="insights_rule",
        summary="Read a rule's scorecard",
        tags=["insights"],
        parameters=[
            OpenApiParameter(
                "since", OpenApiTypes.DATETIME, description="At or after this time; default: the beginning."
            ),
            OpenApiParameter("until", OpenApiTypes.DATETIME, description="Before this time; default: now."),
        ],
        responses=ScorecardSerializer,
    )
    def get(self, request: Request, code: str) -> Response:
        refuse_unknown_parameters(request, {"since", "until"})
        window = WindowForm(request.query_params)
        if not window.is_valid():
            raise translate_validation(window.errors)
        rule = one_named(Rule.objects.all(), code=code)
        card = rule_scorecard(actor=actor_of(request), rule=rule, **window.cleaned_data)
        return Response(ScorecardSerializer(card).data)
