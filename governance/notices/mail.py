"""A notice as a mail: its own words, where to read it in the portal, and a link that says it has arrived."""

from __future__ import annotations

from email.utils import parseaddr
from urllib.parse import urlsplit

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.utils import translation
from django.utils.html import format_html, linebreaks, urlize
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from governance.notices.models import Dispatch, Notice

SALT = "notices.receipt"
#: How long a receipt can be given: longer than any appeal window.
RECEIPT_SECONDS = 400 * 24 * 60 * 60

#: Where in the portal an object is read; `{id}` is its public id.
PLACES = {
    "penalty": "penalties/{id}/",
    "appeal": "appeals/{id}/",
    "announcement": "changes/",
    "feedback": "feedback/{id}/",
}


def portal(path: str) -> str:
    return f"{settings.SITE_URL}/portal/{path}"


def page_of(notice: Notice) -> str:
    """The portal page of what the notice is about; of the notice itself where it is about several things."""
    place = PLACES.get(notice.object_type, "notices/{id}/")
    known = notice.object_id if notice.object_type in PLACES else notice.public_id
    return portal(place.format(id=known))


def receipt_token(dispatch: Dispatch) -> str:
    return signing.dumps(str(dispatch.public_id), salt=SALT)


def dispatch_id_of(token: str) -> str | None:
    """The public id of the dispatch a receipt link was made for; None for anything we did not sign, and for what is too old."""
    try:
        found = signing.loads(token, salt=SALT, max_age=RECEIPT_SECONDS)
    except signing.BadSignature:
        return None
    return found if isinstance(found, str) else None


def message_id(dispatch: Dispatch) -> str:
    """The same at every try, so that a mail sent twice can be told for one."""
    sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    return f"<{dispatch.public_id}@{sender or urlsplit(settings.SITE_URL).hostname}>"


def text_of(dispatch: Dispatch, *, receipt_url: str) -> str:
    """The plain text, in the notice's language. `dispatch.notice` is loaded."""
    notice = dispatch.notice
    with translation.override(notice.language):
        pages = dict.fromkeys([page_of(notice), portal(f"notices/{notice.public_id}/")])
        return "\n".join(
            [
                notice.body.strip(),
                "",
                "-- ",
                _("Read it in the guild portal: %(pages)s") % {"pages": "\n".join(pages)},
                _("Tell us that this has reached you, without signing in: %(url)s") % {"url": receipt_url},
                _("This address gets the notices of a guild. Its owner can change that in the guild portal."),
                "",
            ]
        )


def compose(dispatch: Dispatch) -> EmailMultiAlternatives:
    """The mail for one dispatch: text, and the same as simple HTML. `dispatch.notice` is loaded."""
    notice = dispatch.notice
    text = text_of(dispatch, receipt_url=portal(f"received/{receipt_token(dispatch)}/"))
    mail = EmailMultiAlternatives(
        subject=" ".join(notice.subject.split()),
        body=text,
        to=[dispatch.address],
        headers={
            "Message-ID": message_id(dispatch),
            "Content-Language": notice.language,
            "Auto-Submitted": "auto-generated",
        },
    )
    # Linebreaks escapes whatever is not a link of ours already.
    words = mark_safe(linebreaks(urlize(text, autoescape=True)))  # noqa: S308
    mail.attach_alternative(
        format_html(
            '<!doctype html><html lang="{}" dir="auto"><head><meta charset="utf-8"><title>{}</title></head>'
            '<body style="font:16px/1.5 sans-serif;max-width:42em;margin:1em auto;padding:0 1em" dir="auto">{}</body></html>',
            notice.language,
            mail.subject,
            words,
        ),
        "text/html",
    )
    return mail
