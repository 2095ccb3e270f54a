"""The console pages of rules. Those of rules, versions and ladders are registered in config, which adds what lies above."""

from governance.rules.admin.exceptions import RuleExceptionAdmin
from governance.rules.admin.findings import FindingAdmin
from governance.rules.admin.ladders import LadderAdmin
from governance.rules.admin.rules import RuleAdmin
from governance.rules.admin.versions import RuleVersionAdmin

__all__ = ["FindingAdmin", "LadderAdmin", "RuleAdmin", "RuleExceptionAdmin", "RuleVersionAdmin"]
