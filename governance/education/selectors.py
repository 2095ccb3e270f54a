"""Questions about lessons: what a guild can read and what it has acknowledged."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.education.models import Completion, Lesson
from guilds.errors import NotFound


def lessons_for(guild_id: int) -> QuerySet[Lesson]:
    """Published lessons; `mine` on each is the list of this guild's completions, empty or of one."""
    return (
        Lesson.objects.filter(published_at__lte=timezone.now())
        .select_related("rule")
        .prefetch_related(
            Prefetch(
                "completions",
                queryset=Completion.objects.filter(guild_id=guild_id).select_related("user"),
                to_attr="mine",
            )
        )
        .order_by("-published_at", "code")
    )


def lessons_open(guild_id: int) -> QuerySet[Lesson]:
    """Published lessons the guild has not acknowledged."""
    return Lesson.objects.filter(published_at__lte=timezone.now()).exclude(completions__guild_id=guild_id)


def lesson_for(guild_id: int, code: str) -> Lesson:
    """One published lesson; NotFound otherwise."""
    lesson = lessons_for(guild_id).filter(code=code).first()
    if lesson is None:
        raise NotFound(_("There is no such lesson."))
    return lesson


def in_language(wordings: Mapping[str, str], language: str) -> tuple[str, str]:
    """(language, text) of a map by BCP 47 tag: the tag itself, its base, English, or whatever there is."""
    for tag in (language, language.partition("-")[0], "en"):
        for known, text in wordings.items():
            if known.lower() == tag.lower():
                return known, text
    return next(iter(wordings.items()), ("en", ""))
