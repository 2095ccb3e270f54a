"""Golden cases: past violations with a settled answer, and how reviewers found it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Count, F, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.engine.intervals import Share
from governance.quality.admin.forms import GoldenForm, NewGoldenForm
from governance.quality.admin.words import opinion_badge, share_shown
from governance.quality.models import GoldenCase
from governance.quality.selectors import ASKED_BY, golden_visible_to
from governance.quality.services import golden_make, golden_retire
from governance.review.enums import CaseKind
from governance.review.models import Judgement
from governance.violations.enums import ViolationStatus
from governance.violations.models import Violation
from governance.violations.selectors import violations_visible_to
from guilds.accounts.actor import Actor
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column, of_guild
from guilds.console.page import Badge, Fact, Prose, Section, Table, admin_url, link_to, severity_badge, shown
from guilds.errors import InvalidInput

ANSWERS_SHOWN = 30


class GoldenMaking:
    """The button of a decided violation's page that makes it a golden case, for those who are never asked one."""

    @act(
        label=_("Make a golden case"),
        roles=ASKED_BY,
        form=GoldenForm,
        question=_("Choose one with a lesson in it, whose answer nobody who knows the rule would doubt."),
        done=_("Reviewers will meet it among their cases."),
        when=lambda violation: violation.status != ViolationStatus.OPEN and not hasattr(violation, "golden"),
        icon="star",
    )
    def make_golden(self, actor: Actor, violation: Violation, values: Mapping[str, Any]) -> Answer:
        golden = golden_make(
            actor=actor,
            violation_id=violation.pk,
            expected=values["expected"],
            explanation=values["explanation"],
        )
        return admin_url(golden)


@admin.register(GoldenCase)
class GoldenCaseAdmin(ConsoleAdmin[GoldenCase]):
    intro = _(
        "Past violations whose right answer is settled. Now and then a reviewer gets one among the other cases, cannot tell it"
        " apart, and reads the explanation afterwards. Whoever sees them here is never asked one; for all others"
        " this list is empty."
    )
    list_display = (
        "violation",
        "severity_shown",
        "expected",
        "is_active",
        "asked",
        "right",
        "made_by",
        moment_column("created_at", _("made")),
    )
    list_select_related = ("violation__guild", "made_by")
    list_filter = (("is_active", BooleanRadioFilter), ("expected", ChoicesDropdownFilter))
    search_fields = ("violation",)
    search_help_text = _("A guild's id or name, a code, or the beginning of the violation's id")
    object_related = ("violation__rule", "violation__guild", "violation__market", "made_by")
    ordering = ("-id",)
    actions_list = ("make",)
    actions_detail = ("retire",)

    def visible(self, actor: Actor) -> QuerySet[GoldenCase]:
        answered = Q(violation__cases__kind=CaseKind.GOLDEN, violation__cases__judgement__isnull=False)
        hit = answered & Q(violation__cases__judgement__opinion=F("expected"))
        return golden_visible_to(actor).annotate(
            asked_times=Count("violation__cases", filter=answered),
            right_times=Count("violation__cases", filter=hit),
        )

    def matching(self, term: str) -> Q:
        ids = Q(
            violation__in=violations_visible_to(Actor.system("console"))
            .filter(by_public_id(term))
            .values("pk")
        )
        return ids | Q(violation__code__iexact=term) | of_guild(term, "violation__guild")

    # --- the list -----------------------------------------------------------------------------------------------
    @display(description=_("severity"), ordering="violation__severity")
    def severity_shown(self, golden: GoldenCase) -> str:
        return shown(severity_badge(golden.violation.severity))

    @display(description=_("answers"))
    def asked(self, golden: GoldenCase) -> int:
        return golden.asked_times  # type: ignore[attr-defined, no-any-return]

    @display(description=_("as expected"))
    def right(self, golden: GoldenCase) -> int:
        return golden.right_times  # type: ignore[attr-defined, no-any-return]

    # --- the page -----------------------------------------------------------------------------------------------
    def headline(self, golden: GoldenCase) -> str:
        return now_("%(violation)s: %(expected)s") % {
            "violation": golden.violation,
            "expected": golden.get_expected_display(),
        }

    def badge(self, golden: GoldenCase) -> Badge:
        return Badge(_("Active"), "success") if golden.is_active else Badge(_("Retired"))

    def facts(self, golden: GoldenCase, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Violation"), link_to(golden.violation)),
            Fact(_("Rule"), link_to(golden.violation.rule)),
            Fact(_("Decided as"), golden.violation.get_status_display()),
            Fact(_("Right answer"), golden.get_expected_display()),
            Fact(_("As expected"), share_shown(Share.of(self.right(golden), self.asked(golden)))),
            Fact(_("Made by"), golden.made_by),
            Fact(_("Made"), golden.created_at),
        )

    def sections(self, golden: GoldenCase, request: HttpRequest) -> Sequence[Section]:
        return (
            Section(_("What the reviewer reads afterwards"), Prose(golden.explanation)),
            Section(
                _("Answers"),
                _answers(golden),
                note=_(
                    "Many wrong ones may mean that the rule is hard to read, or that the answer is not so settled."
                ),
            ),
        )

    # --- acts ---------------------------------------------------------------------------------------------------
    @act(
        label=_("New golden case"),
        roles=ASKED_BY,
        form=NewGoldenForm,
        question=_("Choose one with a lesson in it, whose answer nobody who knows the rule would doubt."),
        done=_("Reviewers will meet it among their cases."),
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def make(self, actor: Actor, obj: None, values: Mapping[str, Any]) -> Answer:
        found = list(violations_visible_to(actor).filter(by_public_id(values["violation"].strip()))[:2])
        if len(found) != 1:
            raise InvalidInput(now_("No one violation has this id."), field="violation")
        golden = golden_make(
            actor=actor,
            violation_id=found[0].pk,
            expected=values["expected"],
            explanation=values["explanation"],
        )
        return admin_url(golden)

    @act(
        label=_("Retire"),
        roles=ASKED_BY,
        question=_("Nobody is asked it any more, and no answer to it counts for anybody."),
        done=_("The golden case is retired."),
        when=lambda golden: golden.is_active,
        icon="archive",
    )
    def retire(self, actor: Actor, golden: GoldenCase, values: Mapping[str, Any]) -> Answer:
        golden_retire(actor=actor, golden_id=golden.pk, reason=values["reason"])
        return None


def _answers(golden: GoldenCase) -> Table:
    """Opinions and reasons, without names: a golden case tells about the rule as much as about a reader."""
    answers = Judgement.objects.filter(case__kind=CaseKind.GOLDEN, case__violation=golden.violation_id)
    rows = [
        [opinion_badge(answer.opinion), Prose(answer.reason), answer.created_at]
        for answer in answers.order_by("-pk")[:ANSWERS_SHOWN]
    ]
    return Table([_("Opinion"), _("Reason"), _("When")], rows, empty=_("Nobody has been asked yet."))
