"""The base class of every page of the console: reading by default, within the reader's markets, changing only by acts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar, cast

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from guilds.accounts.actor import Actor
from guilds.console.acts import Act
from guilds.console.bulk import bulk
from guilds.console.lists import EXPORTED, BoundedPaginator, csv_response, csv_rows
from guilds.console.page import Badge, Fact, Link, Section, Tab
from guilds.console.reader import staff_actor

M = TypeVar("M", bound=Model)


class ConsoleList(ChangeList):
    """A list that does not count what it does not show: the header would otherwise offer a total nobody asked for."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count


class ConsoleAdmin(ModelAdmin, Generic[M]):
    """A concept's list and object page.

    A subclass says which rows (`visible`), what the list shows, what an object is (`badge`, `facts`, `sections`) and what may
    be done (`actions_detail`, `actions_list`, `bulk_acts`, all made by `act`). Nothing is added, changed or deleted by form:
    services are the only writers.
    """

    object_related: ClassVar[Sequence[str]] = ()
    bulk_acts: ClassVar[Sequence[str]] = ()
    #: Extra columns of the export; the list's own come first.
    export_columns: ClassVar[Sequence[str]] = ()
    intro: ClassVar[Any] = ""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    list_filter_submit = True
    list_disable_select_all = True
    list_fullwidth = True
    actions_on_bottom = False
    view_on_site = False
    change_list_template = "admin/console/list.html"
    object_template = "admin/console/object.html"

    # --- who may ------------------------------------------------------------------------------------------------
    def actor(self, request: HttpRequest) -> Actor:
        return staff_actor(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # The sign-in page asks as well, before anybody is known.
        return request.user.is_authenticated and request.user.is_staff and bool(self.actor(request).roles)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # --- which rows ---------------------------------------------------------------------------------------------
    def visible(self, actor: Actor) -> QuerySet[M]:
        """The rows within the actor's markets. Whatever belongs to no market is for every member of staff to read."""
        return cast("QuerySet[M]", self.model._default_manager.all())

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        rows = self.visible(self.actor(request))
        ordering = self.get_ordering(request)
        return rows.order_by(*ordering) if ordering else rows

    def object_or_404(self, request: HttpRequest, object_id: str) -> M:
        """The object within the actor's markets. Fetched once a request, as acts and page both ask for it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        known: dict[tuple[str, str], M] = request.__dict__.setdefault("_console_objects", {})
        key = (self.opts.label, object_id)
        if key not in known:
            rows = self.get_queryset(request).order_by()
            try:
                known[key] = rows.select_related(*self.object_related).get(pk=object_id)
            except (self.model.DoesNotExist, ValidationError, ValueError) as absent:
                raise Http404 from absent
        return known[key]

    def matching(self, term: str) -> Q:
        """The rows a search for the term finds. Only conditions that an index answers."""
        raise Http404

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        term = search_term.strip()
        return (queryset.filter(self.matching(term)) if term else queryset), False

    # --- what it is ---------------------------------------------------------------------------------------------
    def badge(self, obj: M) -> Badge | None:
        return None

    def headline(self, obj: M) -> str:
        return str(obj)

    def facts(self, obj: M, request: HttpRequest) -> Sequence[Fact]:
        return ()

    def sections(self, obj: M, request: HttpRequest) -> Sequence[Section]:
        return ()

    def onward(self, obj: M, request: HttpRequest) -> Link | None:
        """Where the reader goes on from here, such as the next case of a queue."""
        return None

    def tabs(self, obj: M) -> Sequence[Tab]:
        """Parts of a page too large for one; the first is where the page opens, `current_tab` says which is asked for."""
        return ()

    def current_tab(self, obj: M, request: HttpRequest) -> str:
        keys = [tab.key for tab in self.tabs(obj)]
        asked = request.GET.get("tab", "")
        return asked if asked in keys else (keys[0] if keys else "")

    # --- what can be done ---------------------------------------------------------------------------------------
    def spec(self, name: str) -> Act:
        return cast("Act", getattr(self, name).act)

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        obj, actor = self.object_or_404(request, object_id), self.actor(request)
        names = self._extract_action_names(self.actions_detail)
        return [self.get_unfold_action(name) for name in names if self.spec(name).offered(actor, obj)]

    def get_actions_list(self, request: HttpRequest) -> list[Any]:
        actor = self.actor(request)
        names = self._extract_action_names(self.actions_list)
        return [self.get_unfold_action(name) for name in names if self.spec(name).offered(actor)]

    def get_actions(self, request: HttpRequest) -> dict[str, tuple[Any, str, Any]]:
        actor = self.actor(request)
        specs = [self.spec(name) for name in self.bulk_acts]
        return {spec.name: (bulk(spec), spec.name, spec.label) for spec in specs if spec.offered(actor)}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ConsoleList]:
        return ConsoleList

    # --- pages --------------------------------------------------------------------------------------------------
    def get_urls(self) -> list[URLPattern]:
        """Django's pages for adding, deleting and its own history are not part of this console."""
        absent = ("_add", "_delete", "_history")
        return [url for url in super().get_urls() if not str(url.name or "").endswith(absent)]

    def get_custom_urls(self) -> tuple[tuple[str, str, Callable[..., HttpResponseBase]], ...]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return (("export.csv", name, self.export_view),)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        query = request.GET.urlencode()
        context = {
            "title": self.opts.verbose_name_plural,
            "intro": self.intro,
            "export_url": f"export.csv?{query}" if query else "export.csv",
            "export_limit": EXPORTED,
        }
        return cast("HttpResponse", super().changelist_view(request, context | (extra_context or {})))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The object page. It only reads; a POST here has no meaning."""
        if object_id is None:
            raise Http404
        obj = self.object_or_404(request, object_id)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        tabs = self.tabs(obj)
        current = self.current_tab(obj, request)
        context = {
            **self.admin_site.each_context(request),
            "title": self.headline(obj),
            "opts": self.opts,
            "original": obj,
            "headline": self.headline(obj),
            "badge": self.badge(obj),
            "onward": self.onward(obj, request),
            "facts": self.facts(obj, request),
            "sections": self.sections(obj, request),
            "tabs": tabs,
            "current_tab": current,
            "opening_tab": not tabs or current == tabs[0].key,
            "actions_detail": self._get_actions_navigation(
                self.actions_detail, self.get_actions_detail(request, object_id), object_id
            ),
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.object_template, context)

    def export_view(self, request: HttpRequest, model_admin: Any = None) -> StreamingHttpResponse:
        """The list as filtered now, as CSV; at most EXPORTED rows."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = self.get_changelist_instance(request).get_queryset(request)
        columns = [name for name in self.get_list_display(request) if name != "action_checkbox"]
        name = f"{self.opts.model_name}-{dt.datetime.now(dt.UTC):%Y%m%d-%H%M}"
        return csv_response(name, csv_rows(rows, [*columns, *self.export_columns], self))
