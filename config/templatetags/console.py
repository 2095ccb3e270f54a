"""What the templates of the console ask for: values as HTML, the strip of the cycle, the timeline of the ledger."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import template
from django.db.models import Model
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from config.cycle import Case, case_of, stages_of, story_of
from governance.ledger.models import Event
from governance.ledger.selectors import timeline as events_of_several
from guilds.console.lists import in_markets
from guilds.console.page import Template, admin_url, list_url, shown
from guilds.console.reader import staff_actor
from guilds.models import Guild

register = template.Library()
register.filter("shown", shown)

#: Events a timeline shows; the ledger's own page has the rest.
LATEST = 40
LATEST_OF_GUILD = 12


@dataclass(frozen=True)
class Change:
    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Entry:
    event: Event
    title: str
    about: str
    changes: list[Change]


def act_title(act: str) -> str:
    """`penalty.applied` as a person reads it."""
    return act.replace(".", " ").replace("_", " ").capitalize()


#: What an event repeats for readers outside, and a reader of the page has before their eyes.
REPEATED = frozenset(
    "code rule rule_version guild creator market severity occurred_at violation penalty kind version source".split()
)
ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


def _short(value: Any) -> str:
    if isinstance(value, str) and ISO_MOMENT.match(value):
        return dt.datetime.fromisoformat(value).astimezone(dt.UTC).strftime("%d %b %Y %H:%M")
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 160 else f"{text[:157]}…"


def changes_in(event: Event) -> list[Change]:
    return [
        Change(
            name.replace("_", " "),
            _short(event.before.get(name, "")) if name in event.before else "",
            _short(value),
        )
        for name, value in event.after.items()
        if name in event.before or (name not in REPEATED and value not in (None, "", [], {}))
    ]


def _case(context: template.Context, obj: Model) -> Case:
    """The case of the page's object, asked for once a page."""
    known: dict[Model, Case] = context["request"].__dict__.setdefault("_console_cases", {})
    if obj not in known:
        known[obj] = case_of(obj, staff_actor(context["request"]))
    return known[obj]


@register.simple_tag(takes_context=True)
def timeline(context: template.Context, obj: Model) -> SafeString:
    """What happened to an object, and to the case it belongs to, newest first."""
    if isinstance(obj, Guild):
        about_guild = in_markets(Event.objects.filter(guild=obj), staff_actor(context["request"])).order_by(
            "-id"
        )[:LATEST_OF_GUILD]
        entries = [
            Entry(
                event,
                act_title(event.act),
                str(event.after.get("kind") or event.after.get("code") or ""),
                changes_in(event),
            )
            for event in about_guild
        ]
        return SafeString(render_to_string("admin/console/timeline.html", {"entries": entries}))
    story = story_of(obj, _case(context, obj))
    names = {(item.ledger_type, str(item.public_id)): str(item) for item in story}
    events: list[Event] = []
    if story:
        for event in events_of_several(story):
            events.append(event)
            if len(events) == LATEST:
                break
    entries = [
        Entry(
            event,
            act_title(event.act),
            names[event.object_type, event.object_id] if len(story) > 1 else "",
            changes_in(event),
        )
        for event in events
    ]
    more = ""
    if len(events) == LATEST and hasattr(obj, "public_id"):
        more = list_url(Event, urlencode({"q": str(obj.public_id)}))
    return SafeString(render_to_string("admin/console/timeline.html", {"entries": entries, "more_url": more}))


@register.simple_tag(takes_context=True)
def cycle_strip(context: template.Context, obj: Model) -> SafeString:
    stages = stages_of(obj, _case(context, obj))
    return SafeString(render_to_string("admin/console/cycle.html", {"stages": stages}))


@register.simple_tag(takes_context=True)
def part(context: template.Context, body: Template) -> SafeString:
    """A section with a layout of its own."""
    return SafeString(render_to_string(body.name, dict(body.context), request=context.get("request")))


@register.simple_tag
def page_of(obj: Model) -> str:
    return admin_url(obj)


@register.filter
def admin_list(opts: Any) -> str:
    return f"admin:{opts.app_label}_{opts.model_name}_changelist"


@register.filter
def datum(value: Any) -> str:
    """A value out of JSON as its author would write it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


@register.filter
def parts(conditions: Any) -> list[Any]:
    """The conditions of an explanation, whichever way they were kept."""
    return conditions if isinstance(conditions, list) else []
