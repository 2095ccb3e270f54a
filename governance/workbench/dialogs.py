"""What the dialogs of the workbench ask for."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from governance.risks.models import Risk
from governance.rules.shadow import LONGEST_SHADOW, SHADOW_DAYS
from guilds.console.acts import DialogForm, ReasonForm


class RuleForm(DialogForm):
    code = forms.CharField(
        label=_("Code"),
        max_length=60,
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True, "placeholder": "GFT-CYCLE"}),
        help_text=_("Stable for ever: reports, appeals and the ledger name the rule by it."),
    )
    name = forms.CharField(label=_("Name"), max_length=200, widget=UnfoldAdminTextInputWidget())
    risk_code = forms.ModelChoiceField(
        label=_("Risk it answers"),
        queryset=Risk.objects.none(),
        to_field_name="code",
        widget=UnfoldAdminSelectWidget(),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["risk_code"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Risk.objects.filter(retired_at__isnull=True).order_by("code")


class AskForm(DialogForm):
    note = forms.CharField(
        label=_("What the approver should know"),
        required=False,
        max_length=5_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "autofocus": True}),
        help_text=_("The version is frozen while it waits. You may withdraw it at any time."),
    )


class CommentForm(DialogForm):
    body = forms.CharField(
        label=_("Comment"),
        max_length=5_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5, "autofocus": True}),
        help_text=_("Kept for good. Everybody who may read the rule reads it."),
    )


class ShadowForm(ReasonForm):
    until = forms.DateField(
        label=_("Until"),
        widget=UnfoldAdminDateWidget(),
        help_text=_("The end of that day, UTC; at most 90 days from now."),
    )
    field_order = ("until", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].initial = (timezone.now() + dt.timedelta(days=SHADOW_DAYS)).date()

    def clean_until(self) -> dt.datetime:
        """The end of the day; on the last day allowed, as much of it as is allowed."""
        day: dt.date = self.cleaned_data["until"]
        end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)
        latest = timezone.now() + LONGEST_SHADOW
        return min(end, latest) if day <= latest.date() else end


class NothingForm(DialogForm):
    """A dialog that only asks whether to go on."""
