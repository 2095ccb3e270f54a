"""What the lists of the console's first page are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.text import Truncator

from guilds.console.page import Link, Table

#: Rows of a list on this page.
SHOWN = 6
#: Nobody acts upon the difference between a hundred and more.
COUNTED = 99


@dataclass(frozen=True)
class Waiting:
    """A list of what waits, with where to see all of it and where to begin; `note` says more about it in a few words."""

    title: str
    count: str
    table: Table
    url: str
    begin: Link | None = None
    note: Any = ""


def shortened(text: str) -> str:
    return Truncator(text).chars(90)


def bounded_count(rows: QuerySet[Any]) -> str:
    """At most "99+", "" for none: never a count of a whole table."""
    number = rows.order_by()[: COUNTED + 1].count()
    return f"{COUNTED}+" if number > COUNTED else str(number or "")
