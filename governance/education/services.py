"""The writers of education: lessons published, lessons completed."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.education.models import Completion, Lesson
from governance.education.selectors import lesson_for
from governance.ledger.services import record
from governance.rules.models import Rule
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, NotAllowed
from guilds.models import Guild


@transaction.atomic
def lesson_publish(
    *,
    actor: Actor,
    code: str,
    title: Mapping[str, str],
    body: Mapping[str, str],
    rule: Rule | None = None,
) -> Lesson:
    """Write a lesson and show it to every guild, or replace the wording of one. `title` and `body` are by language and
    name the same languages. Raises InvalidInput, NotAllowed. Records lesson.published."""
    actor.require_role(Role.ANALYST)
    if not title or set(title) != set(body) or not all(title.values()) or not all(body.values()):
        raise InvalidInput(_("Give a title and a text in the same languages."), field="body")
    lesson = Lesson.objects.select_for_update(of=("self",)).filter(code=code).first() or Lesson(code=code)
    before = {"title": lesson.title, "body": lesson.body} if lesson.pk else {}
    lesson.title, lesson.body, lesson.rule = dict(title), dict(body), rule
    lesson.published_at = lesson.published_at or timezone.now()
    lesson.save()
    record(
        actor=actor,
        act="lesson.published",
        obj=lesson,
        before=before,
        after={"title": lesson.title, "body": lesson.body, "rule": rule.code if rule else None},
    )
    return lesson


@transaction.atomic
def lesson_complete(*, actor: Actor, code: str) -> Completion:
    """Note that the actor's guild has read and understood a lesson. Doing it again changes nothing.

    Raises NotAllowed for everybody but owners and managers, NotFound for a lesson that is not published.
    Records lesson.completed.
    """
    if not actor.may_act_for_guild() or actor.guild_id is None or actor.user_id is None:
        raise NotAllowed(
            _("Only an owner or manager of the guild can acknowledge a lesson."), code="viewer_reads_only"
        )
    lesson = lesson_for(actor.guild_id, code)
    completion, created = Completion.objects.get_or_create(
        lesson=lesson,
        guild_id=actor.guild_id,
        defaults={"user_id": actor.user_id, "completed_at": timezone.now()},
    )
    if created:
        market_id = Guild.objects.values_list("market_id", flat=True).get(pk=actor.guild_id)
        record(
            actor=actor,
            act="lesson.completed",
            obj=lesson,
            after={"guild": completion.guild_id},
            guild_id=actor.guild_id,
            market_id=market_id,
        )
    return completion
