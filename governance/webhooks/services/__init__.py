"""The writers of webhooks."""

from governance.webhooks.services.endpoints import (
    endpoint_create,
    endpoint_rotate,
    endpoint_set_active,
    former_secrets_forget,
    new_secret,
)
from governance.webhooks.services.replays import replay_ask, replay_cancel, replays_go_on
from governance.webhooks.services.sending import (
    RETRY_LADDER,
    deliveries_create_due,
    deliveries_send_due,
    delivery_retry,
    tries_forget,
)

__all__ = [
    "RETRY_LADDER",
    "deliveries_create_due",
    "deliveries_send_due",
    "delivery_retry",
    "endpoint_create",
    "endpoint_rotate",
    "endpoint_set_active",
    "former_secrets_forget",
    "new_secret",
    "replay_ask",
    "replay_cancel",
    "replays_go_on",
    "tries_forget",
]
