import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [('appeals', '0001_appeals'), ('appeals', '0002_blank_maps')]

    dependencies = [
        ('governance', '0001_governance'),
        ('guilds', '0002_feedback_scope'),
    ]

    operations = [
        migrations.CreateModel(
            name='Appeal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('grounds', models.CharField(choices=[('facts_wrong', 'The facts are wrong'), ('not_ours', 'It was not our guild or creator'), ('rule_misread', 'The rule does not say that'), ('disproportionate', 'The penalty is too harsh'), ('new_evidence', 'There is new evidence'), ('other', 'Something else')], max_length=20)),
                ('statement', models.TextField()),
                ('status', models.CharField(choices=[('open', 'Open'), ('decided', 'Decided'), ('withdrawn', 'Withdrawn')], default='open', max_length=12)),
                ('outcome', models.CharField(blank=True, choices=[('upheld', 'Upheld: the penalty stands'), ('reduced', 'Reduced'), ('overturned', 'Overturned')], max_length=12)),
                ('filed_at', models.DateTimeField()),
                ('decide_by', models.DateTimeField()),
                ('settled_at', models.DateTimeField(blank=True, help_text='decided or withdrawn', null=True)),
                ('assigned_to', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='assigned_appeals', to=settings.AUTH_USER_MODEL)),
                ('filed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='filed_appeals', to=settings.AUTH_USER_MODEL)),
                ('filed_by_client', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='filed_appeals', to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL)),
                ('guild', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='appeals', to='guilds.guild')),
                ('market', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='appeals', to='guilds.market')),
                ('penalty', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='appeals', to='governance.penalty')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['guild', '-id'], name='appeal_guild'), models.Index(condition=models.Q(('status', 'open')), fields=['decide_by'], name='appeal_open')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status', 'open')), fields=('penalty',), name='one_open_appeal_per_penalty', violation_error_message='There is already an open appeal against this penalty.'), models.CheckConstraint(condition=models.Q(models.Q(('settled_at__isnull', False), ('status', 'decided'), models.Q(('outcome', ''), _negated=True)), models.Q(models.Q(('status', 'decided'), _negated=True), ('outcome', '')), _connector='OR'), name='appeal_outcome_with_decision')],
            },
        ),
        migrations.CreateModel(
            name='Decision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('outcome', models.CharField(choices=[('upheld', 'Upheld: the penalty stands'), ('reduced', 'Reduced'), ('overturned', 'Overturned')], max_length=12)),
                ('answer', models.TextField()),
                ('reduction', models.JSONField(blank=True, default=dict, help_text='for "reduced": {"days"?, "points"?}')),
                ('decided_at', models.DateTimeField()),
                ('adjudicator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to=settings.AUTH_USER_MODEL)),
                ('appeal', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='decision', to='appeals.appeal')),
            ],
        ),
        migrations.CreateModel(
            name='Evidence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('file', models.FileField(max_length=200, upload_to='evidence/%Y/%m')),
                ('name', models.CharField(max_length=200)),
                ('content_type', models.CharField(max_length=80)),
                ('size', models.PositiveIntegerField(verbose_name='size in bytes')),
                ('sha256', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField()),
                ('appeal', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='evidence', to='appeals.appeal')),
            ],
            options={
                'verbose_name_plural': 'evidence',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Message',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('from_guild', models.BooleanField()),
                ('body', models.TextField()),
                ('created_at', models.DateTimeField()),
                ('appeal', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='appeals.appeal')),
                ('author', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='appeal_messages', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='decision',
            trigger=pgtrigger.compiler.Trigger(name='appeal_decision_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='74e2a13146fd31a5bd5afbbbe7afc65a029fb969', operation='UPDATE OR DELETE', pgid='pgtrigger_appeal_decision_append_only_8dc09', table='appeals_decision', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='decision',
            trigger=pgtrigger.compiler.Trigger(name='appeal_decision_no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: appeal_decision is append-only and cannot be truncated';", hash='b06c6045827f7ac928c7647cb44de6dddbd579bd', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_appeal_decision_no_truncate_c9069', table='appeals_decision', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='evidence',
            trigger=pgtrigger.compiler.Trigger(name='appeal_evidence_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='408130082a3f4db6d3d5d86aa60cdaad75c117a8', operation='UPDATE OR DELETE', pgid='pgtrigger_appeal_evidence_append_only_05347', table='appeals_evidence', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='evidence',
            trigger=pgtrigger.compiler.Trigger(name='appeal_evidence_no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: appeal_evidence is append-only and cannot be truncated';", hash='7650710088401befedd873873d280917a7061976', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_appeal_evidence_no_truncate_256ff', table='appeals_evidence', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='message',
            trigger=pgtrigger.compiler.Trigger(name='appeal_message_append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='5f11a03e63924bc18cf9051c45481903e0217027', operation='UPDATE OR DELETE', pgid='pgtrigger_appeal_message_append_only_4ffe5', table='appeals_message', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='message',
            trigger=pgtrigger.compiler.Trigger(name='appeal_message_no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: appeal_message is append-only and cannot be truncated';", hash='ce2d4214a7e709e1553e514009fde010424cfa85', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_appeal_message_no_truncate_c755f', table='appeals_message', when='BEFORE')),
        ),
    ]
