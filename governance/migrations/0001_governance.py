"""Every table of the cycle, its constraints and its triggers."""

from __future__ import annotations

from collections.abc import Sequence

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.constraints
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.text
import django.utils.timezone
import governance.ledger.models
import guilds.registry.models
import pgtrigger.compiler
import pgtrigger.migrations
import uuid
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from governance.migrations._by_hand import BY_HAND


class Together(Operation):
    """Operations carried out on the state they lead to. One by one, Django builds every model anew after each of them."""

    reversible = False

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = operations

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        state.__dict__.pop("apps", None)
        for operation in self.operations:
            operation.state_forwards(app_label, state)

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        for operation in self.operations:
            operation.database_forwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):

    initial = True

    # What the first weeks wrote in steps.
    replaces = [('governance', '0001_the_cycle'), ('governance', '0002_signals_by_month'), ('governance', '0003_notice_for_several_penalties'), ('governance', '0004_quarantine_remembers_the_client'), ('governance', '0005_blank_maps'), ('governance', '0006_workbench_launches_and_risks'), ('governance', '0007_versions_withdrawn'), ('governance', '0008_announcements'), ('governance', '0009_launched_periods_are_earned'), ('governance', '0010_credits'), ('governance', '0011_the_workbench_shows_drafts'), ('governance', '0012_feedback_words_fixed'), ('governance', '0013_launches_fixed'), ('governance', '0014_review_and_enforcement'), ('governance', '0015_penalties_on_time'), ('governance', '0016_webhooks_in_order'), ('governance', '0017_pending_deliveries_know_their_guild'), ('governance', '0018_samples_fixed')]

    dependencies = [
        # Later, they would have to look at all of our models for each change of theirs.
        ('oauth2_provider', '0022_refreshtoken_token_family_index'),
        ('guilds', '0002_feedback_scope'),
    ]

    operations = [
        Together([
        migrations.CreateModel(
            name='Absence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('substitute', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='absences', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-starts_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='absence_ends_after_start')],
            },
        ),
        migrations.CreateModel(
            name='Band',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.SlugField(max_length=40)),
                ('name', models.CharField(max_length=120)),
                ('at_or_below', models.IntegerField()),
                ('penalties', models.JSONField(blank=True, default=list)),
                ('market', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='bands', to='guilds.market')),
            ],
            options={
                'ordering': ['-at_or_below'],
                'constraints': [models.UniqueConstraint(fields=('code', 'market'), name='one_band_per_code_and_market', nulls_distinct=False), models.UniqueConstraint(fields=('at_or_below', 'market'), name='one_band_per_threshold_and_market', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='Risk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=40, unique=True)),
                ('name', models.CharField(max_length=200)),
                ('definition', models.TextField(blank=True)),
                ('harm', models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(5)])),
                ('likelihood', models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(5)])),
                ('category', models.CharField(choices=[('minors', 'Minors'), ('content', 'Content of streams'), ('fraud', 'Fraud and illicit funds'), ('integrity', 'Integrity of figures and rewards'), ('competition', 'Competition between guilds'), ('labour', 'Treatment of creators'), ('compliance', 'Licences, contracts and the law'), ('other', 'Other')], default='other', max_length=16)),
                ('owner', models.CharField(max_length=80, verbose_name='owning team')),
                ('treatment', models.CharField(choices=[('undecided', 'Not decided'), ('reduce', 'Reduce it by rules and education'), ('avoid', 'Avoid it by changing the product'), ('transfer', 'Leave it to somebody else'), ('accept', 'Accept it')], default='undecided', max_length=12)),
                ('treatment_note', models.TextField(blank=True)),
                ('review_on', models.DateField(blank=True, help_text='when it is to be looked at again', null=True)),
                ('reviewed_at', models.DateTimeField(blank=True, null=True)),
                ('retired_at', models.DateTimeField(blank=True, help_text='no longer worth governing', null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['code'],
            },
        ),
        migrations.CreateModel(
            name='Rule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=60, unique=True)),
                ('name', models.CharField(max_length=200)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('risk', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rules', to='governance.risk')),
            ],
            options={
                'ordering': ['code'],
            },
        ),
        migrations.CreateModel(
            name='RuleVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('shadow', 'Shadow'), ('live', 'Live'), ('paused', 'Paused'), ('retired', 'Retired')], default='draft', max_length=12)),
                ('spec', models.JSONField()),
                ('ladder', models.JSONField()),
                ('text', models.JSONField(blank=True, default=dict, verbose_name='policy wording by language')),
                ('violation_code', models.CharField(max_length=40)),
                ('severity', models.CharField(choices=[('S1', 'S1, worst'), ('S2', 'S2'), ('S3', 'S3'), ('S4', 'S4, least')], max_length=2)),
                ('review', models.CharField(choices=[('auto', 'Automatic'), ('human', 'One reviewer'), ('dual', 'Two reviewers')], max_length=8)),
                ('on', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=200), size=None)),
                ('markets', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), help_text='market codes, or "*" for all', size=None)),
                ('cap', models.PositiveIntegerField(blank=True, help_text='detections per market and hour; empty: none', null=True)),
                ('effective_from', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('written_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('frozen_at', models.DateTimeField(blank=True, null=True)),
                ('expires_at', models.DateTimeField(blank=True, help_text='from then on it judges nothing', null=True)),
                ('shadow_until', models.DateTimeField(blank=True, help_text='from then on a version in shadow judges nothing', null=True)),
                ('withdrawn_at', models.DateTimeField(blank=True, help_text='when a person took it out: it no longer answers, not even for late signals of its own days', null=True)),
                ('door', models.CharField(blank=True, choices=[('launch', 'A launch'), ('demo', "The demo's own door")], default='', max_length=8)),
                ('status_reason', models.TextField(blank=True)),
                ('approver', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='approved_versions', to=settings.AUTH_USER_MODEL)),
                ('author', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='authored_versions', to=settings.AUTH_USER_MODEL)),
                ('rule', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='governance.rule')),
                ('writers', models.ManyToManyField(blank=True, help_text='everybody who had a hand in the wording; none of them may approve it', related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['rule_id', '-number'],
                'constraints': [models.UniqueConstraint(fields=('rule', 'number'), name='one_version_per_number'), models.CheckConstraint(condition=models.Q(models.Q(('status__in', ['live', 'paused']), _negated=True), models.Q(('door', ''), _negated=True), _connector='OR'), name='live_only_through_a_door', violation_error_message='A version goes live by a launch.'), models.CheckConstraint(condition=models.Q(models.Q(('door', 'launch'), _negated=True), models.Q(('approver__isnull', False), models.Q(('author__isnull', True), models.Q(('approver', models.F('author')), _negated=True), _connector='OR')), _connector='OR'), name='launched_versions_were_approved', violation_error_message='A launched version needs the approval of somebody who did not write it.')],
            },
        ),
        migrations.CreateModel(
            name='Violation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('code', models.CharField(max_length=40)),
                ('severity', models.CharField(choices=[('S1', 'S1, worst'), ('S2', 'S2'), ('S3', 'S3'), ('S4', 'S4, least')], max_length=2)),
                ('review', models.CharField(choices=[('auto', 'Automatic'), ('human', 'One reviewer'), ('dual', 'Two reviewers')], max_length=8)),
                ('status', models.CharField(choices=[('open', 'Open'), ('confirmed', 'Confirmed'), ('dismissed', 'Dismissed'), ('overturned', 'Overturned')], default='open', max_length=12)),
                ('subject', models.CharField(max_length=60)),
                ('occurred_at', models.DateTimeField()),
                ('detected_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('explanation', models.JSONField(blank=True, default=dict)),
                ('sanction_due', models.BooleanField(default=False)),
                ('creator', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='violations', to='guilds.creator')),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='violations', to='guilds.guild')),
                ('market', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='violations', to='guilds.market')),
                ('rule', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='violations', to='governance.rule')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='violations', to='governance.ruleversion')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['guild', 'code', 'occurred_at'], name='violation_guild_code'), models.Index(fields=['market', 'status', 'id'], name='violation_market_status'), models.Index(fields=['rule', 'market', 'detected_at'], name='violation_cap'), models.Index(condition=models.Q(('sanction_due', True)), fields=['guild', 'id'], name='violation_due'), models.Index(condition=models.Q(('status', 'open')), fields=['severity', 'detected_at'], name='violation_queue')],
                'constraints': [models.UniqueConstraint(fields=('rule', 'subject', 'occurred_at'), name='one_violation_per_rule_subject_and_moment'), models.CheckConstraint(condition=models.Q(('sanction_due', False), ('status', 'confirmed'), _connector='OR'), name='only_confirmed_violations_are_sanctioned'), models.CheckConstraint(condition=models.Q(models.Q(('decided_at__isnull', True), ('status', 'open')), models.Q(models.Q(('status', 'open'), _negated=True), ('decided_at__isnull', False)), _connector='OR'), name='violation_decided_at_with_decision')],
            },
        ),
        migrations.CreateModel(
            name='BandCrossing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('score', models.IntegerField()),
                ('entered_at', models.DateTimeField()),
                ('left_at', models.DateTimeField(blank=True, null=True)),
                ('band', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='crossings', to='governance.band')),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='band_crossings', to='guilds.guild')),
                ('violation', models.ForeignKey(help_text='whose points tipped the score', on_delete=django.db.models.deletion.PROTECT, related_name='band_crossings', to='governance.violation')),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('left_at__isnull', True)), fields=('guild', 'band'), name='one_open_crossing_per_band')],
            },
        ),
        migrations.CreateModel(
            name='Notice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('penalty_imposed', 'Penalty imposed (statement of reasons)'), ('penalty_changed', 'Penalty changed'), ('penalty_reversed', 'Penalty reversed'), ('appeal_received', 'Appeal received'), ('appeal_decided', 'Appeal decided'), ('rule_change', 'A rule is going to change'), ('rule_change_withdrawn', 'A change of a rule was taken back'), ('lesson_assigned', 'Lesson assigned'), ('lesson_reminder', 'Lesson still to do'), ('feedback_answered', 'Feedback answered')], max_length=24)),
                ('object_type', models.CharField(help_text='what it is about: penalty or appeal', max_length=40)),
                ('object_id', models.CharField(max_length=120)),
                ('language', models.CharField(max_length=20)),
                ('subject', models.CharField(max_length=200)),
                ('body', models.TextField()),
                ('statement', models.JSONField(blank=True, default=dict)),
                ('issued_at', models.DateTimeField()),
                ('appeal_by', models.DateTimeField(blank=True, null=True)),
                ('read_at', models.DateTimeField(blank=True, null=True)),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='notices', to='guilds.guild')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['guild', '-id'], name='notice_guild'), models.Index(fields=['object_type', 'object_id'], name='notice_object')],
            },
        ),
        migrations.CreateModel(
            name='Penalty',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('warning', 'Warning'), ('interview', 'Interview and rectification'), ('training', 'Training'), ('public_notice', 'Public notice'), ('recruitment_freeze', 'Recruitment freeze'), ('reward_freeze', 'Task and reward freeze'), ('reward_forfeiture', 'Forfeiture of the related reward'), ('settlement_hold', 'Settlement hold'), ('income_deduction', 'Income deduction'), ('traffic_limit', 'Traffic limit'), ('backstage_removal', 'Backstage permission removed'), ('tier_removal', 'Tier removed'), ('suspension', 'Suspension'), ('clear_out', 'Clear-out (termination)'), ('free_exit', 'Free exit for creators')], max_length=24)),
                ('params', models.JSONField(blank=True, default=dict)),
                ('status', models.CharField(choices=[('held', 'Held for a second person'), ('scheduled', 'Scheduled'), ('stayed', 'Stayed by an appeal'), ('in_force', 'In force'), ('lifted', 'Lifted'), ('cancelled', 'Cancelled'), ('reversed', 'Reversed'), ('failed', 'Failed')], max_length=12)),
                ('hold_reason', models.CharField(blank=True, choices=[('kind', 'Nobody imposes this kind alone'), ('severity', 'The worst severity'), ('rule', 'The rule asks for it'), ('size', 'A large guild'), ('shield', 'The guild has just won an appeal')], max_length=10)),
                ('escalated_at', models.DateTimeField(blank=True, help_text='held for longer than it should be: those above were told', null=True)),
                ('stayed_at', models.DateTimeField(blank=True, null=True)),
                ('proposed_at', models.DateTimeField()),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField(blank=True, null=True)),
                ('applied_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, help_text='lifted, cancelled or reversed', null=True)),
                ('effect', models.JSONField(blank=True, default=dict)),
                ('acknowledged_at', models.DateTimeField(blank=True, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('last_error', models.TextField(blank=True)),
                ('retry_at', models.DateTimeField(blank=True, help_text='not tried again before; after a passing fault of the database', null=True)),
                ('acknowledged_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='acknowledged_penalties', to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL)),
                ('crossing', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='penalties', to='governance.bandcrossing')),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='penalties', to='guilds.guild')),
                ('market', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='penalties', to='guilds.market')),
                ('notice', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='penalties', to='governance.notice')),
                ('proposed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='proposed_penalties', to=settings.AUTH_USER_MODEL)),
                ('released_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='released_penalties', to=settings.AUTH_USER_MODEL)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='penalties', to='governance.ruleversion')),
                ('violation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='penalties', to='governance.violation')),
            ],
            options={
                'verbose_name_plural': 'penalties',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['guild', '-id'], name='penalty_guild'), models.Index(fields=['market', 'status', 'id'], name='penalty_market_status'), models.Index(condition=models.Q(('status', 'scheduled')), fields=['starts_at', 'id'], name='penalty_to_apply'), models.Index(condition=models.Q(('status', 'in_force')), fields=['ends_at', 'id'], name='penalty_to_lift'), models.Index(condition=models.Q(('applied_at__isnull', False)), fields=['kind', 'market', 'applied_at'], name='penalty_started'), models.Index(condition=models.Q(('status', 'held')), fields=['proposed_at'], name='penalty_held')],
                'constraints': [models.CheckConstraint(condition=models.Q(('ends_at__isnull', True), ('ends_at__gte', models.F('starts_at')), _connector='OR'), name='penalty_ends_after_start'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'in_force'), _negated=True), ('applied_at__isnull', False), _connector='OR'), name='penalty_in_force_was_applied'), models.CheckConstraint(condition=models.Q(('status__in', ['held', 'cancelled']), ('notice__isnull', False), _connector='OR'), name='penalty_has_notice_before_effect'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'stayed'), _negated=True), ('stayed_at__isnull', False), _connector='OR'), name='penalty_stayed_at_when_stayed')],
            },
        ),
        migrations.CreateModel(
            name='Acknowledgement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('effect', models.CharField(choices=[('applied', 'In effect there'), ('ended', 'No longer in effect there')], max_length=8)),
                ('at', models.DateTimeField()),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='acknowledgements', to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL)),
                ('penalty', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='acknowledgements', to='governance.penalty')),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('penalty', 'effect', 'client'), name='one_acknowledgement_per_effect_and_client')],
            },
        ),
        migrations.CreateModel(
            name='Alarm',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('surge', 'Fires far more than it used to'), ('silence', 'Fires far less than it used to')], max_length=8)),
                ('status', models.CharField(choices=[('open', 'Open'), ('closed', 'Closed')], default='open', max_length=8)),
                ('window_start', models.DateTimeField()),
                ('window_end', models.DateTimeField()),
                ('observed', models.PositiveIntegerField()),
                ('expected', models.FloatField()),
                ('baseline_days', models.PositiveIntegerField()),
                ('p_value', models.FloatField()),
                ('raised_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('resolution', models.TextField(blank=True)),
                ('closed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('market', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='alarms', to='guilds.market')),
                ('rule', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='alarms', to='governance.rule')),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status', 'open')), fields=('rule', 'market', 'kind'), name='one_open_alarm_per_rule_market_and_kind')],
            },
        ),
        migrations.CreateModel(
            name='Launch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('title', models.CharField(max_length=200)),
                ('status', models.CharField(choices=[('planning', 'Planning'), ('running', 'Running'), ('completed', 'Completed'), ('rolled_back', 'Rolled back'), ('cancelled', 'Cancelled')], default='planning', max_length=12)),
                ('salt', models.CharField(editable=False, max_length=40)),
                ('lesson_percent', models.PositiveSmallIntegerField(default=80, help_text='of the guilds of a wave that must have completed the lesson; 0: none need to', validators=[django.core.validators.MaxValueValidator(100)])),
                ('notes', models.TextField(blank=True)),
                ('created_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('finished_reason', models.TextField(blank=True)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='launches', to=settings.AUTH_USER_MODEL)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='launches', to='governance.ruleversion')),
            ],
            options={
                'verbose_name_plural': 'launches',
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status__in', ['cancelled', 'rolled_back']), _negated=True), fields=('version',), name='one_standing_launch_per_version', violation_error_message='This version has a launch already.')],
            },
        ),
        migrations.CreateModel(
            name='Wave',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('number', models.PositiveSmallIntegerField()),
                ('name', models.CharField(blank=True, max_length=120)),
                ('planned_at', models.DateTimeField()),
                ('share', models.PositiveSmallIntegerField(default=100, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)])),
                ('holdout', models.PositiveSmallIntegerField(default=0, validators=[django.core.validators.MaxValueValidator(50)])),
                ('status', models.CharField(choices=[('planned', 'Planned'), ('go', 'Go'), ('no_go', 'No go'), ('live', 'Live'), ('rolled_back', 'Rolled back'), ('cancelled', 'Cancelled')], default='planned', max_length=12)),
                ('announced_at', models.DateTimeField(blank=True, null=True)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.TextField(blank=True)),
                ('blocked_reason', models.TextField(blank=True, help_text='why it did not start when its time had come')),
                ('live_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('decided_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('launch', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='waves', to='governance.launch')),
                ('markets', models.ManyToManyField(related_name='waves', to='guilds.market')),
            ],
            options={
                'ordering': ['launch_id', 'number'],
                'indexes': [models.Index(condition=models.Q(('status', 'go')), fields=['planned_at'], name='wave_due')],
                'constraints': [models.UniqueConstraint(fields=('launch', 'number'), name='one_wave_per_number'), models.CheckConstraint(condition=models.Q(('holdout__gte', 0), ('holdout__lte', 50), ('share__gte', 1), ('share__lte', 100)), name='wave_shares_are_percentages'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'live'), _negated=True), models.Q(('announced_at__isnull', False), ('live_at__isnull', False)), _connector='OR'), name='live_waves_were_announced')],
            },
        ),
        migrations.CreateModel(
            name='Announcement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('coming', 'A rule is going to change'), ('taken_back', 'The change was taken back')], default='coming', max_length=12)),
                ('told_at', models.DateTimeField(blank=True, help_text='the start that guilds were told', null=True)),
                ('notice_days', models.PositiveSmallIntegerField(default=0)),
                ('reason', models.TextField(blank=True)),
                ('asked_at', models.DateTimeField()),
                ('guilds', models.PositiveIntegerField(default=0, help_text='to be told, as counted when it was asked for')),
                ('guilds_told', models.PositiveIntegerField(default=0)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('asked_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('market', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='announcements', to='guilds.market')),
                ('wave', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='announcements', to='governance.wave')),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(condition=models.Q(('sent_at__isnull', True)), fields=['id'], name='announcement_unsent')],
                'constraints': [models.UniqueConstraint(fields=('wave', 'market', 'kind', 'told_at'), name='one_announcement_per_date', nulls_distinct=False), models.CheckConstraint(condition=models.Q(('told_at__isnull', False), ('kind', 'taken_back'), _connector='OR'), name='announced_changes_have_a_date')],
            },
        ),
        migrations.CreateModel(
            name='Backtest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('spec', models.JSONField(help_text='the wording under test, as it was when the run was asked for')),
                ('digest', models.CharField(max_length=64)),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField()),
                ('markets', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), blank=True, default=list, help_text='empty: all', size=None)),
                ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('cancelled', 'Cancelled'), ('failed', 'Failed')], default='queued', max_length=10)),
                ('signals_total', models.PositiveBigIntegerField(default=0)),
                ('signals_done', models.PositiveBigIntegerField(default=0)),
                ('reached', models.DateTimeField(blank=True, null=True)),
                ('carried', models.JSONField(blank=True, default=dict)),
                ('faults', models.PositiveBigIntegerField(default=0)),
                ('seconds', models.FloatField(default=0)),
                ('result', models.JSONField(blank=True, default=dict)),
                ('error', models.TextField(blank=True)),
                ('created_at', models.DateTimeField()),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('requested_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('compared_with', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='governance.ruleversion')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='backtests', to='governance.ruleversion')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('status__in', ['queued', 'running'])), fields=['id'], name='backtest_at_work')],
                'constraints': [models.CheckConstraint(condition=models.Q(('until__gt', models.F('since'))), name='backtest_until_after_since')],
            },
        ),
        migrations.CreateModel(
            name='Approval',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('status', models.CharField(choices=[('requested', 'Waits for approval'), ('approved', 'Approved'), ('refused', 'Refused'), ('withdrawn', 'Withdrawn')], default='requested', max_length=10)),
                ('frozen', models.JSONField()),
                ('digest', models.CharField(max_length=64)),
                ('note', models.TextField(blank=True, help_text='what the author wants the approver to know')),
                ('requested_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.TextField(blank=True)),
                ('decided_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('requested_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('backtest', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='approvals', to='governance.backtest')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='approvals', to='governance.ruleversion')),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status__in', ['requested', 'approved'])), fields=('version',), name='one_standing_approval_per_version', violation_error_message='This version waits for approval already, or has it.'), models.CheckConstraint(condition=models.Q(models.Q(('status__in', ['approved', 'refused']), _negated=True), models.Q(('decided_at__isnull', False), ('decided_by__isnull', False), models.Q(('decided_by', models.F('requested_by')), _negated=True)), _connector='OR'), name='approval_decided_by_another_person', violation_error_message='Somebody else decides than the one who asked.')],
            },
        ),
        migrations.CreateModel(
            name='Assessment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('on', models.DateField()),
                ('window_days', models.PositiveIntegerField()),
                ('live_hours', models.DecimalField(decimal_places=2, max_digits=14)),
                ('guilds', models.PositiveIntegerField(help_text='guilds active in the window')),
                ('violations', models.PositiveIntegerField(help_text='opened in the window')),
                ('upheld', models.PositiveIntegerField(help_text='confirmed and not overturned')),
                ('guilds_upheld', models.PositiveIntegerField(help_text='guilds with an upheld violation')),
                ('feedback', models.PositiveIntegerField(help_text='messages linked to the risk')),
                ('rate', models.FloatField(blank=True, help_text='upheld per 1,000 live hours', null=True)),
                ('rate_before', models.FloatField(blank=True, help_text='the same, in the window before', null=True)),
                ('trend', models.CharField(choices=[('rising', 'Rising'), ('steady', 'Steady'), ('falling', 'Falling'), ('unknown', 'Insufficient data')], default='unknown', max_length=8)),
                ('priority', models.FloatField(help_text='0 to 100')),
                ('parts', models.JSONField(blank=True, default=list)),
                ('made_at', models.DateTimeField()),
                ('market', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='assessments', to='guilds.market')),
                ('risk', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='assessments', to='governance.risk')),
            ],
            options={
                'ordering': ['-on', '-priority'],
                'constraints': [models.UniqueConstraint(fields=('risk', 'market', 'on'), name='one_assessment_per_risk_market_and_day')],
            },
        ),
        migrations.CreateModel(
            name='Lesson',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.SlugField(max_length=60, unique=True)),
                ('title', models.JSONField()),
                ('body', models.JSONField()),
                ('published_at', models.DateTimeField(blank=True, null=True)),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                ('pass_percent', models.PositiveSmallIntegerField(default=80, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)])),
                ('credit_points', models.PositiveSmallIntegerField(default=0, validators=[django.core.validators.MaxValueValidator(10)])),
                ('credit_every_days', models.PositiveSmallIntegerField(default=30, validators=[django.core.validators.MinValueValidator(1)])),
                ('amnesty_days', models.PositiveSmallIntegerField(default=0, validators=[django.core.validators.MaxValueValidator(90)])),
                ('rule', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='lessons', to='governance.rule')),
            ],
            options={
                'ordering': ['code'],
            },
        ),
        migrations.CreateModel(
            name='Assignment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('source', models.CharField(choices=[('voluntary', 'Of its own accord'), ('launch', 'A rule is about to change'), ('penalty', 'Part of a penalty'), ('staff', 'Asked by staff')], max_length=10)),
                ('source_id', models.CharField(blank=True, default='', max_length=120)),
                ('assigned_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(blank=True, null=True)),
                ('reminded_at', models.DateTimeField(blank=True, null=True)),
                ('reminders', models.PositiveSmallIntegerField(default=0)),
                ('completed_at', models.DateTimeField(blank=True, null=True)),
                ('cancelled_at', models.DateTimeField(blank=True, null=True)),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='assignments', to='guilds.guild')),
                ('lesson', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='assignments', to='governance.lesson')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('cancelled_at__isnull', True), ('completed_at__isnull', True)), fields=['due_at'], name='assignment_open'), models.Index(fields=['guild', '-id'], name='assignment_guild')],
                'constraints': [models.UniqueConstraint(fields=('lesson', 'guild', 'source', 'source_id'), name='one_assignment_per_source')],
            },
        ),
        migrations.CreateModel(
            name='Attempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('language', models.CharField(blank=True, default='', max_length=20)),
                ('answers', models.JSONField()),
                ('right', models.PositiveSmallIntegerField()),
                ('asked', models.PositiveSmallIntegerField()),
                ('passed', models.BooleanField()),
                ('created_at', models.DateTimeField()),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='attempts', to='guilds.guild')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='attempts', to=settings.AUTH_USER_MODEL)),
                ('lesson', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='attempts', to='governance.lesson')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['guild', 'lesson', '-id'], name='attempt_guild_lesson')],
            },
        ),
        migrations.CreateModel(
            name='BacktestHit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('side', models.CharField(choices=[('tested', 'Tested'), ('base', 'Compared with')], max_length=6)),
                ('signal_id', models.BigIntegerField(help_text="the signal's key")),
                ('subject', models.CharField(max_length=60)),
                ('occurred_at', models.DateTimeField()),
                ('backtest', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='hits', to='governance.backtest')),
                ('creator', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='guilds.creator')),
                ('guild', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='guilds.guild')),
                ('market', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='guilds.market')),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('backtest', 'side', 'subject', 'occurred_at'), name='one_hit_per_side_subject_and_moment')],
            },
        ),
        migrations.CreateModel(
            name='Queue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.SlugField(max_length=40, unique=True)),
                ('name', models.CharField(max_length=120)),
                ('assignment', models.CharField(choices=[('pull', 'Whoever is free takes the next'), ('shared_out', 'Shared out by capacity')], default='pull', max_length=12)),
                ('double_share', models.FloatField(default=0.0, validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(1.0)], verbose_name='share judged twice')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('double_share__gte', 0), ('double_share__lte', 1)), name='double_share_is_a_share')],
            },
        ),
        migrations.CreateModel(
            name='Case',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('verdict', 'Decision'), ('quality', 'Audit of a decision'), ('golden', 'Golden case'), ('coverage', 'Audit of an unflagged guild-day')], default='verdict', max_length=10)),
                ('place', models.PositiveSmallIntegerField(default=1)),
                ('status', models.CharField(choices=[('waiting', 'Waiting'), ('on_hold', 'On hold'), ('done', 'Done'), ('withdrawn', 'Withdrawn')], default='waiting', max_length=10)),
                ('revision', models.PositiveIntegerField(default=1)),
                ('severity', models.CharField(choices=[('S1', 'S1, worst'), ('S2', 'S2'), ('S3', 'S3'), ('S4', 'S4, least')], max_length=2)),
                ('day', models.DateField(blank=True, help_text='of an unflagged guild-day, in the market', null=True)),
                ('opened_at', models.DateTimeField()),
                ('urgent_at', models.DateTimeField()),
                ('due_at', models.DateTimeField()),
                ('warned_at', models.DateTimeField(blank=True, null=True)),
                ('breached_at', models.DateTimeField(blank=True, null=True)),
                ('assigned_at', models.DateTimeField(blank=True, null=True)),
                ('claimed_at', models.DateTimeField(blank=True, null=True)),
                ('claimed_until', models.DateTimeField(blank=True, null=True)),
                ('escalated_at', models.DateTimeField(blank=True, null=True)),
                ('escalation', models.TextField(blank=True)),
                ('held_until', models.DateTimeField(blank=True, null=True)),
                ('hold_reason', models.TextField(blank=True)),
                ('done_at', models.DateTimeField(blank=True, null=True)),
                ('seconds', models.PositiveIntegerField(blank=True, help_text='from the claim to the verdict', null=True)),
                ('assigned_to', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='assigned_cases', to=settings.AUTH_USER_MODEL)),
                ('claimed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='claimed_cases', to=settings.AUTH_USER_MODEL)),
                ('done_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='done_cases', to=settings.AUTH_USER_MODEL)),
                ('escalated_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='cases', to='guilds.guild')),
                ('market', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='cases', to='guilds.market')),
                ('queue', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='cases', to='governance.queue')),
                ('rule', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='cases', to='governance.rule')),
                ('violation', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='cases', to='governance.violation')),
            ],
            options={
                'ordering': ['urgent_at', 'id'],
                'indexes': [models.Index(condition=models.Q(('status', 'waiting')), fields=['urgent_at', 'id'], name='case_waiting'), models.Index(condition=models.Q(('status', 'waiting')), fields=['market', 'urgent_at', 'id'], name='case_waiting_market'), models.Index(condition=models.Q(('assigned_to__isnull', False), ('status', 'waiting')), fields=['assigned_to', 'urgent_at', 'id'], name='case_assigned'), models.Index(condition=models.Q(('breached_at__isnull', True), ('status__in', ['waiting', 'on_hold'])), fields=['due_at'], name='case_due'), models.Index(condition=models.Q(('status', 'on_hold')), fields=['held_until'], name='case_on_hold'), models.Index(condition=models.Q(('claimed_by__isnull', False)), fields=['claimed_by'], name='case_claimed'), models.Index(fields=['done_by', 'done_at'], name='case_done')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('kind', 'verdict'), models.Q(('status', 'withdrawn'), _negated=True)), fields=('violation', 'place'), name='one_case_per_violation_and_place'), models.CheckConstraint(condition=models.Q(models.Q(('day__isnull', False), ('kind', 'coverage'), ('violation__isnull', True)), models.Q(models.Q(('kind', 'coverage'), _negated=True), ('violation__isnull', False)), _connector='OR'), name='case_about_a_violation_or_a_day'), models.CheckConstraint(condition=models.Q(models.Q(('done_at__isnull', False), ('status', 'done')), models.Q(models.Q(('status', 'done'), _negated=True), ('done_at__isnull', True)), _connector='OR'), name='case_done_at_when_done'), models.CheckConstraint(condition=models.Q(('status', 'on_hold'), ('held_until__isnull', True), _connector='OR'), name='case_held_until_on_hold_only'), models.CheckConstraint(condition=models.Q(models.Q(('claimed_by__isnull', True), ('claimed_until__isnull', True)), models.Q(('claimed_by__isnull', False), ('claimed_until__isnull', False)), _connector='OR'), name='case_claim_has_an_end')],
            },
        ),
        migrations.CreateModel(
            name='CaseNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('body', models.TextField()),
                ('created_at', models.DateTimeField()),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('case', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='notes', to='governance.case')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Comment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('body', models.TextField()),
                ('created_at', models.DateTimeField()),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='comments', to='governance.ruleversion')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Compensation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('open', 'To be settled'), ('settled', 'Settled'), ('declined', 'Nothing is owed')], default='open', max_length=8)),
                ('basis', models.JSONField(blank=True, default=dict)),
                ('estimate', models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True)),
                ('amount', models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True)),
                ('opened_at', models.DateTimeField()),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('note', models.TextField(blank=True)),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='compensations', to='guilds.guild')),
                ('market', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='compensations', to='guilds.market')),
                ('settled_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('penalty', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='compensation', to='governance.penalty')),
            ],
            options={
                'ordering': ['-penalty'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('settled_at__isnull', True), ('status', 'open')), models.Q(models.Q(('status', 'open'), _negated=True), ('settled_at__isnull', False)), _connector='OR'), name='compensation_settled_at_when_settled')],
            },
        ),
        migrations.CreateModel(
            name='Completion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('completed_at', models.DateTimeField()),
                ('source', models.CharField(choices=[('voluntary', 'Of its own accord'), ('launch', 'A rule is about to change'), ('penalty', 'Part of a penalty'), ('staff', 'Asked by staff')], default='voluntary', max_length=10)),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='completions', to='guilds.guild')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='completions', to=settings.AUTH_USER_MODEL)),
                ('lesson', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='completions', to='governance.lesson')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('lesson', 'guild'), name='one_completion_per_guild', violation_error_message='Your guild has already completed this lesson.')],
            },
        ),
        migrations.CreateModel(
            name='Contact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.EmailField(max_length=254)),
                ('name', models.CharField(blank=True, max_length=120, verbose_name='desk or function')),
                ('kinds', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('penalty_imposed', 'Penalty imposed (statement of reasons)'), ('penalty_changed', 'Penalty changed'), ('penalty_reversed', 'Penalty reversed'), ('appeal_received', 'Appeal received'), ('appeal_decided', 'Appeal decided'), ('rule_change', 'A rule is going to change'), ('rule_change_withdrawn', 'A change of a rule was taken back'), ('lesson_assigned', 'Lesson assigned'), ('lesson_reminder', 'Lesson still to do'), ('feedback_answered', 'Feedback answered')], max_length=24), blank=True, default=list, size=None)),
                ('is_active', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='contacts', to='guilds.guild')),
            ],
            options={
                'ordering': ['guild', 'email'],
                'constraints': [models.UniqueConstraint(django.db.models.functions.text.Lower('email'), models.F('guild'), name='one_contact_per_guild_and_email', violation_error_message='The guild has this address already.')],
            },
        ),
        migrations.CreateModel(
            name='Credit',
            fields=[
                ('attempt', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='credit', serialize=False, to='governance.attempt')),
                ('outcome', models.CharField(choices=[('given', 'Points taken off'), ('nothing_in_force', 'No points in force that could be taken off'), ('too_soon', 'Too soon after the last credit'), ('none_promised', 'The lesson brings no credit')], max_length=16)),
                ('points', models.PositiveSmallIntegerField(default=0)),
                ('decided_at', models.DateTimeField()),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credits', to='guilds.guild')),
            ],
        ),
        migrations.CreateModel(
            name='Endpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('name', models.CharField(max_length=120)),
                ('url', models.URLField(max_length=500)),
                ('secret', models.CharField(max_length=120)),
                ('former_secret', models.CharField(blank=True, max_length=120)),
                ('former_secret_until', models.DateTimeField(blank=True, null=True)),
                ('types', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('violation.confirmed', 'Violation confirmed'), ('penalty.applied', 'Penalty applied'), ('penalty.lifted', 'Penalty lifted'), ('penalty.reversed', 'Penalty reversed'), ('appeal.filed', 'Appeal filed'), ('appeal.decided', 'Appeal decided'), ('rule.launched', 'Rule launched'), ('notice.sent', 'Notice sent')], max_length=40), size=None)),
                ('allow_private', models.BooleanField(default=False, verbose_name='may be a private address')),
                ('is_active', models.BooleanField(default=True)),
                ('disabled_reason', models.CharField(blank=True, max_length=200)),
                ('failures', models.PositiveIntegerField(default=0)),
                ('failing_since', models.DateTimeField(blank=True, null=True)),
                ('quiet_until', models.DateTimeField(blank=True, help_text='the receiver asked for a rest until then', null=True)),
                ('last_transaction', models.BigIntegerField(default=0)),
                ('last_event', models.BigIntegerField(default=0)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('transaction', models.BigIntegerField(db_default=django.db.models.functions.comparison.Cast(django.db.models.functions.comparison.Cast(governance.ledger.models.CurrentTransaction(), models.TextField()), models.BigIntegerField()), editable=False)),
                ('at', models.DateTimeField()),
                ('act', models.CharField(help_text='noun.verb, such as penalty.applied', max_length=60)),
                ('object_type', models.CharField(max_length=40)),
                ('object_id', models.CharField(max_length=120)),
                ('actor_kind', models.CharField(choices=[('staff', 'Staff'), ('guild_user', 'Guild'), ('client', 'Client'), ('system', 'System')], max_length=12)),
                ('actor_id', models.CharField(max_length=120)),
                ('actor_label', models.CharField(max_length=255)),
                ('before', models.JSONField(blank=True, default=dict)),
                ('after', models.JSONField(blank=True, default=dict)),
                ('reason', models.TextField(blank=True)),
                ('request_id', models.CharField(blank=True, max_length=64)),
                ('guild', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='guilds.guild')),
                ('market', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='guilds.market')),
            ],
            options={
                'ordering': ['transaction', 'id'],
                'indexes': [models.Index(fields=['transaction', 'id'], name='event_feed'), models.Index(fields=['object_type', 'object_id', 'id'], name='event_object'), models.Index(fields=['guild', 'id'], name='event_guild')],
            },
        ),
        migrations.CreateModel(
            name='Replay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField()),
                ('types', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('violation.confirmed', 'Violation confirmed'), ('penalty.applied', 'Penalty applied'), ('penalty.lifted', 'Penalty lifted'), ('penalty.reversed', 'Penalty reversed'), ('appeal.filed', 'Appeal filed'), ('appeal.decided', 'Appeal decided'), ('rule.launched', 'Rule launched'), ('notice.sent', 'Notice sent')], max_length=40), size=None)),
                ('reason', models.TextField()),
                ('asked_at', models.DateTimeField()),
                ('last_transaction', models.BigIntegerField(default=0)),
                ('last_event', models.BigIntegerField(default=0)),
                ('queued', models.PositiveIntegerField(default=0)),
                ('finished_at', models.DateTimeField(blank=True, help_text='all of it is queued', null=True)),
                ('cancelled_at', models.DateTimeField(blank=True, null=True)),
                ('asked_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('endpoint', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='replays', to='governance.endpoint')),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('until__gt', models.F('since'))), name='replay_until_after_since'), models.UniqueConstraint(condition=models.Q(('cancelled_at__isnull', True), ('finished_at__isnull', True)), fields=('endpoint',), name='one_open_replay_per_endpoint', violation_error_message='A replay to this endpoint is under way.')],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('delivered', 'Delivered'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='pending', max_length=12)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('next_attempt_at', models.DateTimeField(blank=True, null=True)),
                ('response_status', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('error', models.CharField(blank=True, max_length=300)),
                ('delivered_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('guild', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='guilds.guild')),
                ('endpoint', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='governance.endpoint')),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='governance.event')),
                ('replay', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='governance.replay')),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('status', 'pending')), fields=['next_attempt_at'], name='delivery_due'), models.Index(condition=models.Q(('status', 'pending')), fields=['endpoint', 'guild', 'id'], name='delivery_order')],
                'constraints': [models.UniqueConstraint(fields=('endpoint', 'event', 'replay'), name='one_delivery_per_endpoint_event_and_replay', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='DeliveryAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('response_status', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('error', models.CharField(blank=True, max_length=300)),
                ('milliseconds', models.PositiveIntegerField()),
                ('headers', models.JSONField(blank=True, default=dict)),
                ('delivery', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tries', to='governance.delivery')),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(fields=['at'], name='delivery_attempt_at')],
            },
        ),
        migrations.CreateModel(
            name='Desk',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='desk', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('capacity_per_day', models.PositiveSmallIntegerField(default=60, verbose_name='cases a day')),
                ('queues', models.ManyToManyField(blank=True, related_name='desks', to='governance.queue')),
            ],
            options={
                'ordering': ['user'],
            },
        ),
        migrations.CreateModel(
            name='SignalSource',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uri', models.CharField(max_length=300, unique=True)),
                ('first_seen_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['uri'],
            },
        ),
        migrations.CreateModel(
            name='SignalKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_id', models.CharField(max_length=300)),
                ('time', models.DateTimeField()),
                ('source', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='keys', to='governance.signalsource')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('source', 'event_id'), name='one_signal_per_source_and_id')],
            },
        ),
        migrations.CreateModel(
            name='Detection',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mode', models.CharField(choices=[('shadow', 'Shadow'), ('live', 'Live')], max_length=8)),
                ('outcome', models.CharField(choices=[('opened', 'Opened a violation'), ('joined', 'Joined a violation of the same moment'), ('cooldown', 'Within the cooldown'), ('shadow', 'Shadow, nothing opened'), ('held_out', 'The guild is held out of the rollout, nothing opened'), ('excepted', 'The rule is silenced for the guild, nothing opened')], max_length=10)),
                ('occurred_at', models.DateTimeField()),
                ('detected_at', models.DateTimeField()),
                ('explanation', models.JSONField(blank=True, default=dict)),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='detections', to='guilds.guild')),
                ('market', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='detections', to='guilds.market')),
                ('signal_key', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='detections', to='governance.signalkey')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='detections', to='governance.ruleversion')),
                ('violation', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='detections', to='governance.violation')),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(fields=('version', 'signal_key'), name='one_detection_per_version_and_signal')],
            },
        ),
        migrations.CreateModel(
            name='Reconciliation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('source', models.CharField(help_text="the client's name, or the file's", max_length=120)),
                ('reported', models.PositiveIntegerField()),
                ('expected', models.PositiveIntegerField()),
                ('agreed', models.PositiveIntegerField()),
                ('at', models.DateTimeField()),
                ('client', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reconciliations', to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL)),
                ('market', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reconciliations', to='guilds.market')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Difference',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('missing', 'Ours is in force, theirs is not'), ('extra', 'Theirs is in force, ours is not'), ('other_end', 'Both in force, with another end')], max_length=10)),
                ('reported', models.JSONField(blank=True, default=dict, help_text='what the other system said')),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('settlement', models.TextField(blank=True)),
                ('settled_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('penalty', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='differences', to='governance.penalty')),
                ('reconciliation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='differences', to='governance.reconciliation')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('settled_at__isnull', True)), fields=['kind'], name='difference_open')],
            },
        ),
        migrations.CreateModel(
            name='Dispatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('channel', models.CharField(choices=[('mail', 'Mail'), ('webhook', 'Webhook')], max_length=8)),
                ('address', models.CharField(max_length=320)),
                ('status', models.CharField(choices=[('pending', 'On its way'), ('sent', 'Handed over'), ('received', 'Received'), ('failed', 'Failed'), ('cancelled', 'No longer to be sent')], default='pending', max_length=10)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('next_attempt_at', models.DateTimeField(blank=True, null=True)),
                ('error', models.CharField(blank=True, max_length=300)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('received_at', models.DateTimeField(blank=True, null=True)),
                ('receipt', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('contact', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='dispatches', to='governance.contact')),
                ('notice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='dispatches', to='governance.notice')),
            ],
            options={
                'verbose_name_plural': 'dispatches',
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('status', 'pending')), fields=['next_attempt_at'], name='dispatch_due')],
                'constraints': [models.UniqueConstraint(fields=('notice', 'channel', 'address'), name='one_dispatch_per_notice_channel_and_address')],
            },
        ),
        migrations.CreateModel(
            name='Draft',
            fields=[
            ],
            options={
                'verbose_name': 'draft',
                'verbose_name_plural': 'workbench',
                'ordering': ['-written_at'],
                'proxy': True,
                'indexes': [],
                'constraints': [],
            },
            bases=('governance.ruleversion',),
        ),
        migrations.CreateModel(
            name='EnforcementCap',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('warning', 'Warning'), ('interview', 'Interview and rectification'), ('training', 'Training'), ('public_notice', 'Public notice'), ('recruitment_freeze', 'Recruitment freeze'), ('reward_freeze', 'Task and reward freeze'), ('reward_forfeiture', 'Forfeiture of the related reward'), ('settlement_hold', 'Settlement hold'), ('income_deduction', 'Income deduction'), ('traffic_limit', 'Traffic limit'), ('backstage_removal', 'Backstage permission removed'), ('tier_removal', 'Tier removed'), ('suspension', 'Suspension'), ('clear_out', 'Clear-out (termination)'), ('free_exit', 'Free exit for creators')], max_length=24)),
                ('per_hour', models.PositiveIntegerField()),
                ('market', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='enforcement_caps', to='guilds.market')),
            ],
            options={
                'ordering': ['kind', 'market'],
                'constraints': [models.UniqueConstraint(fields=('kind', 'market'), name='one_cap_per_kind_and_market', nulls_distinct=False), models.CheckConstraint(condition=models.Q(('per_hour__gte', 1)), name='enforcement_cap_is_possible')],
            },
        ),
        migrations.CreateModel(
            name='EnforcementStop',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(blank=True, choices=[('warning', 'Warning'), ('interview', 'Interview and rectification'), ('training', 'Training'), ('public_notice', 'Public notice'), ('recruitment_freeze', 'Recruitment freeze'), ('reward_freeze', 'Task and reward freeze'), ('reward_forfeiture', 'Forfeiture of the related reward'), ('settlement_hold', 'Settlement hold'), ('income_deduction', 'Income deduction'), ('traffic_limit', 'Traffic limit'), ('backstage_removal', 'Backstage permission removed'), ('tier_removal', 'Tier removed'), ('suspension', 'Suspension'), ('clear_out', 'Clear-out (termination)'), ('free_exit', 'Free exit for creators')], max_length=24)),
                ('automatic', models.BooleanField(default=False)),
                ('reason', models.TextField()),
                ('opened_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('closing_reason', models.TextField(blank=True)),
                ('closed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('market', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='enforcement_stops', to='guilds.market')),
                ('opened_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('closed_at__isnull', True)), fields=('kind', 'market'), name='one_open_stop_per_kind_and_market', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='EvaluationFault',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('error', models.TextField()),
                ('status', models.CharField(choices=[('open', 'Open'), ('retried', 'Retried')], default='open', max_length=8)),
                ('created_at', models.DateTimeField()),
                ('signal_key', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='faults', to='governance.signalkey')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='faults', to='governance.ruleversion')),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(fields=('version', 'signal_key'), name='one_fault_per_version_and_signal')],
            },
        ),
        migrations.CreateModel(
            name='EventSeal',
            fields=[
                ('sequence', models.BigIntegerField(primary_key=True, serialize=False)),
                ('event_id', models.BigIntegerField(unique=True)),
                ('transaction', models.BigIntegerField()),
                ('digest', models.BinaryField(help_text='SHA-256 of the previous digest and the event', max_length=32)),
                ('sealed_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['sequence'],
            },
        ),
        migrations.CreateModel(
            name='Example',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200)),
                ('must_match', models.BooleanField()),
                ('facts', models.JSONField()),
                ('measures', models.JSONField(blank=True, default=dict)),
                ('result', models.CharField(choices=[('not_run', 'Not run'), ('passed', 'As expected'), ('failed', 'Not as expected'), ('error', 'Could not be evaluated')], default='not_run', max_length=8)),
                ('explanation', models.JSONField(blank=True, default=dict)),
                ('ran_at', models.DateTimeField(blank=True, null=True)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='examples', to='governance.ruleversion')),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('version', 'name'), name='one_example_per_name', violation_error_message='This version has an example of that name already.')],
            },
        ),
        migrations.CreateModel(
            name='Feedback',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('source', models.CharField(choices=[('guild', 'A guild'), ('creator', 'A creator'), ('business', 'Business colleagues'), ('reviewer', 'A reviewer'), ('partner', 'Another system')], max_length=10)),
                ('channel', models.CharField(choices=[('portal', 'Portal'), ('console', 'Console'), ('api', 'API')], max_length=8)),
                ('topic', models.CharField(choices=[('misconduct', 'Somebody breaks the rules'), ('rule_unfair', 'A rule is unfair or wrong'), ('rule_unclear', 'A rule is hard to understand'), ('process', 'How we work'), ('other', 'Something else')], default='other', max_length=14)),
                ('body', models.TextField()),
                ('language', models.CharField(blank=True, default='', max_length=20)),
                ('about_rule', models.CharField(blank=True, default='', help_text='code of a rule', max_length=60)),
                ('status', models.CharField(choices=[('new', 'New'), ('triaged', 'Triaged'), ('answered', 'Answered'), ('merged', 'Merged into another'), ('closed', 'Closed without an answer')], default='new', max_length=8)),
                ('answer', models.TextField(blank=True)),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField()),
                ('answered_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('by_client', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL)),
                ('by_user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('guild', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='feedback', to='guilds.guild')),
                ('market', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='feedback', to='guilds.market')),
                ('merged_into', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='merged', to='governance.feedback')),
                ('risk', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='feedback', to='governance.risk')),
            ],
            options={
                'verbose_name_plural': 'feedback',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['status', '-id'], name='feedback_status'), models.Index(fields=['guild', '-id'], name='feedback_guild'), django.contrib.postgres.indexes.GinIndex(fields=['body'], name='feedback_body_trgm', opclasses=['gin_trgm_ops'])],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('merged_into__isnull', False), ('status', 'merged')), models.Q(models.Q(('status', 'merged'), _negated=True), ('merged_into__isnull', True)), _connector='OR'), name='merged_feedback_names_the_other'), models.CheckConstraint(condition=models.Q(('merged_into__isnull', True), models.Q(('merged_into', models.F('id')), _negated=True), _connector='OR'), name='feedback_not_merged_into_itself')],
            },
        ),
        migrations.CreateModel(
            name='Finding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('source_type', models.CharField(help_text='what raised it, such as appeal', max_length=40)),
                ('source_id', models.CharField(max_length=120)),
                ('summary', models.TextField()),
                ('status', models.CharField(choices=[('open', 'Open'), ('closed', 'Closed')], default='open', max_length=8)),
                ('resolution', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='findings', to='governance.ruleversion')),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(fields=('version', 'source_type', 'source_id'), name='one_finding_per_source')],
            },
        ),
        migrations.CreateModel(
            name='Gate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('approval', 'Approved by another person, and unchanged since'), ('policy_text', 'Policy text in every language of the markets'), ('notice', 'Notice period run out'), ('lesson', 'Lesson published and completed'), ('reviewer_guide', 'Reviewer guide'), ('staffing', 'Review staffing'), ('appeal_staffing', 'Appeal staffing'), ('product', 'Product ready')], max_length=16)),
                ('team', models.CharField(choices=[('policy', 'Policy'), ('product', 'Product'), ('review', 'Review'), ('operations', 'Operations')], max_length=12)),
                ('due_on', models.DateField(blank=True, null=True)),
                ('status', models.CharField(choices=[('open', 'Open'), ('passed', 'Passed')], default='open', max_length=8)),
                ('evidence', models.TextField(blank=True)),
                ('evidence_url', models.URLField(blank=True)),
                ('figures', models.JSONField(blank=True, default=dict)),
                ('signed_at', models.DateTimeField(blank=True, null=True)),
                ('owner', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='gates', to=settings.AUTH_USER_MODEL)),
                ('signed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('launch', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='gates', to='governance.launch')),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('launch', 'kind'), name='one_gate_per_kind'), models.CheckConstraint(condition=models.Q(('status', 'open'), models.Q(('signed_at__isnull', False), ('signed_by__isnull', False)), _connector='OR'), name='passed_gates_are_signed')],
            },
        ),
        migrations.CreateModel(
            name='GoldenCase',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('expected', models.CharField(choices=[('confirm', 'Confirm'), ('dismiss', 'Dismiss')], max_length=8)),
                ('explanation', models.TextField(help_text='shown to the reviewer after the verdict')),
                ('is_active', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField()),
                ('made_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('violation', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='golden', to='governance.violation')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Judgement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('opinion', models.CharField(choices=[('confirm', 'It is a violation'), ('dismiss', 'It is none'), ('unclear', 'Cannot be told')], max_length=8)),
                ('code', models.CharField(blank=True, max_length=40)),
                ('reason', models.TextField()),
                ('created_at', models.DateTimeField()),
                ('case', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='judgement', to='governance.case')),
                ('reviewer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='judgements', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Ladder',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.SlugField(max_length=40, unique=True)),
                ('spec', models.JSONField()),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'ordering': ['code'],
            },
        ),
        migrations.CreateModel(
            name='LivePeriod',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField(blank=True, null=True)),
                ('share', models.PositiveSmallIntegerField(default=100, help_text='per cent of guilds')),
                ('holdout', models.PositiveSmallIntegerField(default=0, help_text='per cent of guilds')),
                ('salt', models.CharField(blank=True, default='', max_length=40)),
                ('opened_by', models.CharField(blank=True, default='', max_length=40)),
                ('market', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='live_periods', to='guilds.market')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='live_periods', to='governance.ruleversion')),
            ],
            options={
                'ordering': ['starts_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(('holdout__gte', 0), ('holdout__lte', 50), ('share__gte', 1), ('share__lte', 100)), name='live_period_shares_are_percentages'), django.contrib.postgres.constraints.ExclusionConstraint(expressions=[(guilds.registry.models.TstzRange(models.F('starts_at'), models.F('ends_at'), django.contrib.postgres.fields.ranges.RangeBoundary()), '&&'), (models.F('version'), '='), (django.db.models.functions.comparison.Coalesce(models.F('market'), 0), '=')], name='live_once_at_a_time'), models.CheckConstraint(condition=models.Q(('ends_at__isnull', True), ('ends_at__gte', models.F('starts_at')), _connector='OR'), name='live_period_ends_after_start')],
            },
        ),
        migrations.CreateModel(
            name='PendingSignal',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('signal_id', models.BigIntegerField()),
                ('shard', models.PositiveSmallIntegerField()),
                ('time', models.DateTimeField()),
                ('version', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='pending', to='governance.ruleversion')),
            ],
            options={
                'indexes': [models.Index(fields=['shard', 'time', 'signal_id'], name='pending_order')],
            },
        ),
        migrations.CreateModel(
            name='Plan',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('decisions', 'Decisions, for accuracy'), ('coverage', 'Unflagged guild-days, for coverage')], max_length=10, unique=True)),
                ('weekly', models.PositiveIntegerField(verbose_name='items a week')),
            ],
            options={
                'ordering': ['kind'],
            },
        ),
        migrations.CreateModel(
            name='PointEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('points', models.IntegerField()),
                ('reason', models.CharField(choices=[('violation', 'Violation'), ('expiry', 'Expired'), ('reversal', 'Reversed'), ('reduction', 'Reduced on appeal'), ('credit', 'Credit for a lesson')], max_length=10)),
                ('at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(blank=True, help_text='null: never', null=True)),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='point_entries', to='guilds.guild')),
                ('undoes', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='undone_by', to='governance.pointentry')),
                ('violation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='point_entries', to='governance.violation')),
                ('credit', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='governance.credit')),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(fields=['guild', 'id'], name='point_entry_guild'), models.Index(condition=models.Q(('expires_at__isnull', False)), fields=['expires_at'], name='point_entry_expiry')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('reason', 'violation')), fields=('violation',), name='points_once_per_violation')],
            },
        ),
        migrations.CreateModel(
            name='QuarantinedSignal',
            fields=[
                ('key', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='quarantined', serialize=False, to='governance.signalkey')),
                ('status', models.CharField(choices=[('waiting', 'Waiting'), ('released', 'Released'), ('discarded', 'Discarded')], default='waiting', max_length=12)),
                ('reason', models.CharField(choices=[('unknown_guild', 'Unknown guild and no market to register it in'), ('unknown_market', 'Unknown market'), ('unknown_creator', 'Unknown creator and no guild named'), ('no_membership', 'No guild held the creator then, and none is named')], max_length=24)),
                ('event', models.JSONField(verbose_name='the CloudEvent as received')),
                ('guild_ref', models.CharField(blank=True, max_length=120)),
                ('creator_ref', models.CharField(blank=True, max_length=120)),
                ('market_ref', models.CharField(blank=True, max_length=20)),
                ('received_at', models.DateTimeField()),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('last_attempt_at', models.DateTimeField(blank=True, null=True)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('client', models.ForeignKey(blank=True, help_text='Who sent it: a client limited to markets or a guild stays so when the event is retried.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='quarantined', to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL)),
            ],
            options={
                'ordering': ['-received_at'],
                'indexes': [models.Index(condition=models.Q(('status', 'waiting')), fields=['last_attempt_at'], name='quarantine_waiting')],
            },
        ),
        migrations.CreateModel(
            name='Question',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField()),
                ('prompt', models.JSONField()),
                ('options', models.JSONField()),
                ('correct', models.PositiveSmallIntegerField()),
                ('note', models.JSONField(blank=True, default=dict)),
                ('lesson', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='questions', to='governance.lesson')),
            ],
            options={
                'ordering': ['lesson_id', 'position'],
                'constraints': [models.UniqueConstraint(deferrable=django.db.models.constraints.Deferrable['DEFERRED'], fields=('lesson', 'position'), name='one_question_per_place')],
            },
        ),
        migrations.CreateModel(
            name='Rectification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('open', 'Open'), ('submitted', 'The guild says it is put right'), ('met', 'Put right'), ('failed', 'Not put right'), ('dropped', 'No longer asked for')], default='open', max_length=10)),
                ('due_at', models.DateTimeField()),
                ('submitted_at', models.DateTimeField(blank=True, null=True)),
                ('statement', models.TextField(blank=True)),
                ('checked_at', models.DateTimeField(blank=True, null=True)),
                ('result', models.JSONField(blank=True, default=dict)),
                ('penalty', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='rectification', to='governance.penalty')),
                ('submitted_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-penalty'],
                'indexes': [models.Index(condition=models.Q(('status__in', ['open', 'submitted'])), fields=['due_at'], name='rectification_due')],
            },
        ),
        migrations.CreateModel(
            name='Restriction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('warning', 'Warning'), ('interview', 'Interview and rectification'), ('training', 'Training'), ('public_notice', 'Public notice'), ('recruitment_freeze', 'Recruitment freeze'), ('reward_freeze', 'Task and reward freeze'), ('reward_forfeiture', 'Forfeiture of the related reward'), ('settlement_hold', 'Settlement hold'), ('income_deduction', 'Income deduction'), ('traffic_limit', 'Traffic limit'), ('backstage_removal', 'Backstage permission removed'), ('tier_removal', 'Tier removed'), ('suspension', 'Suspension'), ('clear_out', 'Clear-out (termination)'), ('free_exit', 'Free exit for creators')], max_length=24)),
                ('params', models.JSONField(blank=True, default=dict)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField(blank=True, null=True)),
                ('lifted_at', models.DateTimeField(blank=True, null=True)),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='restrictions', to='guilds.guild')),
                ('penalty', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='restriction', to='governance.penalty')),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(condition=models.Q(('lifted_at__isnull', True)), fields=['guild', 'kind'], name='restriction_active')],
            },
        ),
        migrations.CreateModel(
            name='Review',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('verdict', models.CharField(choices=[('confirm', 'Confirm'), ('dismiss', 'Dismiss')], max_length=8)),
                ('reason', models.TextField()),
                ('created_at', models.DateTimeField()),
                ('reviewer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reviews', to=settings.AUTH_USER_MODEL)),
                ('violation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reviews', to='governance.violation')),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('violation', 'reviewer'), name='one_verdict_per_reviewer', violation_error_message='You have already given your verdict on this violation.')],
            },
        ),
        migrations.CreateModel(
            name='Route',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField(unique=True)),
                ('kinds', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('verdict', 'Decision'), ('quality', 'Audit of a decision'), ('golden', 'Golden case'), ('coverage', 'Audit of an unflagged guild-day')], max_length=10), blank=True, default=list, size=None)),
                ('severities', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('S1', 'S1, worst'), ('S2', 'S2'), ('S3', 'S3'), ('S4', 'S4, least')], max_length=2), blank=True, default=list, size=None)),
                ('markets', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), blank=True, default=list, size=None)),
                ('rules', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), blank=True, default=list, size=None)),
                ('queue', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='routes', to='governance.queue')),
            ],
            options={
                'ordering': ['position'],
            },
        ),
        migrations.CreateModel(
            name='RuleException',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('reason', models.TextField()),
                ('starts_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_reason', models.TextField(blank=True)),
                ('granted_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rule_exceptions', to='guilds.guild')),
                ('rule', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='exceptions', to='governance.rule')),
            ],
            options={
                'verbose_name': 'exception',
                'verbose_name_plural': 'exceptions',
                'ordering': ['-id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('starts_at'))), name='exception_expires_after_start', violation_error_message='An exception must expire after it starts.'), django.contrib.postgres.constraints.ExclusionConstraint(expressions=[(guilds.registry.models.TstzRange(models.F('starts_at'), django.db.models.functions.comparison.Coalesce(models.F('ended_at'), models.F('expires_at')), django.contrib.postgres.fields.ranges.RangeBoundary()), '&&'), (models.F('rule'), '='), (models.F('guild'), '=')], name='one_exception_per_rule_and_guild_at_a_time', violation_error_message='This rule is silenced for this guild already.')],
            },
        ),
        migrations.CreateModel(
            name='Safeguard',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('large_creators', models.PositiveIntegerField(default=500, verbose_name='a guild with so many creators is large: a second person for every penalty but a warning')),
                ('shield_days', models.PositiveSmallIntegerField(default=90, verbose_name='days a won appeal keeps the harshest automatic measures away')),
                ('hold_hours', models.PositiveSmallIntegerField(default=72, verbose_name='hours a held penalty may wait before those above are told')),
                ('market', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='safeguards', to='guilds.market')),
            ],
            options={
                'ordering': ['market'],
                'constraints': [models.UniqueConstraint(fields=('market',), name='one_safeguard_per_market', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='Sample',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('decisions', 'Decisions, for accuracy'), ('coverage', 'Unflagged guild-days, for coverage')], max_length=10)),
                ('name', models.CharField(max_length=120)),
                ('status', models.CharField(choices=[('drawn', 'Being judged'), ('closed', 'Closed')], default='drawn', max_length=8)),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField()),
                ('markets', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), blank=True, default=list, help_text='empty: all', size=None)),
                ('seed', models.BigIntegerField()),
                ('size', models.PositiveIntegerField(help_text='asked for')),
                ('allocation', models.CharField(choices=[('proportional', 'As many as each part is large'), ('neyman', 'More where earlier samples found more wrong')], default='proportional', max_length=12)),
                ('strata', models.JSONField(default=list)),
                ('automatic', models.BooleanField(default=False, help_text='drawn by the clock, not by a person')),
                ('created_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('until__gt', models.F('since'))), name='sample_until_after_since'), models.UniqueConstraint(condition=models.Q(('automatic', True)), fields=('kind', 'since', 'until'), name='one_sample_of_the_clock_per_period'), models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', False), ('status', 'closed')), models.Q(('closed_at__isnull', True), ('status', 'drawn')), _connector='OR'), name='sample_closed_at_when_closed')],
            },
        ),
        migrations.CreateModel(
            name='SampleItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stratum', models.CharField(max_length=120)),
                ('probability', models.FloatField()),
                ('day', models.DateField(blank=True, null=True)),
                ('decided', models.CharField(blank=True, help_text='status of the violation when it was drawn', max_length=12)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('settlement', models.TextField(blank=True)),
                ('led_to', models.CharField(blank=True, max_length=80)),
                ('case', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='sample_item', to='governance.case')),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sampled', to='guilds.guild')),
                ('sample', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='items', to='governance.sample')),
                ('violation', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='sampled', to='governance.violation')),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('violation__isnull', False)), fields=('sample', 'violation'), name='violation_once_per_sample'), models.UniqueConstraint(condition=models.Q(('day__isnull', False)), fields=('sample', 'guild', 'day'), name='guild_day_once_per_sample'), models.CheckConstraint(condition=models.Q(('probability__gt', 0), ('probability__lte', 1)), name='probability_is_possible'), models.CheckConstraint(condition=models.Q(models.Q(('day__isnull', True), ('violation__isnull', False)), models.Q(('day__isnull', False), ('violation__isnull', True)), _connector='OR'), name='sampled_a_violation_or_a_day')],
            },
        ),
        migrations.CreateModel(
            name='Sanction',
            fields=[
                ('violation', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='sanction', serialize=False, to='governance.violation')),
                ('code', models.CharField(max_length=40)),
                ('nth', models.PositiveIntegerField()),
                ('points', models.PositiveIntegerField()),
                ('amnesty', models.BooleanField(default=False, help_text='answered by a warning alone: the guild had just done the lesson')),
                ('created_at', models.DateTimeField()),
                ('reversed_at', models.DateTimeField(blank=True, null=True)),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sanctions', to='guilds.guild')),
            ],
            options={
                'indexes': [models.Index(fields=['guild', 'code'], name='sanction_guild_code')],
            },
        ),
        migrations.CreateModel(
            name='Shield',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='shields', to='guilds.guild')),
                ('penalty', models.OneToOneField(help_text='the one that fell', on_delete=django.db.models.deletion.PROTECT, related_name='shield', to='governance.penalty')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['guild', 'ends_at'], name='shield_guild')],
                'constraints': [models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='shield_ends_after_start')],
            },
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name='Signal',
                    fields=[
                        ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                        ('time', models.DateTimeField()),
                        ('type', models.CharField(max_length=200)),
                        ('event_id', models.CharField(max_length=300)),
                        ('data', models.JSONField()),
                        ('received_at', models.DateTimeField()),
                        ('creator', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='signals', to='guilds.creator')),
                        ('guild', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='signals', to='guilds.guild')),
                        ('market', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='signals', to='guilds.market')),
                        ('named_guild', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='signals_naming', to='guilds.guild')),
                        ('source', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='signals', to='governance.signalsource')),
                    ],
                    options={
                        'ordering': ['-time', '-id'],
                    },
                ),
            ],
        ),
        migrations.CreateModel(
            name='Standing',
            fields=[
                ('guild', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='standing', serialize=False, to='guilds.guild')),
                ('points', models.IntegerField(default=0)),
                ('score', models.IntegerField(default=100)),
                ('band', models.CharField(default='healthy', max_length=40)),
                ('updated_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('score', django.db.models.expressions.CombinedExpression(models.Value(100), '-', models.F('points')))), name='score_is_hundred_minus_points')],
            },
        ),
        migrations.CreateModel(
            name='Target',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('severity', models.CharField(choices=[('S1', 'S1, worst'), ('S2', 'S2'), ('S3', 'S3'), ('S4', 'S4, least')], max_length=2)),
                ('hours', models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1)])),
                ('warn_percent', models.PositiveSmallIntegerField(default=75, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(99)], verbose_name='warn when so much of the time is over, %')),
                ('market', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='targets', to='guilds.market')),
            ],
            options={
                'ordering': ['severity', 'market'],
                'constraints': [models.UniqueConstraint(fields=('severity', 'market'), name='one_target_per_severity_and_market', nulls_distinct=False), models.CheckConstraint(condition=models.Q(('hours__gte', 1), ('warn_percent__gte', 1), ('warn_percent__lte', 99)), name='target_is_possible')],
            },
        ),
        migrations.CreateModel(
            name='Template',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('penalty_imposed', 'Penalty imposed (statement of reasons)'), ('penalty_changed', 'Penalty changed'), ('penalty_reversed', 'Penalty reversed'), ('appeal_received', 'Appeal received'), ('appeal_decided', 'Appeal decided'), ('rule_change', 'A rule is going to change'), ('rule_change_withdrawn', 'A change of a rule was taken back'), ('lesson_assigned', 'Lesson assigned'), ('lesson_reminder', 'Lesson still to do'), ('feedback_answered', 'Feedback answered')], max_length=24)),
                ('language', models.CharField(help_text='BCP 47', max_length=20)),
                ('subject', models.CharField(max_length=200)),
                ('body', models.TextField()),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('regime', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='notice_templates', to='guilds.regime')),
            ],
            options={
                'ordering': ['kind', 'language'],
                'constraints': [models.UniqueConstraint(fields=('kind', 'language', 'regime'), name='one_template_per_kind_language_and_regime', nulls_distinct=False)],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='eventseal',
            trigger=pgtrigger.compiler.Trigger(name='event_seal_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='b2d34389bd140ba721aaf2fa8303bdd2a89d6ab4', operation='UPDATE OR DELETE', pgid='pgtrigger_event_seal_append_only_66815', table='governance_eventseal', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='eventseal',
            trigger=pgtrigger.compiler.Trigger(name='event_seal_no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: event_seal is append-only and cannot be truncated';", hash='1a4fac35ef45d7aca477ce69524439a234d60d59', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_event_seal_no_truncate_d05bb', table='governance_eventseal', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='casenote',
            trigger=pgtrigger.compiler.Trigger(name='case_note_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='318822689e9adf3440378cfc49e1bb7a39b847ea', operation='UPDATE OR DELETE', pgid='pgtrigger_case_note_append_only_32fb2', table='governance_casenote', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='casenote',
            trigger=pgtrigger.compiler.Trigger(name='case_note_no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: case_note is append-only and cannot be truncated';", hash='c7b93da169274a78468d1e05d87e0361f41a382d', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_case_note_no_truncate_b39cd', table='governance_casenote', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='event',
            trigger=pgtrigger.compiler.Trigger(name='event_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='19038f92fa146d9c959709b1d5b84cd55b4f52b2', operation='UPDATE OR DELETE', pgid='pgtrigger_event_append_only_1a85f', table='governance_event', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='event',
            trigger=pgtrigger.compiler.Trigger(name='event_no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: event is append-only and cannot be truncated';", hash='632fd7989094a59a40c2cb855f960f3f34f085f5', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_event_no_truncate_ba808', table='governance_event', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='judgement',
            trigger=pgtrigger.compiler.Trigger(name='judgement_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='ff4826ed6f6b147b92b6b299678ae7dec72e8adc', operation='UPDATE OR DELETE', pgid='pgtrigger_judgement_append_only_8ac38', table='governance_judgement', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='judgement',
            trigger=pgtrigger.compiler.Trigger(name='judgement_no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: judgement is append-only and cannot be truncated';", hash='dd589a0ae8b59888774010430ffa9c3b019e3946', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_judgement_no_truncate_618ac', table='governance_judgement', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='attempt',
            trigger=pgtrigger.compiler.Trigger(name='attempt_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='9c851fd897325395d123d38e5e49508ef29661f3', operation='UPDATE OR DELETE', pgid='pgtrigger_attempt_append_only_18053', table='governance_attempt', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='attempt',
            trigger=pgtrigger.compiler.Trigger(name='attempt_no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: attempt is append-only and cannot be truncated';", hash='ed31bb0989e0fc5b08b9baa648e86b17b79f8a59', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_attempt_no_truncate_081f0', table='governance_attempt', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='notice',
            trigger=pgtrigger.compiler.Trigger(name='notice_wording_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.body IS DISTINCT FROM NEW.body OR OLD.subject IS DISTINCT FROM NEW.subject OR OLD.statement IS DISTINCT FROM NEW.statement OR OLD.issued_at IS DISTINCT FROM NEW.issued_at OR OLD.appeal_by IS DISTINCT FROM NEW.appeal_by)', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='56072068490d8118b0321cc8c656f51fb23f1ec4', operation='UPDATE', pgid='pgtrigger_notice_wording_fixed_c3892', table='governance_notice', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='notice',
            trigger=pgtrigger.compiler.Trigger(name='notice_kept', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='a32ce858f0a25b94731ce46629240a76adc7921b', operation='DELETE', pgid='pgtrigger_notice_kept_3e97c', table='governance_notice', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='acknowledgement',
            trigger=pgtrigger.compiler.Trigger(name='acknowledgement_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='932670cfd1801131ae72b1c8497ec4acf372d951', operation='UPDATE OR DELETE', pgid='pgtrigger_acknowledgement_append_only_ef03e', table='governance_acknowledgement', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='acknowledgement',
            trigger=pgtrigger.compiler.Trigger(name='acknowledgement_no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: acknowledgement is append-only and cannot be truncated';", hash='e05acddadd6dbd50f40c2467161cf71d27c561cb', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_acknowledgement_no_truncate_531ce', table='governance_acknowledgement', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='feedback',
            trigger=pgtrigger.compiler.Trigger(name='feedback_words_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."body" IS DISTINCT FROM NEW."body" OR OLD."source" IS DISTINCT FROM NEW."source" OR OLD."channel" IS DISTINCT FROM NEW."channel" OR OLD."guild_id" IS DISTINCT FROM NEW."guild_id" OR OLD."by_user_id" IS DISTINCT FROM NEW."by_user_id" OR OLD."by_client_id" IS DISTINCT FROM NEW."by_client_id")', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='f5c6375bb5ab3416a1006ef7b3310f09f28f78af', operation='UPDATE', pgid='pgtrigger_feedback_words_fixed_8aae3', table='governance_feedback', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='feedback',
            trigger=pgtrigger.compiler.Trigger(name='feedback_kept', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='03b1c0364f32048696f0103985d7a8b0e85f4419', operation='DELETE', pgid='pgtrigger_feedback_kept_ef3c8', table='governance_feedback', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ruleversion',
            trigger=pgtrigger.compiler.Trigger(name='rule_version_wording_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN ((OLD.status <> \'draft\' OR OLD.frozen_at IS NOT NULL) AND (OLD."spec" IS DISTINCT FROM NEW."spec" OR OLD."ladder" IS DISTINCT FROM NEW."ladder" OR OLD."text" IS DISTINCT FROM NEW."text" OR OLD."violation_code" IS DISTINCT FROM NEW."violation_code" OR OLD."severity" IS DISTINCT FROM NEW."severity" OR OLD."review" IS DISTINCT FROM NEW."review" OR OLD."on" IS DISTINCT FROM NEW."on" OR OLD."markets" IS DISTINCT FROM NEW."markets" OR OLD."cap" IS DISTINCT FROM NEW."cap" OR OLD."effective_from" IS DISTINCT FROM NEW."effective_from" OR OLD."expires_at" IS DISTINCT FROM NEW."expires_at"))', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='43f21c1f902cc8457000bc63e0688075c5d76110', operation='UPDATE', pgid='pgtrigger_rule_version_wording_fixed_d700e', table='governance_ruleversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ruleversion',
            trigger=pgtrigger.compiler.Trigger(name='rule_version_identity_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."rule_id" IS DISTINCT FROM NEW."rule_id" OR OLD."number" IS DISTINCT FROM NEW."number" OR OLD."author_id" IS DISTINCT FROM NEW."author_id" OR OLD."created_at" IS DISTINCT FROM NEW."created_at")', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='37ca9d0730300517c4227d2ed346c5e1baf83a99', operation='UPDATE', pgid='pgtrigger_rule_version_identity_fixed_3fa91', table='governance_ruleversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ruleversion',
            trigger=pgtrigger.compiler.Trigger(name='rule_version_kept', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='889fa29ae0d6147c627c232dd86b2655e3f01be1', operation='DELETE', pgid='pgtrigger_rule_version_kept_bd6d1', table='governance_ruleversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='launch',
            trigger=pgtrigger.compiler.Trigger(name='launch_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."salt" IS DISTINCT FROM NEW."salt" OR OLD."version_id" IS DISTINCT FROM NEW."version_id")', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='7e7f1cad3d66d54abef47ef246298589951b6786', operation='UPDATE', pgid='pgtrigger_launch_fixed_80011', table='governance_launch', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='launch',
            trigger=pgtrigger.compiler.Trigger(name='launch_kept', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='877808b7c645bdc7106b9fdb72b8e87ffa2bb916', operation='DELETE', pgid='pgtrigger_launch_kept_b7bfa', table='governance_launch', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='comment',
            trigger=pgtrigger.compiler.Trigger(name='comment_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='e1ea78c6ecbecdf740b5f61b3c8b684fbe8ba1a6', operation='UPDATE OR DELETE', pgid='pgtrigger_comment_append_only_a3589', table='governance_comment', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='comment',
            trigger=pgtrigger.compiler.Trigger(name='comment_no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: comment is append-only and cannot be truncated';", hash='7258c74b3e73b16a114d677006996027598a0f66', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_comment_no_truncate_7d909', table='governance_comment', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='approval',
            trigger=pgtrigger.compiler.Trigger(name='approval_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(condition="WHEN (OLD.frozen IS DISTINCT FROM NEW.frozen OR OLD.digest IS DISTINCT FROM NEW.digest OR OLD.version_id IS DISTINCT FROM NEW.version_id OR OLD.requested_by_id IS DISTINCT FROM NEW.requested_by_id OR (OLD.decided_at IS NOT NULL AND (OLD.decided_by_id IS DISTINCT FROM NEW.decided_by_id OR (OLD.status = 'refused' AND NEW.status <> 'refused'))))", func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='458e2f615f21b652c7c4d0817a8031d5672ff3d2', operation='UPDATE', pgid='pgtrigger_approval_fixed_8fed2', table='governance_approval', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='approval',
            trigger=pgtrigger.compiler.Trigger(name='approval_kept', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='af5743908c9df95f0a1993e34aab5647647b9e3c', operation='DELETE', pgid='pgtrigger_approval_kept_40c3e', table='governance_approval', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sample',
            trigger=pgtrigger.compiler.Trigger(name='sample_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."since" IS DISTINCT FROM (NEW."since") OR OLD."until" IS DISTINCT FROM (NEW."until") OR OLD."markets" IS DISTINCT FROM (NEW."markets") OR OLD."seed" IS DISTINCT FROM (NEW."seed") OR OLD."size" IS DISTINCT FROM (NEW."size") OR OLD."allocation" IS DISTINCT FROM (NEW."allocation") OR OLD."strata" IS DISTINCT FROM (NEW."strata"))', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='e89ffd8fd29e275829e4982ec869a17bb58518a0', operation='UPDATE', pgid='pgtrigger_sample_fixed_57938', table='governance_sample', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sample',
            trigger=pgtrigger.compiler.Trigger(name='sample_kept', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='9fbc5c67cb87c7d920b8b8ca0bccd13f8cb8eb0d', operation='DELETE', pgid='pgtrigger_sample_kept_847f8', table='governance_sample', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sampleitem',
            trigger=pgtrigger.compiler.Trigger(name='sample_item_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."sample_id" IS DISTINCT FROM (NEW."sample_id") OR OLD."stratum" IS DISTINCT FROM (NEW."stratum") OR OLD."probability" IS DISTINCT FROM (NEW."probability") OR OLD."violation_id" IS DISTINCT FROM (NEW."violation_id") OR OLD."guild_id" IS DISTINCT FROM (NEW."guild_id") OR OLD."day" IS DISTINCT FROM (NEW."day") OR OLD."decided" IS DISTINCT FROM (NEW."decided"))', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='acc4c761231097202b22110783a15b9ff53ba63f', operation='UPDATE', pgid='pgtrigger_sample_item_fixed_c89a8', table='governance_sampleitem', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='sampleitem',
            trigger=pgtrigger.compiler.Trigger(name='sample_item_kept', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='b4281bce8b33b9160a98cccfe84073a555715b90', operation='DELETE', pgid='pgtrigger_sample_item_kept_2be8e', table='governance_sampleitem', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='review',
            trigger=pgtrigger.compiler.Trigger(name='review_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='d0e19b4b4cb231b739cfe848da46c39322437b6d', operation='UPDATE OR DELETE', pgid='pgtrigger_review_append_only_2e071', table='governance_review', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='review',
            trigger=pgtrigger.compiler.Trigger(name='review_no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: review is append-only and cannot be truncated';", hash='8a7ad712f8d8358af233234506707ab3ed4d909a', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_review_no_truncate_cf395', table='governance_review', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='detection',
            trigger=pgtrigger.compiler.Trigger(name='detection_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='5ce28f8b74e73c8085e3b704ef76f5b7fd7a6674', operation='UPDATE OR DELETE', pgid='pgtrigger_detection_append_only_060ea', table='governance_detection', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='detection',
            trigger=pgtrigger.compiler.Trigger(name='detection_no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: detection is append-only and cannot be truncated';", hash='670b42a6416c473718a8ff358641981a203313a6', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_detection_no_truncate_98e64', table='governance_detection', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='announcement',
            trigger=pgtrigger.compiler.Trigger(name='announcement_asked_now', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF abs(extract(epoch FROM NEW.asked_at - clock_timestamp())) > 300 OR NEW.sent_at IS NOT NULL THEN RAISE EXCEPTION 'an announcement begins now and is not sent yet' USING ERRCODE = 'check_violation'; END IF; RETURN NEW;", hash='7c3689308510921094bd58aea8e200d38fe76f25', operation='INSERT', pgid='pgtrigger_announcement_asked_now_2dd19', table='governance_announcement', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='announcement',
            trigger=pgtrigger.compiler.Trigger(name='announcement_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."public_id" IS DISTINCT FROM NEW."public_id" OR OLD."wave_id" IS DISTINCT FROM NEW."wave_id" OR OLD."market_id" IS DISTINCT FROM NEW."market_id" OR OLD."kind" IS DISTINCT FROM NEW."kind" OR OLD."told_at" IS DISTINCT FROM NEW."told_at" OR OLD."notice_days" IS DISTINCT FROM NEW."notice_days" OR OLD."reason" IS DISTINCT FROM NEW."reason" OR OLD."asked_by_id" IS DISTINCT FROM NEW."asked_by_id" OR OLD."asked_at" IS DISTINCT FROM NEW."asked_at" OR (OLD.sent_at IS NOT NULL AND OLD.sent_at IS DISTINCT FROM NEW.sent_at))', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='a42848c3cfb3ae1c10066c32cc01690f56cc4e1b', operation='UPDATE', pgid='pgtrigger_announcement_fixed_b0821', table='governance_announcement', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='announcement',
            trigger=pgtrigger.compiler.Trigger(name='announcement_sent_to_all', sql=pgtrigger.compiler.UpsertTriggerSql(condition="WHEN (OLD.sent_at IS NULL AND NEW.sent_at IS NOT NULL AND NEW.kind = 'coming')", func="IF abs(extract(epoch FROM NEW.sent_at - clock_timestamp())) > 300 THEN RAISE EXCEPTION 'an announcement cannot be dated back' USING ERRCODE = 'check_violation'; END IF; IF EXISTS (SELECT 1 FROM guilds_guild g WHERE g.market_id = NEW.market_id AND g.status IN ('onboarding', 'active', 'suspended') AND NOT EXISTS (SELECT 1 FROM governance_notice n WHERE n.object_type = 'announcement' AND n.object_id = NEW.public_id::text AND n.guild_id = g.id)) THEN RAISE EXCEPTION 'a guild of the market has no notice yet' USING ERRCODE = 'check_violation'; END IF; RETURN NEW;", hash='39ad4b478dea717ba4149c7ec60810e28d1b52a3', operation='UPDATE', pgid='pgtrigger_announcement_sent_to_all_f417b', table='governance_announcement', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='announcement',
            trigger=pgtrigger.compiler.Trigger(name='announcement_kept', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='21893a2dda727514dde53c5f1fddc03374aac84a', operation='DELETE', pgid='pgtrigger_announcement_kept_037f7', table='governance_announcement', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='pointentry',
            trigger=pgtrigger.compiler.Trigger(name='point_entry_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='cda0360e8697c0aa00a7eead0445ee18228251b0', operation='UPDATE OR DELETE', pgid='pgtrigger_point_entry_append_only_80a1d', table='governance_pointentry', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='pointentry',
            trigger=pgtrigger.compiler.Trigger(name='point_entry_no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: point_entry is append-only and cannot be truncated';", hash='dcc8f502b46216541ab48836ed03fb81f9b5ac2d', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_point_entry_no_truncate_fb01d', table='governance_pointentry', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='credit',
            trigger=pgtrigger.compiler.Trigger(name='credit_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='009a147ffd6c86f293824214f688ea508a4916a0', operation='UPDATE OR DELETE', pgid='pgtrigger_credit_append_only_26ddf', table='governance_credit', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='credit',
            trigger=pgtrigger.compiler.Trigger(name='credit_no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: credit is append-only and cannot be truncated';", hash='af4ec7790d46f5f8ff82b999f87357976d473233', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_credit_no_truncate_d9046', table='governance_credit', when='BEFORE')),
        ),
            *BY_HAND,
])
    ]
