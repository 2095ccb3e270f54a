"""How deliveries and replays look in one word."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from governance.webhooks.enums import DeliveryStatus
from governance.webhooks.models import Delivery, Endpoint, Replay
from guilds.console.page import Badge, Table, Variant, link_to

DELIVERY_VARIANTS: dict[str, Variant] = {
    DeliveryStatus.PENDING: "info",
    DeliveryStatus.DELIVERED: "success",
    DeliveryStatus.FAILED: "danger",
    DeliveryStatus.CANCELLED: "default",
}


def delivery_badge(delivery: Delivery) -> Badge:
    return Badge(delivery.get_status_display(), DELIVERY_VARIANTS[delivery.status])


def endpoint_badge(endpoint: Endpoint) -> Badge:
    if not endpoint.is_active:
        return Badge(_("Disabled") if endpoint.disabled_reason else _("Paused"), "warning")
    if endpoint.failures:
        return Badge(_("Failing"), "danger")
    return Badge(_("Active"), "success")


def replay_badge(replay: Replay) -> Badge:
    if replay.cancelled_at is not None:
        return Badge(_("Cancelled"))
    if replay.finished_at is not None:
        return Badge(_("Queued to its end"), "success")
    return Badge(_("Under way"), "info")


def delivery_table(rows: Iterable[Delivery], **more: object) -> Table:
    """Deliveries on another object's page; their events are selected with them."""
    cells = [
        [
            link_to(row, row.event.act),
            delivery_badge(row),
            row.attempts,
            row.response_status,
            row.error,
            row.created_at,
        ]
        for row in rows
    ]
    headers = [_("Event"), _("Status"), _("Tries"), _("Answer"), _("Error"), _("Made")]
    return Table(headers, cells, **more)  # type: ignore[arg-type]
