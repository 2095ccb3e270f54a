"""People and machines that may act: staff with roles and markets, seats in guilds, OAuth clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from guilds.accounts.actor import Actor
from guilds.accounts.clients import client_create
from guilds.accounts.enums import GuildRole, Role, Scope
from guilds.accounts.models import Client, GuildUser, StaffRole, User
from guilds.accounts.services import guild_user_invite, one_time_link, staff_create
from guilds.console.acts import Answer, DialogForm, Reveal, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import in_markets, moment_column, of_guild
from guilds.console.page import Badge, Fact, Section, Table, admin_url, link_to, shown
from guilds.errors import InvalidInput
from guilds.registry.models import Guild, Market


def markets_of(actor: Actor) -> QuerySet[Market]:
    markets = Market.objects.order_by("code")
    return markets if actor.market_ids is None else markets.filter(pk__in=actor.market_ids)


class WithMarkets(DialogForm):
    """A form with the markets its reader may give away."""

    markets = forms.ModelMultipleChoiceField(
        label=_("Markets"),
        queryset=Market.objects.none(),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget(attrs={"size": 6}),
        help_text=_("None chosen: every market, where you have every market yourself."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["markets"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = markets_of(self.actor)


class StaffForm(WithMarkets):
    email = forms.EmailField(label=_("E-mail"), widget=UnfoldAdminEmailInputWidget())
    name = forms.CharField(
        label=_("Name"), required=False, max_length=150, widget=UnfoldAdminTextInputWidget()
    )
    roles = forms.MultipleChoiceField(
        label=_("Roles"), choices=Role.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget()
    )
    field_order = ("email", "name", "roles", "markets")


@admin.register(User)
class UserAdmin(ConsoleAdmin[User]):
    intro = _("Staff of the platform, with what they may do and where. People of guilds are listed as seats.")
    list_display = (
        "email",
        "name",
        "roles_shown",
        "reach_shown",
        "active_shown",
        moment_column("last_login", _("last sign-in")),
    )
    search_fields = ("email",)
    search_help_text = _("E-mail or name")
    ordering = ("email",)
    actions_list = ("create",)

    def visible(self, actor: Actor) -> QuerySet[User]:
        rows = User.objects.filter(is_staff=True)
        if actor.market_ids is not None:
            shared = User.markets.through.objects.filter(user=OuterRef("pk"), market__in=actor.market_ids)
            rows = rows.filter(Q(all_markets=True) | Exists(shared))
        return rows.prefetch_related(
            Prefetch("staff_roles", queryset=StaffRole.objects.order_by("role")),
            Prefetch("markets", queryset=Market.objects.order_by("code")),
        )

    def matching(self, term: str) -> Q:
        return Q(email__icontains=term) | Q(name__icontains=term)

    @display(description=_("roles"))
    def roles_shown(self, person: User) -> str:
        if person.is_superuser:
            return shown(Badge(_("Superuser"), "danger"))
        return shown([Badge(role.role, "primary") for role in person.staff_roles.all()])

    @display(description=_("markets"))
    def reach_shown(self, person: User) -> str:
        if person.all_markets or person.is_superuser:
            return shown(Badge(_("Every market"), "info"))
        codes = [market.code for market in person.markets.all()]
        return ", ".join(codes[:8]) + (" …" if len(codes) > 8 else "")

    @display(description=_("active"), ordering="is_active")
    def active_shown(self, person: User) -> str:
        return shown(self.badge(person))

    def badge(self, person: User) -> Badge:
        return Badge(_("Active"), "success") if person.is_active else Badge(_("Closed"), "danger")

    def facts(self, person: User, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("E-mail"), person.email),
            Fact(_("Name"), person.name),
            Fact(_("Roles"), self.roles_shown(person)),
            Fact(_("Markets"), self.reach_shown(person)),
            Fact(_("Since"), person.created_at),
            Fact(_("Last sign-in"), person.last_login),
        )

    @act(
        label=_("New member of staff"),
        question=_(
            "A new account comes with a one-time link. Somebody known already gets these roles and markets on top."
        ),
        roles=(Role.ADMIN,),
        form=StaffForm,
        icon="person_add",
        variant=ActionVariant.PRIMARY,
    )
    def create(self, actor: Actor, obj: None, values: Mapping[str, Any]) -> Answer:
        person = staff_create(
            actor=actor,
            email=values["email"],
            name=values["name"],
            roles=values["roles"],
            markets=list(values["markets"]),
        )
        return _welcome(person, person)


def _welcome(person: User, shown_on: User | GuildUser) -> Answer:
    """The link for a new account. Never for one somebody uses already: it would hand that account to whoever asks."""
    if person.has_usable_password():
        return admin_url(shown_on)
    return Reveal(
        title=_("One-time link"),
        rows=[(person.email, one_time_link(person))],
        note=_("Send it to this person. It is shown once, works once, and for three days."),
        next_url=admin_url(shown_on),
    )


class InviteForm(DialogForm):
    email = forms.EmailField(label=_("E-mail"), widget=UnfoldAdminEmailInputWidget())
    name = forms.CharField(
        label=_("Name"), required=False, max_length=150, widget=UnfoldAdminTextInputWidget()
    )
    guild = forms.CharField(
        label=_("Guild"),
        max_length=120,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("The platform's id of the guild."),
    )
    role = forms.ChoiceField(label=_("Role"), choices=GuildRole.choices, widget=UnfoldAdminSelectWidget())


@admin.register(GuildUser)
class GuildUserAdmin(ConsoleAdmin[GuildUser]):
    intro = _("Seats of people in their guild's portal.")
    list_display = ("email", "guild", "role", "active_shown", moment_column("created_at", _("made")))
    list_select_related = ("user", "guild")
    search_fields = ("user__email",)
    search_help_text = _("E-mail, or a guild's id or name")
    object_related = ("user", "guild")
    ordering = ("-id",)
    actions_list = ("invite",)

    def visible(self, actor: Actor) -> QuerySet[GuildUser]:
        return in_markets(GuildUser.objects.all(), actor, "guild__market_id")

    def matching(self, term: str) -> Q:
        return Q(user__email__icontains=term) | of_guild(term)

    @display(description=_("e-mail"), ordering="user__email")
    def email(self, seat: GuildUser) -> str:
        return seat.user.email

    @display(description=_("active"), ordering="is_active")
    def active_shown(self, seat: GuildUser) -> str:
        return shown(self.badge(seat))

    def badge(self, seat: GuildUser) -> Badge:
        return Badge(_("Active"), "success") if seat.is_active else Badge(_("Closed"), "danger")

    def facts(self, seat: GuildUser, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("E-mail"), seat.user.email),
            Fact(_("Name"), seat.user.name),
            Fact(_("Guild"), link_to(seat.guild)),
            Fact(_("Role"), seat.get_role_display()),
            Fact(_("Since"), seat.created_at),
            Fact(_("Last sign-in"), seat.user.last_login),
        )

    @act(
        label=_("Invite a person of a guild"),
        question=_("A new account comes with a one-time link. Somebody known already signs in as before."),
        roles=(Role.ADMIN,),
        form=InviteForm,
        icon="person_add",
        variant=ActionVariant.PRIMARY,
    )
    def invite(self, actor: Actor, obj: None, values: Mapping[str, Any]) -> Answer:
        guild = in_markets(Guild.objects.all(), actor).filter(external_id=values["guild"].strip()).first()
        if guild is None:
            raise InvalidInput(str(_("There is no such guild in your markets.")), field="guild")
        seat = guild_user_invite(
            actor=actor, email=values["email"], name=values["name"], guild=guild, role=values["role"]
        )
        return _welcome(seat.user, seat)


class ClientForm(WithMarkets):
    name = forms.CharField(label=_("Name"), max_length=120, widget=UnfoldAdminTextInputWidget())
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"), choices=Scope.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget()
    )
    guild = forms.CharField(
        label=_("Only for one guild"),
        required=False,
        max_length=120,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("The platform's id of the guild; empty for a client of the platform."),
    )
    field_order = ("name", "scopes", "markets", "guild")


@admin.register(Client)
class ClientAdmin(ConsoleAdmin[Client]):
    intro = _(
        "Machines that use the API with client credentials. A secret is shown once, when the client is made."
    )
    list_display = ("name", "client_id", "scopes_shown", "guild", moment_column("created", _("made")))
    list_select_related = ("guild",)
    search_fields = ("client_id",)
    search_help_text = _("Name or client id")
    object_related = ("guild",)
    ordering = ("name", "id")
    actions_list = ("create",)

    def visible(self, actor: Actor) -> QuerySet[Client]:
        rows: QuerySet[Client] = Client.objects.all()
        if actor.market_ids is None:
            return rows
        shared = Client.markets.through.objects.filter(client=OuterRef("pk"), market__in=actor.market_ids)
        return rows.filter(Exists(shared) | Q(guild__market_id__in=actor.market_ids))

    def matching(self, term: str) -> Q:
        return Q(name__icontains=term) | Q(client_id=term)

    @display(description=_("scopes"))
    def scopes_shown(self, client: Client) -> str:
        return shown([Badge(scope) for scope in client.allowed_scopes])

    def facts(self, client: Client, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Client id"), client.client_id),
            Fact(_("Scopes"), [Badge(scope) for scope in client.allowed_scopes]),
            Fact(_("Only for guild"), link_to(client.guild)),
            Fact(_("Made"), client.created),
        )

    def sections(self, client: Client, request: HttpRequest) -> Sequence[Section]:
        rows = [[link_to(market), market.name] for market in client.markets.order_by("code")]
        return [Section(_("Markets"), Table([_("Code"), _("Name")], rows, empty=_("Every market.")))]

    @act(
        label=_("New client"),
        roles=(Role.ADMIN,),
        form=ClientForm,
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def create(self, actor: Actor, obj: None, values: Mapping[str, Any]) -> Answer:
        guild = None
        if values["guild"].strip():
            guild = in_markets(Guild.objects.all(), actor).filter(external_id=values["guild"].strip()).first()
            if guild is None:
                raise InvalidInput(str(_("There is no such guild in your markets.")), field="guild")
        client, secret = client_create(
            actor=actor,
            name=values["name"],
            scopes=values["scopes"],
            markets=list(values["markets"]),
            guild=guild,
        )
        return Reveal(
            title=_("New client"),
            rows=[("client_id", client.client_id), ("client_secret", secret)],
            note=_("Store the secret now: it is kept only as a hash and never shown again."),
            next_url=admin_url(client),
        )
