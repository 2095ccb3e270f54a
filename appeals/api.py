"""GET and POST appeals: a guild's own systems file, follow and withdraw its challenges."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from appeals.enums import AppealStatus, Grounds, Outcome
from appeals.models import Appeal
from appeals.policy import LONGEST_STATEMENT, SHORTEST_STATEMENT
from appeals.selectors import appeals_visible_to
from appeals.services import appeal_file, appeal_withdraw
from governance.penalties.selectors import penalties_visible_to
from guilds.accounts.actor import Actor
from guilds.accounts.api_auth import actor_of
from guilds.accounts.api_lists import VisibleList, one_of
from guilds.accounts.api_media import body_of
from guilds.accounts.enums import Scope
from guilds.accounts.idempotency import IDEMPOTENCY_PARAMETERS, idempotent


class AppealSerializer(serializers.Serializer[Appeal]):
    id = serializers.UUIDField(source="public_id")
    penalty = serializers.UUIDField(source="penalty.public_id")
    guild = serializers.CharField(source="guild.external_id")
    market = serializers.CharField(source="market.code")
    grounds = serializers.ChoiceField(choices=Grounds.choices)
    statement = serializers.CharField()
    status = serializers.ChoiceField(choices=AppealStatus.choices)
    outcome = serializers.SerializerMethodField(help_text="Null until decided.")
    filed_at = serializers.DateTimeField()
    decide_by = serializers.DateTimeField(help_text="When an answer can be expected at the latest.")
    settled_at = serializers.DateTimeField(allow_null=True, help_text="Decided or withdrawn.")
    answer = serializers.SerializerMethodField(help_text="The decision in words; null until decided.")

    @extend_schema_field(serializers.ChoiceField(choices=Outcome.choices, allow_null=True))
    def get_outcome(self, appeal: Appeal) -> str | None:
        return appeal.outcome or None

    def get_answer(self, appeal: Appeal) -> str | None:
        return appeal.decision.answer if appeal.status == AppealStatus.DECIDED else None


@extend_schema_field(OpenApiTypes.UUID)
class PublicIdField(serializers.CharField):
    """An id that names an object or not; malformed ones name none, like unknown ones."""


class AppealFilingSerializer(serializers.Serializer[Any]):
    penalty = PublicIdField(max_length=64, help_text="Id of the penalty.")
    grounds = serializers.ChoiceField(choices=Grounds.choices)
    statement = serializers.CharField(
        min_length=SHORTEST_STATEMENT, max_length=LONGEST_STATEMENT, help_text="Why, in words."
    )


class AppealFilters(django_filters.FilterSet):
    guild = django_filters.CharFilter(field_name="guild__external_id")
    status = django_filters.ChoiceFilter(choices=AppealStatus.choices)
    outcome = django_filters.ChoiceFilter(choices=Outcome.choices)
    penalty = django_filters.UUIDFilter(field_name="penalty__public_id")


def appeals_shown_to(actor: Actor) -> QuerySet[Appeal]:
    """Visible appeals with what the serializer shows, in one query."""
    return (
        appeals_visible_to(actor)
        .select_related(None)
        .select_related("guild", "market", "penalty", "decision")
        .defer("penalty__params", "penalty__effect", "decision__reduction")
    )


class AppealsView(VisibleList[Appeal]):
    required_scopes = {"GET": Scope.APPEALS_READ, "POST": Scope.APPEALS_WRITE}
    queryset = Appeal.objects.none()
    visible_to = staticmethod(appeals_shown_to)
    serializer_class = AppealSerializer
    filterset_class = AppealFilters

    @extend_schema(
        operation_id="appeals_list",
        summary="List appeals",
        description="Newest first. Filters take the values of the fields; an unknown guild gives an empty list.",
        tags=["appeals"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        operation_id="appeals_file",
        summary="File an appeal",
        tags=["appeals"],
        parameters=IDEMPOTENCY_PARAMETERS,
        request=AppealFilingSerializer,
        responses={201: AppealSerializer},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        filing = AppealFilingSerializer(data=body_of(request))
        filing.is_valid(raise_exception=True)
        asked, actor = filing.validated_data, actor_of(request)
        penalty = one_of(penalties_visible_to(actor), asked["penalty"])
        filed = appeal_file(
            actor=actor, penalty_id=penalty.pk, grounds=asked["grounds"], statement=asked["statement"]
        )
        return Response(_shown(actor, filed), status=HTTPStatus.CREATED)


class AppealView(APIView):
    required_scopes = {"GET": Scope.APPEALS_READ}

    @extend_schema(
        operation_id="appeals_read", summary="Read one appeal", tags=["appeals"], responses=AppealSerializer
    )
    def get(self, request: Request, public_id: str) -> Response:
        return Response(AppealSerializer(one_of(appeals_shown_to(actor_of(request)), public_id)).data)


class AppealWithdrawView(APIView):
    required_scopes = {"POST": Scope.APPEALS_WRITE}

    @extend_schema(
        operation_id="appeals_withdraw",
        summary="Withdraw an open appeal",
        tags=["appeals"],
        parameters=IDEMPOTENCY_PARAMETERS,
        request=None,
        responses=AppealSerializer,
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        actor = actor_of(request)
        appeal = one_of(appeals_visible_to(actor), public_id)
        return Response(_shown(actor, appeal_withdraw(actor=actor, appeal_id=appeal.pk)))


def _shown(actor: Actor, appeal: Appeal) -> dict[str, Any]:
    return dict(AppealSerializer(appeals_shown_to(actor).get(pk=appeal.pk)).data)
