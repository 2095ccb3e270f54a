"""Lists over tables of any size: bounded counts, searches that use an index, streamed export."""

from __future__ import annotations

import csv
import datetime as dt
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from django.contrib.admin.utils import label_for_field, lookup_field
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import StreamingHttpResponse
from django.utils.functional import cached_property
from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from guilds.accounts.actor import Actor
from guilds.console.page import shown
from guilds.registry.models import Guild

#: Rows counted at most; a longer list says so instead of counting on.
COUNTED = 5_000
#: Rows in one export at most.
EXPORTED = 100_000


class BoundedPaginator(Paginator[Any]):
    """Counts no further than COUNTED rows, so that a page of a huge table costs what a page of a small one does."""

    template_name = "admin/console/pagination.html"

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by()[: COUNTED + 1].count()
        return len(rows)

    @property
    def is_bounded(self) -> bool:
        """Whether there are more rows than were counted."""
        return self.count > COUNTED


def uuid_span(term: str) -> tuple[uuid.UUID, uuid.UUID] | None:
    """The first and last id that begin with `term` (8 hexadecimal digits or more), or None: a prefix search by index."""
    digits = term.replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{8,32}", digits):
        return None
    return uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))


def by_public_id(term: str) -> Q:
    """Rows whose UUID begins with the term; none when the term is no such prefix."""
    span = uuid_span(term)
    return Q(public_id__range=span) if span else Q(pk__in=[])


def named(term: str, field: str = "name") -> Q:
    """Rows whose name contains the term, case-insensitively, by the trigram index where there is one."""
    return Q(**{f"{field}__iregex": re.escape(term)})


def of_guild(term: str, field: str = "guild") -> Q:
    """Rows of the guilds whose id is the term or whose name contains it."""
    return Q(**{f"{field}__in": Guild.objects.filter(Q(external_id=term) | named(term)).values("pk")})


R = TypeVar("R", bound=Model)


def in_markets(rows: QuerySet[R], actor: Actor, field: str = "market_id") -> QuerySet[R]:
    """The rows of the markets the actor reaches; `field` leads to the market's id."""
    return rows if actor.market_ids is None else rows.filter(**{f"{field}__in": actor.market_ids})


def moment_column(name: str, label: Any) -> Any:
    """A list column for a moment, in UTC and in the console's own form; empty stays empty."""

    def column(obj: Any) -> SafeString:
        return shown(getattr(obj, name))

    column.__name__ = name
    column.short_description = label  # type: ignore[attr-defined]
    column.admin_order_field = name  # type: ignore[attr-defined]
    return column


def plain_cell(value: Any) -> str:
    """A cell as a spreadsheet may safely open it: a leading = + - @ would be run as a formula."""
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="seconds")
    text = strip_tags(value).strip() if isinstance(value, SafeString) else str(value)
    return f"'{text}" if text[:1] in "=+-@\t\r" and not re.fullmatch(r"[+-]?\d+(\.\d+)?", text) else text


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, value: str) -> str:
        return value


def csv_rows(rows: QuerySet[Any], columns: Sequence[Any], model_admin: Any) -> Iterator[Sequence[str]]:
    """The header and one line per row, read by cursor."""
    model: type[Model] = rows.model
    yield [strip_tags(str(label_for_field(column, model, model_admin))).capitalize() for column in columns]
    for row in rows[:EXPORTED].iterator(chunk_size=2_000):
        cells = []
        for column in columns:
            # A moment goes out whole, not in the shape of the list.
            name = column.__name__ if callable(column) else column
            field, _attr, value = lookup_field(name if callable(column) else column, row, model_admin)
            if field is not None and field.choices:
                value = getattr(row, f"get_{field.name}_display")()
            cells.append(plain_cell(value))
        yield cells


def csv_response(name: str, lines: Iterable[Sequence[str]]) -> StreamingHttpResponse:
    writer = csv.writer(_Echo())
    return StreamingHttpResponse(
        (writer.writerow(line) for line in lines),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"},
    )
