"""GET penalties, their acknowledgement by the enforcing system, and a guild's standing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.notices.models import Notice
from governance.penalties.enums import PenaltyKind, PenaltyStatus
from governance.penalties.models import Penalty
from governance.penalties.selectors import active_at, penalties_visible_to, standing_of
from governance.penalties.services import penalty_acknowledge
from governance.rules.enums import Severity
from guilds.accounts.actor import Actor
from guilds.accounts.api_auth import actor_of
from guilds.accounts.api_lists import InstantFilter, RowSerializer, VisibleList, one_named, one_of, with_id
from guilds.accounts.enums import Scope
from guilds.accounts.idempotency import IDEMPOTENCY_PARAMETERS, idempotent
from guilds.registry.selectors import guilds_visible_to


class PenaltyNoticeSerializer(serializers.Serializer[Notice]):
    """The statement of reasons, as the guild received it."""

    issued_at = serializers.DateTimeField()
    appeal_by = serializers.DateTimeField(allow_null=True)
    subject = serializers.CharField()
    body = serializers.CharField()
    language = serializers.CharField(help_text="BCP 47.")


class PenaltySerializer(RowSerializer):
    id = serializers.UUIDField(source="public_id")
    guild = serializers.CharField(source="guild__external_id")
    market = serializers.CharField(source="market__code")
    kind = serializers.ChoiceField(choices=PenaltyKind.choices)
    status = serializers.ChoiceField(choices=PenaltyStatus.choices)
    params = serializers.DictField(
        help_text="The step of the ladder as written: kind, days, percent and so on."
    )
    violation = serializers.UUIDField(source="violation__public_id")
    rule = serializers.CharField(source="version__rule__code", help_text="Code of the rule.")
    rule_version = serializers.IntegerField(source="version__number")
    code = serializers.CharField(source="violation__code", help_text="Violation code.")
    severity = serializers.ChoiceField(choices=Severity.choices, source="violation__severity")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    applied_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True, help_text="Lifted, cancelled or reversed.")
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    notice = PenaltyNoticeSerializer(allow_null=True, help_text="Null while the penalty is held.")

    place = ("id", "notice_id")

    def complete(self, rows: Sequence[dict[str, Any]], actor: Actor) -> None:
        """The penalties of one sanction share a notice, so each notice is read once."""
        notices = Notice.objects.filter(pk__in={row["notice_id"] for row in rows if row["notice_id"]})
        columns = ("issued_at", "appeal_by", "subject", "body", "language")
        shown = {
            key: dict(zip(columns, values, strict=True))
            for key, *values in notices.values_list("pk", *columns)
        }
        for row in rows:
            row["notice"] = shown.get(row["notice_id"])


class StandingPointsSerializer(serializers.Serializer[dict[str, Any]]):
    violation = serializers.UUIDField()
    code = serializers.CharField()
    points = serializers.IntegerField(help_text="What is left after expiry, reduction and reversal.")
    at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)


class RestrictionSerializer(serializers.Serializer[dict[str, Any]]):
    kind = serializers.ChoiceField(choices=PenaltyKind.choices)
    params = serializers.DictField()
    penalty = serializers.UUIDField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)


class StandingSerializer(serializers.Serializer[dict[str, Any]]):
    score = serializers.IntegerField(help_text="100 less the points in force.")
    band = serializers.CharField(help_text="`healthy`, or the code of the band the score has fallen into.")
    points = StandingPointsSerializer(many=True)
    restrictions = RestrictionSerializer(many=True, help_text="What the guild may not do now, or owes.")


class PenaltyFilters(django_filters.FilterSet):
    guild = django_filters.CharFilter(field_name="guild__external_id")
    kind = django_filters.ChoiceFilter(choices=PenaltyKind.choices)
    status = django_filters.ChoiceFilter(choices=PenaltyStatus.choices)
    market = django_filters.CharFilter(field_name="market__code")
    active_at = InstantFilter(method="in_effect", label="In effect at this time.")

    def in_effect(self, queryset: QuerySet[Penalty], name: str, moment: dt.datetime) -> QuerySet[Penalty]:
        return active_at(queryset, moment)


@extend_schema_view(
    get=extend_schema(
        operation_id="penalties_list",
        summary="List penalties",
        description="Newest first. Filters take the values of the fields; an unknown guild gives an empty list.",
        tags=["penalties"],
    )
)
class PenaltiesView(VisibleList[Penalty]):
    required_scopes = {"GET": Scope.PENALTIES_READ}
    queryset = Penalty.objects.none()
    visible_to = staticmethod(penalties_visible_to)
    serializer_class = PenaltySerializer
    filterset_class = PenaltyFilters


class PenaltyView(APIView):
    required_scopes = {"GET": Scope.PENALTIES_READ}

    @extend_schema(
        operation_id="penalties_read",
        summary="Read one penalty",
        tags=["penalties"],
        responses=PenaltySerializer,
    )
    def get(self, request: Request, public_id: str) -> Response:
        actor = actor_of(request)
        return Response(PenaltySerializer.shown(with_id(penalties_visible_to(actor), public_id), actor))


class PenaltyAcknowledgeView(APIView):
    required_scopes = {"POST": Scope.PENALTIES_ACK}

    @extend_schema(
        operation_id="penalties_acknowledge",
        summary="Acknowledge a penalty",
        description="The enforcing system confirms that the penalty is in effect on its side. The first time counts.",
        tags=["penalties"],
        parameters=IDEMPOTENCY_PARAMETERS,
        request=None,
        responses=PenaltySerializer,
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        actor = actor_of(request)
        penalty_acknowledge(actor=actor, penalty_id=one_of(penalties_visible_to(actor), public_id).pk)
        return Response(PenaltySerializer.shown(with_id(penalties_visible_to(actor), public_id), actor))


class StandingView(APIView):
    required_scopes = {"GET": Scope.PENALTIES_READ}

    @extend_schema(
        operation_id="guilds_standing",
        summary="Read a guild's standing",
        description="Score, band, the points that make it up, and the restrictions now in force.",
        tags=["penalties"],
        responses=StandingSerializer,
    )
    def get(self, request: Request, external_id: str) -> Response:
        guild = one_named(guilds_visible_to(actor_of(request)), external_id=external_id)
        return Response(StandingSerializer(standing_of(guild.pk)).data)
