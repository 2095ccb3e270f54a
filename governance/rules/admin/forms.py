"""The dialogs of rules: an end date with a reason, and an exception."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from governance.rules.enums import VersionStatus
from governance.rules.exceptions import LONGEST_EXCEPTION
from governance.rules.models import Rule, RuleVersion
from governance.rules.shadow import LONGEST_SHADOW, SHADOW_DAYS
from guilds.console.acts import ReasonForm
from guilds.models import Guild


def end_of_day(day: dt.date, *, longest: dt.timedelta) -> dt.datetime:
    """The end of the day in UTC; on the last day that is allowed, the last moment of it."""
    end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)
    last = timezone.now() + longest
    return last if last < end <= last + dt.timedelta(days=1) else end


class ShadowForm(ReasonForm):
    until = forms.DateField(
        label=_("Until"),
        widget=UnfoldAdminDateWidget(),
        help_text=_("The end of that day, UTC; at most %(days)s days from now.")
        % {"days": LONGEST_SHADOW.days},
    )
    field_order = ("until", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].initial = (timezone.now() + dt.timedelta(days=SHADOW_DAYS)).date()


class ExceptionForm(ReasonForm):
    rule = forms.ModelChoiceField(
        label=_("Rule"), queryset=Rule.objects.none(), widget=UnfoldAdminSelectWidget()
    )
    guild = forms.CharField(
        label=_("Guild"),
        max_length=120,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("The platform's id of the guild."),
    )
    until = forms.DateField(
        label=_("Until"),
        widget=UnfoldAdminDateWidget(),
        help_text=_("The end of that day, UTC; at most %(days)s days from now.")
        % {"days": LONGEST_EXCEPTION.days},
    )
    field_order = ("rule", "guild", "until", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rules = self.fields["rule"]
        assert isinstance(rules, forms.ModelChoiceField)
        judging = RuleVersion.objects.filter(rule=OuterRef("pk")).exclude(status=VersionStatus.RETIRED)
        rules.queryset = Rule.objects.filter(Exists(judging)).order_by("code")

    def clean_guild(self) -> Guild:
        found = Guild.objects.filter(external_id=self.cleaned_data["guild"].strip()).first()
        if found is None or not self.actor.sees_market(found.market_id):
            raise forms.ValidationError(_("There is no such guild."))
        return found
