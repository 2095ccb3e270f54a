"""What people tell us, taken in: from a guild's page, from colleagues and from systems."""

from __future__ import annotations

import datetime as dt
import re

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.ledger.services import record
from governance.risks.enums import FeedbackChannel, FeedbackSource, FeedbackTopic
from governance.risks.models import Feedback
from governance.risks.selectors import is_told_by_the_guild
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role, Scope
from guilds.errors import Conflict, InvalidInput, NotAllowed, NotFound
from guilds.models import Guild, Market

SHORTEST_BODY, LONGEST_BODY = 10, 4_000
LONGEST_RULE_CODE = 60
#: Messages a guild may send within a day, by the way they come.
DAILY = {FeedbackChannel.PORTAL: 10, FeedbackChannel.API: 100}
DAY = dt.timedelta(days=1)
#: Everybody on our side who may note down what they heard; an auditor changes nothing.
NOTING_ROLES = tuple(role for role in Role if role != Role.AUDITOR)
#: Whom a guild's own people and systems may speak for.
OF_A_GUILD = frozenset({FeedbackSource.GUILD, FeedbackSource.CREATOR})
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@transaction.atomic
def feedback_send(
    *,
    actor: Actor,
    body: str,
    topic: str = FeedbackTopic.OTHER,
    source: str = "",
    guild_id: int | None = None,
    market_id: int | None = None,
    about_rule: str = "",
    language: str = "",
) -> Feedback:
    """Take in a message of 10 to 4,000 characters; its words never change.

    Guild users and clients bound to a guild speak for that guild and no other; staff and other clients may name a guild or a
    market within their reach, and must where they do not reach every market. A named guild decides the market. `source`
    defaults to the guild for a guild, a reviewer for staff and a partner for systems; `language` is a BCP 47 tag.

    Raises InvalidInput, NotAllowed, NotFound for a guild or market out of reach, Conflict (`too_many_messages`) beyond DAILY.
    Records `feedback.received`, without the words.
    """
    channel = _channel_of(actor)
    guild = _guild_of(actor, guild_id)
    market = guild.market if guild else _market_of(actor, market_id)
    if guild and market_id is not None and market_id != guild.market_id:
        raise InvalidInput(_("The guild is not in this market."), field="market")
    feedback = Feedback(
        source=_source_of(actor, source),
        channel=channel,
        topic=_checked_topic(topic),
        body=_checked_body(body),
        language=_checked_language(language),
        guild=guild,
        market=market,
        about_rule=_checked_rule(about_rule),
        by_user_id=actor.user_id if actor.client_id is None else None,
        by_client_id=actor.client_id,
        created_at=timezone.now(),
    )
    if actor.guild_id is not None:
        _require_room(actor.guild_id, channel, feedback.created_at)
    feedback.save(force_insert=True)
    record(
        actor=actor,
        act="feedback.received",
        obj=feedback,
        after={"source": feedback.source, "channel": channel, "topic": feedback.topic},
        guild_id=feedback.guild_id if is_told_by_the_guild(feedback) else None,
        market_id=feedback.market_id,
    )
    return feedback


def _channel_of(actor: Actor) -> FeedbackChannel:
    """The way a message comes in, or NotAllowed for who may send none."""
    if actor.kind == "guild_user":
        if not actor.may_act_for_guild():
            raise NotAllowed(
                _("You can read here, but not write for the guild. Ask an owner or manager of your guild."),
                code="role_required",
            )
        return FeedbackChannel.PORTAL
    if actor.kind == "client":
        if Scope.FEEDBACK_WRITE not in actor.scopes:
            raise NotAllowed(_("This needs the scope feedback:write."), code="insufficient_scope")
        return FeedbackChannel.API
    if actor.kind == "staff":
        actor.require_role(*NOTING_ROLES)
        return FeedbackChannel.CONSOLE
    raise NotAllowed(_("Only people and their systems give feedback."))


def _guild_of(actor: Actor, guild_id: int | None) -> Guild | None:
    if actor.guild_id is not None and guild_id not in (None, actor.guild_id):
        raise NotFound(_("There is no such guild."), field="guild")
    wanted = guild_id if guild_id is not None else actor.guild_id
    if wanted is None:
        return None
    guild = Guild.objects.select_related("market").filter(pk=wanted).first()
    if guild is None or not actor.sees_market(guild.market_id):
        raise NotFound(_("There is no such guild."), field="guild")
    return guild


def _market_of(actor: Actor, market_id: int | None) -> Market | None:
    if market_id is None:
        if actor.market_ids is not None:
            raise InvalidInput(
                _("Say which market or guild it is about: you do not reach every market."), field="market"
            )
        return None
    market = Market.objects.filter(pk=market_id).first()
    if market is None or not actor.sees_market(market.pk):
        raise NotFound(_("There is no such market."), field="market")
    return market


def _source_of(actor: Actor, source: str) -> FeedbackSource:
    if not source:
        if actor.guild_id is not None:
            return FeedbackSource.GUILD
        return FeedbackSource.REVIEWER if actor.kind == "staff" else FeedbackSource.PARTNER
    if source not in FeedbackSource.values:
        known = ", ".join(FeedbackSource.values)
        raise InvalidInput(_("Choose one of %(known)s.") % {"known": known}, field="source")
    if actor.guild_id is not None and FeedbackSource(source) not in OF_A_GUILD:
        raise InvalidInput(_("A guild speaks for itself or for a creator."), field="source")
    return FeedbackSource(source)


def _checked_topic(topic: str) -> FeedbackTopic:
    if topic not in FeedbackTopic.values:
        known = ", ".join(FeedbackTopic.values)
        raise InvalidInput(_("Choose one of %(known)s.") % {"known": known}, field="topic")
    return FeedbackTopic(topic)


def _checked_body(body: str) -> str:
    body = body.strip()
    if not SHORTEST_BODY <= len(body) <= LONGEST_BODY or "\0" in body:
        raise InvalidInput(
            _("Write %(least)s to %(most)s characters.") % {"least": SHORTEST_BODY, "most": LONGEST_BODY},
            field="body",
        )
    return body


def _checked_language(language: str) -> str:
    language = language.strip()
    if language and (len(language) > 20 or not _LANGUAGE.fullmatch(language)):
        raise InvalidInput(_("Give a BCP 47 tag such as en or pt-BR."), field="language")
    return language


def _checked_rule(code: str) -> str:
    code = code.strip()
    if len(code) > LONGEST_RULE_CODE or "\0" in code:
        raise InvalidInput(
            _("The code of a rule has at most %(most)s characters.") % {"most": LONGEST_RULE_CODE},
            field="about_rule",
        )
    return code


def _require_room(guild_id: int, channel: FeedbackChannel, now: dt.datetime) -> None:
    """Raise Conflict when the guild has sent its messages of the day. Counted under a lock on the guild, so that two at once
    do not both find room."""
    Guild.objects.select_for_update(of=("self",), no_key=True).get(pk=guild_id)
    sent = Feedback.objects.filter(guild_id=guild_id, channel=channel, created_at__gt=now - DAY)
    if channel == FeedbackChannel.API:
        sent = sent.filter(by_client__guild_id=guild_id)
    most = DAILY[channel]
    if sent.count() < most:
        return
    raise Conflict(
        _(
            "Your guild has sent %(count)s messages within a day, which is as many as we can read. Please send this one tomorrow."
        )
        % {"count": most},
        code="too_many_messages",
    )
