from celery import shared_task

from guilds.accounts.idempotency import answers_forget
from guilds.accounts.oauth import tokens_forget


@shared_task(name="guilds.accounts.forget")
def forget() -> dict[str, int]:
    """Delete answers nobody may ask for again and tokens that no longer open anything."""
    return {"answers": answers_forget(), "tokens": tokens_forget()}
