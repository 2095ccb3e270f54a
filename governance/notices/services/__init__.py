"""The writers of notices: what is said, to which addresses it goes, and what came of it."""

from governance.notices.services.contacts import (
    contact_add,
    contact_change,
    contact_remove,
    contacts_replace,
)
from governance.notices.services.dispatches import (
    dispatch_confirm,
    dispatch_retry,
    dispatches_send_due,
)
from governance.notices.services.notices import (
    notice_draft,
    notice_issue,
    notice_read,
    notices_send,
    portal_url,
)
from governance.notices.services.wordings import template_reset, template_write

__all__ = [
    "contact_add",
    "contact_change",
    "contact_remove",
    "contacts_replace",
    "dispatch_confirm",
    "dispatch_retry",
    "dispatches_send_due",
    "notice_draft",
    "notice_issue",
    "notice_read",
    "notices_send",
    "portal_url",
    "template_reset",
    "template_write",
]
