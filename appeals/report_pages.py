"""The reports in the console: the yearly figures of the P2B Regulation and the statements for the DSA database, to download."""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from appeals.enums import Grounds
from appeals.p2b import Figures, Report, csv_lines, p2b_report
from governance.models import Notice
from governance.notices.dsa_schema import COLUMNS, csv_row
from governance.penalties.dsa import Record, batches, records, sanctions_told
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.lists import csv_response
from guilds.console.page import Section, Table
from guilds.models import Regime

#: Statements say what was decided against whom: those who decide, administrate or audit take them out of the house. The yearly
#: figures are for all staff, as they are for the public.
EXPORTERS = (Role.ENFORCER, Role.ADMIN, Role.AUDITOR)
#: Notices in one download of the console; the command `export_dsa` has no such end.
LIMIT = 10_000
LONGEST = dt.timedelta(days=366)
LISTED = 50


def day_field(label: Any) -> forms.DateField:
    return forms.DateField(
        label=label, widget=UnfoldAdminTextInputWidget(attrs={"type": "date", "autocomplete": "off"})
    )


class PeriodForm(forms.Form):
    first = day_field(_("First day"))
    last = day_field(_("Last day, included"))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        first, last = values.get("first"), values.get("last")
        if first and last and last < first:
            self.add_error("last", now_("The last day must not lie before the first."))
        return values


class P2BForm(PeriodForm):
    by = forms.ChoiceField(
        label=_("A line for each"),
        choices=[("market", _("Market")), ("regime", _("Regime"))],
        widget=UnfoldAdminSelectWidget(),
    )
    regime = forms.ModelChoiceField(
        label=_("Regime"),
        queryset=Regime.objects.order_by("code"),
        to_field_name="code",
        required=False,
        empty_label=_("All"),
        widget=UnfoldAdminSelectWidget(),
    )

    def report(self, actor: Actor) -> Report:
        values = self.cleaned_data
        regimes = [values["regime"].code] if values["regime"] else []
        return p2b_report(actor, values["first"], values["last"], by=values["by"], regimes=regimes)


class DSAForm(PeriodForm):
    def clean(self) -> dict[str, Any]:
        values = super().clean()
        first, last = values.get("first"), values.get("last")
        if first and last and last - first > LONGEST:
            self.add_error(
                "last", now_("A year at most in one download. The command export_dsa takes any period.")
            )
        return values

    def notices(self, actor: Actor) -> QuerySet[Notice]:
        since, until = (
            dt.datetime.combine(self.cleaned_data[name], dt.time(), dt.UTC) for name in ("first", "last")
        )
        return sanctions_told(since, until + dt.timedelta(days=1), market_ids=actor.market_ids)


@dataclass
class Checked:
    """What an export of a period would hold."""

    notices: int
    good: int = 0
    invalid: list[Record] = field(default_factory=list)
    why_not: Counter[str] = field(default_factory=Counter)

    @property
    def is_too_long(self) -> bool:
        return self.notices > LIMIT


def checked(notices: QuerySet[Notice]) -> Checked:
    """Every statement of the period made and checked, unless there are more than LIMIT notices."""
    found = Checked(notices.order_by()[: LIMIT + 1].count())
    for record in records(notices) if not found.is_too_long else ():
        if record.statement is None:
            found.why_not[record.why_not] += 1
        elif record.errors:
            found.invalid.append(record)
        else:
            found.good += 1
    return found


class Page(Protocol):
    """What the views need of the console page they are part of."""

    admin_site: Any

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool: ...
    def actor(self, request: HttpRequest) -> Actor: ...


def report_urls(page: Page) -> tuple[tuple[str, str, Callable[..., HttpResponseBase]], ...]:
    """The addresses of the reports under a console page, which says who is asking."""

    def reader(request: HttpRequest, *roles: Role) -> Actor:
        if not page.has_view_permission(request):
            raise PermissionDenied
        actor = page.actor(request)
        if roles and not actor.has_role(*roles):
            raise PermissionDenied
        return actor

    def p2b(request: HttpRequest, model_admin: Any = None) -> HttpResponseBase:
        """The yearly figures, on the page or (`format=csv`) as a file."""
        actor = reader(request)
        form = P2BForm(request.GET if "first" in request.GET else last_year() | {"by": "market"})
        report = form.report(actor) if form.is_valid() else None
        if report is not None and request.GET.get("format") == "csv":
            return csv_response(f"p2b-{report.first}-{report.last}", csv_lines(report))
        context = {"form": form, "report": report, "sections": p2b_sections(report) if report else []}
        return shown(request, page, now_("Complaints under the P2B Regulation"), "p2b", context, actor)

    def dsa(request: HttpRequest, model_admin: Any = None) -> HttpResponseBase:
        """What an export would hold, or (`format=json` or `csv`) the export."""
        actor = reader(request, *EXPORTERS)
        form = DSAForm(request.GET if "first" in request.GET else last_month())
        found = None
        if form.is_valid():
            notices = form.notices(actor)
            found = checked(notices)
            wanted = request.GET.get("format")
            if wanted in ("json", "csv") and not found.is_too_long:
                name = f"dsa-{form.cleaned_data['first']}-{form.cleaned_data['last']}"
                good = (
                    record.statement for record in records(notices) if record.statement and not record.errors
                )
                return zipped(name, good, found) if wanted == "json" else csv_response(name, dsa_lines(good))
        context = {
            "form": form,
            "found": found,
            "limit": LIMIT,
            "sections": dsa_sections(found) if found else [],
        }
        return shown(request, page, now_("Statements for the DSA database"), "dsa", context, actor)

    return (
        ("reports/p2b/", "appeals_appeal_p2b", p2b),
        ("reports/dsa/", "appeals_appeal_dsa", dsa),
    )


