from django.db import migrations

FILL = """
    UPDATE governance_delivery AS delivery SET guild_id = event.guild_id
    FROM governance_event AS event
    WHERE event.id = delivery.event_id AND delivery.status = 'pending' AND event.guild_id IS NOT NULL
"""


class Migration(migrations.Migration):
    """Deliveries that wait now must keep waiting for the older ones of their guild; the sent ones need not know."""

    dependencies = [
        ("governance", "0016_webhooks_in_order"),
    ]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
