"""POST and GET feedback: a guild's system, or another of ours, passes on what people say and reads the answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from governance.risks.enums import FeedbackSource, FeedbackStatus, FeedbackTopic
from governance.risks.models import Feedback
from governance.risks.selectors import feedback_with_answers, key_of_guild, key_of_market
from governance.risks.services import feedback_send
from governance.risks.services.feedback import LONGEST_BODY, LONGEST_RULE_CODE, SHORTEST_BODY
from guilds.accounts.api_auth import actor_of
from guilds.accounts.api_lists import RowSerializer, VisibleList
from guilds.accounts.api_media import body_of
from guilds.accounts.enums import Scope
from guilds.accounts.idempotency import IDEMPOTENCY_PARAMETERS, idempotent


class FeedbackSerializer(RowSerializer):
    id = serializers.UUIDField(source="public_id")
    source = serializers.ChoiceField(choices=FeedbackSource.choices)  # type: ignore[assignment]
    topic = serializers.ChoiceField(choices=FeedbackTopic.choices)
    body = serializers.CharField()
    language = serializers.CharField(help_text="BCP 47; empty: not said.")
    guild = serializers.CharField(source="guild__external_id", allow_null=True)
    market = serializers.CharField(source="market__code", allow_null=True)
    about_rule = serializers.CharField(help_text="Code of a rule as it was given; empty: none.")
    status = serializers.ChoiceField(
        choices=FeedbackStatus.choices, help_text="A message merged into another shares its answer."
    )
    answer = serializers.CharField(source="answer_given", allow_null=True, help_text="Null until answered.")
    answered_at = serializers.DateTimeField(source="answer_given_at", allow_null=True)
    created_at = serializers.DateTimeField()


class FeedbackSendingSerializer(serializers.Serializer[Any]):
    body = serializers.CharField(
        min_length=SHORTEST_BODY, max_length=LONGEST_BODY, help_text="In any language."
    )
    topic = serializers.ChoiceField(choices=FeedbackTopic.choices, default=FeedbackTopic.OTHER)
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=FeedbackSource.choices,
        required=False,
        help_text="Who says it. Default: the guild for a client bound to one, else partner.",
    )
    guild = serializers.CharField(
        max_length=120, required=False, help_text="External id. Clients bound to a guild speak for that one."
    )
    market = serializers.CharField(max_length=20, required=False, help_text="Code; a guild's own by default.")
    about_rule = serializers.CharField(
        max_length=LONGEST_RULE_CODE, required=False, help_text="Code of a rule."
    )
    language = serializers.CharField(max_length=20, required=False, help_text="BCP 47, such as pt-BR.")


class FeedbackFilters(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(choices=FeedbackStatus.choices)
    topic = django_filters.ChoiceFilter(choices=FeedbackTopic.choices)


class FeedbackView(VisibleList[Feedback]):
    required_scopes = {"GET": Scope.FEEDBACK_WRITE, "POST": Scope.FEEDBACK_WRITE}
    queryset = Feedback.objects.none()
    visible_to = staticmethod(feedback_with_answers)
    serializer_class = FeedbackSerializer
    filterset_class = FeedbackFilters

    @extend_schema(
        operation_id="feedback_list",
        summary="List feedback sent, with its answers",
        description="Newest first. A client bound to a guild sees what the guild has told us, another what it sent itself.",
        tags=["feedback"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        operation_id="feedback_send",
        summary="Send feedback",
        tags=["feedback"],
        parameters=IDEMPOTENCY_PARAMETERS,
        request=FeedbackSendingSerializer,
        responses={201: FeedbackSerializer},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        sending = FeedbackSendingSerializer(data=body_of(request))
        sending.is_valid(raise_exception=True)
        said, actor = dict(sending.validated_data), actor_of(request)
        guild, market = said.pop("guild", None), said.pop("market", None)
        sent = feedback_send(
            actor=actor,
            guild_id=key_of_guild(guild) if guild else None,
            market_id=key_of_market(market) if market else None,
            **said,
        )
        own = feedback_with_answers(actor).filter(pk=sent.pk)
        return Response(FeedbackSerializer.shown(own, actor), status=HTTPStatus.CREATED)
