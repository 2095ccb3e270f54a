"""The app's models, collected from its concepts for Django."""

from guilds.accounts.models import Client, GuildUser, IdempotentAnswer, StaffRole, User
from guilds.registry.models import Activity, Creator, Guild, Market, Membership, Regime

__all__ = [
    "Activity",
    "Client",
    "Creator",
    "Guild",
    "GuildUser",
    "IdempotentAnswer",
    "Market",
    "Membership",
    "Regime",
    "StaffRole",
    "User",
]
