"""Gives each version of the instructions the examples that it showed last: until the next version, or now.

Before, all examples were shown with whatever version held. What was taken out stays with the versions that showed it last, but
is withdrawn: whoever took it out was told that nobody would see it any more.
"""

from django.db import migrations
from django.utils import timezone


def publish(apps, schema_editor):
    """Write what each version showed at its end."""
    alias = schema_editor.connection.alias
    examples = apps.get_model("catalog", "Example").objects.using(alias)
    published = apps.get_model("catalog", "PublishedExample").objects.using(alias)
    versions = apps.get_model("projects", "GuidelineVersion").objects.using(alias)
    for project in examples.values_list("project", flat=True).distinct():
        rows = list(examples.filter(project=project).order_by("pk"))
        kept = list(versions.filter(project=project).order_by("number"))
        for version, later in zip(kept, [*kept[1:], None], strict=True):
            end = timezone.now() if later is None else later.created_at
            shown = [row for row in rows if row.added_at <= end and (row.removed_at is None or row.removed_at > end)]
            for place, row in enumerate(shown):
                published.create(guideline=version, example=row, place=place, caption=row.caption, marker=row.marker)
            if shown:
                versions.filter(pk=version.pk).update(n_examples=len(shown))
    for row in examples.exclude(removed_at=None):
        examples.filter(pk=row.pk).update(withdrawn_at=row.removed_at)


def take_back(apps, schema_editor):
    """Forget which version showed what."""
    alias = schema_editor.connection.alias
    apps.get_model("catalog", "PublishedExample").objects.using(alias).all().delete()
    apps.get_model("projects", "GuidelineVersion").objects.using(alias).update(n_examples=0)


class Migration(migrations.Migration):

    dependencies = [("catalog", "0006_examples_of_each_version")]

    operations = [migrations.RunPython(publish, take_back)]
