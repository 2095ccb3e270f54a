"""The table of signals, partitioned by month of their own time; Django knows it as an ordinary model."""

import django.db.models.deletion
from django.db import migrations, models

TABLE = """
CREATE TABLE governance_signal (
    id bigint NOT NULL,
    time timestamptz NOT NULL,
    type varchar(200) NOT NULL,
    source_id bigint NOT NULL,
    event_id varchar(300) NOT NULL,
    guild_id bigint NOT NULL,
    named_guild_id bigint,
    creator_id bigint,
    market_id bigint NOT NULL,
    data jsonb NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (id, time)
) PARTITION BY RANGE (time);
CREATE INDEX signal_guild_time ON governance_signal (guild_id, type, time);
CREATE INDEX signal_creator_time ON governance_signal (creator_id, type, time) WHERE creator_id IS NOT NULL;
"""

# Signals are facts: nothing rewrites them. Retention, when it comes, drops whole months.
GUARD = """
CREATE FUNCTION governance_signal_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'signals are append-only';
END $$;
CREATE TRIGGER signal_append_only BEFORE UPDATE OR DELETE ON governance_signal
    FOR EACH ROW EXECUTE FUNCTION governance_signal_refuse();
"""

# One month's partition, made on first need. The lock makes two importers that need the same month wait, not fail.
PARTITION = """
CREATE FUNCTION governance_signal_month(moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first timestamp := date_trunc('month', moment AT TIME ZONE 'UTC');
    partition text := 'governance_signal_' || to_char(first, 'YYYYMM');
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('governance_signal_month'));
    IF to_regclass(partition) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF governance_signal FOR VALUES FROM (%L) TO (%L)',
            partition, first AT TIME ZONE 'UTC', (first + interval '1 month') AT TIME ZONE 'UTC'
        );
    END IF;
END $$;
"""


def reference(name: str, to: str, *, null: bool = False) -> tuple[str, models.Field]:
    return name.split()[0], models.ForeignKey(
        db_constraint=False,
        null=null,
        on_delete=django.db.models.deletion.PROTECT,
        related_name=name.split()[1],
        to=to,
    )


class Migration(migrations.Migration):
    dependencies = [("governance", "0001_the_cycle")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(TABLE, "DROP TABLE governance_signal"),
                migrations.RunSQL(
                    GUARD, "DROP FUNCTION governance_signal_refuse CASCADE"
                ),
                migrations.RunSQL(PARTITION, "DROP FUNCTION governance_signal_month"),
            ],
            state_operations=[
                migrations.CreateModel(
                    name="Signal",
                    fields=[
                        (
                            "id",
                            models.BigIntegerField(primary_key=True, serialize=False),
                        ),
                        ("time", models.DateTimeField()),
                        ("type", models.CharField(max_length=200)),
                        ("event_id", models.CharField(max_length=300)),
                        ("data", models.JSONField()),
                        ("received_at", models.DateTimeField()),
                        reference("source signals", "governance.signalsource"),
                        reference("guild signals", "guilds.guild"),
                        reference(
                            "named_guild signals_naming", "guilds.guild", null=True
                        ),
                        reference("creator signals", "guilds.creator", null=True),
                        reference("market signals", "guilds.market"),
                    ],
                    options={"ordering": ["-time", "-id"]},
                )
            ],
        )
    ]
