"""The console pages of rules. Those of rules and versions are registered in config, which adds what stands above them."""

from governance.rules.admin.exceptions import RuleExceptionAdmin
from governance.rules.admin.findings import FindingAdmin
from governance.rules.admin.ladders import LadderAdmin
from governance.rules.admin.rules import RuleAdmin
from governance.rules.admin.versions import RuleVersionAdmin

__all__ = ["FindingAdmin", "LadderAdmin", "RuleAdmin", "RuleExceptionAdmin", "RuleVersionAdmin"]
