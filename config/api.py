"""The addresses of the REST API under /api/v1/, as the contract fixes them; none ends with a slash."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path, re_path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from appeals.api import AppealsView, AppealView, AppealWithdrawView
from config import schema  # noqa: F401  registers the security scheme
from governance.insights.api import RuleScorecardView
from governance.ledger.api import EventsView
from governance.penalties.api import (
    PenaltiesView,
    PenaltyAcknowledgeView,
    PenaltyView,
    ReconciliationView,
    StandingView,
)
from governance.risks.api import FeedbackView
from governance.signals.api import SignalsView
from governance.violations.api import ViolationsView, ViolationView
from guilds.registry.api import CreatorView, GuildView, RegistryView


@extend_schema(exclude=True)
class NowhereView(APIView):
    """Every other address: a problem like any other, with or without a token."""

    authentication_classes = []
    permission_classes = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        detail = _("There is nothing at this address.")
        if request.path.endswith("/"):
            detail = _("There is nothing at this address. Addresses of the API do not end with a slash.")
        raise NotFound(detail)

    def get(self, request: Request) -> Response:
        raise NotFound


urlpatterns: list[URLPattern] = [
    path("signals", SignalsView.as_view()),
    path("registry", RegistryView.as_view()),
    path("guilds/<str:external_id>", GuildView.as_view()),
    path("creators/<str:external_id>", CreatorView.as_view()),
    path("guilds/<str:external_id>/standing", StandingView.as_view()),
    path("violations", ViolationsView.as_view()),
    path("violations/<str:public_id>", ViolationView.as_view()),
    path("penalties", PenaltiesView.as_view()),
    path("penalties/reconciliation", ReconciliationView.as_view()),
    path("penalties/<str:public_id>", PenaltyView.as_view()),
    path("penalties/<str:public_id>/acknowledge", PenaltyAcknowledgeView.as_view()),
    path("appeals", AppealsView.as_view()),
    path("appeals/<str:public_id>", AppealView.as_view()),
    path("appeals/<str:public_id>/withdraw", AppealWithdrawView.as_view()),
    path("feedback", FeedbackView.as_view()),
    path("insights/rules/<str:code>", RuleScorecardView.as_view()),
    path("events", EventsView.as_view()),
    re_path(r"^", NowhereView.as_view()),
]
