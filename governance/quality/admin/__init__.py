"""The console pages of quality: samples and their items, golden cases, and how reviewers are doing."""

from governance.quality.admin.golden import GoldenCaseAdmin, GoldenMaking
from governance.quality.admin.items import SampleItemAdmin
from governance.quality.admin.samples import SampleAdmin
from governance.quality.admin.words import golden_words

__all__ = ["GoldenCaseAdmin", "GoldenMaking", "SampleAdmin", "SampleItemAdmin", "golden_words"]
