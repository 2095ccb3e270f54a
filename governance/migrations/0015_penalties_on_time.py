from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("governance", "0014_review_and_enforcement"),
    ]

    operations = [
        migrations.AddField(
            model_name="penalty",
            name="retry_at",
            field=models.DateTimeField(
                blank=True,
                help_text="not tried again before; after a passing fault of the database",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="penalty",
            index=models.Index(
                condition=models.Q(("applied_at__isnull", False)),
                fields=["kind", "market", "applied_at"],
                name="penalty_started",
            ),
        ),
        migrations.AddIndex(
            model_name="penalty",
            index=models.Index(
                condition=models.Q(("status", "held")), fields=["proposed_at"], name="penalty_held"
            ),
        ),
    ]
