"""The look of the console and its sidebar, in the order of the cycle. `settings.UNFOLD` is this module's UNFOLD."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


def asset(path: str) -> Callable[[HttpRequest], str]:
    """A static file's address, asked for when a page is made: its name may carry a hash."""
    return lambda _request: static(path)


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Guildhall",
    "SITE_HEADER": "Guildhall",
    "SITE_SUBHEADER": _("Guild governance"),
    "SITE_SYMBOL": "account_balance",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": asset("console/guildhall.svg")},
    ],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "config.admin_site.environment",
    "DASHBOARD_CALLBACK": "config.home.dashboard",
    "STYLES": [asset("console/console.css")],
    "SCRIPTS": [asset("console/console.js")],
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "oklch(96.5% .017 230)",
            "100": "oklch(93% .035 231)",
            "200": "oklch(87.5% .06 232)",
            "300": "oklch(79% .1 234)",
            "400": "oklch(69% .13 238)",
            "500": "oklch(60% .14 243)",
            "600": "oklch(51.5% .14 248)",
            "700": "oklch(45% .125 250)",
            "800": "oklch(39.5% .105 251)",
            "900": "oklch(35% .085 252)",
            "950": "oklch(26% .065 254)",
        }
    },
    "COMMAND": {
        "search_models": False,
        "search_callback": "config.console_search.found",
        "show_history": True,
    },
    "SIDEBAR": {"show_search": True, "command_search": True, "navigation": "config.admin_site.navigation"},
}


def environment(request: HttpRequest) -> list[str] | None:
    """A label on every page that is not production, so that nobody mistakes the one for the other."""
    from django.conf import settings

    labels = {"demo": [str(_("Demo")), "info"], "test": [str(_("Test")), "warning"]}
    return labels.get(settings.GUILDHALL_ENV)


Item = tuple[Any, str, str, str]

#: (title, icon, URL name, query) by section. Sections of pages that do not exist are left out until they do.
SECTIONS: tuple[tuple[Any, tuple[Item, ...]], ...] = (
    ("", ((_("Home"), "home", "admin:index", ""),)),
    (
        _("Risks"),
        (
            (_("Register"), "crisis_alert", "admin:governance_risk_changelist", ""),
            (_("Heat map"), "grid_on", "admin:governance_assessment_heat", ""),
            (_("Coverage"), "rule", "admin:governance_assessment_coverage", ""),
            (_("Feedback"), "forum", "admin:governance_feedback_changelist", ""),
        ),
    ),
    (
        _("Rules"),
        (
            (_("Workbench"), "edit_square", "admin:governance_draft_changelist", "status__exact=draft"),
            (_("Approvals"), "how_to_reg", "admin:governance_approval_changelist", ""),
            (_("Rules"), "gavel", "admin:governance_rule_changelist", ""),
            (_("Versions"), "history_edu", "admin:governance_ruleversion_changelist", ""),
            (_("Backtests"), "history", "admin:governance_backtest_changelist", ""),
            (_("Ladders"), "stairs", "admin:governance_ladder_changelist", ""),
            (
                _("Exceptions"),
                "notifications_off",
                "admin:governance_ruleexception_changelist",
                "standing=now",
            ),
            (
                _("Alarms"),
                "notification_important",
                "admin:governance_alarm_changelist",
                "status__exact=open",
            ),
            (_("Findings"), "build", "admin:governance_finding_changelist", "status__exact=open"),
        ),
    ),
    (
        _("Launches"),
        (
            (_("Launches"), "rocket_launch", "admin:governance_launch_changelist", ""),
            (_("Board"), "view_kanban", "admin:governance_launch_board", ""),
            (_("Calendar"), "calendar_month", "admin:governance_launch_calendar", ""),
            (_("Blockers"), "traffic", "admin:governance_launch_blockers", ""),
        ),
    ),
    (
        _("Education"),
        (
            (_("Lessons"), "school", "admin:governance_lesson_changelist", ""),
            (_("Assignments"), "assignment", "admin:governance_assignment_changelist", ""),
        ),
    ),
    (
        _("Signals"),
        (
            (_("Feed"), "sensors", "admin:governance_signal_changelist", ""),
            (
                _("Quarantine"),
                "front_hand",
                "admin:governance_quarantinedsignal_changelist",
                "status__exact=waiting",
            ),
            (_("Faults"), "error", "admin:governance_evaluationfault_changelist", "status__exact=open"),
        ),
    ),
    (
        _("Review"),
        (
            (_("My queue"), "inbox", "admin:governance_case_mine", ""),
            (_("All cases"), "view_list", "admin:governance_case_changelist", ""),
            (_("The team"), "groups", "admin:governance_case_team", ""),
            (_("Queues"), "low_priority", "admin:governance_queue_changelist", ""),
            (_("Routes"), "alt_route", "admin:governance_route_changelist", ""),
            (_("Desks"), "desk", "admin:governance_desk_changelist", ""),
            (_("Absences"), "beach_access", "admin:governance_absence_changelist", ""),
            (_("Targets"), "timer", "admin:governance_target_changelist", ""),
            (_("All violations"), "flag", "admin:governance_violation_changelist", ""),
            (_("How I am doing"), "self_improvement", "admin:governance_sample_doing", ""),
            (_("Samples"), "casino", "admin:governance_sample_changelist", ""),
            (
                _("Audits that differ"),
                "rule",
                "admin:governance_sampleitem_changelist",
                "answer=disputed",
            ),
            (_("Golden cases"), "star", "admin:governance_goldencase_changelist", ""),
        ),
    ),
    (
        _("Penalties"),
        (
            (_("In force"), "block", "admin:governance_penalty_changelist", "status__exact=in_force"),
            (_("Scheduled"), "schedule", "admin:governance_penalty_changelist", "status__exact=scheduled"),
            (_("Held"), "pan_tool", "admin:governance_penalty_changelist", "status__exact=held"),
            (_("Failed"), "sync_problem", "admin:governance_penalty_changelist", "status__exact=failed"),
            (_("Coming"), "event_upcoming", "admin:governance_penalty_coming", ""),
            (_("Stops"), "front_hand", "admin:governance_enforcementstop_changelist", "standing=now"),
            (_("Caps"), "speed", "admin:governance_enforcementcap_changelist", ""),
            (_("Differences"), "compare_arrows", "admin:governance_difference_changelist", "standing=open"),
            (_("Reconciliation"), "fact_check", "admin:governance_reconciliation_changelist", ""),
            (
                _("Not confirmed"),
                "unpublished",
                "admin:governance_penalty_changelist",
                "unconfirmed=start",
            ),
            (_("Compensation"), "payments", "admin:governance_compensation_changelist", "status__exact=open"),
            (_("Bands"), "stacked_bar_chart", "admin:governance_band_changelist", ""),
            (_("Safeguards"), "shield", "admin:governance_safeguard_changelist", ""),
            (_("Notices"), "mail", "admin:governance_notice_changelist", ""),
            (_("Wordings"), "edit_note", "admin:governance_template_changelist", ""),
        ),
    ),
    (
        _("Appeals"),
        (
            (_("Mine"), "person", "admin:appeals_appeal_changelist", "assigned=me&status__exact=open"),
            (_("All appeals"), "balance", "admin:appeals_appeal_changelist", ""),
        ),
    ),
    (
        _("Insights"),
        ((_("Reports"), "summarize", "admin:appeals_appeal_p2b", ""),),
    ),
    (
        _("Registry"),
        (
            (_("Guilds"), "apartment", "admin:guilds_guild_changelist", ""),
            (_("Contacts"), "contact_mail", "admin:governance_contact_changelist", ""),
            (_("Creators"), "mic", "admin:guilds_creator_changelist", ""),
            (_("Markets"), "public", "admin:guilds_market_changelist", ""),
            (_("Regimes"), "policy", "admin:guilds_regime_changelist", ""),
        ),
    ),
    (
        _("System"),
        (
            (_("Webhooks"), "webhook", "admin:governance_endpoint_changelist", ""),
            (_("Deliveries"), "outbox", "admin:governance_delivery_changelist", ""),
            (_("Replays"), "replay", "admin:governance_replay_changelist", ""),
            (_("Mail"), "forward_to_inbox", "admin:governance_dispatch_changelist", ""),
            (_("Ledger"), "menu_book", "admin:governance_event_changelist", ""),
            (_("Staff"), "badge", "admin:guilds_user_changelist", ""),
            (_("Guild users"), "group", "admin:guilds_guilduser_changelist", ""),
            (_("Clients"), "key", "admin:guilds_client_changelist", ""),
        ),
    ),
)


