"""The app's console pages, collected from its concepts for Django. The guild's own page is composed in config/guild_page.py."""

from guilds.accounts import admin as accounts_admin
from guilds.registry import admin as registry_admin

__all__ = ["accounts_admin", "registry_admin"]
