"""Ctrl-K: any guild, rule, violation, penalty or appeal by id or name, within the reader's markets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Model, Q
from django.http import HttpRequest
from unfold.dataclasses import SearchResult

from appeals.selectors import appeals_visible_to
from governance.models import Risk, Rule
from governance.penalties.kinds import KINDS
from governance.penalties.selectors import penalties_visible_to
from governance.violations.selectors import violations_visible_to
from guilds.console.lists import by_public_id, named, uuid_span
from guilds.console.page import admin_url
from guilds.console.reader import staff_actor
from guilds.registry.selectors import creators_visible_to, guilds_visible_to

#: Results per kind: more is a reason to type more, not to scroll.
PER_KIND = 6
#: Below this a name search has no trigram to look up and would read the whole table.
SHORTEST_NAME = 3


def found(request: HttpRequest, term: str) -> list[SearchResult]:
    """What the palette shows for a term. Each question is answered by an index."""
    actor = staff_actor(request)
    term = term.strip()
    if not actor.roles or not term:
        return []
    return list(_by_id(actor, term) if uuid_span(term) else _by_name(actor, term))


def _by_id(actor: Any, term: str) -> Iterator[SearchResult]:
    span = by_public_id(term)
    for violation in violations_visible_to(actor).filter(span)[:PER_KIND]:
        yield _violation(violation)
    for penalty in penalties_visible_to(actor).filter(span)[:PER_KIND]:
        yield _penalty(penalty)
    for appeal in appeals_visible_to(actor).filter(span)[:PER_KIND]:
        yield _result(appeal, str(appeal), f"Appeal · {appeal.get_status_display()}", "balance")
    for guild in guilds_visible_to(actor).filter(external_id__iexact=term)[:PER_KIND]:
        yield _guild(guild)


def _by_name(actor: Any, term: str) -> Iterator[SearchResult]:
    exact = Q(external_id=term) | Q(external_id=term.upper())
    guilds = guilds_visible_to(actor)
    guild_ids = []
    for guild in guilds.filter(exact | named(term) if len(term) >= SHORTEST_NAME else exact).order_by("id")[
        :PER_KIND
    ]:
        guild_ids.append(guild.pk)
        yield _guild(guild)
    for creator in creators_visible_to(actor).filter(exact)[:PER_KIND]:
        yield _result(creator, str(creator), f"Creator · {creator.external_id}", "mic")
    for rule in Rule.objects.filter(Q(code__istartswith=term) | Q(name__icontains=term)).order_by("code")[
        :PER_KIND
    ]:
        yield _result(rule, f"{rule.code} · {rule.name}", "Rule", "gavel")
    for risk in Risk.objects.filter(Q(code__istartswith=term) | Q(name__icontains=term)).order_by("code")[
        :PER_KIND
    ]:
        yield _result(risk, str(risk), "Risk", "crisis_alert")
    if guild_ids:
        latest = violations_visible_to(actor).filter(guild_id__in=guild_ids).order_by("-id")
        for violation in latest[:PER_KIND]:
            yield _violation(violation)
        for penalty in penalties_visible_to(actor).filter(guild_id__in=guild_ids).order_by("-id")[:PER_KIND]:
            yield _penalty(penalty)
        for appeal in appeals_visible_to(actor).filter(guild_id__in=guild_ids).order_by("-id")[:PER_KIND]:
            yield _result(appeal, str(appeal), f"Appeal · {appeal.get_status_display()}", "balance")


def _guild(guild: Any) -> SearchResult:
    return _result(
        guild, str(guild), f"Guild · {guild.external_id} · {guild.get_status_display()}", "apartment"
    )


def _violation(violation: Any) -> SearchResult:
    text = f"Violation · {violation.get_status_display()} · {violation.severity}"
    return _result(
        violation, f"{violation.code} · {violation.guild} · {violation.occurred_at:%d %b %Y}", text, "flag"
    )


def _penalty(penalty: Any) -> SearchResult:
    text = f"{KINDS[penalty.kind].describe(penalty.params)} · {penalty.guild}"
    return _result(penalty, text, f"Penalty · {penalty.get_status_display()}", "block")


def _result(obj: Model, title: str, description: str, icon: str) -> SearchResult:
    return SearchResult(title=title, description=description, link=admin_url(obj), icon=icon)
