from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    name = "governance"
    verbose_name = "Governance"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Guilds stand below the ledger and the notices, and reach them only through these plugs.
        from governance.ledger.services import record
        from governance.notices.enums import NoticeKind
        from governance.notices.services import contacts_replace
        from guilds import recording
        from guilds.registry import contacts

        recording.use(record)
        contacts.use(contacts_replace, kinds=NoticeKind.values)
