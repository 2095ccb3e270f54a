"""The dialogs of launches. What they accept is for the services to judge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    DATETIME_CLASSES,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDateWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
)

from governance.launches.enums import LaunchStatus
from governance.launches.gating import STAFFED, gate_states
from governance.launches.models import Launch, Wave
from governance.launches.panels import figures_of
from governance.rules.enums import Severity, VersionStatus
from governance.rules.models import RuleVersion
from guilds.console.acts import DialogForm, ReasonForm
from guilds.models import Market, User


def _moment() -> forms.DateTimeField:
    return forms.DateTimeField(
        label=_("Planned start"),
        widget=forms.DateTimeInput(
            attrs={"type": "datetime-local", "class": " ".join(DATETIME_CLASSES)}, format="%Y-%m-%dT%H:%M"
        ),
        help_text=_(
            "In UTC, like every time in the console. It starts by itself then, if nothing is in the way."
        ),
    )


def _choose(form: forms.Form, name: str, rows: QuerySet[Any]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ModelChoiceField)
    field.queryset = rows


def in_office() -> QuerySet[User]:
    """Members of staff who may answer for something."""
    return (
        User.objects.filter(
            Q(is_superuser=True) | Q(staff_roles__isnull=False), is_active=True, is_staff=True
        )
        .distinct()
        .order_by("email")
    )


class MarketsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # not subscriptable at run time
    def label_from_instance(self, obj: Market) -> str:
        return f"{obj.code} · {obj.name}"


class LaunchForm(DialogForm):
    version = forms.ModelChoiceField(
        label=_("Rule version"),
        queryset=RuleVersion.objects.none(),
        widget=UnfoldAdminSelectWidget(attrs={"autofocus": True}),
        help_text=_("Drafts and versions in shadow without a launch. It may be approved later."),
    )
    title = forms.CharField(
        label=_("Title"), required=False, max_length=200, widget=UnfoldAdminTextInputWidget()
    )
    lesson_percent = forms.IntegerField(
        label=_("Guilds that must have completed the lesson, per cent"),
        min_value=0,
        max_value=100,
        initial=80,
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    notes = forms.CharField(
        label=_("Notes"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        standing = Launch.objects.exclude(status__in=[LaunchStatus.CANCELLED, LaunchStatus.ROLLED_BACK])
        _choose(
            self,
            "version",
            RuleVersion.objects.filter(status__in=[VersionStatus.DRAFT, VersionStatus.SHADOW])
            .exclude(pk__in=standing.values("version"))
            .select_related("rule")
            .order_by("rule__code", "-number"),
        )


class PlanForm(ReasonForm):
    title = forms.CharField(label=_("Title"), max_length=200, widget=UnfoldAdminTextInputWidget())
    lesson_percent = forms.IntegerField(
        label=_("Guilds that must have completed the lesson, per cent"),
        min_value=0,
        max_value=100,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("Asking for less takes back every go that was said."),
    )
    owner = forms.ModelChoiceField(
        label=_("Owner"), queryset=User.objects.none(), widget=UnfoldAdminSelectWidget()
    )
    notes = forms.CharField(
        label=_("Notes"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )
    field_order = ("title", "lesson_percent", "owner", "notes", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose(self, "owner", in_office())
        for name in ("title", "lesson_percent", "owner", "notes"):
            self.fields[name].initial = getattr(self.obj, name)


class WaveForm(DialogForm):
    """For a launch: a new wave. For a wave: another plan of it."""

    markets = MarketsField(
        label=_("Markets"),
        queryset=Market.objects.none(),
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    planned_at = _moment()
    share = forms.IntegerField(
        label=_("Share of guilds, per cent"),
        min_value=1,
        max_value=100,
        initial=100,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("Drawn once and for good: guilds that are in stay in while it grows."),
    )
    holdout = forms.IntegerField(
        label=_("Holdout, per cent"),
        min_value=0,
        max_value=50,
        initial=0,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("Guilds spared at random, to measure what the rule does."),
    )
    name = forms.CharField(
        label=_("Name"), required=False, max_length=120, widget=UnfoldAdminTextInputWidget()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        wave = self.obj if isinstance(self.obj, Wave) else None
        version = (wave.launch if wave is not None else self.obj).version
        rows = Market.objects.order_by("code")
        if "*" not in version.markets:
            rows = rows.filter(code__in=version.markets)
        if self.actor.market_ids is not None:
            rows = rows.filter(pk__in=self.actor.market_ids)
        _choose(self, "markets", rows)
        if version.severity == Severity.S1:
            self.fields["holdout"].disabled = True
            self.fields["holdout"].help_text = _("A rule against the worst harm (S1) spares nobody.")
        if wave is not None:
            self.fields["markets"].initial = list(wave.markets.values_list("pk", flat=True))
            for name in ("planned_at", "share", "holdout", "name"):
                self.fields[name].initial = getattr(wave, name)


class DecideForm(ReasonForm):
    """Why it is ready, or why not."""


class WidenForm(ReasonForm):
    share = forms.IntegerField(
        label=_("Share of guilds, per cent"),
        min_value=1,
        max_value=100,
        initial=100,
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    field_order = ("share", "reason")


class AssignForm(DialogForm):
    owner = forms.ModelChoiceField(
        label=_("Owner"), queryset=User.objects.none(), required=False, widget=UnfoldAdminSelectWidget()
    )
    due_on = forms.DateField(label=_("Due"), required=False, widget=UnfoldAdminDateWidget())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose(self, "owner", in_office())
        self.fields["owner"].initial = self.obj.owner_id
        self.fields["due_on"].initial = self.obj.due_on


class SignForm(DialogForm):
    evidence = forms.CharField(
        label=_("What shows that it is done"),
        max_length=5_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "autofocus": True}),
        help_text=_("Kept in the ledger for good, with your name."),
    )
    evidence_url = forms.URLField(
        label=_("Where it can be seen"),
        required=False,
        assume_scheme="https",
        max_length=200,
        widget=UnfoldAdminURLInputWidget(),
    )
    capacity_hours_per_day = forms.FloatField(
        label=_("Hours a day at hand"),
        min_value=0,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
    )
    shortfall_reason = forms.CharField(
        label=_("Why that is enough"),
        required=False,
        max_length=2_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("Only if the hours at hand are fewer than the estimate, or there is none."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.obj is None or self.obj.kind not in STAFFED:
            del self.fields["capacity_hours_per_day"]
            del self.fields["shortfall_reason"]
            return
        state = next(one for one in gate_states(self.obj.launch) if one.gate.pk == self.obj.pk)
        self.fields["capacity_hours_per_day"].help_text = " · ".join(
            f"{label}: {value}" for label, value in figures_of(state)
        )


def pks(rows: Iterable[Any]) -> list[int]:
    return [row.pk for row in rows]
