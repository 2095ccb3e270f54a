from django.apps import AppConfig


class GuildsConfig(AppConfig):
    name = "guilds"
    verbose_name = "Registry"
    default_auto_field = "django.db.models.BigAutoField"
