"""Gives each item that was there before its own secret draws; one default for all would have made them one."""

from django.db import migrations

from labelhub.catalog.models import secret_draw

A_TIME = 2000


def draw(apps, schema_editor):
    """Draw anew for every item."""
    items = apps.get_model("catalog", "Item").objects.using(schema_editor.connection.alias)
    batch = []
    for item in items.only("pk").iterator(chunk_size=A_TIME):
        item.place, item.overlap_draw = secret_draw(), secret_draw()
        batch.append(item)
        if len(batch) == A_TIME:
            items.bulk_update(batch, ["place", "overlap_draw"])
            batch = []
    items.bulk_update(batch, ["place", "overlap_draw"])


class Migration(migrations.Migration):

    dependencies = [("catalog", "0003_places_in_the_queue")]

    operations = [migrations.RunPython(draw, migrations.RunPython.noop)]
