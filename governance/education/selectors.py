"""Questions about lessons: what a guild can read, what it has been asked to do and has done, and how far the guilds are."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db.models import Count, F, Prefetch, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.education.models import Assignment, Attempt, Completion, Lesson
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput, NotFound
from guilds.models import Guild
from guilds.registry.enums import GuildStatus

#: The guilds a lesson is meant for: those at work. A provisional guild has nobody yet who could read it.
TAUGHT = Q(status__in=[GuildStatus.ONBOARDING, GuildStatus.ACTIVE], provisional=False)
#: Assignments still to be done.
OPEN = Q(completed_at__isnull=True, cancelled_at__isnull=True)


def lessons_published() -> QuerySet[Lesson]:
    """Lessons guilds can read now."""
    return Lesson.objects.filter(published_at__lte=timezone.now(), withdrawn_at__isnull=True)


def lessons_published_for(rule_id: int) -> QuerySet[Lesson]:
    """The lessons about a rule that guilds can read now."""
    return lessons_published().filter(rule_id=rule_id).order_by("pk")


def lessons_for(guild_id: int) -> QuerySet[Lesson]:
    """Published lessons; on each, `mine` lists this guild's completions, empty or of one, and `asked` its open assignments,
    the most urgent first."""
    return (
        lessons_published()
        .select_related("rule")
        .annotate(question_count=Count("questions"))
        .prefetch_related(
            Prefetch(
                "completions",
                queryset=Completion.objects.filter(guild_id=guild_id).select_related("user"),
                to_attr="mine",
            ),
            Prefetch(
                "assignments",
                queryset=Assignment.objects.filter(OPEN, guild_id=guild_id).order_by(
                    F("due_at").asc(nulls_last=True), "pk"
                ),
                to_attr="asked",
            ),
        )
        .order_by("-published_at", "code")
    )


def lessons_open(guild_id: int) -> QuerySet[Lesson]:
    """Published lessons the guild has not completed, or has been asked to do again."""
    asked = Assignment.objects.filter(OPEN, guild_id=guild_id).values("lesson_id")
    done = Completion.objects.filter(guild_id=guild_id).values("lesson_id")
    return lessons_published().filter(Q(pk__in=asked) | ~Q(pk__in=done))


def lesson_for(guild_id: int, code: str) -> Lesson:
    """One published lesson; NotFound otherwise."""
    lesson = lessons_for(guild_id).filter(code=code).first()
    if lesson is None:
        raise NotFound(_("There is no such lesson."))
    return lesson


def assignments_open(guild_id: int) -> QuerySet[Assignment]:
    """What a guild has been asked to do and has not done, the most urgent first."""
    return (
        Assignment.objects.filter(OPEN, guild_id=guild_id, lesson__in=lessons_published())
        .select_related("lesson__rule")
        .order_by(F("due_at").asc(nulls_last=True), "pk")
    )


def assignments_visible_to(actor: Actor) -> QuerySet[Assignment]:
    assignments = Assignment.objects.select_related("lesson__rule", "guild__market")
    if actor.guild_id is not None:
        return assignments.filter(guild_id=actor.guild_id)
    if actor.market_ids is not None:
        return assignments.filter(guild__market_id__in=actor.market_ids)
    return assignments


def attempts_visible_to(actor: Actor) -> QuerySet[Attempt]:
    attempts = Attempt.objects.select_related("lesson", "guild__market", "user")
    if actor.guild_id is not None:
        return attempts.filter(guild_id=actor.guild_id)
    if actor.market_ids is not None:
        return attempts.filter(guild__market_id__in=actor.market_ids)
    return attempts


def attempt_of(actor: Actor, code: str, attempt_id: int) -> Attempt:
    """One of the actor's guild's own attempts at a lesson; anybody else's is not found."""
    attempt = attempts_visible_to(actor).filter(lesson__code=code, pk=attempt_id).first()
    if attempt is None or actor.guild_id is None:
        raise NotFound(_("There is no such attempt."))
    return attempt


def completion_share(
    *,
    market_ids: Collection[int] | None = None,
    rule_id: int | None = None,
    lesson_ids: Collection[int] | None = None,
) -> tuple[int, int]:
    """(guilds done, guilds taught): how many guilds at work in the markets have completed every one of the lessons.

    Give `lesson_ids`, or `rule_id` for the published lessons of a rule. Without any lesson nobody is done. `market_ids` None
    means every market.
    """
    if (rule_id is None) == (lesson_ids is None):
        raise TypeError("give either rule_id or lesson_ids")
    if rule_id is not None:
        lesson_ids = lessons_published_for(rule_id).values_list("pk", flat=True)
    wanted = set(lesson_ids or ())
    guilds = Guild.objects.filter(TAUGHT)
    if market_ids is not None:
        guilds = guilds.filter(market_id__in=market_ids)
    total = guilds.count()
    if not wanted or not total:
        return 0, total
    done = (
        Completion.objects.filter(lesson_id__in=wanted, guild__in=guilds.values("pk"))
        .values("guild_id")
        .annotate(lessons=Count("lesson_id"))
        .filter(lessons=len(wanted))
        .count()
    )
    return done, total


def guilds_to_teach(
    actor: Actor, *, market_ids: Collection[int], tiers: Collection[str], external_ids: Collection[str]
) -> list[int]:
    """The keys of the guilds somebody means: those at work in markets and tiers within the actor's reach, or those listed by id.

    Raises InvalidInput for both or neither, and for ids that are not there or out of reach, which are not told apart.
    """
    listed = {name.strip() for name in external_ids if name.strip()}
    if bool(listed) == bool(market_ids or tiers):
        raise InvalidInput(_("Choose markets or tiers, or list guilds; one of the two."), field="guilds")
    guilds = Guild.objects.all()
    if actor.market_ids is not None:
        guilds = guilds.filter(market_id__in=actor.market_ids)
    if listed:
        found = dict(guilds.filter(external_id__in=listed).values_list("external_id", "pk"))
        if missing := sorted(listed - set(found)):
            raise InvalidInput(
                _("There are no such guilds: %(names)s.") % {"names": ", ".join(missing[:10])},
                field="guilds",
            )
        return sorted(found.values())
    guilds = guilds.filter(TAUGHT)
    if market_ids:
        guilds = guilds.filter(market_id__in=market_ids)
    if tiers:
        guilds = guilds.filter(tier__in=tiers)
    return list(guilds.order_by("pk").values_list("pk", flat=True))


def in_language(wordings: Mapping[str, str], language: str) -> tuple[str, str]:
    """(language, text) of a map by BCP 47 tag: the tag itself, its base, English, or whatever there is."""
    for tag in (language, language.partition("-")[0], "en"):
        for known, text in wordings.items():
            if known.lower() == tag.lower():
                return known, text
    return next(iter(wordings.items()), ("en", ""))
