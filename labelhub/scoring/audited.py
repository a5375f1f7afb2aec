"""Accepted items that an auditor read blind, as items with a known answer: kept when the audit comes in, read by the estimates.

The auditor is no truth: what follows is calibrated *against an auditor*. Not here: the draw and the audit (``consensus``),
and what the known answers correct (``truth_fit``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.projects.models import Project
from labelhub.scoring import evidence
from labelhub.scoring.models import AuditedItem, GoldReference
from labelhub.scoring.truth_fit import Audited


def keep_audited(*, item: Item, submission: Submission, chance: float, units: Sequence[Mapping[str, Any]]) -> None:
    """Keep what the item's readers said (``evidence.Unit.to_document``), with the auditor's answers as truth. Twice is once.

    ``submission`` is the auditor's, and none of those who are judged by it; ``chance`` is that of the draw.
    """
    AuditedItem.objects.update_or_create(
        submission=submission,
        defaults={
            "item": item, "chance": chance, "units": list(units), "method_version": evidence.VERSION,
            "computed_at": timezone.now(),
        },
    )  # fmt: skip


def audited_units(project: Project) -> dict[str, list[Audited]]:
    """Return the audited units of the project by topic, of each item the newest audit; two queries.

    Where gold is in use it tells more than an auditor, and what was excluded counts for nothing.
    """
    gold = GoldReference.objects.filter(item__project=project, retired_at=None)
    rows = AuditedItem.objects.filter(item__project=project, method_version=evidence.VERSION)
    fresh = rows.exclude(item__state=Item.State.EXCLUDED).exclude(item__in=gold.values("item")).order_by("pk")
    newest = {row.item_id: row for row in fresh}
    mean = sum(1 / row.chance for row in newest.values()) / max(len(newest), 1)
    found: dict[str, list[Audited]] = {}
    for row in newest.values():
        for unit in row.units:
            found.setdefault(unit["topic"], []).append(Audited(unit, row.item_id, 1 / row.chance / mean))
    return found
