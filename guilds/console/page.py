"""What an object page of the console is made of, and how each piece becomes HTML."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

Variant = Literal["default", "info", "success", "warning", "danger", "primary"]

#: The classes of the console's theme: its style sheet is compiled and knows no others.
VARIANT_CLASSES: dict[str, str] = {
    "default": "bg-base-500/8 text-base-700 dark:bg-base-500/20 dark:text-base-200",
    "info": "bg-blue-100 text-blue-700 dark:bg-blue-500/20 dark:text-blue-400",
    "success": "bg-green-100 text-green-700 dark:bg-green-500/20 dark:text-green-400",
    "warning": "bg-orange-100 text-orange-700 dark:bg-orange-500/20 dark:text-orange-400",
    "danger": "bg-red-100 text-red-700 dark:bg-red-500/20 dark:text-red-400",
    "primary": "bg-primary-100 text-primary-700 dark:bg-primary-500/20 dark:text-primary-400",
}


@dataclass(frozen=True, slots=True)
class Badge:
    """A status or severity in one word, coloured by how much it wants attention."""

    text: Any
    variant: Variant = "default"


#: Severities of the house, S1 the worst.
SEVERITY_VARIANTS: dict[str, Variant] = {"S1": "danger", "S2": "warning", "S3": "info"}


def severity_badge(severity: str) -> Badge:
    return Badge(severity, SEVERITY_VARIANTS.get(severity, "default"))


@dataclass(frozen=True, slots=True)
class Link:
    """`key` is the letter that follows it, for links people use many times a day."""

    text: Any
    url: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """Text shown as it is, in a fixed-width face."""

    text: str


@dataclass(frozen=True, slots=True)
class Prose:
    """Plain text whose line breaks are kept."""

    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of "what it is": a label and a value that `shown` can render."""

    label: Any
    value: Any

    @property
    def is_wide(self) -> bool:
        """Whether the value needs a line of its own."""
        return isinstance(self.value, Prose | Code)


@dataclass(frozen=True, slots=True)
class Table:
    headers: Sequence[Any]
    rows: Sequence[Sequence[Any]]
    empty: Any = ""
    more: Link | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A part with a layout of its own."""

    name: str
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of a page; `body` is a Table, Template, Prose, Code or a sequence of facts."""

    title: Any
    body: Table | Template | Prose | Code | Sequence[Fact]
    note: Any = ""

    @property
    def shape(self) -> str:
        return "facts" if isinstance(self.body, Sequence) else type(self.body).__name__.lower()


@dataclass(frozen=True, slots=True)
class Tab:
    key: str
    title: Any


def admin_url(obj: Model, act: str = "change") -> str:
    """The console page of an object."""
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_{act}", args=[obj.pk])


def list_url(model: type[Model], query: str = "") -> str:
    """The console list of a model, narrowed by a query string without its question mark."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{url}?{query}" if query else url


def link_to(obj: Model | None, text: Any = None) -> Link | None:
    return Link(text if text is not None else str(obj), admin_url(obj)) if obj is not None else None


def pretty(value: Any) -> Code:
    """JSON as people read it."""
    return Code(json.dumps(value, indent=2, ensure_ascii=False, default=str, sort_keys=True))


def badge_css(badge: Badge) -> str:
    shape = "inline-block font-semibold rounded-default text-[11px] uppercase whitespace-nowrap h-5 leading-5 px-1.5"
    return f"{shape} {VARIANT_CLASSES[badge.variant]}"


def badge_html(badge: Badge) -> SafeString:
    return format_html('<span class="{}">{}</span>', badge_css(badge), badge.text)


def moment_html(value: dt.datetime) -> SafeString:
    """A moment in UTC with the weekday and distance from now on hover; the console spans every time zone."""
    utc = value.astimezone(dt.UTC)
    return format_html(
        '<time datetime="{}" title="{}" class="whitespace-nowrap">{}</time>',
        utc.isoformat(timespec="seconds"),
        f"{utc:%a %d %b %Y %H:%M:%S} UTC · {distance(value)}",
        f"{utc:%d %b %Y %H:%M}",
    )


def distance(value: dt.datetime, now: dt.datetime | None = None) -> str:
    """How far a moment lies from now, in the two words a person would use: "3 days ago", "in 2 hours"."""
    seconds = (value - (now or timezone.now())).total_seconds()
    size = abs(seconds)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if size >= length:
            amount = f"{int(size // length)} {unit}"
            return (
                _("in %(amount)s") % {"amount": amount}
                if seconds > 0
                else _("%(amount)s ago") % {"amount": amount}
            )
    return _("now")


def shown(value: Any) -> SafeString:
    """Any value of a fact or a table cell as HTML; everything that is not ours is escaped."""
    if value is None or value == "" or value == []:
        return mark_safe('<span class="text-subtle">–</span>')
    if isinstance(value, SafeString):
        return value
    if isinstance(value, Badge):
        return badge_html(value)
    if isinstance(value, Link):
        return format_html('<a class="console-link" href="{}">{}</a>', value.url, value.text)
    if isinstance(value, Code):
        return format_html('<pre class="console-code">{}</pre>', value.text)
    if isinstance(value, Prose):
        return format_html('<div class="console-prose">{}</div>', value.text)
    if isinstance(value, bool):
        return badge_html(Badge(_("Yes"), "success") if value else Badge(_("No")))
    if isinstance(value, dt.datetime):
        return moment_html(value)
    if isinstance(value, dt.date):
        return format_html("{}", f"{value:%d %b %Y}")
    if isinstance(value, list | tuple):
        return format_html_join(" ", "{}", ((shown(item),) for item in value))
    return format_html("{}", value)
