"""Notices on their way by mail: claimed one by one in a short transaction, sent outside any, settled in another.

At least once: a worker killed between handing a mail over and settling sends it again, under the same Message-ID. The
portal has every notice from the moment it is issued, so no deadline waits for a mail server.
"""

from __future__ import annotations

import datetime as dt
import smtplib

import structlog
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.utils import timezone

from governance.ledger.services import record
from governance.notices import transitions
from governance.notices.enums import Channel, DispatchStatus
from governance.notices.mail import compose, dispatch_id_of, message_id
from governance.notices.models import Dispatch
from governance.notices.selectors import still_wanted
from governance.notices.services.notices import DISPATCH
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidTransition, NotFound
from guilds.nudges import nudge

log = structlog.get_logger(__name__)

#: Seconds to wait after each failed try; 24 h 14 min in all, then the dispatch has failed and waits for a person.
RETRY_LADDER = (60, 300, 900, 3600, 7200, 14400, 28800, 32000)
#: How long a claimed mail is left alone. A conversation with a mail server is some eight steps of EMAIL_TIMEOUT (10 s) at most.
LEASE = dt.timedelta(seconds=180)

RELEASERS = (Role.ADMIN, Role.ENFORCER)


class Refused(Exception):
    """The mail server will not take this mail, and asking again would not help."""


