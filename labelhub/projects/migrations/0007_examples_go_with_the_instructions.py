from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('projects', '0006_what_an_hour_costs'),
    ]

    operations = [
        migrations.AddField(
            model_name='guidelineversion',
            name='n_examples',
            field=models.PositiveSmallIntegerField(default=0),
        ),
    ]
