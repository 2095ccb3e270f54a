from celery import shared_task

from governance.webhooks import services

#: One task queues and sends at most this many batches, then makes room for others.
BATCHES = 4


@shared_task(name="governance.webhooks.dispatch")
def dispatch() -> int:
    """Queue what the ledger has to say, and what is to be said again, and send what is due."""
    sent = 0
    for _batch in range(BATCHES):
        services.replays_go_on()
        services.deliveries_create_due()
        tried = services.deliveries_send_due()
        sent += tried
        if not tried:
            break
    return sent


@shared_task(name="governance.webhooks.forget")
def forget() -> int:
    """Drop old tries and former secrets that no longer sign."""
    return services.tries_forget() + services.former_secrets_forget()
