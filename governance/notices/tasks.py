from celery import shared_task

from governance.notices import services


@shared_task(name="governance.notices.dispatch_due")
def dispatch_due() -> int:
    """Send the mails that are due; a full round asks for the next, so that one task does not hold a worker for long."""
    limit = 50
    tried = services.dispatches_send_due(limit=limit)
    if tried == limit:
        dispatch_due.delay()
    return tried
