"""Who sent a quarantined signal; and two indexes less on the way of every signal."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("governance", "0003_notice_for_several_penalties"),
        migrations.swappable_dependency(settings.OAUTH2_PROVIDER_APPLICATION_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="quarantinedsignal",
            name="client",
            field=models.ForeignKey(
                blank=True,
                help_text="Who sent it: a client limited to markets or a guild stays so when the event is retried.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="quarantined",
                to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="signalkey",
            name="source",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="keys",
                to="governance.signalsource",
            ),
        ),
        migrations.AlterField(
            model_name="pendingsignal",
            name="version",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="pending",
                to="governance.ruleversion",
            ),
        ),
    ]
