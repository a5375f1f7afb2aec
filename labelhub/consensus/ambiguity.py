"""Settling what is truly ambiguous as *ignore*: nobody is right or wrong there, and nothing may be trained or measured on it.

All readings stay the inputs of the settlement. The whole item, or single shapes of a reading, carry the reserved class
``ignore``, so that a release carries them too. Not here: who may declare it (``workflow.ambiguity``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.annotations.models import Annotation, Submission
from labelhub.catalog.models import Item, Medium
from labelhub.catalog.selectors import media_of
from labelhub.consensus.adjudicated import IGNORE
from labelhub.consensus.models import SettledShape, Settlement
from labelhub.consensus.provenance import RegionProvenance
from labelhub.consensus.services import ChoiceTerms, decided_whole, new_settlement, terms_of_choice, write_event

AMBIGUOUS_METHOD, AMBIGUOUS_VERSION = "declared ambiguous by a reviewer", "1"
REGION_METHOD = "reviewer's choice with ambiguous regions"


def settle_as_ambiguous(*, item: Item, submissions: Sequence[Submission], by: User, reason: str) -> Settlement:
    """Settle the whole item as ignore, on all its planes, with every reading kept. Writes ``item.settled``."""
    with transaction.atomic():
        settlement = new_settlement(
            item, submissions, AMBIGUOUS_METHOD, AMBIGUOUS_VERSION, by, reason, no_finding=False, answers={},
            confidence=None, provenance=decided_whole("ambiguous", by, reason),
        )  # fmt: skip
        # Nothing was asked that has an answer: outside the scope is never negative.
        Settlement.objects.filter(pk=settlement.pk).update(asked_labels=[])
        settlement.asked_labels = []
        SettledShape.objects.bulk_create(
            SettledShape(
                settlement=settlement, medium=medium, shape_id=f"ignore-{medium.ordinal}", label=IGNORE,
                regions=list(_whole(medium)), votes=0, readers=len(submissions),
            )
            for medium in media_of(item)
        )  # fmt: skip
        write_event(item, settlement, by)
    return settlement


def settle_with_ambiguous_shapes(
    *, item: Item, submission: Submission, others: Sequence[Submission], shapes: Collection[str], by: User, reason: str
) -> Settlement:
    """Settle the item with one reading, but for those of its ``shapes`` that are truly ambiguous: they become ignore.

    All readings are kept as inputs. Writes ``item.settled``.
    """
    inputs = [submission, *(other for other in others if other.pk != submission.pk)]
    rows = list(submission.annotations.order_by("pk"))
    answers = dict(submission.answers.values_list("question", "value"))
    terms = terms_of_choice(item, submission)
    with transaction.atomic():
        settlement = new_settlement(
            item, inputs, REGION_METHOD, AMBIGUOUS_VERSION, by, reason, no_finding=submission.no_finding, answers=answers,
            confidence=None, ontology=terms.ontology,
            provenance=decided_whole(
                "reading", by, reason, submission=submission, parts=_ignored(rows, shapes, by, reason)
            ),
        )  # fmt: skip
        SettledShape.objects.bulk_create(
            SettledShape(
                settlement=settlement, medium=row.medium, shape_id=row.shape_id, regions=row.regions, mask=row.mask,
                mask_origin=row.mask_origin, votes=1, readers=len(inputs),
                merged_from=[{"submission": submission.pk, "shape": row.shape_id}], **_label(row, shapes, terms),
            )
            for row in rows
        )  # fmt: skip
        write_event(item, settlement, by)
    return settlement


def _ignored(rows: Sequence[Annotation], shapes: Collection[str], by: User, reason: str) -> list[RegionProvenance]:
    """A row for each shape that nobody can call right or wrong."""
    at = timezone.now()
    return [
        RegionProvenance(f"shape:{row.shape_id}", "ambiguous", at, row.label, by.pk, row.submission_id, reason)
        for row in rows
        if row.shape_id in shapes
    ]


def _label(row: Annotation, ignored: Collection[str], terms: ChoiceTerms) -> dict[str, Any]:
    if row.shape_id in ignored:
        return {"label": IGNORE, "attributes": {"was": row.label}}
    return {"label": terms.labels.get(row.label, row.label), "attributes": row.attributes}


def _whole(medium: Medium) -> Iterator[dict[str, Any]]:
    """Yield each plane as one rectangle, from corner to corner."""
    x, y = float(medium.size_x), float(medium.size_y)
    for z in range(medium.size_z):
        yield {"kind": "polygon", "points": [[0.0, 0.0], [x, 0.0], [x, y], [0.0, y]], "z": z}
