"""What Django cannot say: the table of signals in monthly partitions, and the guard of launched periods."""

from django.db import migrations

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
REFUSE = """
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

GUARD = r"""
CREATE FUNCTION governance_live_period_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    version governance_ruleversion;
    wave governance_wave;
    launch governance_launch;
    source text := split_part(NEW.opened_by, ':', 1);
    source_id bigint := nullif(substring(NEW.opened_by from ':([0-9]{1,18})$'), '')::bigint;
BEGIN
    SELECT * INTO version FROM governance_ruleversion WHERE id = NEW.version_id;
    IF version.door <> 'launch' THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.version_id, NEW.market_id, NEW.starts_at, NEW.share, NEW.holdout, NEW.salt, NEW.opened_by)
            IS DISTINCT FROM
            (OLD.version_id, OLD.market_id, OLD.starts_at, OLD.share, OLD.holdout, OLD.salt, OLD.opened_by)
            OR (OLD.ends_at IS NOT NULL AND (NEW.ends_at IS NULL OR NEW.ends_at > OLD.ends_at))
        THEN
            RAISE EXCEPTION 'a live period of a launched version may only end';
        END IF;
        RETURN NEW;
    END IF;
    IF abs(extract(epoch FROM NEW.starts_at - clock_timestamp())) > 300 OR NEW.market_id IS NULL THEN
        RAISE EXCEPTION 'a launched version goes live in a market and at the moment of the act';
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM governance_approval a
        WHERE a.version_id = version.id AND a.status = 'approved' AND a.decided_by_id = version.approver_id
        AND a.decided_by_id IS DISTINCT FROM version.author_id
        AND NOT EXISTS (
            SELECT 1 FROM governance_ruleversion_writers h
            WHERE h.ruleversion_id = version.id AND h.user_id = a.decided_by_id
        )
    ) THEN
        RAISE EXCEPTION 'a launched version needs the approval of somebody who had no hand in it';
    END IF;
    IF source = 'rollback' THEN
        -- What a launched version replaced may come back in the instant that a wave of it is taken back.
        IF NOT EXISTS (
            SELECT 1 FROM governance_launch l
            JOIN governance_ruleversion other ON other.id = l.version_id
            JOIN governance_wave w ON w.launch_id = l.id AND w.status = 'rolled_back' AND w.ended_at = NEW.starts_at
            JOIN governance_wave_markets wm ON wm.wave_id = w.id AND wm.market_id = NEW.market_id
            JOIN governance_liveperiod began ON began.version_id = other.id AND began.market_id = NEW.market_id
            JOIN governance_liveperiod before ON before.version_id = version.id
                AND before.market_id = NEW.market_id AND before.ends_at = began.starts_at
            WHERE l.id = source_id AND other.rule_id = version.rule_id AND other.id <> version.id
            AND NOT EXISTS (
                SELECT 1 FROM governance_liveperiod p
                WHERE p.version_id = other.id AND p.market_id = NEW.market_id AND p.ends_at IS NULL
            )
        ) THEN
            RAISE EXCEPTION 'a rollback brings back only what the launch replaced';
        END IF;
        RETURN NEW;
    END IF;
    SELECT * INTO wave FROM governance_wave WHERE source = 'wave' AND id = source_id;
    SELECT * INTO launch FROM governance_launch WHERE id = wave.launch_id;
    IF wave.id IS NULL OR launch.version_id <> NEW.version_id OR wave.status <> 'live'
        OR launch.status NOT IN ('running', 'completed') OR wave.planned_at > NEW.starts_at
    THEN
        RAISE EXCEPTION 'a launched version goes live by a wave of its launch whose time has come';
    END IF;
    IF wave.decided_by_id IS NULL OR wave.decided_by_id = version.author_id OR EXISTS (
        SELECT 1 FROM governance_ruleversion_writers h
        WHERE h.ruleversion_id = version.id AND h.user_id = wave.decided_by_id
    ) THEN
        RAISE EXCEPTION 'a wave goes live on the word of somebody who did not write the rule';
    END IF;
    IF (NEW.share, NEW.holdout, NEW.salt) IS DISTINCT FROM (wave.share, wave.holdout, launch.salt)
        OR (version.severity = 'S1' AND NEW.holdout > 0)
    THEN
        RAISE EXCEPTION 'a live period has the share, holdout and salt of its wave; for S1 there is no holdout';
    END IF;
    IF (
        SELECT count(*) FROM governance_gate g WHERE g.launch_id = launch.id AND g.status = 'passed'
        AND g.kind IN ('reviewer_guide', 'staffing', 'appeal_staffing', 'product')
    ) < 4 THEN
        RAISE EXCEPTION 'a gate of the launch is not signed';
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM governance_wave_markets wm
        JOIN governance_announcement a ON a.wave_id = wm.wave_id AND a.market_id = wm.market_id
        JOIN guilds_market m ON m.id = wm.market_id
        JOIN guilds_regime r ON r.id = m.regime_id
        CROSS JOIN LATERAL (
            SELECT greatest(a.notice_days, r.notice_days, coalesce((version.spec ->> 'notice_days')::integer, 0)) AS days
        ) needed
        WHERE wm.wave_id = wave.id AND wm.market_id = NEW.market_id AND a.kind = 'coming'
        AND a.sent_at <= NEW.starts_at AND a.told_at <= NEW.starts_at
        AND (
            needed.days = 0 OR
            ((a.sent_at AT TIME ZONE m.timezone)::date + needed.days + 1)::timestamp AT TIME ZONE m.timezone <= NEW.starts_at
        )
    ) THEN
        RAISE EXCEPTION 'the notice period of the market has not run out';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER live_period_guard BEFORE INSERT OR UPDATE ON governance_liveperiod
FOR EACH ROW EXECUTE FUNCTION governance_live_period_guard();
"""

BY_HAND = [migrations.RunSQL(sql, migrations.RunSQL.noop) for sql in (TABLE, REFUSE, PARTITION, GUARD)]
