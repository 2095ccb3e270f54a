"""The console pages of quality: samples and their items, golden cases, and how reviewers are doing."""

from governance.quality.admin.golden import GoldenCaseAdmin
from governance.quality.admin.items import SampleItemAdmin
from governance.quality.admin.samples import SampleAdmin

__all__ = ["GoldenCaseAdmin", "SampleAdmin", "SampleItemAdmin"]
