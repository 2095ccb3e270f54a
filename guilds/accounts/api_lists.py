"""What every list of the API has in common: only what the caller may see, and filters that refuse what they do not know."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

import django_filters
from django import forms
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from django_filters import fields
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


class VisibleList(ListAPIView[M]):
    """A page of what `visible_to` lets the actor see, filtered by `filterset_class`."""

    #: For the schema only; rows come from `visible_to`.
    queryset: QuerySet[M]
    visible_to: Callable[[Actor], QuerySet[M]]

    def get_queryset(self) -> QuerySet[M]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return type(self).visible_to(actor_of(self.request))

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        filters = getattr(self, "filterset_class", None)
        refuse_unknown_parameters(request, PAGE_PARAMETERS.union(filters.base_filters if filters else ()))
        return super().list(request, *args, **kwargs)


def one_of(visible: QuerySet[M], public_id: str) -> M:
    """The object with this public id among the visible; NotFound for another's, an unknown and a malformed id alike."""
    try:
        found = visible.filter(public_id=uuid.UUID(public_id)).first()
    except ValueError:
        found = None
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
