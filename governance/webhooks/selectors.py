"""Questions about deliveries: which may be sent now, and what is in them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from governance.ledger.models import Event
from governance.webhooks.enums import DeliveryStatus
from governance.webhooks.models import Delivery


def deliveries_sendable(now: dt.datetime) -> QuerySet[Delivery]:
    """Pending deliveries whose time has come and that nothing older of the same guild and endpoint is waiting before."""
    older = Delivery.objects.filter(
        endpoint_id=OuterRef("endpoint_id"),
        event__guild_id=OuterRef("event__guild_id"),
        status=DeliveryStatus.PENDING,
        pk__lt=OuterRef("pk"),
    )
    return Delivery.objects.filter(
        ~Exists(older), status=DeliveryStatus.PENDING, next_attempt_at__lte=now, endpoint__is_active=True
    ).order_by("pk")


def cloudevent(event: Event) -> dict[str, Any]:
    """A ledger event as a CloudEvent. What an actor wrote as an internal reason stays inside."""
    return {
        "specversion": "1.0",
        "id": str(event.pk),
        "source": "/guildhall",
        "type": event.act,
        "subject": event.object_id,
        "time": event.at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {
            "object": event.object_type,
            "id": event.object_id,
            "guild": event.guild.external_id if event.guild else None,
            "market": event.market.code if event.market else None,
            **event.after,
        },
    }
