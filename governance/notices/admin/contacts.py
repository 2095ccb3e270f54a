"""Where guilds' notices go by mail. Guilds keep this in their portal; administrators help out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminTextInputWidget,
)

from governance.notices.admin.dispatches import dispatch_table
from governance.notices.enums import NoticeKind
from governance.notices.models import Contact
from governance.notices.selectors import contacts_visible_to
from governance.notices.services import contact_add, contact_change, contact_remove
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, DialogForm, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import moment_column, of_guild
from guilds.console.page import Badge, Fact, Section, admin_url, link_to, shown
from guilds.errors import InvalidInput
from guilds.models import Guild
from guilds.registry.selectors import guilds_visible_to


class ContactForm(DialogForm):
    email = forms.EmailField(label=_("E-mail"), max_length=254, widget=UnfoldAdminEmailInputWidget())
    name = forms.CharField(
        label=_("Desk or function"), max_length=120, required=False, widget=UnfoldAdminTextInputWidget()
    )
    kinds = forms.MultipleChoiceField(
        label=_("Which notices"),
        help_text=_("None chosen: all of them."),
        choices=NoticeKind.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        contact = kwargs.get("obj")
        if isinstance(contact, Contact):
            kwargs["initial"] = {"email": contact.email, "name": contact.name, "kinds": contact.kinds}
        super().__init__(*args, **kwargs)


class NewContactForm(ContactForm):
    guild = forms.CharField(
        label=_("Guild"),
        help_text=_("The platform's id"),
        max_length=120,
        widget=UnfoldAdminTextInputWidget(),
    )
    field_order = ("guild", "email", "name", "kinds")

    def clean_guild(self) -> Guild:
        guild = guilds_visible_to(self.actor).filter(external_id=self.cleaned_data["guild"].strip()).first()
        if guild is None:
            raise forms.ValidationError(_("There is no such guild in your markets."))
        return guild


def is_active(contact: Contact) -> bool:
    return contact.is_active


@admin.register(Contact)
class ContactAdmin(ConsoleAdmin[Contact]):
    intro = _(
        "Addresses that get a guild's notices by mail. A guild without any: its owners get them. Owners keep this in the portal."
    )
    list_display = (
        "email",
        "guild",
        "name",
        "kinds_shown",
        "active_shown",
        moment_column("created_at", _("added")),
    )
    list_select_related = ("guild",)
    list_filter = ("is_active",)
    search_fields = ("email",)
    search_help_text = _("A guild's id or name, or the whole address")
    object_related = ("guild__market",)
    ordering = ("-id",)
    actions_list = ("create",)
    actions_detail = ("edit", "remove")

    def visible(self, actor: Actor) -> QuerySet[Contact]:
        return contacts_visible_to(actor)

    def matching(self, term: str) -> Q:
        return of_guild(term) | Q(email__iexact=term)

    @display(description=_("gets"))
    def kinds_shown(self, contact: Contact) -> str:
        return shown([Badge(kind) for kind in contact.kinds] or Badge(_("All notices")))

    @display(description=_("active"), ordering="is_active")
    def active_shown(self, contact: Contact) -> str:
        return shown(self.badge(contact))

    def badge(self, contact: Contact) -> Badge:
        return Badge(_("Active"), "success") if contact.is_active else Badge(_("Removed"))

    def facts(self, contact: Contact, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Guild"), link_to(contact.guild)),
            Fact(_("Desk or function"), contact.name),
            Fact(_("Gets"), [Badge(kind) for kind in contact.kinds] or _("All notices")),
            Fact(_("Added"), contact.created_at),
        )

    def sections(self, contact: Contact, request: HttpRequest) -> Sequence[Section]:
        sent = contact.dispatches.select_related("notice").order_by("-pk")[:20]
        return (Section(_("What was sent there last"), dispatch_table(sent)),)

    @act(
        label=_("Add a contact"),
        question=_("The guild's notices go to this address as well from now on."),
        done=_("The contact was added."),
        roles=(Role.ADMIN,),
        form=NewContactForm,
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def create(self, actor: Actor, obj: None, values: Mapping[str, Any]) -> Answer:
        given = dict(values)
        guild = given.pop("guild")
        if not isinstance(guild, Guild):
            raise InvalidInput("Name the guild.", field="guild")
        return admin_url(contact_add(actor=actor, guild_id=guild.pk, **given))

    @act(
        label=_("Change"),
        question=_("Mails that are under way go where they were sent."),
        done=_("The contact was changed."),
        roles=(Role.ADMIN,),
        form=ContactForm,
        when=is_active,
        icon="edit",
        key="e",
    )
    def edit(self, actor: Actor, contact: Contact, values: Mapping[str, Any]) -> Answer:
        contact_change(actor=actor, contact_id=contact.pk, **values)
        return None

    @act(
        label=_("Remove"),
        question=_("Nothing more is sent to this address. What it got stays on record."),
        done=_("The contact was removed."),
        roles=(Role.ADMIN,),
        when=is_active,
        icon="delete",
        variant=ActionVariant.DANGER,
    )
    def remove(self, actor: Actor, contact: Contact, values: Mapping[str, Any]) -> Answer:
        contact_remove(actor=actor, contact_id=contact.pk, reason=values["reason"])
        return None
