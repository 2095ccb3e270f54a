"""Acts on several rows at once: confirmed first, then each row on its own, with what became of it."""

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

#: Rows in one go at most: more would be more than a person can answer for.
AT_ONCE = 100


@dataclass(frozen=True)
class Result:
    obj: Any
    refusal: str

    @property
    def happened(self) -> bool:
        return not self.refusal


def bulk(spec: Act) -> Callable[[ConsoleAdmin[Any], HttpRequest, QuerySet[Any]], HttpResponse]:
    """The list action of an act: the same form and the same service, called once per row in its own transaction."""

    def perform(model_admin: ConsoleAdmin[Any], request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse:
        actor = model_admin.actor(request)
        if not actor.has_role(*spec.roles):
            raise PermissionDenied
        chosen = list(rows[: AT_ONCE + 1])
        confirmed = "confirmed" in request.POST
        form = spec.form(request.POST if confirmed else None, actor=actor, obj=None)
        if len(chosen) > AT_ONCE:
            form.is_valid()
            refusal = _("At most %(count)s rows at once, please.") % {"count": AT_ONCE}
            chosen, confirmed = chosen[:AT_ONCE], False
        else:
            refusal = ""
        results = []
        if confirmed and form.is_valid():
            for obj in chosen:
                try:
                    spec.run(model_admin, actor, obj, form.cleaned_data)
                except DomainError as error:
                    results.append(Result(obj, error.message))
                else:
                    results.append(Result(obj, ""))
        context = {
            **model_admin.admin_site.each_context(request),
            "title": spec.label,
            "opts": model_admin.opts,
            "act": spec,
            "chosen": chosen,
            "form": form,
            "refusal": refusal,
            "results": results,
            "succeeded": sum(result.happened for result in results),
        }
        return render(request, "admin/console/bulk.html", context)

    perform.__name__ = f"bulk_{spec.name}"
    return perform
