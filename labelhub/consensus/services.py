"""Settling an item: its label out of the current readings, or by a reviewer's choice. A settlement never changes.

Settling again is a further row with the next number. A tie is never settled here: the caller gets :class:`UnsettledTie`
and the item goes to a reviewer. Not here: when an item is settled (``workflow``), which method applies (``methods``), and
the merging (``merge``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.db.models import Max

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.annotations.plain import reading_of, regions_to_document, values_to_document
from labelhub.audit import services as audit
from labelhub.catalog.blobs import store_blob
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import media_of
from labelhub.consensus.merge import Merged, MergedShape, merge_readings
from labelhub.consensus.methods import INFERRED, weigh
from labelhub.consensus.models import SettledShape, Settlement
from labelhub.formats.mask_blob import encode_mask
from labelhub.projects.errors import DomainError
from labelhub.projects.selectors import current_ontology, current_policy
from labelhub.scoring.loaded import Loaded
from labelhub.scoring.posteriors import Judged, judge
from labelhub.scoring.services import terms_of

CHOICE_METHOD, CHOICE_VERSION = "reviewer's choice of a reading", "1"


class UnsettledTie(DomainError):
    """The readings end in a tie: nothing was settled."""

    code = "unsettled-tie"

    def __init__(self, merged: Merged) -> None:
        named = "; ".join(f"{tie.what} {tie.label}".strip() for tie in merged.ties[:5])
        super().__init__(
            f"The readers are tied ({named}). Nothing was settled, and all readings are kept. "
            "Accept the reading that is right, or ask one more reader."
        )
        self.merged = merged


class NothingToSettle(DomainError):
    """There is no reading that could become the item's label."""

    code = "nothing-to-settle"


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """What the given readings say together, and the estimates of raters that this rests on."""

    merged: Merged
    fits: tuple[int, ...]


def merged_label(
    item: Item, submissions: Sequence[Submission], *, loaded: Loaded | None = None, judged: Judged | None = None
) -> Label:
    """Return what the given readings say together, by the methods that apply; nothing is stored.

    ``loaded`` holds what scoring read of the item, ``judged`` what truth inference says of the same submissions.
    """
    if not submissions:
        raise NothingToSettle("Nobody has read this item yet. Nothing was settled.")
    policy = current_policy(item.project)[1]
    if loaded is None:
        loaded = Loaded(item, terms_of(current_ontology(item.project)[1], policy))
    if judged is None:
        judged = judge(loaded, submissions)
    weights = weigh(
        judged, [submission.assignment.labeler_id for submission in submissions], least_confidence=policy.posterior,
        calibration_items=policy.calibration_items,
    )  # fmt: skip
    merged = merge_readings(
        loaded.readings(submissions), terms=loaded.terms, grids=loaded.grids, extents=loaded.extents, weights=weights
    )
    return Label(merged, judged.fits.ids if merged.method == INFERRED else ())


def settle_by_vote(
    *, item: Item, submissions: Sequence[Submission], reason: str, by: User | None = None, found: Label | None = None
) -> Settlement:
    """Settle the item by ``submissions`` together. Writes ``item.settled``. Raises :class:`UnsettledTie`.

    ``found`` may be given where it was computed from the same submissions already.
    """
    whole = found if found is not None else merged_label(item, submissions)
    label = whole.merged
    if label.ties:
        raise UnsettledTie(label)
    with transaction.atomic():
        settlement = new_settlement(
            item, submissions, label.method, label.version, by, reason,
            no_finding=label.no_finding, answers=values_to_document(label.answers), confidence=label.confidence,
            answer_confidence=dict(label.answer_confidence), why=label.why[:400],
            differences=[asdict(entry) for entry in label.differences], fits=list(whole.fits),
        )  # fmt: skip
        media = {medium.ordinal: medium for medium in media_of(item)}
        SettledShape.objects.bulk_create(
            SettledShape(
                settlement=settlement, medium=media[entry.shape.medium], shape_id=entry.shape.shape_id[:64],
                label=entry.shape.label, regions=regions_to_document(entry.shape.regions),
                mask=None if entry.shape.mask is None
                else store_blob(content=encode_mask(entry.shape.mask.voxels), kind="mask"),
                mask_origin=None if entry.shape.mask is None else list(entry.shape.mask.origin),
                attributes=values_to_document(entry.shape.attributes), votes=entry.votes, readers=entry.readers,
                merged_from=_sources(entry, submissions), confidence=entry.confidence, drawn_by=entry.drawn_by[:60],
                vote_dice=entry.vote_dice,
            )
            for entry in label.shapes
        )  # fmt: skip
        write_event(item, settlement, by)
    return settlement


def settle_by_choice(*, item: Item, submission: Submission, by: User, reason: str) -> Settlement:
    """Settle the item with one reading that a reviewer found right, as it was drawn. Writes ``item.settled``."""
    reading = reading_of(submission)
    with transaction.atomic():
        settlement = new_settlement(
            item, [submission], CHOICE_METHOD, CHOICE_VERSION, by, reason,
            no_finding=submission.no_finding, answers=values_to_document(reading.answers), confidence=None,
        )  # fmt: skip
        SettledShape.objects.bulk_create(
            SettledShape(
                settlement=settlement, medium_id=row.medium_id, shape_id=row.shape_id, label=row.label,
                regions=row.regions, mask_id=row.mask_id, mask_origin=row.mask_origin, attributes=row.attributes,
                votes=1, readers=1, merged_from=[{"submission": submission.pk, "shape": row.shape_id}],
            )
            for row in submission.annotations.order_by("pk")
        )  # fmt: skip
        write_event(item, settlement, by)
    return settlement


def new_settlement(
    item: Item, submissions: Sequence[Submission], method: str, version: str, by: User | None, reason: str, **found: Any
) -> Settlement:
    """Write the item's next settlement with its inputs and what was ``found``; its shapes and event are the caller's."""
    ontology, content = current_ontology(item.project)
    highest = Settlement.objects.filter(item=item).aggregate(highest=Max("number"))["highest"]
    asked = {label for submission in submissions for label in submission.asked_labels}
    settlement = Settlement.objects.create(
        item=item, number=(highest or 0) + 1, ontology=ontology, method=method[:60], method_version=version,
        decided_by=by, asked_labels=[e.key for e in content.classes if e.key in asked], reason=reason[:300], **found,
    )  # fmt: skip
    settlement.inputs.set(submissions)
    return settlement


def _sources(entry: MergedShape, submissions: Sequence[Submission]) -> list[dict[str, object]]:
    return [{"submission": submissions[index].pk, "shape": shape_id} for index, shape_id in entry.merged_from]


def write_event(item: Item, settlement: Settlement, by: User | None) -> None:
    """Write ``item.settled``."""
    audit.append(
        project_id=item.project_id, kind="item.settled", actor="system" if by is None else f"user:{by.pk}",
        subject=f"item:{item.pk}",
        facts={"settlement": settlement.pk, "number": settlement.number, "method": settlement.method},
    )  # fmt: skip
