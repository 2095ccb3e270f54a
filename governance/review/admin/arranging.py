"""The dialogs by which the work is arranged."""

from __future__ import annotations

import re
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    DATETIME_CLASSES,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from governance.review.enums import Assignment, CaseKind
from governance.review.models import Desk, Queue, Route, Target
from governance.review.selectors import reviewers_of
from governance.rules.enums import Severity
from guilds.console.acts import DialogForm, ReasonForm
from guilds.models import Market, User


def codes_in(text: str) -> list[str]:
    """Codes separated by commas or blanks, each once, in their order."""
    return list(dict.fromkeys(re.findall(r"[^\s,;]+", text)))


def moment_field(label: Any) -> forms.DateTimeField:
    """A moment in UTC."""
    return forms.DateTimeField(
        label=label,
        widget=forms.DateTimeInput(
            attrs={"type": "datetime-local", "class": " ".join(DATETIME_CLASSES)}, format="%Y-%m-%dT%H:%M"
        ),
    )


def choose(form: forms.Form, name: str, rows: Any) -> None:
    cast("forms.ModelChoiceField[Any]", form.fields[name]).queryset = rows


class QueueChangeForm(ReasonForm):
    name = forms.CharField(label=_("Name"), max_length=120, widget=UnfoldAdminTextInputWidget())
    assignment = forms.ChoiceField(
        label=_("How it is shared"), choices=Assignment, widget=UnfoldAdminSelectWidget()
    )
    double_percent = forms.IntegerField(
        label=_("Judged by two, blind, %"),
        min_value=0,
        max_value=100,
        initial=0,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("Of its cases that one reviewer would decide. Drawn at random, the same for everybody."),
    )
    field_order = ("code", "name", "assignment", "double_percent", "reason")

    def __init__(self, *args: Any, obj: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, obj=obj, **kwargs)
        if isinstance(obj, Queue):
            self.initial = {
                "name": obj.name,
                "assignment": obj.assignment,
                "double_percent": round(100 * obj.double_share),
            }


class QueueForm(QueueChangeForm):
    code = forms.SlugField(
        label=_("Code"), max_length=40, widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True})
    )


class RouteForm(ReasonForm):
    queue = forms.ModelChoiceField(
        label=_("Leads to"), queryset=Queue.objects.none(), widget=UnfoldAdminSelectWidget()
    )
    position = forms.IntegerField(
        label=_("Position"), min_value=1, max_value=999, initial=1, widget=UnfoldAdminIntegerFieldWidget()
    )
    kinds = forms.MultipleChoiceField(
        label=_("Kinds"), choices=CaseKind, required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget()
    )
    severities = forms.MultipleChoiceField(
        label=_("Severities"),
        choices=Severity,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    markets = forms.CharField(
        label=_("Markets"),
        max_length=4_000,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Codes, separated by commas; none: every market."),
    )
    rules = forms.CharField(
        label=_("Rules"),
        max_length=4_000,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Codes, separated by commas; none: every rule."),
    )
    field_order = ("queue", "position", "kinds", "severities", "markets", "rules", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "queue", Queue.objects.order_by("name"))


class RouteChangeForm(RouteForm):
    def __init__(self, *args: Any, obj: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, obj=obj, **kwargs)
        if isinstance(obj, Route):
            self.initial = {
                "queue": obj.queue_id,
                "position": obj.position,
                "kinds": obj.kinds,
                "severities": obj.severities,
                "markets": ", ".join(obj.markets),
                "rules": ", ".join(obj.rules),
            }


class DeskForm(ReasonForm):
    user_id = forms.ModelChoiceField(
        label=_("Reviewer"), queryset=User.objects.none(), widget=UnfoldAdminSelectWidget()
    )
    capacity_per_day = forms.IntegerField(
        label=_("Cases a day"),
        min_value=0,
        max_value=1_000,
        initial=60,
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    queue_ids = forms.ModelMultipleChoiceField(
        label=_("Queues"),
        queryset=Queue.objects.none(),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text=_("None: from all."),
    )
    field_order = ("user_id", "capacity_per_day", "queue_ids", "reason")

    def __init__(self, *args: Any, obj: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, obj=obj, **kwargs)
        choose(self, "queue_ids", Queue.objects.order_by("name"))
        if isinstance(obj, Desk):
            del self.fields["user_id"]
            self.initial = {
                "capacity_per_day": obj.capacity_per_day,
                "queue_ids": [queue.pk for queue in obj.queues.all()],
            }
        else:
            choose(self, "user_id", reviewers_of().order_by("name", "email"))


class AbsenceForm(DialogForm):
    user_id = forms.ModelChoiceField(
        label=_("Reviewer"), queryset=User.objects.none(), widget=UnfoldAdminSelectWidget()
    )
    starts_at = moment_field(_("From"))
    ends_at = moment_field(_("Until"))
    substitute_id = forms.ModelChoiceField(
        label=_("Substitute"),
        queryset=User.objects.none(),
        required=False,
        empty_label=_("Nobody: back to the queue"),
        widget=UnfoldAdminSelectWidget(),
    )
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=2_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("Only if colleagues should know. Kept in the ledger for good."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = reviewers_of().order_by("name", "email")
        choose(self, "user_id", people)
        choose(self, "substitute_id", people)
        self.initial = {"user_id": self.actor.user_id}


class EndForm(DialogForm):
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=2_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )


class TargetForm(ReasonForm):
    severity = forms.ChoiceField(label=_("Severity"), choices=Severity, widget=UnfoldAdminSelectWidget())
    market_id = forms.ModelChoiceField(
        label=_("Market"),
        queryset=Market.objects.none(),
        required=False,
        empty_label=_("All others"),
        widget=UnfoldAdminSelectWidget(),
    )
    hours = forms.IntegerField(
        label=_("Hours"),
        min_value=1,
        max_value=8_760,
        widget=UnfoldAdminIntegerFieldWidget(attrs={"autofocus": True}),
    )
    warn_percent = forms.IntegerField(
        label=_("Warn when so much of it is over, %"),
        min_value=1,
        max_value=99,
        initial=75,
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    field_order = ("severity", "market_id", "hours", "warn_percent", "reason")

    def __init__(self, *args: Any, obj: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, obj=obj, **kwargs)
        if isinstance(obj, Target):
            del self.fields["severity"], self.fields["market_id"]
            self.initial = {"hours": obj.hours, "warn_percent": obj.warn_percent}
        else:
            markets = Market.objects.order_by("name")
            if self.actor.market_ids is not None:
                markets = markets.filter(pk__in=self.actor.market_ids)
            choose(self, "market_id", markets)
