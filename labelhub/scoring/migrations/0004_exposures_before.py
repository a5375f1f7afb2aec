"""Counts to whom each gold in use was given before the count was kept."""

from django.db import migrations
from django.db.models import Count, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce


def count(apps, schema_editor):
    """Fill ``GoldReference.n_exposures``: independent reads of the item since it is gold."""
    alias = schema_editor.connection.alias
    assignments = apps.get_model("assignments", "Assignment").objects.using(alias)
    given = (
        assignments.filter(item=OuterRef("item"), read_kind="independent", created_at__gte=OuterRef("made_at"))
        .order_by().values("item").annotate(n=Count("labeler", distinct=True)).values("n")
    )
    gold = apps.get_model("scoring", "GoldReference").objects.using(alias)
    gold.update(n_exposures=Coalesce(Subquery(given, output_field=IntegerField()), 0))


class Migration(migrations.Migration):

    dependencies = [
        ("scoring", "0003_gold_rests_and_exams"),
        ("assignments", "0003_batches_and_work_by_hand"),
    ]

    operations = [migrations.RunPython(count, migrations.RunPython.noop)]
