"""Rules that are about to change: what the guild was told, what it costs and from when."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from appeals.portal.visit import Visit, page
from governance.education.selectors import in_language, lessons_published_for
from governance.launches.enums import WaveStatus
from governance.launches.models import Announcement
from governance.launches.selectors import changes_for
from governance.launches.wording import costs_in_words
from governance.notices.models import Notice
from governance.notices.selectors import notices_of
from governance.notices.services import notice_read
from guilds.errors import NotAllowed, NotFound

PER_PAGE = 10


@page("GET")
def change_list(visit: Visit) -> HttpResponse:
    """One entry per announced change, the latest word on each."""
    shown = Paginator(changes_for(visit.guild), PER_PAGE).get_page(visit.request.GET.get("page"))
    announcements = list(shown)
    letters = {
        notice.object_id: notice
        for notice in notices_of(visit.guild.pk).filter(
            object_type=Announcement.ledger_type,
            object_id__in=[str(one.public_id) for one in announcements],
        )
    }
    language = get_language() or "en"
    return visit.render(
        "changes.html",
        {
            "section": "changes",
            "page": shown,
            "rows": [
                _row(one, letters[str(one.public_id)], language, visit.guild.market.code)
                for one in announcements
            ],
        },
    )


def _row(announcement: Announcement, letter: Notice, language: str, market: str) -> dict[str, Any]:
    wave = announcement.wave
    version = wave.launch.version
    taken_back = wave.status in {WaveStatus.CANCELLED, WaveStatus.ROLLED_BACK} or not any(
        market.pk == announcement.market_id for market in wave.markets.all()
    )
    wording_language, wording = in_language(
        {str(tag): str(words) for tag, words in version.text.items()}, language
    )
    costs = costs_in_words(language, version.ladder, market=market)
    return {
        "name": version.name,
        "rule": version.rule.code,
        "version": version.number,
        "starts_at": wave.live_at or announcement.told_at,
        "taken_back": taken_back,
        "in_force": wave.status == WaveStatus.LIVE and not taken_back,
        "wording": wording,
        "wording_language": wording_language,
        "costs": [line.removeprefix("- ") for line in costs.splitlines()],
        "lessons": []
        if taken_back
        else [
            (lesson, in_language(lesson.title, language)[1])
            for lesson in lessons_published_for(version.rule_id)
        ],
        "letter": letter,
    }


@page("POST")
def change_acknowledge(visit: Visit, notice_id: uuid.UUID) -> HttpResponse:
    """The guild has read of the change: its notice is marked as read."""
    letter = (
        notices_of(visit.guild.pk).filter(public_id=notice_id, object_type=Announcement.ledger_type).first()
    )
    if letter is None:
        raise NotFound(_("There is no such message."))
    if not visit.actor.may_act_for_guild():
        raise NotAllowed(
            _("Only an owner or manager of your guild can mark messages as read."), code="viewer_reads_only"
        )
    notice_read(actor=visit.actor, notice_id=letter.pk)
    messages.success(visit.request, _("Thank you. The change is noted as read."))
    return redirect("portal:changes")
