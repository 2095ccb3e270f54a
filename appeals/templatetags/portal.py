"""How the portal writes times, penalties and states."""

from __future__ import annotations

import datetime as dt

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from appeals.enums import AppealStatus
from appeals.models import Appeal
from governance.penalties.enums import PenaltyStatus
from governance.penalties.kinds import KINDS
from governance.penalties.models import Penalty

register = template.Library()


def _zone_of(local: dt.datetime) -> str:
    """The zone's short name; zones that have only a number are written as an offset from UTC."""
    name = local.tzname() or ""
    if name[:1] in "+-":
        return "UTC" + local.strftime("%z")[:3].replace("-", "−") + ":" + local.strftime("%z")[3:]
    return name


@register.filter
def day(moment: dt.datetime) -> str:
    """The day of a moment in the guild's market."""
    # English as most of the world writes it: neither month-first nor with a comma.
    form = "j M Y" if (get_language() or "en").startswith("en") else "DATE_FORMAT"
    return date_format(timezone.localtime(moment), form)


@register.simple_tag
def when(moment: dt.datetime | None) -> str | SafeString:
    """A moment in the guild's market, with its zone: 22 Nov 2026, 16:20 CET."""
    if moment is None:
        return "–"
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}">{}, {} <span class="zone">{}</span></time>',
        local.isoformat(timespec="seconds"),
        day(moment),
        date_format(local, "H:i"),
        _zone_of(local),
    )


@register.simple_tag
def countdown(moment: dt.datetime | None) -> str:
    """How long is left, in its two largest units; empty when it is over."""
    left = (moment - timezone.now()).total_seconds() if moment else 0
    if left <= 0:
        return ""
    days, rest = divmod(int(left), 86_400)
    hours, rest = divmod(rest, 3_600)
    parts = []
    if days:
        parts.append(ngettext("%(count)d day", "%(count)d days", days) % {"count": days})
    if hours and days < 7:
        parts.append(ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours})
    if not days and not hours:
        minutes = max(1, rest // 60)
        parts.append(ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes})
    return _("%(time)s left") % {"time": " ".join(parts)}


@register.filter
def measure(penalty: Penalty) -> str:
    """What the penalty means, in words: Recruitment freeze for 7 days."""
    return KINDS[penalty.kind].describe(penalty.params)


@register.inclusion_tag("portal/parts/state.html")
def penalty_state(penalty: Penalty) -> dict[str, str]:
    labels = {
        PenaltyStatus.HELD: ("plain", _("Not decided")),
        PenaltyStatus.SCHEDULED: ("soon", _("To come")),
        PenaltyStatus.STAYED: ("soon", _("Waits for your appeal")),
        PenaltyStatus.FAILED: ("soon", _("To come")),
        PenaltyStatus.IN_FORCE: ("strong", _("In force")),
        PenaltyStatus.LIFTED: ("plain", _("Ended")),
        PenaltyStatus.CANCELLED: ("good", _("Cancelled")),
        PenaltyStatus.REVERSED: ("good", _("Reversed")),
    }
    tone, label = labels[PenaltyStatus(penalty.status)]
    return {"tone": tone, "label": label}


@register.inclusion_tag("portal/parts/state.html")
def appeal_state(appeal: Appeal) -> dict[str, str]:
    if appeal.status == AppealStatus.DECIDED:
        tone = "plain" if appeal.outcome == "upheld" else "good"
        return {"tone": tone, "label": appeal.get_outcome_display()}
    tone = "soon" if appeal.status == AppealStatus.OPEN else "plain"
    return {"tone": tone, "label": appeal.get_status_display()}
