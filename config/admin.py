"""The console's pages that are composed at the root, because they show what stands above their own concept."""

from __future__ import annotations

from django.contrib import admin

from config.case_pages import CasePage, ViolationPage
from config.guild_page import GuildPage
from config.ladder_page import LadderPage
from config.lesson_page import LessonPage
from config.rule_pages import RulePage, VersionPage
from governance.models import Case, Ladder, Lesson, Rule, RuleVersion, Violation
from guilds.models import Guild

admin.site.register(Case, CasePage)
admin.site.register(Guild, GuildPage)
admin.site.register(Ladder, LadderPage)
admin.site.register(Lesson, LessonPage)
admin.site.register(Rule, RulePage)
admin.site.register(RuleVersion, VersionPage)
admin.site.register(Violation, ViolationPage)
