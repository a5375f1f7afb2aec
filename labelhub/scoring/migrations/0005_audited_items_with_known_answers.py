import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotations', '0001_the_first_tables'),
        ('catalog', '0003_places_in_the_queue'),
        ('scoring', '0004_exposures_before'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditedItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('chance', models.FloatField()),
                ('units', models.JSONField(default=list)),
                ('method_version', models.CharField(max_length=16)),
                ('computed_at', models.DateTimeField()),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.item')),
                ('submission', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotations.submission')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('chance__gt', 0), ('chance__lte', 1)), name='an_audited_item_had_a_chance_above_0_and_at_most_1')],
            },
        ),
    ]
