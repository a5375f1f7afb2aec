from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('consensus', '0003_audits_of_accepted_labels'),
    ]

    operations = [
        migrations.AddField(
            model_name='settlement',
            name='provenance',
            field=models.JSONField(default=list),
        ),
    ]
