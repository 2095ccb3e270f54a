"""What the guild is to know, and that it has read it."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from appeals.portal.visit import Visit, page
from governance.education.selectors import in_language, lesson_for, lessons_for
from governance.education.services import lesson_complete

PER_PAGE = 20


@page("GET")
def lesson_list(visit: Visit) -> HttpResponse:
    language = get_language() or "en"
    shown = Paginator(lessons_for(visit.guild.pk), PER_PAGE).get_page(visit.request.GET.get("page"))
    rows = [(lesson, in_language(lesson.title, language)[1]) for lesson in shown]
    return visit.render("lessons.html", {"section": "lessons", "page": shown, "rows": rows})


@page("GET")
def lesson_page(visit: Visit, code: str) -> HttpResponse:
    lesson = lesson_for(visit.guild.pk, code)
    language, body = in_language(lesson.body, get_language() or "en")
    return visit.render(
        "lesson.html",
        {
            "section": "lessons",
            "lesson": lesson,
            "title": in_language(lesson.title, language)[1],
            "body": body,
            "lesson_language": language,
            "completion": lesson.mine[0] if lesson.mine else None,  # type: ignore[attr-defined]  # set by lessons_for
        },
    )


@page("POST")
def lesson_acknowledge(visit: Visit, code: str) -> HttpResponse:
    lesson_complete(actor=visit.actor, code=code)
    messages.success(visit.request, _("Thank you. The lesson is noted as read and understood."))
    return redirect("portal:lesson", code)
