"""The dialogs of lessons."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from guilds.console.acts import DialogForm
from guilds.models import Market
from guilds.registry.enums import GuildTier

#: Days guilds have unless the form says otherwise.
DAYS_TO_DO = 14


class DayInput(UnfoldAdminTextInputWidget):
    """The browser's own calendar."""

    input_type = "date"


class PlainForm(DialogForm):
    """A question to be answered by yes."""


class AssignForm(DialogForm):
    """Guilds by market and tier, or by name; and a day."""

    markets = forms.ModelMultipleChoiceField(
        label=_("Markets"),
        queryset=Market.objects.none(),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text=_("All guilds at work there. Leave both empty and list guilds below instead."),
    )
    tiers = forms.MultipleChoiceField(
        label=_("Tiers"),
        choices=GuildTier,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text=_("Only guilds of these tiers; none chosen: of every tier."),
    )
    guilds = forms.CharField(
        label=_("Or these guilds"),
        required=False,
        max_length=100_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text=_("Their ids, one a line or with commas between."),
    )
    due_on = forms.DateField(
        label=_("Due on"),
        required=False,
        widget=DayInput(),
        help_text=_(
            "To the end of that day, UTC. They are reminded three days before, on the day and after."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        markets = Market.objects.order_by("code")
        if self.actor.market_ids is not None:
            markets = markets.filter(pk__in=self.actor.market_ids)
        field = self.fields["markets"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = markets
        self.fields["due_on"].initial = timezone.now().date() + dt.timedelta(days=DAYS_TO_DO)
