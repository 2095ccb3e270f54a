from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        # The checks register themselves; the Celery application becomes the one that tasks are sent through.
        from config import celery, checks  # noqa: F401
