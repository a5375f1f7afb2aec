from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0007_examples_that_versions_showed'),
    ]

    operations = [
        migrations.AddField(
            model_name='medium',
            name='frame_key',
            field=models.CharField(blank=True, max_length=16),
        ),
    ]
