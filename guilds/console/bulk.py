"""Acts on several rows at once: what would follow, confirmed first, then each row on its own, with what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from guilds.console.acts import Act
from guilds.errors import DomainError

if TYPE_CHECKING:
    from guilds.console.base import ConsoleAdmin


@dataclass(frozen=True)
class Chosen:
    """A row as the reader confirms it: with its revision of now and what would follow for it."""

    obj: Any
    revision: int | None
    preview: Any


@dataclass(frozen=True)
class Result:
    obj: Any
    refusal: str
    became: Any = ""

    @property
    def happened(self) -> bool:
        return not self.refusal


def bulk(spec: Act) -> Callable[[ConsoleAdmin[Any], HttpRequest, QuerySet[Any]], HttpResponse]:
    """The list action of an act: the same form and the same service, called once per row in its own transaction."""

    def perform(model_admin: ConsoleAdmin[Any], request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse:
        actor = model_admin.actor(request)
        if not actor.has_role(*spec.roles):
            raise PermissionDenied
        confirmed = "confirmed" in request.POST
        if confirmed:
            # What somebody else changed meanwhile may have left the list's filter: it is answered by name, not dropped.
            named = request.POST.getlist("_selected_action")
            rows = model_admin.get_queryset(request).filter(pk__in=named)
        objects = list(rows[: spec.at_once + 1])
        form = spec.form(request.POST if confirmed else None, actor=actor, obj=None)
        refusal = ""
        if len(objects) > spec.at_once:
            form.is_valid()
            refusal = _("At most %(count)s rows at once, please.") % {"count": spec.at_once}
            objects, confirmed = objects[: spec.at_once], False
        results = []
        if confirmed and form.is_valid():
            results = [_result(model_admin, spec, request, obj, form.cleaned_data) for obj in objects]
        context = {
            **model_admin.admin_site.each_context(request),
            "title": spec.label,
            "opts": model_admin.opts,
            "act": spec,
            # A template would call the function to see whether there is one.
            "previews": spec.preview is not None,
            "chosen": [] if results else [_chosen(model_admin, spec, obj) for obj in objects],
            "form": form,
            "refusal": refusal,
            "results": results,
            "succeeded": sum(result.happened for result in results),
        }
        return render(request, "admin/console/bulk.html", context)

    perform.__name__ = f"bulk_{spec.name}"
    return perform


def _chosen(model_admin: ConsoleAdmin[Any], spec: Act, obj: Any) -> Chosen:
    return Chosen(
        obj,
        spec.revision(model_admin, obj) if spec.revision else None,
        spec.preview(model_admin, obj) if spec.preview else None,
    )


def _result(
    model_admin: ConsoleAdmin[Any], spec: Act, request: HttpRequest, obj: Any, values: dict[str, Any]
) -> Result:
    if spec.revision:
        # Without a number of its own a row cannot be the one that was confirmed.
        sent = request.POST.get(f"revision-{obj.pk}", "")
        values = values | {"revision": int(sent) if sent.isdecimal() else 0}
    try:
        spec.run(model_admin, model_admin.actor(request), obj, values)
    except DomainError as error:
        return Result(obj, error.message)
    return Result(obj, "", spec.became(model_admin, obj) if spec.became else "")
