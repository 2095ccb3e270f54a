from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig


class ConfigConfig(AppConfig):
    """First in INSTALLED_APPS, so that what it prepares is there when the other apps load their admins and tasks."""

    name = "config"
    default = True

    def ready(self) -> None:
        # The checks register themselves; the Celery application becomes the one that tasks are sent through.
        from config import celery, checks, generics  # noqa: F401

        generics.make_subscriptable()


class ConsoleConfig(SimpleAdminConfig):
    """The admin with our pages only: tables of libraries (tokens, groups, history) are not edited by hand."""

    def ready(self) -> None:
        super().ready()
        for app in ("guilds", "governance", "appeals", "config"):
            if find_spec(f"{app}.admin"):
                import_module(f"{app}.admin")
