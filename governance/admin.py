"""The app's console pages, collected from its concepts for Django."""

from governance.backtests import admin as backtests_admin
from governance.education import admin as education_admin
from governance.education import request_admin
from governance.insights import risk_admin
from governance.launches import admin as launches_admin
from governance.launches import gate_admin, wave_admin
from governance.ledger import admin as ledger_admin
from governance.notices import admin as notices_admin
from governance.penalties import admin as penalties_admin
from governance.quality import admin as quality_admin
from governance.review import admin as review_admin
from governance.risks import admin as risks_admin
from governance.risks import feedback_admin
from governance.rules import admin as rules_admin
from governance.signals import admin as signals_admin
from governance.violations import admin as violations_admin
from governance.webhooks import admin as webhooks_admin
from governance.workbench import admin as workbench_admin
from governance.workbench import approval_admin

__all__ = [
    "approval_admin",
    "backtests_admin",
    "education_admin",
    "feedback_admin",
    "gate_admin",
    "launches_admin",
    "ledger_admin",
    "notices_admin",
    "penalties_admin",
    "quality_admin",
    "request_admin",
    "review_admin",
    "risk_admin",
    "risks_admin",
    "rules_admin",
    "signals_admin",
    "violations_admin",
    "wave_admin",
    "webhooks_admin",
    "workbench_admin",
]
