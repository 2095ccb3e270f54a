from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    name = "governance"
    verbose_name = "Governance"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Guilds stand below the ledger and reach it only through this plug.
        from governance.ledger.services import record
        from guilds import recording

        recording.use(record)