class Postponed(Exception):
    """Not now. `unreachable`: no server answered, so the next mail would fare no better."""

    def __init__(self, reason: str, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.unreachable = unreachable


@transaction.atomic
def _claim(now: dt.datetime) -> Dispatch | None:
    """The mail that has waited longest, taken for the time of a lease. One that is no longer wanted is cancelled on the way."""
    due = (
        Dispatch.objects.filter(channel=Channel.MAIL, status=DispatchStatus.PENDING, next_attempt_at__lte=now)
        .select_for_update(of=("self",), skip_locked=True)
        .select_related("notice", "notice__guild")
        .order_by("next_attempt_at", "pk")
    )
    while dispatch := due.first():
        if still_wanted(dispatch):
            dispatch.next_attempt_at = now + LEASE
            dispatch.save(update_fields=["next_attempt_at"])
            return dispatch
        _move(dispatch, DispatchStatus.CANCELLED, error="The address no longer stands for the guild.")
    return None


def dispatches_send_due(*, limit: int = 50, now: dt.datetime | None = None) -> int:
    """Send up to `limit` mails that are due over one connection; returns how many were tried.

    With no mail server in reach the first failure ends the round: every other mail would wait for the same nothing.
    """
    now = now or timezone.now()
    connection: BaseEmailBackend = get_connection()
    tried = 0
    try:
        while tried < limit and (dispatch := _claim(now)) is not None:
            tried += 1
            try:
                _hand_over(connection, dispatch)
            except Refused as refusal:
                _settle(dispatch.pk, error=str(refusal), final=True)
            except Postponed as delay:
                _settle(dispatch.pk, error=str(delay))
                if delay.unreachable:
                    break
            else:
                _settle(dispatch.pk)
    finally:
        _close(connection)
    return tried


def _hand_over(connection: BaseEmailBackend, dispatch: Dispatch) -> None:
    """Give one mail to the server. Raises Refused or Postponed, after which the connection is a new one."""
    try:
        connection.open()
    except (smtplib.SMTPException, OSError) as error:
        _close(connection)
        raise Postponed(_said(error), unreachable=True) from error
    try:
        connection.send_messages([compose(dispatch)])
    except smtplib.SMTPRecipientsRefused as error:
        _close(connection)
        code, words = next(iter(error.recipients.values()))
        raise _verdict(code, words) from error
    except smtplib.SMTPDataError as error:
        _close(connection)
        raise _verdict(error.smtp_code, error.smtp_error) from error
    except (smtplib.SMTPException, OSError) as error:
        _close(connection)
        raise Postponed(_said(error)) from error
    except ValueError as error:  # an address or header that cannot be written as mail
        raise Refused(f"This cannot be written as mail: {error}") from error


def _verdict(code: int, words: bytes | str) -> Refused | Postponed:
    """5xx about the recipient or the content is the server's last word, 4xx is not."""
    said = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    answer = f"{code} {' '.join(said.split())}"
    return Refused(answer) if 500 <= code < 600 else Postponed(answer)


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return str(_verdict(error.smtp_code, error.smtp_error))
    if isinstance(error, TimeoutError):
        return "The mail server did not answer in time."
    return f"{type(error).__name__}: {error}"


def _close(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except (smtplib.SMTPException, OSError) as error:
        log.info("mail_connection_lost", error=str(error))


@transaction.atomic
def _settle(dispatch_id: int, *, error: str = "", final: bool = False) -> None:
    """Write down how a try went: handed over, failed for good, or the next rung of the ladder.

    Records dispatch.sent or, when nothing more will be tried, dispatch.failed.
    """
    dispatch = (
        Dispatch.objects.select_for_update(of=("self",)).select_related("notice__guild").get(pk=dispatch_id)
    )
    if dispatch.status != DispatchStatus.PENDING:
        return  # a receipt was quicker, or another worker whose lease began when ours was over
    now = timezone.now()
    dispatch.attempts += 1
    if not error:
        dispatch.sent_at, dispatch.receipt = now, message_id(dispatch)
        _move(dispatch, DispatchStatus.SENT)
    elif final or dispatch.attempts > len(RETRY_LADDER):
        _move(dispatch, DispatchStatus.FAILED, error=error)
    else:
        dispatch.error = error[:300]
        dispatch.next_attempt_at = now + dt.timedelta(seconds=RETRY_LADDER[dispatch.attempts - 1])
        dispatch.save()


def _move(
    dispatch: Dispatch,
    status: DispatchStatus,
    *,
    error: str = "",
    actor: Actor | None = None,
    reason: str = "",
) -> None:
    """Change the status of a locked dispatch and record `dispatch.<status>`. The ledger names the dispatch, not the address."""
    transitions.check(dispatch.status, status)
    before = {"status": dispatch.status}
    dispatch.status, dispatch.error = status, error[:300]
    dispatch.next_attempt_at = timezone.now() if status == DispatchStatus.PENDING else None
    dispatch.save()
    record(
        actor=actor or Actor.system("mail"),
        act=f"dispatch.{status.value}",
        obj=dispatch,
        before=before,
        after={"status": status.value, "notice": str(dispatch.notice.public_id), "channel": dispatch.channel}
        | ({"error": dispatch.error} if error else {}),
        reason=reason,
        guild_id=dispatch.notice.guild_id,
        market_id=dispatch.notice.guild.market_id,
    )


@transaction.atomic
def dispatch_confirm(*, actor: Actor, token: str) -> Dispatch:
    """Somebody at the address says that the mail has arrived; the first time counts. Records dispatch.received.

    Raises NotFound for a link we did not sign, one too old, and one whose mail was cancelled.
    """
    public_id = dispatch_id_of(token)
    dispatch = (
        Dispatch.objects.select_for_update(of=("self",))
        .select_related("notice__guild")
        .exclude(status=DispatchStatus.CANCELLED)
        .filter(public_id=public_id)
        .first()
        if public_id
        else None
    )
    if dispatch is None:
        raise NotFound("This link does not work any more.")
    if dispatch.status != DispatchStatus.RECEIVED:
        dispatch.received_at = timezone.now()
        _move(dispatch, DispatchStatus.RECEIVED, actor=actor)
    return dispatch


@transaction.atomic
def dispatch_retry(*, actor: Actor, dispatch_id: int, reason: str) -> Dispatch:
    """Send a failed mail again from the first rung. Records dispatch.pending."""
    dispatch = (
        Dispatch.objects.select_for_update(of=("self",))
        .select_related("notice__guild")
        .filter(pk=dispatch_id)
        .first()
    )
    if dispatch is None:
        raise NotFound("There is no such mail.")
    actor.require_role(*RELEASERS, market_id=dispatch.notice.guild.market_id)
    if dispatch.status != DispatchStatus.FAILED:
        raise InvalidTransition("Only a mail that failed can be sent again.")
    dispatch.attempts = 0
    _move(dispatch, DispatchStatus.PENDING, actor=actor, reason=reason)
    nudge(DISPATCH)
    return dispatch
