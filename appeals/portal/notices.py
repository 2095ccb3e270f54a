"""The guild's letter box."""

from __future__ import annotations

import uuid

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from appeals.portal.visit import Visit, page
from governance.notices.models import Notice
from governance.notices.selectors import notices_of
from governance.notices.services import notice_read
from guilds.errors import NotAllowed, NotFound

PER_PAGE = 20


@page("GET")
def notice_list(visit: Visit) -> HttpResponse:
    shown = Paginator(notices_of(visit.guild.pk), PER_PAGE).get_page(visit.request.GET.get("page"))
    return visit.render("notices.html", {"section": "notices", "page": shown})


@page("GET")
def notice_page(visit: Visit, notice_id: uuid.UUID) -> HttpResponse:
    notice = _notice(visit, notice_id)
    return visit.render(
        "notice.html",
        {
            "section": "notices",
            "notice": notice,
            "penalties": notice.penalties.filter(guild=visit.guild).order_by("pk"),
        },
    )


@page("POST")
def notice_mark_read(visit: Visit, notice_id: uuid.UUID) -> HttpResponse:
    """Reading on behalf of the guild is an act: it is noted when the guild was reached."""
    notice = _notice(visit, notice_id)
    if not visit.actor.may_act_for_guild():
        raise NotAllowed(
            _("Only an owner or manager of your guild can mark messages as read."), code="viewer_reads_only"
        )
    notice_read(actor=visit.actor, notice_id=notice.pk)
    return redirect("portal:notice", notice.public_id)


def _notice(visit: Visit, public_id: uuid.UUID) -> Notice:
    notice = notices_of(visit.guild.pk).filter(public_id=public_id).first()
    if notice is None:
        raise NotFound(_("There is no such message."))
    return notice
