from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """First in INSTALLED_APPS, so that what it prepares is there when the other apps load their admins and tasks."""

    name = "config"

    def ready(self) -> None:
        # The checks register themselves; the Celery application becomes the one that tasks are sent through.
        from config import celery, checks, generics  # noqa: F401

        generics.make_subscriptable()
