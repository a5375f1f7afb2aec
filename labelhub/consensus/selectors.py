"""Reading settled labels: the current settlement of items, and settlements as plain readings. Hidden from annotators."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from django.db.models import Exists, OuterRef, QuerySet

from labelhub.accounts.models import User
from labelhub.annotations.plain import regions_from_document, values_from_document
from labelhub.catalog.blobs import read_blob
from labelhub.catalog.models import Item
from labelhub.consensus.models import SettledShape, Settlement
from labelhub.formats.mask_blob import decode_mask
from labelhub.formats.shapes import MaskRegion, Reading, Shape
from labelhub.projects.models import Project

# The rater under whose name settled labels stand in files.
SETTLED_RATER = "settled"


def current_settlement(item: Item) -> Settlement | None:
    """Return the item's newest settlement, if it has one."""
    return settlements_of(item).first()


def settlements_of(item: Item) -> QuerySet[Settlement]:
    """Return the item's settlements, newest first: the first is the current one."""
    rows = Settlement.objects.filter(item=item).select_related("decided_by", "ontology")
    return rows.prefetch_related("inputs", "shapes").order_by("-number")


def has_settled(user: User, item: Item) -> bool:
    """Whether ``user`` decided a label of the item, and so has seen its readings."""
    return settled_by(user).filter(item=item).exists()


def settled_by(user: User) -> QuerySet[Settlement]:
    """Return the settlements that ``user`` decided."""
    return Settlement.objects.filter(decided_by_id=user.pk)


def standing_settlements(project: Project) -> QuerySet[Settlement]:
    """Return the newest settlement of each item that is settled now, in the order of the items."""
    newer = Settlement.objects.filter(item=OuterRef("item"), number__gt=OuterRef("number"))
    rows = Settlement.objects.filter(item__project=project, item__state=Item.State.SETTLED)
    return rows.exclude(Exists(newer)).select_related("item", "ontology", "decided_by").order_by("item_id")


def released_settlements(project: Project) -> QuerySet[Settlement]:
    """Return what a release carries: the newest settlement of each item that is settled, or settled as ignore."""
    newer = Settlement.objects.filter(item=OuterRef("item"), number__gt=OuterRef("number"))
    states = [Item.State.SETTLED, Item.State.AMBIGUOUS]
    rows = Settlement.objects.filter(item__project=project, item__state__in=states)
    return rows.exclude(Exists(newer)).select_related("item", "ontology", "decided_by").order_by("item_id")


def readings_of_settlements(settlements: Iterable[Settlement]) -> list[Reading]:
    """Return settlements as plain readings, in their order, in a fixed number of queries."""
    wanted = list(settlements)
    rows = SettledShape.objects.filter(settlement__in=wanted).select_related("medium", "mask").order_by("pk")
    by_settlement: dict[int, list[Shape]] = {}
    for row in rows:
        by_settlement.setdefault(row.settlement_id, []).append(_shape(row))
    return [_reading(settlement, by_settlement.get(settlement.pk, [])) for settlement in wanted]


def _reading(settlement: Settlement, shapes: list[Shape]) -> Reading:
    return Reading(
        item=settlement.item.code,
        rater=SETTLED_RATER,
        shapes=tuple(shapes),
        answers=values_from_document(settlement.answers),
        is_empty_read=settlement.no_finding,
        read_kind="adjudication",
        version=settlement.number,
        asked_labels=tuple(settlement.asked_labels),
        locator=f"settlement:{settlement.pk}",
    )


def _shape(row: SettledShape) -> Shape:
    mask = None
    if row.mask is not None:
        z, y, x = row.mask_origin or (0, 0, 0)
        mask = MaskRegion(decode_mask(read_blob(row.mask)).astype(np.bool_), (z, y, x))
    return Shape(
        shape_id=row.shape_id,
        label=row.label,
        regions=regions_from_document(row.regions),
        mask=mask,
        attributes=values_from_document(row.attributes),
        medium=row.medium.ordinal,
        source="settled",
    )
