"""GET penalties, their acknowledgement by the enforcing system, and a guild's standing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.notices.models import Notice
from governance.penalties.agreement import open_with
from governance.penalties.enums import DifferenceKind, Effect, PenaltyKind, PenaltyStatus
from governance.penalties.models import Difference, Penalty, Reconciliation
from governance.penalties.selectors import active_at, penalties_visible_to, standing_of
from governance.penalties.services import penalty_acknowledge, reconcile
from governance.penalties.services.reconciliation import Reported
from governance.rules.enums import Severity
from guilds.accounts.actor import Actor
from guilds.accounts.api_auth import actor_of
from guilds.accounts.api_lists import (
    InstantFilter,
    RowSerializer,
    VisibleList,
    one_named,
    one_of,
    refuse_unknown_parameters,
    with_id,
)
from guilds.accounts.enums import Scope
from guilds.accounts.idempotency import IDEMPOTENCY_PARAMETERS, idempotent
from guilds.console.lists import in_markets
from guilds.models import Market
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


class AcknowledgementSerializer(serializers.Serializer[dict[str, Any]]):
    effect = serializers.ChoiceField(
        choices=Effect.choices,
        required=False,
        help_text="`applied`: in effect there; `ended`: no longer. Left out: what the penalty is now.",
    )


class PenaltyAcknowledgeView(APIView):
    required_scopes = {"POST": Scope.PENALTIES_ACK}

    @extend_schema(
        operation_id="penalties_acknowledge",
        summary="Acknowledge a penalty",
        description=(
            "The enforcing system confirms that the penalty is in effect on its side and, later, that it no longer is. "
            "Each counts the first time. The body may be left out."
        ),
        tags=["penalties"],
        parameters=IDEMPOTENCY_PARAMETERS,
        request=AcknowledgementSerializer,
        responses=PenaltySerializer,
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        actor = actor_of(request)
        told = AcknowledgementSerializer(data=request.data)
        told.is_valid(raise_exception=True)
        penalty_acknowledge(
            actor=actor,
            penalty_id=one_of(penalties_visible_to(actor), public_id).pk,
            effect=told.validated_data.get("effect", ""),
        )
        return Response(PenaltySerializer.shown(with_id(penalties_visible_to(actor), public_id), actor))


class ReportedSerializer(serializers.Serializer[dict[str, Any]]):
    penalty = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=PenaltyKind.choices)
    guild = serializers.CharField(max_length=200, help_text="The guild's external id.")
    ends_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Null: no end. Left out: not compared."
    )


class DifferenceSerializer(serializers.Serializer[Difference]):
    kind = serializers.ChoiceField(choices=DifferenceKind.choices)
    penalty = serializers.UUIDField(
        source="penalty.public_id", default=None, allow_null=True, help_text="Ours, if there is such a one."
    )
    reported = serializers.DictField(help_text="The line of the list, if it was one.")
    since = serializers.DateTimeField(source="reconciliation.at")


class ReconciliationSerializer(serializers.Serializer[Reconciliation]):
    id = serializers.UUIDField(source="public_id")
    at = serializers.DateTimeField()
    reported = serializers.IntegerField(help_text="Lines of the list.")
    expected = serializers.IntegerField(help_text="Penalties that should be on it.")
    agreed = serializers.IntegerField()
    differences = DifferenceSerializer(
        many=True, source="still_open", help_text="All that are open with this system, earlier ones included."
    )


class ReconciliationFilters(serializers.Serializer[Any]):
    market = serializers.CharField(required=False)
    kind = serializers.ChoiceField(choices=PenaltyKind.choices, required=False)


class ReconciliationView(APIView):
    required_scopes = {"POST": Scope.PENALTIES_ACK}

    @extend_schema(
        operation_id="penalties_reconcile",
        summary="Compare what is enforced",
        description=(
            "The whole list of what the enforcing system holds in effect, up to 20,000 lines; `market` and `kind` say that "
            "it is of these only. What differs from what is in force here is kept and returned; a later list that agrees "
            "settles it. What changed within the last 15 minutes is given time to arrive."
        ),
        tags=["penalties"],
        parameters=[
            *IDEMPOTENCY_PARAMETERS,
            OpenApiParameter("market", str, description="Code of a market."),
            OpenApiParameter("kind", str, enum=PenaltyKind.values),
        ],
        request=ReportedSerializer(many=True),
        responses=ReconciliationSerializer,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        refuse_unknown_parameters(request, {"market", "kind"})
        told = ReconciliationFilters(data=request.query_params)
        told.is_valid(raise_exception=True)
        rows = ReportedSerializer(data=request.data, many=True)
        rows.is_valid(raise_exception=True)
        code, kind = told.validated_data.get("market"), told.validated_data.get("kind")
        made = reconcile(
            actor=actor,
            rows=[Reported(**row, tells_end="ends_at" in row) for row in rows.validated_data],
            market_id=one_named(in_markets(Market.objects.all(), actor, "pk"), code=code).pk
            if code
            else None,
            kinds=[kind] if kind else (),
        )
        made.still_open = open_with(made).select_related("penalty", "reconciliation")  # type: ignore[attr-defined]
        return Response(ReconciliationSerializer(made).data)


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
