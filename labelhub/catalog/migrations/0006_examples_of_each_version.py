import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0005_examples_in_the_instructions'),
        ('projects', '0007_examples_go_with_the_instructions'),
    ]

    operations = [
        migrations.AddField(
            model_name='example',
            name='withdrawn_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name='PublishedExample',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('place', models.PositiveSmallIntegerField()),
                ('caption', models.CharField(blank=True, max_length=300)),
                ('marker', models.CharField(blank=True, choices=[('good', 'Good'), ('bad', 'Bad'), ('', 'Plain')], max_length=4)),
                ('example', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='published', to='catalog.example')),
                ('guideline', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.guidelineversion')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('guideline', 'place'), name='a_place_in_the_instructions_holds_one_example'), models.UniqueConstraint(fields=('guideline', 'example'), name='instructions_show_an_example_once')],
            },
        ),
    ]
