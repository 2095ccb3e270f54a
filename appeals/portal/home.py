"""The first page: where the guild stands, what is in force, what wants doing and by when."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Subquery
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from appeals.enums import AppealStatus
from appeals.models import Appeal, Message
from appeals.policy import APPEALABLE
from appeals.portal.chart import chart_of
from appeals.portal.visit import Visit, page
from governance.education.models import Assignment, Lesson
from governance.education.selectors import assignments_open, in_language, lessons_open
from governance.penalties.bands import bands_of
from governance.penalties.enums import PenaltyStatus
from governance.penalties.selectors import penalties_visible_to, standing_history, standing_of

#: How many of each a first page shows; the lists have them all.
SHOWN = 6


@page("GET")
def home(visit: Visit) -> HttpResponse:
    now = timezone.now()
    standing = standing_of(visit.guild.pk)
    bands = bands_of(visit.guild.market_id)
    names = {band.code: band.name for band in bands}
    history = standing_history(visit.guild.pk)
    mine = penalties_visible_to(visit.actor)
    open_or_decided = Appeal.objects.filter(penalty=OuterRef("pk")).exclude(status=AppealStatus.WITHDRAWN)
    language = get_language() or "en"
    return visit.render(
        "home.html",
        {
            "section": "home",
            "score": standing["score"],
            "gauge": max(0, min(100, standing["score"])),
            "band": names.get(
                standing["band"], _("Healthy") if standing["band"] == "healthy" else standing["band"]
            ),
            "band_is_healthy": standing["band"] == "healthy",
            "points": sum(entry["points"] for entry in standing["points"]),
            "chart": chart_of(history, bands=[(band.at_or_below, band.name) for band in bands], now=now),
            "movements": history[: -SHOWN - 1 : -1],
            "current": mine.filter(
                status__in=[PenaltyStatus.IN_FORCE, PenaltyStatus.SCHEDULED, PenaltyStatus.FAILED]
            ).order_by("-status", "ends_at", "pk")[:SHOWN],
            "appealable": mine.filter(
                ~Exists(open_or_decided), status__in=APPEALABLE, notice__appeal_by__gte=now
            ).order_by("notice__appeal_by", "pk")[:3],
            "asked": _appeals_with_word_from_us(visit),
            "lessons": _lessons_to_do(visit.guild.pk, language),
        },
    )


def _lessons_to_do(guild_id: int, language: str) -> list[tuple[Lesson, str, Assignment | None]]:
    """(lesson, title, the most urgent request for it or None): what was asked of the guild comes first."""
    asked: dict[Lesson, Assignment | None] = {}
    for assignment in assignments_open(guild_id)[: 2 * SHOWN]:
        asked.setdefault(assignment.lesson, assignment)
    for lesson in lessons_open(guild_id)[: 2 * SHOWN]:
        asked.setdefault(lesson, None)
    return [(lesson, in_language(lesson.title, language)[1], due) for lesson, due in asked.items()][:SHOWN]


def _appeals_with_word_from_us(visit: Visit) -> list[Appeal]:
    """Open appeals in which the platform spoke last."""
    last = Message.objects.filter(appeal=OuterRef("pk")).order_by("-id").values("from_guild")[:1]
    return list(
        Appeal.objects.filter(guild=visit.guild, status=AppealStatus.OPEN)
        .annotate(guild_spoke_last=Subquery(last))
        .filter(guild_spoke_last=False)
        .select_related("penalty")[:SHOWN]
    )
