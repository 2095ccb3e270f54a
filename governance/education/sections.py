"""The parts of a lesson's page in the console."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _

from governance.education.enums import AssignmentSource
from governance.education.figures import guild_figures, market_figures, question_figures
from governance.education.models import Assignment, Attempt, Lesson
from governance.education.selectors import (
    OPEN,
    assignments_visible_to,
    attempts_visible_to,
    in_language,
)
from guilds.accounts.actor import Actor
from guilds.console.lists import plain_cell
from guilds.console.page import (
    Badge,
    Fact,
    Link,
    Prose,
    Section,
    Table,
    Template,
    link_to,
    list_url,
)

#: Rows of a table on the page; the lists and the export have them all.
SHOWN = 50
#: Markets in the chart, the least done first.
CHARTED = 24


def percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.0%}"


def written(lesson: Lesson) -> list[Section]:
    """Text and quiz in every language."""
    questions = list(lesson.questions.order_by("position"))
    parts = []
    for language in sorted(set(lesson.title) | set(lesson.body), key=lambda tag: (tag != "en", tag)):
        title = f"{lesson.title.get(language) or lesson.code} ({language})"
        facts = [Fact(_("Text"), Prose(lesson.body.get(language, "")))]
        for place, question in enumerate(questions, 1):
            options = question.options.get(language, [])
            lines = [question.prompt.get(language, "")]
            lines += [
                f"{'✓' if position == question.correct else '–'} {option}"
                for position, option in enumerate(options)
            ]
            if question.note.get(language):
                lines.append(now_("Afterwards: %s") % question.note[language])
            facts.append(Fact(_("Question %(n)s") % {"n": place}, Prose("\n".join(lines))))
        parts.append(Section(title, facts))
    return parts


def preview(lesson: Lesson, language: str) -> list[Section]:
    """The lesson as a guild reads it, in one language."""
    languages = sorted(lesson.title, key=lambda tag: (tag != "en", tag)) or ["en"]
    language = language if language in languages else languages[0]
    questions: list[dict[str, Any]] = [
        {
            "prompt": in_language(question.prompt, language)[1],
            "options": question.options.get(language) or next(iter(question.options.values()), []),
            "name": f"preview-{question.pk}",
        }
        for question in lesson.questions.order_by("position")
    ]
    needed = -(-lesson.pass_percent * len(questions) // 100)
    context = {
        "lesson": lesson,
        "language": language,
        "languages": languages,
        "title": in_language(lesson.title, language)[1],
        "body": in_language(lesson.body, language)[1],
        "questions": questions,
        "needed": needed,
    }
    return [
        Section(
            _("As guilds see it"),
            Template("admin/console/lesson_preview.html", context),
            note=_("Nothing you choose here is sent."),
        )
    ]


def completion(lesson: Lesson, actor: Actor) -> list[Section]:
    """How far the markets are, as a chart and a table, and how hard the questions are."""
    markets = market_figures(lesson, actor.market_ids)
    rows = [
        [
            row.market,
            row.taught,
            row.done,
            percent(row.done_share),
            row.attempts,
            row.passed,
            percent(row.right_share),
            row.open,
            Badge(row.overdue, "danger") if row.overdue else 0,
        ]
        for row in markets
    ]
    taught, done = sum(row.taught for row in markets), sum(row.done for row in markets)
    headers = [
        _("Market"),
        _("Guilds at work"),
        _("Done"),
        _("Share"),
        _("Goes"),
        _("Passed"),
        _("Answers right"),
        _("Asked, open"),
        _("Overdue"),
    ]
    parts: list[Section] = []
    charted = [row for row in markets if row.taught][:CHARTED]
    if charted:
        bars = [
            {
                "market": row.market.code,
                "percent": round(100 * (row.done_share or 0)),
                "done": row.done,
                "taught": row.taught,
            }
            for row in charted
        ]
        parts.append(
            Section(
                _("Done by market"),
                Template("admin/console/lesson_chart.html", {"bars": bars}),
                note=_("%(done)s of %(taught)s guilds at work; the least done first.")
                % {"done": done, "taught": taught},
            )
        )
    parts.append(Section(_("The same as a table"), Table(headers, rows, empty=_("No guilds at work."))))
    questions = [
        [figures.place, figures.prompt, figures.answered, figures.right, percent(figures.right_share)]
        for figures in question_figures(lesson, actor.market_ids)
    ]
    hard = Table(
        ["#", _("Question"), _("Answered"), _("Rightly"), _("Share right")],
        questions,
        empty=_("This lesson has no quiz; it is acknowledged."),
    )
    parts.append(
        Section(
            _("How hard the questions are"), hard, note=_("Over all goes, of passing and failing guilds.")
        )
    )
    return parts


def guilds(lesson: Lesson, actor: Actor) -> list[Section]:
    """The first guilds with what they have done, and the latest goes at the quiz."""
    rows = [
        [
            link_to(row.guild),
            row.guild.market.code,
            row.completed_at or Badge(_("Not done"), "warning"),
            row.attempts,
            percent(row.best),
            row.due_at or (_("no date") if row.asked else None),
        ]
        for row in islice(guild_figures(lesson, actor.market_ids), SHOWN)
    ]
    table = Table(
        [_("Guild"), _("Market"), _("Done"), _("Goes"), _("Best"), _("Asked, due")],
        rows,
        empty=_("No guilds at work."),
        more=Link(_("All of them as CSV"), reverse("admin:governance_lesson_completion", args=[lesson.pk])),
    )
    goes = attempts_visible_to(actor).filter(lesson=lesson).order_by("-pk")[:SHOWN]
    attempts = Table(
        [_("Guild"), _("By"), _("Right"), "", _("When")],
        [
            [
                link_to(go.guild),
                go.user,
                f"{go.right}/{go.asked}",
                Badge(_("Passed"), "success") if go.passed else Badge(_("Failed"), "warning"),
                go.created_at,
            ]
            for go in goes
        ],
        empty=_("Nobody has tried yet."),
        more=Link(_("All goes"), list_url(Attempt, f"lesson__id__exact={lesson.pk}")),
    )
    return [
        Section(_("Guilds"), table, note=_("The first 50 by market and id.")),
        Section(_("Goes at the quiz"), attempts, note=_("The latest 50.")),
    ]


def requests(lesson: Lesson, actor: Actor) -> list[Section]:
    """What is asked and not done yet, the longest overdue first."""
    now = timezone.now()
    standing = assignments_visible_to(actor).filter(OPEN, lesson=lesson).order_by("due_at", "pk")[:SHOWN]
    table = Table(
        [_("Guild"), _("Market"), _("Why"), _("Due"), "", _("Reminded")],
        [
            [
                link_to(one.guild),
                one.guild.market.code,
                AssignmentSource(one.source).label,
                one.due_at,
                state_badge(one, now),
                one.reminders,
            ]
            for one in standing
        ],
        empty=_("Nothing asked is still to be done."),
        more=Link(_("All requests"), list_url(Assignment, f"lesson__id__exact={lesson.pk}")),
    )
    return [Section(_("Asked and not done yet"), table, note=_("The first 50 by due date."))]


def state_badge(assignment: Assignment, now: dt.datetime) -> Badge:
    """Where a request stands."""
    if assignment.cancelled_at:
        return Badge(_("Cancelled"))
    if assignment.completed_at:
        return Badge(_("Done"), "success")
    if assignment.due_at and assignment.due_at < now:
        return Badge(_("Overdue"), "danger")
    return Badge(_("Open"), "info")


def csv_of(lesson: Lesson, actor: Actor) -> Iterator[list[str]]:
    """The lines of the export: every guild within reach."""
    yield ["Guild", "Name", "Market", "Tier", "Done", "Goes", "Best share right", "Asked", "Due"]
    for row in guild_figures(lesson, actor.market_ids):
        values = (
            row.guild.external_id,
            row.guild.name,
            row.guild.market.code,
            row.guild.tier,
            row.completed_at,
            row.attempts,
            None if row.best is None else f"{row.best:.3f}",
            "yes" if row.asked else "no",
            row.due_at,
        )
        yield [plain_cell(value) for value in values]
