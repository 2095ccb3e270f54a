"""What every list of the API has in common: only what the caller may see, and filters that refuse what they do not know."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import django_filters
from django import forms
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from django_filters import fields
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from guilds.accounts.actor import Actor
from guilds.accounts.api_auth import actor_of
from guilds.errors import NotFound

M = TypeVar("M", bound=Model)

PAGE_PARAMETERS = frozenset({"limit", "cursor"})
#: `+00:00` not encoded in a query string arrives as ` 00:00`.
_LOST_PLUS = re.compile(r"(?<=\d) (?=\d{2}:?\d{2}$)")


class InstantField(fields.IsoDateTimeField):
    """ISO 8601; without an offset it is UTC, without a time midnight. The value is aware UTC."""

    def to_python(self, value: Any) -> dt.datetime | None:
        moment: dt.datetime | None = super().to_python(
            _LOST_PLUS.sub("+", value) if isinstance(value, str) else value
        )
        try:
            # PostgreSQL knows no offset of 16 hours or more, which ISO 8601 allows.
            return moment and moment.astimezone(dt.UTC)
        except OverflowError as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error


class InstantFilter(django_filters.IsoDateTimeFilter):
    field_class = InstantField


def refuse_unknown_parameters(request: Request, known: AbstractSet[str]) -> None:
    """Raise ValidationError for a parameter that is not known or is given twice.

    A misspelt filter would otherwise return everything, and of two values one would be forgotten.
    """
    faults = {}
    for name, values in request.query_params.lists():
        if name not in known:
            faults[name] = [
                _("There is no such parameter. Known: %(known)s.") % {"known": ", ".join(sorted(known))}
            ]
        elif len(values) > 1:
            faults[name] = [_("Give this parameter once.")]
    if faults:
        raise ValidationError(faults)


class RowSerializer(serializers.Serializer[dict[str, Any]]):
    """Shows columns of a table, read as `.values()`: a field's source is a column, with `__` where it is a related one.

    Nested serializers are no columns: `complete` puts what they show into the rows. Values go to the renderer as they are,
    for it writes times and ids itself; a page of a thousand rows costs a fraction of what model instances cost.
    """

    #: Columns a list is cut by, beside those shown.
    place: ClassVar[tuple[str, ...]] = ("id",)

    @classmethod
    def read(cls, visible: QuerySet[Any]) -> QuerySet[Any, dict[str, Any]]:
        """The queryset, reading what is shown and nothing else."""
        fields = cls().fields.items()
        columns = [
            field.source or name
            for name, field in fields
            if not isinstance(field, serializers.BaseSerializer)
        ]
        return visible.select_related(None).values(*dict.fromkeys([*cls.place, *columns]))

    def complete(self, rows: Sequence[dict[str, Any]], actor: Actor) -> None:
        """Add to rows what no column holds, in as many statements for a page as for one row."""

    @classmethod
    def shown(cls, visible: QuerySet[Any], actor: Actor) -> dict[str, Any]:
        """The first of the visible; NotFound when there is none."""
        row = cls.read(visible).first()
        if row is None:
            raise NotFound(_("There is no such object."))
        serializer = cls(row)
        serializer.complete([row], actor)
        return dict(serializer.data)

    @cached_property
    def _sources(self) -> list[tuple[str, str]]:
        return [(name, field.source or name) for name, field in self.fields.items()]

    def to_representation(self, instance: dict[str, Any]) -> dict[str, Any]:
        return {name: instance[source] for name, source in self._sources}


class VisibleList(ListAPIView[M]):
    """A page of what `visible_to` lets the actor see, filtered by `filterset_class`, shown by a RowSerializer."""

    #: For the schema only; rows come from `visible_to`.
    queryset: QuerySet[M]
    visible_to: Callable[[Actor], QuerySet[M]]
    serializer_class: type[RowSerializer]  # type: ignore[assignment]  # of rows, not of instances

    def get_queryset(self) -> QuerySet[M]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return type(self).visible_to(actor_of(self.request))

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        filters = getattr(self, "filterset_class", None)
        refuse_unknown_parameters(request, PAGE_PARAMETERS.union(filters.base_filters if filters else ()))
        return super().list(request, *args, **kwargs)

    def paginate_queryset(self, queryset: QuerySet[M, Any] | Sequence[Any]) -> Any:
        if not isinstance(queryset, QuerySet):
            raise TypeError("lists are read from querysets")
        rows = super().paginate_queryset(self.serializer_class.read(queryset)) or []
        self.serializer_class().complete(rows, actor_of(self.request))
        return rows


def with_id(visible: QuerySet[M], public_id: str) -> QuerySet[M]:
    """Those of the visible with this public id: one, or none for another's, an unknown and a malformed id alike."""
    try:
        return visible.filter(public_id=uuid.UUID(public_id))
    except ValueError:
        return visible.none()


def one_of(visible: QuerySet[M], public_id: str) -> M:
    """The object with this public id among the visible, or NotFound."""
    found = with_id(visible, public_id).first()
    if found is None:
        raise NotFound(_("There is no such object."))
    return found


def one_named(visible: QuerySet[M], **key: str) -> M:
    """The object with this outside key among the visible; NotFound for another's and an unknown one alike."""
    # PostgreSQL refuses the character, so nothing is named with it.
    found = None if any("\0" in value for value in key.values()) else visible.filter(**key).first()
    if found is None:
        raise NotFound(_("There is no such object."))
    return found
