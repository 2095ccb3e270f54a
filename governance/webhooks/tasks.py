from celery import shared_task

from governance.webhooks import services

#: One task sends at most this many batches, then makes room for others.
BATCHES = 10


@shared_task(name="governance.webhooks.dispatch")
def dispatch() -> int:
    """Queue what the ledger has to say and send what is due."""
    services.deliveries_create_due()
    sent = 0
    for _batch in range(BATCHES):
        tried = services.deliveries_send_due()
        sent += tried
        if not tried:
            break
    return sent
