"""Settling an item: its label out of the current readings, or by a reviewer's choice. A settlement never changes.

Settling again is a further row with the next number. A tie is never settled here: the caller gets :class:`UnsettledTie`
and the item goes to a reviewer. Not here: when an item is settled (``workflow``), which method applies (``methods``), and
the merging (``merge``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

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
from labelhub.consensus.provenance import How, RegionProvenance, to_documents, whole_item
from labelhub.formats.mask_blob import encode_mask
from labelhub.projects.errors import DomainError
from labelhub.projects.models import OntologyVersion
from labelhub.projects.ontology import read_ontology
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_ontology, current_policy, translations_of
from labelhub.scoring.loaded import Loaded
from labelhub.scoring.posteriors import Judged, judge
from labelhub.scoring.services import terms_now

CHOICE_METHOD, CHOICE_VERSION = "reviewer's choice of a reading", "1"
REFERENCE_METHOD = "gold reference"


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
    item: Item, submissions: Sequence[Submission], *, loaded: Loaded | None = None, judged: Judged | None = None,
    policy: Policy | None = None,
) -> Label:  # fmt: skip
    """Return what the given readings say together, by the methods that apply; nothing is stored.

    ``loaded`` holds what scoring read of the item, ``judged`` what truth inference says of the same submissions; ``policy`` is
    the present one unless another is tried.
    """
    if not submissions:
        raise NothingToSettle("Nobody has read this item yet. Nothing was settled.")
    if policy is None:
        policy = current_policy(item.project)[1]
    if loaded is None:
        loaded = Loaded(item, terms_now(item.project, policy))
    if judged is None:
        judged = judge(loaded, submissions, measures_spread=False)
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
    with transaction.atomic(savepoint=False):
        settlement = new_settlement(
            item, submissions, label.method, label.version, by, reason,
            no_finding=label.no_finding, answers=values_to_document(label.answers), confidence=label.confidence,
            answer_confidence=dict(label.answer_confidence), why=label.why[:400],
            differences=[asdict(entry) for entry in label.differences], fits=list(whole.fits),
            provenance=decided_whole("method", by, reason),
        )  # fmt: skip
        keep_shapes(settlement, label.shapes, submissions)
        write_event(item, settlement, by)
    return settlement


def settle_by_choice(*, item: Item, submission: Submission, by: User, reason: str) -> Settlement:
    """Settle the item with one reading that a reviewer found right, as it was drawn. Writes ``item.settled``."""
    return _settle_as_drawn(item, submission, by, reason, CHOICE_METHOD)


def settle_by_reference(*, item: Item, reference: Submission, reason: str) -> Settlement:
    """Settle the item with its gold, as it was drawn. Writes ``item.settled``."""
    return _settle_as_drawn(item, reference, None, reason, REFERENCE_METHOD)


def _settle_as_drawn(item: Item, submission: Submission, by: User | None, reason: str, method: str) -> Settlement:
    reading = reading_of(submission)
    terms = terms_of_choice(item, submission)
    with transaction.atomic():
        settlement = new_settlement(
            item, [submission], method, CHOICE_VERSION, by, reason, ontology=terms.ontology,
            no_finding=submission.no_finding, answers=values_to_document(reading.answers), confidence=None,
            provenance=decided_whole("reading", by, reason, submission=submission),
        )  # fmt: skip
        SettledShape.objects.bulk_create(
            SettledShape(
                settlement=settlement, medium_id=row.medium_id, shape_id=row.shape_id,
                label=terms.labels.get(row.label, row.label), regions=row.regions, mask_id=row.mask_id,
                mask_origin=row.mask_origin, attributes=row.attributes, votes=1, readers=1,
                merged_from=[{"submission": submission.pk, "shape": row.shape_id}],
            )
            for row in submission.annotations.order_by("pk")
        )  # fmt: skip
        write_event(item, settlement, by)
    return settlement


@dataclass(frozen=True, slots=True)
class ChoiceTerms:
    """The ontology that a chosen reading settles under, and what its classes are called there where that is another name."""

    ontology: OntologyVersion
    labels: Mapping[str, str]


def terms_of_choice(item: Item, submission: Submission) -> ChoiceTerms:
    """Return under which ontology a chosen reading settles: the present one where it says the same in it, else its own.

    A mark of a class that was split or removed since is no mark of any present class, and nothing of it is made up.
    """
    now, _ = current_ontology(item.project)
    if submission.ontology_id == now.pk:
        return ChoiceTerms(now, {})
    labels = translations_of(item.project)[submission.ontology.number].labels
    drawn = set(submission.annotations.values_list("label", flat=True))
    return ChoiceTerms(now, labels) if drawn <= set(labels) else ChoiceTerms(submission.ontology, {})


def new_settlement(
    item: Item, submissions: Sequence[Submission], method: str, version: str, by: User | None, reason: str,
    ontology: OntologyVersion | None = None, **found: Any,
) -> Settlement:  # fmt: skip
    """Write the item's next settlement with its inputs and what was ``found``; its shapes and event are the caller's.

    It is under the present ontology unless another is given.
    """
    used = ontology if ontology is not None else current_ontology(item.project)[0]
    highest = Settlement.objects.filter(item=item).aggregate(highest=Max("number"))["highest"]
    settlement = Settlement.objects.create(
        item=item, number=(highest or 0) + 1, ontology=used, method=method[:60], method_version=version,
        decided_by=by, asked_labels=_asked(item, submissions, used), reason=reason[:300], **found,
    )  # fmt: skip
    through = Settlement.inputs.through
    through.objects.bulk_create(through(settlement=settlement, submission=entry) for entry in submissions)
    return settlement


def _asked(item: Item, submissions: Sequence[Submission], ontology: OntologyVersion) -> list[str]:
    """Return which classes of the ontology were asked of any of the readings, in their order."""
    asked = {label for entry in submissions if entry.ontology_id == ontology.pk for label in entry.asked_labels}
    earlier = [entry for entry in submissions if entry.ontology_id != ontology.pk]
    if earlier and ontology.pk == current_ontology(item.project)[0].pk:
        translations = translations_of(item.project)
        asked |= {label for one in earlier for label in translations[one.ontology.number].asked(one.asked_labels)}
    return [entry.key for entry in read_ontology(ontology.content).classes if entry.key in asked]


def decided_whole(
    how: How,
    by: User | None,
    reason: str,
    *,
    submission: Submission | None = None,
    parts: Sequence[RegionProvenance] = (),
) -> list[dict[str, Any]]:
    """Return the provenance of a label that was decided as a whole, but for ``parts`` of it."""
    key = None if submission is None else submission.pk
    row = whole_item(
        how=how, at=timezone.now(), why=reason, decided_by=None if by is None else by.pk, submission=key
    )  # fmt: skip
    return to_documents([row, *parts])


def keep_shapes(settlement: Settlement, entries: Sequence[MergedShape], submissions: Sequence[Submission]) -> None:
    """Write the settlement's shapes, with the shapes of which of the ``submissions`` they were made of."""
    media = {medium.ordinal: medium for medium in media_of(settlement.item)}
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
        for entry in entries
    )  # fmt: skip


def _sources(entry: MergedShape, submissions: Sequence[Submission]) -> list[dict[str, object]]:
    return [{"submission": submissions[index].pk, "shape": shape_id} for index, shape_id in entry.merged_from]


def write_event(item: Item, settlement: Settlement, by: User | None) -> None:
    """Write ``item.settled``."""
    audit.append(
        project_id=item.project_id, kind="item.settled", actor="system" if by is None else f"user:{by.pk}",
        subject=f"item:{item.pk}",
        facts={"settlement": settlement.pk, "number": settlement.number, "method": settlement.method},
    )  # fmt: skip
