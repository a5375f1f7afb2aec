"""By how much each labeler draws a painted class too large or too small on gold, and whether that may correct a consensus.

The rule and the numbers are those of ``numerics.fusion_calibration``: every labeler needs gold masks of five patients or
more, some offset must differ from 0, and with each patient's gold left out the corrected outlines must be closer to the
truth than the majority's. Not here: the fusion itself (``consensus``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from labelhub.annotations.models import Submission
from labelhub.annotations.plain import readings_of
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import grid_of, media_of
from labelhub.formats.shapes import Reading
from labelhub.numerics.fusion_calibration import METHOD, GoldCase, decide_calibration
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.rasterise import on_grid, union_of
from labelhub.numerics.results import BoolArray
from labelhub.projects.lineage import Translation
from labelhub.projects.models import Project
from labelhub.projects.selectors import current_ontology, translations_of
from labelhub.scoring.extents import Extents, draws_area, grid_size_of
from labelhub.scoring.models import GoldReference
from labelhub.scoring.reads import reads_of
from labelhub.scoring.versions import translated

TOPIC = "outlines:"
# Each is a volume of a reader or more; beyond these a labeler's offset is known well enough.
MOST_GOLD_ITEMS = 40
_MARGIN = 3


@dataclass(frozen=True, slots=True)
class Offsets:
    """``offset[labeler]`` (positive: too large) and ``noise[labeler]`` in ``unit``; used only where ``is_on``."""

    is_on: bool = False
    why: str = ""
    offset: Mapping[str, float] = field(default_factory=dict)
    noise: Mapping[str, float] = field(default_factory=dict)
    n_masks: int = 0
    n_patients: int = 0
    dice_fused: float | None = None
    dice_majority: float | None = None

    @property
    def chosen(self) -> str:
        """The method that the rule chose."""
        return METHOD if self.is_on else "STAPLE, majority vote beside it"

    def to_document(self) -> dict[str, Any]:
        """As a JSON-ready dictionary."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """What gold and each labeler painted of one class on one medium of a gold item."""

    patient: str
    truth: PlacedMask
    masks: Mapping[int, PlacedMask]
    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None


def offsets_of(project: Project) -> Iterator[tuple[str, Offsets]]:
    """Measure every painted class of the project that has gold."""
    _, ontology = current_ontology(project)
    pooled = [entry.key for entry in ontology.classes if entry.tool == "brush"]
    references = GoldReference.objects.filter(item__project=project, retired_at=None).exclude(
        item__state=Item.State.EXCLUDED
    )
    if not pooled or not references.exists():
        return
    newest = list(references.select_related("submission", "item__subject").order_by("-pk")[:MOST_GOLD_ITEMS])
    translations = translations_of(project)
    for label in pooled:
        reads = [entry for reference in newest for entry in _reads_of(reference, label, translations)]
        if reads:
            yield label, measured(reads)


def measured(reads: Sequence[_Read]) -> Offsets:
    """The offsets of all labelers who painted these gold items, and whether the rule lets them be used."""
    labelers = sorted({labeler for entry in reads for labeler in entry.masks})
    cases = [_case(entry, labelers) for entry in reads]
    n_masks = sum(len(entry.masks) for entry in reads)
    n_patients = len({entry.patient for entry in reads})
    if not labelers:
        return Offsets(why="no labeler painted a gold item yet", n_patients=n_patients)
    decision = decide_calibration(cases)[0]
    return Offsets(
        decision.is_on, _named(decision.reason, labelers),
        {str(labelers[one.rater]): one.offset for one in decision.offsets if np.isfinite(one.offset)},
        {str(labelers[one.rater]): one.noise for one in decision.offsets if np.isfinite(one.noise)},
        n_masks, n_patients, _defined(decision.dice_fused), _defined(decision.dice_majority),
    )  # fmt: skip


def _reads_of(reference: GoldReference, label: str, translations: Mapping[int, Translation]) -> Iterator[_Read]:
    """The class on each medium of a gold item, where gold has it and somebody read it."""
    item = reference.item
    current = [entry for entry in reads_of(item).every if _may_judge(entry, reference)]
    if not current:
        return
    found = readings_of([reference.submission, *current])
    truth, *readings = [translated(reading, translations) for reading in found]
    grids = [grid_of(medium) for medium in media_of(item)]
    extents = Extents()
    for medium, grid in enumerate(grids):
        known = _painted(truth, label, medium, grid.size, extents)
        if known is None:
            continue
        size, spacing = grid_size_of(medium, truth.shapes, grids)
        masks = {
            submission.assignment.labeler_id: mask
            for submission, reading in zip(current, readings, strict=True)
            if (mask := _painted(reading, label, medium, grid.size, extents)) is not None
        }
        yield _Read(item.group_key or item.code, known, masks, size, spacing)


def _may_judge(submission: Submission, reference: GoldReference) -> bool:
    return (
        submission.pk != reference.submission_id and submission.version == 1 and submission.read_kind == "independent"
    )


def _painted(
    reading: Reading, label: str, medium: int, size: tuple[int, int, int], extents: Extents
) -> PlacedMask | None:
    parts = [s for s in reading.shapes if s.label == label and s.medium == medium and draws_area(s)]
    return union_of([extents.voxels_of(shape, size) for shape in parts]) if parts else None


def _case(entry: _Read, labelers: Sequence[int]) -> GoldCase:
    """All masks of one gold item on one grid: the box around them, three voxels wider."""
    every = [entry.truth, *entry.masks.values()]
    low = np.maximum(np.min([mask.origin for mask in every], axis=0) - _MARGIN, 0)
    high = np.minimum(np.max([np.add(m.origin, m.voxels.shape) for m in every], axis=0) + _MARGIN, entry.size)

    def placed(mask: PlacedMask | None) -> BoolArray | None:
        if mask is None:
            return None
        moved = PlacedMask(mask.voxels, tuple(int(at) for at in np.subtract(mask.origin, low)))
        full = on_grid(moved, tuple(int(n) for n in high - low))
        return full[0] if entry.size[0] == 1 else full

    truth = placed(entry.truth)
    assert truth is not None
    spacing = None if entry.spacing_mm is None else entry.spacing_mm[1:] if entry.size[0] == 1 else entry.spacing_mm
    return GoldCase(
        truth, [placed(entry.masks.get(labeler)) for labeler in labelers], entry.patient, spacing_mm=spacing
    )


def _named(reason: str, labelers: Sequence[int]) -> str:
    """The reason with labelers for the numbers of raters."""
    if not reason.startswith("rater "):
        return reason
    numbers, rest = reason.removeprefix("rater ").split(" has ", 1)
    named = ", ".join(str(labelers[int(number)]) for number in numbers.split(", "))
    return f"labeler {named} has {rest}"


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else value
