"""Batches: items that are worked through together. Made, filled, changed; each write leaves an audit event.

Not here: who is given an item of a batch (``workflow``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Count, Q, QuerySet

from labelhub.assignments.errors import AssignmentProblem
from labelhub.assignments.models import HELD, Assignment, Batch, BatchItem
from labelhub.audit import services as audit
from labelhub.catalog.models import READ_ONCE, Item, secret_draw
from labelhub.projects.models import Project, Team
from labelhub.projects.teams import labelers_in

A_TIME = 2000


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch and how far it is."""

    batch: Batch
    n_items: int
    n_done: int


def make_batch(
    *, project: Project, name: str, items: Sequence[Item], by: str, is_shared: bool = False, priority: int = 0,
    due_at: datetime | None = None, qualification: str = "",
) -> Batch:  # fmt: skip
    """Make a batch of ``items``, which leave the batch they were in. Writes ``batch.made``.

    Its priority becomes the items'. A shared batch takes no item that somebody reads or read: their labels were made alone,
    and would be seen. Raises ``AssignmentProblem``.
    """
    name = name.strip()[:80]
    if not name:
        raise AssignmentProblem("A batch has a name. Nothing was changed.", code="batch-unnamed", status=400)
    if Batch.objects.filter(project=project, name=name).exists():
        raise AssignmentProblem(f"There is a batch “{name}” already. Nothing was changed.", code="batch-known")
    keys = [item.pk for item in items if item.project_id == project.pk]
    if is_shared and Assignment.objects.filter(item__in=keys).exists():
        raise AssignmentProblem(
            "Some of these items were read alone already, and nobody may see those readings. Nothing was changed. "
            "Choose items that nobody had.", code="batch-read-alone",
        )  # fmt: skip
    with transaction.atomic():
        batch = Batch.objects.create(
            project=project, name=name, is_shared=is_shared, priority=priority, due_at=due_at,
            qualification=qualification.strip()[:60], created_by=by[:80],
        )  # fmt: skip
        BatchItem.objects.filter(item__in=keys).delete()
        BatchItem.objects.bulk_create((BatchItem(batch=batch, item_id=key) for key in keys), batch_size=A_TIME)
        Item.objects.filter(pk__in=keys).update(priority=priority)
        _draw_overlap(keys, is_shared=is_shared)
        audit.append(
            project_id=project.pk, kind="batch.made", actor=by, subject=f"batch:{batch.pk}",
            facts={"items": len(keys), "priority": priority, "shared": is_shared},
        )  # fmt: skip
    return batch


def change_batch(*, batch: Batch, priority: int, due_at: datetime | None, qualification: str, by: str) -> None:
    """Change a batch's priority, due date and qualification, and with it its items' priority. Writes ``batch.changed``."""
    with transaction.atomic():
        rows = Batch.objects.filter(pk=batch.pk)
        rows.update(priority=priority, due_at=due_at, qualification=qualification.strip()[:60])
        Item.objects.filter(pk__in=BatchItem.objects.filter(batch=batch).values("item")).update(priority=priority)
        audit.append(
            project_id=batch.project_id, kind="batch.changed", actor=by, subject=f"batch:{batch.pk}",
            facts={"priority": priority},
        )  # fmt: skip
    batch.refresh_from_db()


def _draw_overlap(keys: Sequence[int], *, is_shared: bool) -> None:
    """Have items of a shared batch read once, whatever share several people read; draw anew for those that left one."""
    items = Item.objects.filter(pk__in=keys)
    if is_shared:
        items.update(overlap_draw=READ_ONCE)
        return
    left = list(items.filter(overlap_draw=READ_ONCE))
    for item in left:
        item.overlap_draw = secret_draw()
    Item.objects.bulk_update(left, ["overlap_draw"], batch_size=A_TIME)


def batches_of(project: Project) -> QuerySet[Batch]:
    """Return the project's batches: the first due first, then by name."""
    return Batch.objects.filter(project=project).order_by("due_at", "name")


def batch_rows(project: Project, *, team: Team | None = None) -> list[BatchRow]:
    """Return the project's batches with how far each is. One query.

    With a ``team`` only items count that somebody of it has or read, and batches without one are left out.
    """
    counted = Q()
    if team is not None:
        states = (*HELD, Assignment.State.SUBMITTED)
        read = Assignment.objects.filter(labeler__in=labelers_in(team), state__in=states).values("item")
        counted = Q(places__item__in=read)
    done = Count("places", filter=counted & Q(places__item__state__in=["settled", "excluded"]))
    rows = batches_of(project).annotate(n=Count("places", filter=counted), done=done)
    return [BatchRow(row, row.n, row.done) for row in rows if row.n or team is None]


def lies_in_shared_batch(item: Item) -> bool:
    """Whether people label the item together."""
    return BatchItem.objects.filter(item=item, batch__is_shared=True).exists()


def qualification_of(item: Item) -> str:
    """Return the qualification that the item's batch asks for; empty where it asks for none."""
    found = BatchItem.objects.filter(item=item).values_list("batch__qualification", flat=True).first()
    return found or ""
