"""What guilds are told about a change, in the language of their market."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.education.models import Lesson
from governance.education.selectors import in_language
from governance.launches.enums import AnnouncementKind
from governance.launches.models import Announcement
from governance.notices.enums import NoticeKind
from governance.notices.models import Notice
from governance.notices.selectors import in_words
from governance.notices.services import notice_draft, portal_url
from governance.notices.wording import Wordings
from governance.penalties.services.reasons import clause
from governance.penalties.step_words import step_words
from guilds.models import Guild, Market

#: Where a guild reads what is to change, below the portal.
CHANGES_PATH = "changes/"


def costs_in_words(language: str, ladder: Mapping[str, Any], *, market: str = "") -> str:
    """A version's ladder as it is in a market, in words: one line per step and one for the points."""
    own = (ladder.get("by_market") or {}).get(market, {})
    steps: Sequence[Sequence[Mapping[str, Any]]] = own.get("steps") or ladder.get("steps") or []
    points = int(own.get("points", ladder.get("points")) or 0)
    if ladder.get("red_line"):
        steps = steps[-1:]
    with translation.override(language):
        lines = [
            (
                _("every time: %(what)s")
                if ladder.get("red_line")
                else _("step %(place)d and beyond: %(what)s")
                if place == len(steps)
                else _("step %(place)d: %(what)s")
            )
            % {"place": place, "what": ", ".join(step_words(penalty) for penalty in step)}
            for place, step in enumerate(steps, start=1)
        ]
        if points:
            lines.append(
                ngettext("each time %(points)d point", "each time %(points)d points", points)
                % {"points": points}
            )
        return "\n".join(f"- {line}" for line in lines or [_("no measure beyond the points")])


class Announcer:
    """Writes the notices of one announcement. `announcement.wave.launch.version.rule` is loaded."""

    def __init__(self, announcement: Announcement, lessons: Sequence[Lesson], now: dt.datetime) -> None:
        self.announcement = announcement
        self.lessons = lessons
        self.now = now
        self.wordings = Wordings()
        self.version = announcement.wave.launch.version

    def draft(self, guild: Guild) -> Notice:
        """The guild's notice, not yet saved; the guild comes with market and regime."""
        coming = self.announcement.kind == AnnouncementKind.COMING
        kind = NoticeKind.RULE_CHANGE if coming else NoticeKind.RULE_CHANGE_WITHDRAWN
        return notice_draft(
            guild=guild,
            kind=kind,
            object_type=Announcement.ledger_type,
            object_id=str(self.announcement.public_id),
            values=self._coming(guild.market, kind) if coming else self._taken_back(guild.market),
            statement={
                "rule": self.version.rule.code,
                "rule_version": self.version.number,
                "starts_at": self.announcement.told_at.isoformat() if self.announcement.told_at else None,
                "notice_days": self.announcement.notice_days,
                "clause": clause(self.version.text, guild.market.languages),
                "reason": self.announcement.reason,
                "territory": guild.market.code,
            },
            wordings=self.wordings,
            now=self.now,
        )

    def _rule(self) -> dict[str, Any]:
        return {
            "rule": self.version.name,
            "rule_code": self.version.rule.code,
            "rule_version": self.version.number,
            "change_url": portal_url(CHANGES_PATH),
        }

    def _coming(self, market: Market, kind: str) -> dict[str, Any]:
        language, _text = self.wordings.find(kind, market.languages)
        assert self.announcement.told_at is not None  # the database holds it for announcements of this kind
        return self._rule() | {
            "clause": clause(self.version.text, market.languages),
            "costs": costs_in_words(language, self.version.ladder, market=market.code),
            "starts_at": in_words(self.announcement.told_at, market),
            "lessons": self._lessons(language, market),
        }

    def _lessons(self, language: str, market: Market) -> str:
        with translation.override(language):
            lines = [
                _("Do the lesson “%(title)s”: %(url)s")
                % {
                    "title": in_language(lesson.title, market.default_language)[1],
                    "url": portal_url(f"lessons/{lesson.code}/"),
                }
                for lesson in self.lessons
            ]
            return "\n".join(lines) or _("Make sure that everybody who streams for you knows it.")

    def _taken_back(self, market: Market) -> dict[str, Any]:
        return self._rule() | {
            "taken_back_at": in_words(self.announcement.asked_at, market),
            "reason": self.announcement.reason,
        }
