"""The forms of the desk and of the acts upon several cases."""

from __future__ import annotations

import datetime as dt
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from governance.review.selectors import reviewers_of
from guilds.console.acts import DialogForm, ReasonForm
from guilds.models import User

#: How long a case can be put aside in one go.
HOLDS: dict[str, tuple[Any, dt.timedelta]] = {
    "2h": (_("in 2 hours"), dt.timedelta(hours=2)),
    "1d": (_("tomorrow at this time"), dt.timedelta(days=1)),
    "3d": (_("in 3 days"), dt.timedelta(days=3)),
    "7d": (_("in a week"), dt.timedelta(days=7)),
}


class DecisionForm(DialogForm):
    choice = forms.ChoiceField(
        choices=[(name, name) for name in ("confirm", "dismiss", "unclear", "escalate", "hold")],
        error_messages={"required": _("Choose what you decide.")},
    )
    reason = forms.CharField(
        max_length=2_000, error_messages={"required": _("Say why: a decision needs a reason.")}
    )
    until = forms.ChoiceField(choices=[(key, words) for key, (words, _time) in HOLDS.items()], required=False)
    code = forms.CharField(max_length=40, required=False)
    revision = forms.IntegerField(required=False)


class HoldForm(ReasonForm):
    until = forms.ChoiceField(
        label=_("Until"),
        choices=[(key, words) for key, (words, _time) in HOLDS.items()],
        widget=UnfoldAdminSelectWidget,
    )


class AssignForm(ReasonForm):
    user = forms.ModelChoiceField(
        label=_("To whom"),
        queryset=User.objects.none(),
        required=False,
        empty_label=_("Nobody: back to the queue"),
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = reviewers_of().order_by("name", "email")
        cast("forms.ModelChoiceField[User]", self.fields["user"]).queryset = people
