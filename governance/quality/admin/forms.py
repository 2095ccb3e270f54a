"""The dialogs of quality. The draw shows what it would bring before it happens."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from django import forms
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.safestring import SafeString
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDateWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from governance.quality.enums import Allocation, SampleKind
from governance.quality.sampling import Draw, size_wilson
from governance.quality.selectors import WEEKLY, draw_preview, market_ids_of, weekly_size
from governance.quality.services.samples import LARGEST
from governance.violations.enums import Verdict
from guilds.console.acts import DialogForm, ReasonForm
from guilds.console.page import Table
from guilds.errors import DomainError
from guilds.models import Market

USUAL_DAYS = 30
#: Half the length of the interval that the suggested size brings, where a tenth is wrong.
WANTED = 0.05
#: Cases made while somebody waits for the page.
HANDED_OUT = 500


class StrataWidget(forms.Widget):
    """Shows the strata of a draw, and nothing until there is one. It sends nothing back."""

    table: Table | None = None

    @property
    def input_type(self) -> str:
        """By which a dialog decides whether the field has a label: an empty one would announce nothing."""
        return "table" if self.table is not None else "hidden"

    @property
    def is_hidden(self) -> bool:
        return self.table is None

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        if self.table is None:
            return SafeString("")
        return SafeString(render_to_string("admin/console/table.html", {"table": self.table}))

    def value_from_datadict(self, data: Any, files: Any, name: str) -> None:
        return None


class DrawForm(DialogForm):
    name = forms.CharField(label=_("Name"), max_length=120, widget=UnfoldAdminTextInputWidget())
    kind = forms.ChoiceField(label=_("Of what"), choices=SampleKind.choices, widget=UnfoldAdminSelectWidget())
    since = forms.DateField(label=_("First day"), widget=UnfoldAdminDateWidget())
    until = forms.DateField(
        label=_("Last day"), widget=UnfoldAdminDateWidget(), help_text=_("Included. UTC.")
    )
    size = forms.IntegerField(
        label=_("Items"), min_value=1, max_value=LARGEST, widget=UnfoldAdminIntegerFieldWidget()
    )
    allocation = forms.ChoiceField(
        label=_("Shared out"), choices=Allocation.choices, widget=UnfoldAdminSelectWidget()
    )
    markets = forms.MultipleChoiceField(
        label=_("Markets"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text=_("None chosen: every market of yours."),
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput())
    preview = forms.Field(label=_("What would be drawn"), required=False, widget=StrataWidget())
    field_order = ("preview", "name", "kind", "since", "until", "size", "allocation", "markets", "seen")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = Market.objects.order_by("name").values_list("pk", "code", "name")
        cast("forms.MultipleChoiceField", self.fields["markets"]).choices = [
            (code, f"{name} ({code})") for pk, code, name in choices if self.actor.sees_market(pk)
        ]
        yesterday = timezone.now().date() - dt.timedelta(days=1)
        self.fields["until"].initial = yesterday
        self.fields["since"].initial = yesterday - dt.timedelta(days=USUAL_DAYS - 1)
        self.fields["size"].initial = WEEKLY[SampleKind.DECISIONS]
        self.fields["size"].help_text = now_(
            "%(size)s judged items tell a share of about a tenth to within five points."
        ) % {"size": size_wilson(WANTED, share=0.1)}

    def clean(self) -> dict[str, Any]:
        """Asks for a second look: what would be drawn is shown first, and again whenever something has been changed."""
        values = super().clean() or {}
        if self.errors:
            return values
        try:
            found = self._preview(values)
        except DomainError as error:
            self.add_error(error.field if error.field in self.fields else None, error.message)
            return values
        shown = _fingerprint(values, found)
        if values.get("seen") != shown:
            widget = cast("StrataWidget", self.fields["preview"].widget)
            widget.table = _strata(found)
            data = cast("MultiValueDict[str, Any]", self.data).copy()
            data["seen"] = shown
            self.data = data
            raise forms.ValidationError(
                now_("This is what would be drawn: %(drawn)s of %(all)s. Press again to draw it.")
                % {
                    "drawn": len(found.chosen),
                    "all": f"{sum(stratum.population for stratum in found.strata):,}",
                }
            )
        return values

    def _preview(self, values: Mapping[str, Any]) -> Draw:
        return draw_preview(
            kind=SampleKind(values["kind"]),
            since=midnight(values["since"]),
            until=midnight(values["until"]) + dt.timedelta(days=1),
            market_ids=market_ids_of(self.actor, values["markets"]),
            size=values["size"],
            seed=0,  # another one is taken for the draw itself: nobody sees before which items it brings
            allocation=Allocation(values["allocation"]),
        )


def midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)


def _fingerprint(values: Mapping[str, Any], found: Draw) -> str:
    """Of what was asked and of what it brings: a population that has changed meanwhile is shown anew."""
    asked = [str(values[name]) for name in ("kind", "since", "until", "size", "allocation", "markets")]
    told = [f"{stratum.key}:{stratum.population}:{stratum.drawn}" for stratum in found.strata]
    return hashlib.sha256("|".join([*asked, *told]).encode()).hexdigest()[:16]


def _strata(found: Draw) -> Table:
    rows: Sequence[Sequence[Any]] = [
        [
            stratum.key,
            f"{stratum.population:,}",
            stratum.drawn,
            f"{100 * float(stratum.probability):.2f} %",
        ]
        for stratum in found.strata
    ]
    headers = [now_("Part"), now_("There are"), now_("Drawn"), now_("Chance of each")]
    return Table(headers, rows, empty=now_("Nothing of this kind happened in the period."))


class PlanForm(DialogForm):
    decisions = forms.IntegerField(
        label=SampleKind.DECISIONS.label,
        min_value=0,
        max_value=LARGEST,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("Items a week; 0 for none."),
    )
    coverage = forms.IntegerField(
        label=SampleKind.COVERAGE.label,
        min_value=0,
        max_value=LARGEST,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("Items a week; 0 for none."),
    )
    reason = ReasonForm.base_fields["reason"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for kind in SampleKind:
            self.fields[kind.value].initial = weekly_size(kind)


class HandOutForm(DialogForm):
    items = forms.IntegerField(
        label=_("Items at most"),
        min_value=1,
        max_value=HANDED_OUT,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("At most %(most)s in one go.") % {"most": HANDED_OUT},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.obj is not None:
            left = self.obj.items.filter(case__isnull=True).count()
            self.fields["items"].initial = max(1, min(left, HANDED_OUT))


class GoldenForm(DialogForm):
    """The right answer about the violation named by the first letters of its id, or by the object of the dialog."""

    expected = forms.ChoiceField(
        label=_("Right answer"), choices=Verdict.choices, widget=UnfoldAdminSelectWidget()
    )
    explanation = forms.CharField(
        label=_("Explanation"),
        max_length=4_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
        help_text=_("Shown to the reviewer after the verdict, right or wrong: say what to look at."),
    )


class NewGoldenForm(GoldenForm):
    violation = forms.CharField(
        label=_("Violation"),
        max_length=36,
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
        help_text=_("Its id, as on its page, or the first eight letters of it. It must have been decided."),
    )
    field_order = ("violation", "expected", "explanation")
