"""Acts: the buttons of the console. Each is a dialog with a form, one role check, one service call and one message."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from guilds.accounts.actor import Actor
from guilds.console.page import admin_url, list_url
from guilds.errors import DomainError

if TYPE_CHECKING:
    from guilds.console.base import ConsoleAdmin


class DialogForm(forms.Form):
    """A form that knows who fills it in and for which object."""

    def __init__(self, *args: Any, actor: Actor, obj: Any = None, **kwargs: Any) -> None:
        self.actor, self.obj = actor, obj
        super().__init__(*args, **kwargs)

    def refuse(self, error: DomainError) -> None:
        """Show a service's refusal beside the fields it names, or above them all."""
        self.is_valid()
        for item in error.errors or [{"message": error.message}]:
            name = item.get("field") or None
            self.add_error(name if name in self.fields else None, str(item["message"]))


class ReasonForm(DialogForm):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=2_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "autofocus": True}),
        help_text=_("Kept in the ledger for good, with your name."),
    )


@dataclass(frozen=True)
class Reveal:
    """What an act shows once and never again, such as a new secret; `next_url` is where the reader goes on."""

    title: Any
    rows: Sequence[tuple[Any, str]]
    note: Any
    next_url: str


#: Rows in one go at most: more would be more than a person can answer for.
AT_ONCE = 100

#: What an act's function may return: nothing, an address to go to, or something to show once.
Answer = str | Reveal | None
Run = Callable[[Any, Actor, Any, Mapping[str, Any]], Answer]


@dataclass(frozen=True, kw_only=True)
class Act:
    """One thing a person may do. `when` decides whether the button is offered; the service decides whether it happens."""

    name: str
    label: Any
    roles: tuple[str, ...]
    run: Run
    question: Any = ""
    done: Any = ""
    form: type[DialogForm] = ReasonForm
    when: Callable[[Any], bool] | None = None
    # On several rows at once, each called with the page and the row: what would follow, shown before anybody confirms; the
    # revision the row had then, which the service is given back as `values["revision"]`; and what became of it.
    preview: Callable[[Any, Any], Any] | None = None
    revision: Callable[[Any, Any], int] | None = None
    became: Callable[[Any, Any], Any] | None = None
    at_once: int = AT_ONCE

    def offered(self, actor: Actor, obj: Any = None) -> bool:
        return actor.has_role(*self.roles) and (obj is None or self.when is None or self.when(obj))


def act(
    *,
    label: Any,
    roles: tuple[str, ...],
    question: Any = "",
    done: Any = "",
    form: type[DialogForm] = ReasonForm,
    when: Callable[[Any], bool] | None = None,
    icon: str | None = None,
    variant: ActionVariant = ActionVariant.DEFAULT,
    key: str = "",
    preview: Callable[[Any, Any], Any] | None = None,
    revision: Callable[[Any, Any], int] | None = None,
    became: Callable[[Any, Any], Any] | None = None,
    at_once: int = AT_ONCE,
) -> Callable[[Run], Callable[..., HttpResponse]]:
    """Make a method `(self, actor, obj, values)` a button. Name it in `actions_detail` (an object) or `actions_list` (none).

    `key` is the letter that presses it. `preview`, `revision`, `became` and `at_once` are for `bulk_acts`, see `Act`.
    """

    def decorate(run: Run) -> Callable[..., HttpResponse]:
        name = run.__name__
        spec = Act(
            name=name,
            label=label,
            roles=roles,
            run=run,
            question=question,
            done=done,
            form=form,
            when=when,
            preview=preview,
            revision=revision,
            became=became,
            at_once=at_once,
        )

        def view(self: ConsoleAdmin[Any], request: HttpRequest, object_id: str | None = None) -> HttpResponse:
            return perform(self, request, spec, object_id)

        view.__name__, view.__doc__ = name, run.__doc__
        # What Unfold reads off an action.
        view.act = spec  # type: ignore[attr-defined]
        view.attrs = {"data-key": key, "aria-keyshortcuts": key} if key else {}  # type: ignore[attr-defined]
        view.short_description = label  # type: ignore[attr-defined]
        view.url_path = name.replace("_", "-")  # type: ignore[attr-defined]
        view.icon = icon  # type: ignore[attr-defined]
        view.variant = variant  # type: ignore[attr-defined]
        view.dialog = {"title": label}  # type: ignore[attr-defined]
        return view

    return decorate


def perform(
    model_admin: ConsoleAdmin[Any], request: HttpRequest, spec: Act, object_id: str | None
) -> HttpResponse:
    """Show an act's dialog, or carry it out. 404 outside the actor's markets, 403 without the role."""
    if request.method not in {"GET", "POST"}:
        return HttpResponseNotAllowed(["GET", "POST"])
    actor = model_admin.actor(request)
    obj = model_admin.object_or_404(request, object_id) if object_id is not None else None
    if not actor.has_role(*spec.roles):
        raise PermissionDenied
    form = spec.form(request.POST if request.method == "POST" else None, actor=actor, obj=obj)
    status = 200
    if request.method == "POST":
        if form.is_valid():
            try:
                answer = spec.run(model_admin, actor, obj, form.cleaned_data)
            except DomainError as error:
                form.refuse(error)
                status = error.status
            else:
                return _done(model_admin, request, spec, obj, answer)
        else:
            status = 422
    return _dialog(model_admin, request, spec, obj, {"form": form}, status=status)


def _done(
    model_admin: ConsoleAdmin[Any], request: HttpRequest, spec: Act, obj: Model | None, answer: Answer
) -> HttpResponse:
    if isinstance(answer, Reveal):
        response = _dialog(model_admin, request, spec, obj, {"reveal": answer}, status=200)
        response["Cache-Control"] = "no-store"
        return response
    if spec.done:
        messages.success(request, spec.done)
    url = answer or (admin_url(obj) if obj is not None else list_url(model_admin.model))
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def _dialog(
    model_admin: ConsoleAdmin[Any],
    request: HttpRequest,
    spec: Act,
    obj: Model | None,
    context: dict[str, Any],
    *,
    status: int,
) -> HttpResponse:
    """The dialog alone for htmx, which swaps nothing on an error status; a whole page without JavaScript."""
    context |= {"act": spec, "object": obj, "action_url": request.get_full_path()}
    if request.headers.get("HX-Request"):
        return render(request, "admin/console/dialog.html", context)
    context |= model_admin.admin_site.each_context(request) | {"title": spec.label, "opts": model_admin.opts}
    return render(request, "admin/console/act.html", context, status=status)