@dataclass(frozen=True)
class Entry:
    """One line of the sidebar with its address and the filter it stands for."""

    title: Any
    icon: str
    place: tuple[str, str]
    path: str
    wanted: dict[str, list[str]]

    @property
    def link(self) -> str:
        query = self.place[1]
        return f"{self.path}?{query}" if query else self.path


@cache
def entries() -> tuple[tuple[Any, tuple[Entry, ...]], ...]:
    """SECTIONS with their addresses, looked up once a process."""
    return tuple(
        (
            title,
            tuple(
                Entry(label, icon, (name, query), reverse(name), parse_qs(query))
                for label, icon, name, query in items
            ),
        )
        for title, items in SECTIONS
    )


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar of this reader: badges count what waits for them."""
    from config.home_waiting import waiting_counts
    from guilds.console.reader import staff_actor

    counts = waiting_counts(staff_actor(request))
    groups = []
    for title, items in entries():
        shown = []
        for entry in items:
            item: dict[str, Any] = {"title": entry.title, "icon": entry.icon, "link": entry.link}
            item["active"] = is_here(entry, request)
            if count := counts.get(entry.place, ""):
                item |= {"badge": count, "badge_variant": "primary"}
            shown.append(item)
        group = {"title": title, "items": shown, "collapsible": bool(title)}
        counted = [item["badge"] for item in shown if "badge" in item]
        if counted and not any(item["active"] for item in shown):
            # Folded away, its entries would not show that something waits.
            group |= {"badge": counted[0], "badge_variant": "primary"}
        groups.append(group)
    return groups


def is_here(entry: Entry, request: HttpRequest) -> bool:
    """Whether an entry is the page at hand. Of entries on one list, the one whose filter is set is."""
    if request.path != entry.path:
        # Object pages lie under their list, and so do pages with an entry of their own; everything lies under Home.
        within = entry.path.count("/") > HOME_DEPTH and request.path.startswith(entry.path)
        pages = {other.path for _title, items in entries() for other in items}
        return within and not entry.wanted and request.path not in pages
    asked = parse_qs(request.GET.urlencode())
    siblings = [other.wanted for _title, items in entries() for other in items if other.path == entry.path]
    set_here = [wanted for wanted in siblings if wanted and wanted.items() <= asked.items()]
    return entry.wanted in set_here if set_here else not entry.wanted


#: Slashes in the address of the console's first page.
HOME_DEPTH = 2
