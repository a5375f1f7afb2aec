"""Counts the reads that items have already, and dates when work was begun that was there before."""

from django.db import migrations
from django.db.models import Count, F, IntegerField, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

FILLING = ("independent", "assisted", "unblinded", "co-edited", "unknown")


def count(apps, schema_editor):
    """Fill ``Item.reads_taken`` and ``Assignment.begun_at``."""
    alias = schema_editor.connection.alias
    assignments = apps.get_model("assignments", "Assignment").objects.using(alias)
    taken = (
        assignments.filter(item=OuterRef("pk"), state__in=["open", "submitted"], read_kind__in=FILLING)
        .order_by().values("item").annotate(n=Count("labeler", distinct=True)).values("n")
    )
    items = apps.get_model("catalog", "Item").objects.using(alias)
    items.update(reads_taken=Coalesce(Subquery(taken, output_field=IntegerField()), 0))
    # Work that came back and was not opened yet has its first lease.
    begun = assignments.exclude(Q(read_kind="rework", fence=1) & Q(state="open"))
    begun.update(begun_at=F("created_at"))


class Migration(migrations.Migration):

    dependencies = [
        ("assignments", "0003_batches_and_work_by_hand"),
        ("catalog", "0004_draws_of_earlier_items"),
    ]

    operations = [migrations.RunPython(count, migrations.RunPython.noop)]
