from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    """What a member of staff may do. A person may hold several; the separation of duties is checked per object."""

    ANALYST = "analyst", _("Policy analyst: writes rules")
    APPROVER = "approver", _("Approver: approves rules others wrote")
    REVIEWER = "reviewer", _("Reviewer: confirms or dismisses violations")
    ENFORCER = "enforcer", _("Enforcer: releases, lifts and stops penalties")
    ADJUDICATOR = "adjudicator", _("Adjudicator: decides appeals")
    LAUNCHER = "launcher", _("Launcher: runs launches")
    AUDITOR = "auditor", _("Auditor: reads everything in scope, changes nothing")
    ADMIN = "admin", _("Administrator: staff, clients, webhooks, registry")


class GuildRole(TextChoices):
    OWNER = "owner", _("Owner")
    MANAGER = "manager", _("Manager")
    VIEWER = "viewer", _("Viewer")


#: Guild roles that may act for the guild (appeal, acknowledge); a viewer only reads.
ACTING_GUILD_ROLES = frozenset({GuildRole.OWNER, GuildRole.MANAGER})


class Scope(TextChoices):
    """OAuth scopes of machine clients, fixed by the public contract."""

    SIGNALS_WRITE = "signals:write", _("Send signals")
    REGISTRY_WRITE = "registry:write", _("Write the registry")
    VIOLATIONS_READ = "violations:read", _("Read violations")
    PENALTIES_READ = "penalties:read", _("Read penalties and standing")
    PENALTIES_ACK = "penalties:ack", _("Acknowledge penalties")
    APPEALS_READ = "appeals:read", _("Read appeals")
    APPEALS_WRITE = "appeals:write", _("File and withdraw appeals")
    INSIGHTS_READ = "insights:read", _("Read scorecards")
    EVENTS_READ = "events:read", _("Read the ledger feed")
    FEEDBACK_WRITE = "feedback:write", _("Send feedback and read its answers")
