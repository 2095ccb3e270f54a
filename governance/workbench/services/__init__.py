"""The writers of drafts, examples and approvals."""

from governance.workbench.services.approvals import approval_request, approval_withdraw, approve, refuse
from governance.workbench.services.drafts import comment_add, draft_save, rule_create, version_copy
from governance.workbench.services.examples import example_add, example_change, example_remove
from governance.workbench.services.runs import examples_run

__all__ = [
    "approval_request",
    "approval_withdraw",
    "approve",
    "comment_add",
    "draft_save",
    "example_add",
    "example_change",
    "example_remove",
    "examples_run",
    "refuse",
    "rule_create",
    "version_copy",
]
