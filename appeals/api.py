"""GET and POST appeals: a guild's own systems file, follow and withdraw its challenges."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import django_filters
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
from guilds.accounts.api_lists import RowSerializer, VisibleList, one_of, with_id
from guilds.accounts.api_media import body_of
from guilds.accounts.enums import Scope
from guilds.accounts.idempotency import IDEMPOTENCY_PARAMETERS, idempotent


class AppealSerializer(RowSerializer):
    id = serializers.UUIDField(source="public_id")
    penalty = serializers.UUIDField(source="penalty__public_id")
    guild = serializers.CharField(source="guild__external_id")
    market = serializers.CharField(source="market__code")
    grounds = serializers.ChoiceField(choices=Grounds.choices)
    statement = serializers.CharField()
    status = serializers.ChoiceField(choices=AppealStatus.choices)
    outcome = serializers.ChoiceField(
        choices=Outcome.choices, allow_null=True, help_text="Null until decided."
    )
    filed_at = serializers.DateTimeField()
    decide_by = serializers.DateTimeField(help_text="When an answer can be expected at the latest.")
    settled_at = serializers.DateTimeField(allow_null=True, help_text="Decided or withdrawn.")
    answer = serializers.CharField(
        source="decision__answer", allow_null=True, help_text="The decision in words; null until decided."
    )

    def complete(self, rows: Sequence[dict[str, Any]], actor: Actor) -> None:
        for row in rows:
            row["outcome"] = row["outcome"] or None


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


class AppealsView(VisibleList[Appeal]):
    required_scopes = {"GET": Scope.APPEALS_READ, "POST": Scope.APPEALS_WRITE}
    queryset = Appeal.objects.none()
    visible_to = staticmethod(appeals_visible_to)
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
        actor = actor_of(request)
        return Response(AppealSerializer.shown(with_id(appeals_visible_to(actor), public_id), actor))


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
    return AppealSerializer.shown(appeals_visible_to(actor).filter(pk=appeal.pk), actor)
