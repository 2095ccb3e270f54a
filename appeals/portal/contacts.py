"""Where the guild's notices go by mail: everybody reads it, an owner decides it."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from appeals.portal.forms import ServiceForm
from appeals.portal.visit import Visit, page
from governance.notices.enums import NoticeKind
from governance.notices.models import Contact
from governance.notices.selectors import contacts_of, owners_of
from governance.notices.services import contact_add, contact_change, contact_remove
from guilds.accounts.enums import GuildRole
from guilds.errors import Conflict, InvalidInput, NotAllowed, NotFound


class ContactForm(ServiceForm):
    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    name = forms.CharField(
        label=gettext_lazy("Desk or function (optional)"),
        help_text=gettext_lazy("Such as Legal. A person's name is not needed."),
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"dir": "auto"}),
    )
    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("Which messages?"),
        help_text=gettext_lazy("None chosen: all of them."),
        choices=NoticeKind.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )


@page("GET", "POST")
def contact_list(visit: Visit) -> HttpResponse:
    """The addresses, and the form for another one."""
    if visit.request.method != "POST":
        return _shown(visit, ContactForm())
    _require_owner(visit)
    form, status = ContactForm(visit.request.POST), 422
    if form.is_valid():
        try:
            contact_add(actor=visit.actor, guild_id=visit.guild.pk, **form.cleaned_data)
        except InvalidInput as faults:
            form.add_refusal(faults)
        except Conflict as refusal:
            form.add_error(refusal.errors[0]["field"] if refusal.errors else None, refusal.message)
            status = 409
        else:
            messages.success(visit.request, _("From now on your messages go to this address as well."))
            return redirect("portal:contacts")
    return _shown(visit, form, status=status)


@page("GET", "POST")
def contact_page(visit: Visit, contact_id: int) -> HttpResponse:
    """One address, to be changed."""
    contact = _contact(visit, contact_id)
    _require_owner(visit)
    if visit.request.method != "POST":
        known = {"email": contact.email, "name": contact.name, "kinds": contact.kinds}
        return _one(visit, contact, ContactForm(initial=known))
    form, status = ContactForm(visit.request.POST), 422
    if form.is_valid():
        try:
            contact_change(actor=visit.actor, contact_id=contact.pk, **form.cleaned_data)
        except InvalidInput as faults:
            form.add_refusal(faults)
        except Conflict as refusal:
            form.add_error(refusal.errors[0]["field"] if refusal.errors else None, refusal.message)
            status = 409
        else:
            messages.success(visit.request, _("The contact was changed."))
            return redirect("portal:contacts")
    return _one(visit, contact, form, status=status)


@page("POST")
def contact_drop(visit: Visit, contact_id: int) -> HttpResponse:
    contact = _contact(visit, contact_id)
    _require_owner(visit)
    contact_remove(actor=visit.actor, contact_id=contact.pk)
    messages.success(visit.request, _("Nothing more is sent to this address."))
    return redirect("portal:contacts")


def _is_owner(visit: Visit) -> bool:
    return visit.actor.has_role(GuildRole.OWNER)


def _require_owner(visit: Visit) -> None:
    if not _is_owner(visit):
        raise NotAllowed(_("Only an owner of your guild says where its messages go."), code="role_required")


def _contact(visit: Visit, contact_id: int) -> Contact:
    contact = contacts_of(visit.guild.pk).filter(pk=contact_id).first()
    if contact is None:
        raise NotFound(_("There is no such contact."))
    return contact


def _shown(visit: Visit, form: ContactForm, *, status: int = 200) -> HttpResponse:
    contacts = list(contacts_of(visit.guild.pk))
    labels = dict(NoticeKind.choices)
    return visit.render(
        "contacts.html",
        {
            "section": "contacts",
            "form": form,
            "is_owner": _is_owner(visit),
            "rows": [(contact, [labels[kind] for kind in contact.kinds]) for contact in contacts],
            "owners": owners_of([visit.guild.pk]).get(visit.guild.pk, []) if not contacts else [],
        },
        status=status,
    )


def _one(visit: Visit, contact: Contact, form: ContactForm, *, status: int = 200) -> HttpResponse:
    return visit.render(
        "contact.html", {"section": "contacts", "contact": contact, "form": form}, status=status
    )
