"""Cursor pages: `{next, previous, results}`, in a fixed order, unmoved by rows that are added while a client walks.

A page is found by the key of the row next to it, never by counting, so the thousandth page costs what the first does and
no row is shown twice or left out. The cursor is opaque to clients: "n" or "p" and the key, as base64 of JSON.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

if TYPE_CHECKING:  # it imports the class of this module
    from rest_framework.views import APIView

DEFAULT_LIMIT = 100
HIGHEST_LIMIT = 1000
BIGGEST_KEY = 2**63


@dataclass(frozen=True)
class Place:
    """Beside which row a page lies: after it in the list's order, or (backwards) before it."""

    key: tuple[int, ...]
    backwards: bool = False

    def encoded(self) -> str:
        packed = orjson.dumps(["p" if self.backwards else "n", *self.key])
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def decoded(cls, text: str, *, width: int) -> Place:
        """Raise ValidationError for anything that `encoded` has not made for a list with keys of this width."""
        try:
            direction, *key = orjson.loads(
                base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            )
        except (binascii.Error, orjson.JSONDecodeError, TypeError, ValueError) as error:
            raise _bad_cursor() from error
        sound = all(type(part) is int and -BIGGEST_KEY <= part < BIGGEST_KEY for part in key)
        if direction not in ("n", "p") or len(key) != width or not sound:
            raise _bad_cursor()
        return cls(tuple(key), direction == "p")


def _bad_cursor() -> ValidationError:
    return ValidationError({"cursor": [_("This is not a cursor of this list. Start again without one.")]})


class CursorPages(BasePagination):
    """Newest first by `id`; a view may set `page_order` to other unique integer columns, all of one direction."""

    order: tuple[str, ...] = ("-id",)

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: APIView | None = None
    ) -> list[Any]:
        if not isinstance(queryset, QuerySet):
            raise TypeError("pages are cut from querysets")
        self.order = getattr(view, "page_order", self.order)
        self.url = request.build_absolute_uri()
        self.limit = _limit(request.query_params.get("limit"))
        text = request.query_params.get("cursor")
        self.place = None if text is None else Place.decoded(text, width=len(self.order))
        backwards = self.place is not None and self.place.backwards
        descending = self.order[0].startswith("-") is not backwards
        columns = [name.lstrip("-") for name in self.order]
        if self.place:
            queryset = queryset.filter(_beyond(columns, self.place.key, "lt" if descending else "gt"))
        rows = list(queryset.order_by(*(f"{'-' * descending}{name}" for name in columns))[: self.limit + 1])
        more = len(rows) > self.limit
        rows = rows[: self.limit]
        if backwards:
            rows.reverse()
        self.rows = rows
        self.has_next = bool(rows) and (backwards or more)
        self.has_previous = bool(rows) and (more if backwards else self.place is not None)
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.get_next_link(), "previous": self.get_previous_link(), "results": data})

    def get_next_link(self) -> str | None:
        return self._link(self.rows[-1], backwards=False) if self.has_next else None

    def get_previous_link(self) -> str | None:
        if not self.has_previous:
            return None
        return self._link(self.rows[0], backwards=True)

    def _link(self, row: Model | dict[str, Any], *, backwards: bool) -> str:
        key = tuple(_value(row, name.lstrip("-")) for name in self.order)
        url = replace_query_param(remove_query_param(self.url, "cursor"), "limit", self.limit)
        return replace_query_param(url, "cursor", Place(key, backwards).encoded())

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {**link, "description": "The page that follows; null on the last one."},
                "previous": {**link, "description": "The page before; null on the first one."},
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        return [
            {
                "name": "limit",
                "in": "query",
                "required": False,
                "description": "Rows per page.",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": HIGHEST_LIMIT,
                    "default": DEFAULT_LIMIT,
                },
            },
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "Opaque; taken from `next` or `previous` of another page of the same list.",
                "schema": {"type": "string"},
            },
        ]


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if (
        text.isascii()
        and text.isdigit()
        and len(text) <= len(str(HIGHEST_LIMIT))
        and 1 <= int(text) <= HIGHEST_LIMIT
    ):
        return int(text)
    raise ValidationError(
        {"limit": [_("Give a whole number from 1 to %(highest)s.") % {"highest": HIGHEST_LIMIT}]}
    )


def _beyond(columns: Sequence[str], key: Sequence[int], comparison: str) -> Q:
    """(a, b) > (x, y) as a > x or (a = x and b > y), with a bound on the first column that an index can use."""
    condition = Q()
    for depth, (column, part) in enumerate(zip(columns, key, strict=True)):
        equal = Q(**dict(zip(columns[:depth], key, strict=False)))
        condition |= equal & Q(**{f"{column}__{comparison}": part})
    return condition & Q(**{f"{columns[0]}__{comparison}e": key[0]})


def _value(row: Model | dict[str, Any], name: str) -> int:
    return int(row[name] if isinstance(row, dict) else getattr(row, name))
