"""Webhooks in the console: who is told about events, what became of each delivery, and what is sent once more."""

from governance.webhooks.admin import deliveries, endpoints, replays

__all__ = ["deliveries", "endpoints", "replays"]
