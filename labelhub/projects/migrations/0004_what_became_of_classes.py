from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('projects', '0003_teams_and_qualifications'),
    ]

    operations = [
        migrations.AddField(
            model_name='ontologyversion',
            name='lineage',
            field=models.JSONField(default=dict),
        ),
    ]
