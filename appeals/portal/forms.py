"""The portal's forms. They hold what was typed and show errors; what is allowed is decided by the services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _

from appeals.enums import Grounds
from appeals.evidence import ACCEPT
from appeals.policy import LONGEST_MESSAGE, LONGEST_STATEMENT, SHORTEST_STATEMENT
from governance.penalties.services.rectification import LONGEST_STATEMENT as LONGEST_PUT_RIGHT
from guilds.errors import InvalidInput


class SignInForm(forms.Form):
    email = forms.CharField(
        label=_("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True, "spellcheck": "false"}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class FilesInput(forms.FileInput):
    allow_multiple_selected = True

    def value_from_datadict(
        self, data: Any, files: MultiValueDict[str, UploadedFile[bytes]], name: str
    ) -> list[UploadedFile[bytes]]:
        return list(files.getlist(name))


class FilesField(forms.FileField):
    """Any number of files as they came; `appeals.evidence` judges them."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[bytes]]:
        return list(data or [])


class ServiceForm(forms.Form):
    """A form that shows what a service refused next to the field it is about."""

    def add_refusal(self, refusal: InvalidInput) -> None:
        if not refusal.errors:
            self.add_error(None, refusal.message)
        for error in refusal.errors:
            self.add_error(error["field"] if error["field"] in self.fields else None, error["message"])


class AppealForm(ServiceForm):
    grounds = forms.ChoiceField(label=_("Why do you appeal?"), choices=Grounds, widget=forms.RadioSelect)
    statement = forms.CharField(
        label=_("Your statement"),
        help_text=_(
            "Say what happened and what we got wrong, in any language. The person who decides reads every word."
        ),
        min_length=SHORTEST_STATEMENT,
        max_length=LONGEST_STATEMENT,
        widget=forms.Textarea(attrs={"rows": 9, "dir": "auto"}),
    )
    # Django takes fields off the class, so `form.files` stays what was uploaded and `form["files"]` is this.
    files = FilesField(  # type: ignore[assignment]
        label=_("Files"),
        help_text=_("Up to 5 files of 10 MB each: PDF, PNG, JPEG, WebP, TXT or MP4."),
        required=False,
        widget=FilesInput(attrs={"multiple": True, "accept": ACCEPT}),
    )


class MessageForm(ServiceForm):
    body = forms.CharField(
        label=_("Add a message"),
        max_length=LONGEST_MESSAGE,
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
    )


class WithdrawForm(ServiceForm):
    reason = forms.CharField(
        label=_("Reason (optional)"),
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
    )


class PutRightForm(ServiceForm):
    statement = forms.CharField(
        label=_("What have you put right?"),
        help_text=_("In any language. The rule itself checks when the time is over."),
        max_length=LONGEST_PUT_RIGHT,
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
    )
