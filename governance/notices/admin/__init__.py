"""The console's pages about notices."""

from governance.notices.admin.contacts import ContactAdmin
from governance.notices.admin.dispatches import DispatchAdmin
from governance.notices.admin.notices import NoticeAdmin
from governance.notices.admin.wordings import TemplateAdmin

__all__ = ["ContactAdmin", "DispatchAdmin", "NoticeAdmin", "TemplateAdmin"]