def shown(
    request: HttpRequest, page: Page, title: str, current: str, context: dict[str, Any], actor: Actor
) -> HttpResponse:
    query = request.GET.copy()
    query.pop("format", None)
    for name, value in context["form"].data.items():
        query.setdefault(name, value)
    return TemplateResponse(
        request,
        f"admin/console/report_{current}.html",
        page.admin_site.each_context(request)
        | {
            "title": title,
            "current": current,
            "p2b_url": reverse("admin:appeals_appeal_p2b"),
            "dsa_url": reverse("admin:appeals_appeal_dsa") if actor.has_role(*EXPORTERS) else "",
            "query": query.urlencode(),
        }
        | context,
    )


def last_year() -> dict[str, str]:
    """The calendar year before this one: any other twelve months can be chosen."""
    year = timezone.now().year - 1
    return {"first": f"{year}-01-01", "last": f"{year}-12-31"}


def last_month() -> dict[str, str]:
    today = timezone.now().date()
    return {"first": f"{today - dt.timedelta(days=30)}", "last": f"{today}"}


def p2b_sections(report: Report) -> list[Section]:
    headers = [
        _("Where"),
        _("Complaints"),
        _("Average days"),
        _("Not upheld"),
        _("Upheld in part"),
        _("Upheld"),
        _("Withdrawn"),
        _("Open"),
    ]

    def cells(figures: Figures, name: Any) -> list[Any]:
        average = figures.average_days
        return [
            name,
            figures.complaints,
            "" if average is None else str(average),
            figures.not_upheld,
            figures.upheld_in_part,
            figures.upheld,
            figures.withdrawn,
            figures.open,
        ]

    rows = [cells(figures, figures.name) for figures in report.lines]
    total = report.total
    if total.complaints:
        rows.append(cells(total, _("All together")))
    types = [
        [Grounds(grounds).label, number, f"{number / total.complaints:.1%}"]
        for grounds, number in total.main_types
    ]
    return [
        Section(
            _("Complaints and outcomes"),
            Table(headers, rows, empty=_("Nobody complained in this time.")),
            note=_("Not upheld: the penalty stands. Days from filing to decision."),
        ),
        Section(
            _("Main types of complaint"),
            Table([_("Type"), _("Complaints"), _("Share")], types, empty=_("None.")),
        ),
    ]


def dsa_sections(found: Checked) -> list[Section]:
    counts: list[list[Any]] = [[_("Statements to send"), found.good]]
    counts += [[_("Would be refused, left out"), len(found.invalid)]] if found.invalid else []
    counts += [[now_("No statement: %s") % now_(why), number] for why, number in found.why_not.most_common()]
    sections = [Section(_("What the export holds"), Table([_("What"), _("Notices")], counts))]
    if found.invalid:
        rows = [
            [record.notice_id, name, " ".join(words)]
            for record in found.invalid[:LISTED]
            for name, words in sorted(record.errors.items())
        ]
        sections.append(
            Section(
                _("Would be refused"),
                Table([_("Notice"), _("Field"), _("Why")], rows),
                note=_("The first 50."),
            )
        )
    return sections


def dsa_lines(statements: Iterable[dict[str, Any]]) -> Iterator[list[str]]:
    yield list(COLUMNS)
    for statement in statements:
        yield csv_row(statement)


def zipped(name: str, statements: Iterable[dict[str, Any]], found: Checked) -> HttpResponse:
    """The batches as files of one archive, with a list of what was left out and why."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, body in enumerate(batches(statements), start=1):
            archive.writestr(f"{name}-{number:04}.json", body)
        if found.invalid:
            left_out = io.StringIO()
            writer = csv.writer(left_out)
            writer.writerow(["notice", "field", "why"])
            for record in found.invalid:
                writer.writerows(
                    [record.notice_id, field_name, " ".join(words)]
                    for field_name, words in sorted(record.errors.items())
                )
            archive.writestr(f"{name}-left-out.csv", left_out.getvalue())
    return HttpResponse(
        target.getvalue(),
        content_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.zip"',
            "Cache-Control": "no-store",
        },
    )
