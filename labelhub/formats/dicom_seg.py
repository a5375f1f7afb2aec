"""Reads DICOM segmentations: binary, fractional and label map; overlapping, sparse and tiled; placed through the affine.

An item is the series that was segmented (or the frame of reference, or the study); its key is a short hash, so that
no identifier of the file is shown. The rater is the ContentCreatorName of the file, else the rater given for it.
Segments that a machine drew keep that as their source. Fractional voxels of one half and more count as in. Not here:
writing (:mod:`labelhub.formats.dicom_seg_writing`), images.

Standard: DICOM PS3.3 A.51 (Segmentation) and A.51.2 (Label Map Segmentation); C.7.6.17.3 for the order of tiles.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import pydicom

from labelhub.formats.dicom_seg_frames import PlacedFrames, placed_frames
from labelhub.formats.gathering import UNKNOWN_RATER_REMEDY, Gathering
from labelhub.formats.grids import ImpossibleGridError, plane_shift, same_grid
from labelhub.formats.label_volumes import refusal
from labelhub.formats.limits import MAX_FILE_BYTES, MAX_MASK_VOXELS
from labelhub.formats.shapes import AnnotationSet, FormatError, Grid, ItemRecord, MaskRegion, Reading, Shape

EMPTY_RULE: Final = (
    "A segmentation file is a finished read of its series: one without a marked voxel is 'read, nothing found'. A series "
    "without a file by a rater is 'not read' by that rater."
)
SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP: Final = "1.2.840.10008.5.1.4.1.1.66.7"


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """One file: whose, of what, on which grid."""

    name: str
    item: str
    patient: str | None
    rater: str
    grid: Grid
    shapes: tuple[Shape, ...]


def read_dicom_seg(files: Mapping[str, bytes], *, raters: Mapping[str, str] | None = None) -> AnnotationSet:
    """Read DICOM segmentations, given by name; ``raters`` names the rater of a file that does not say who made it."""
    found = Gathering()
    read: list[_Read] = []
    for name in sorted(files):
        try:
            one = _read_file(found, name, files[name], (raters or {}).get(name))
        except FormatError as error:
            found.add_problem(error.problem)
            continue
        if one is not None:
            read.append(one)
    for item in dict.fromkeys(one.item for one in read):
        _add_item(found, [one for one in read if one.item == item])
    return found.finish("dicom-seg", empty_means="read-empty", empty_rule=EMPTY_RULE, unit_name="series")


def _read_file(found: Gathering, name: str, data: bytes, rater: str | None) -> _Read | None:
    if len(data) > MAX_FILE_BYTES:
        raise refusal(name, "The file is too large.", "Split it.")
    if data[128:132] != b"DICM" and not name.lower().endswith(".dcm"):
        return None
    try:
        return _read_dataset(found, name, pydicom.dcmread(io.BytesIO(data)), rater)
    except FormatError:
        raise
    except ImpossibleGridError as error:
        raise refusal(name, f"The segmentation was refused: {error}.", "Export it again.") from None
    except Exception as error:  # noqa: BLE001 - pydicom parses late, so damaged bytes raise anything anywhere
        raise refusal(
            name, f"The file is damaged or incomplete ({type(error).__name__}).", "Copy or export the file again."
        ) from None


def _read_dataset(found: Gathering, name: str, dataset: pydicom.Dataset, rater: str | None) -> _Read | None:
    if str(dataset.get("SOPClassUID", "")) not in (SEGMENTATION, LABEL_MAP):
        found.lose("DICOM files that are no segmentations", "images and reports beside them are not annotations")
        return None
    voxels = int(dataset.get("NumberOfFrames", 1) or 1) * int(dataset.get("Rows", 0)) * int(dataset.get("Columns", 0))
    if not 0 < voxels <= MAX_MASK_VOXELS:
        raise refusal(name, f"The header states {voxels} voxels, which is impossible or too many.", "Export it again.")
    creator = str(dataset.get("ContentCreatorName", "") or "").replace("^", " ").strip()
    rater = creator or rater
    if not rater:
        raise refusal(
            name, "Who made this segmentation cannot be told: ContentCreatorName is empty.", UNKNOWN_RATER_REMEDY
        )
    frames = placed_frames(dataset)
    if str(dataset.get("SegmentationType", "")) == "FRACTIONAL":
        found.lose("fractions of voxels", "a mask knows in or out; one half and more counts as in")
    shapes = _shapes(dataset, frames)
    item = _item_key(dataset)
    if frames.undeclared:
        found.leave_incomplete(item, rater)
        found.problem(
            name,
            f"It marks voxels of segment {frames.undeclared[0]}, which is not among its segments; they were left out.",
            "Export the segmentation again.",
        )
    found.add_labels(shape.label for shape in shapes)
    patient = str(dataset.get("PatientID", "") or "")
    return _Read(name, item, _hashed("patient", patient) if patient else None, rater, frames.grid, shapes)


def _item_key(dataset: pydicom.Dataset) -> str:
    for reference in dataset.get("ReferencedSeriesSequence", None) or []:
        if reference.get("SeriesInstanceUID"):
            return _hashed("series", str(reference.SeriesInstanceUID))
    frame = str(dataset.get("FrameOfReferenceUID", "") or "")
    return _hashed("space", frame) if frame else _hashed("study", str(dataset.get("StudyInstanceUID", "")))


def _hashed(kind: str, identifier: str) -> str:
    return f"{kind}-{hashlib.sha256(identifier.encode()).hexdigest()[:12]}"


def _shapes(dataset: pydicom.Dataset, frames: PlacedFrames) -> tuple[Shape, ...]:
    shapes = []
    for segment in dataset.SegmentSequence:
        number = int(segment.SegmentNumber)
        mask = frames.masks.get(number)
        if mask is None or number == frames.background:
            continue
        label = str(segment.get("SegmentLabel", "") or f"segment {number}")
        is_machine = str(segment.get("SegmentAlgorithmType", "")) == "AUTOMATIC"
        shapes.append(Shape(str(number), label, mask=mask, source="model" if is_machine else "drawn"))
    return tuple(shapes)


def _add_item(found: Gathering, reads: list[_Read]) -> None:
    """Put the files of one series on one grid: sparse files of the same planes are joined, others refused."""
    first = reads[0]
    placed: list[tuple[_Read, int]] = []
    for one in reads:
        shift = 0 if same_grid(first.grid, one.grid) else plane_shift(first.grid, one.grid)
        if shift is None:
            found.problem(
                one.name,
                "This segmentation lies on another grid than the first one of its series; they cannot be laid over each other.",
                "Export all on the grid of the images.",
            )
            continue
        placed.append((one, shift))
    low = min(shift for _, shift in placed)
    high = max(shift + one.grid.size[0] for one, shift in placed)
    grid = _extended(first.grid, low, high - low)
    found.items[first.item] = ItemRecord(
        first.item,
        source_id=first.name,
        group=first.patient,
        group_kind="patient" if first.patient else "unknown",
        grids=(grid,),
    )
    versions: dict[str, int] = {}
    for one, shift in placed:
        versions[one.rater] = versions.get(one.rater, 0) + 1
        shapes = tuple(replace(shape, mask=_moved(shape.mask, shift - low)) for shape in one.shapes)
        version = versions[one.rater]
        found.readings.append(
            Reading(
                one.item,
                one.rater,
                shapes,
                is_empty_read=not shapes,
                read_kind="repeat" if version > 1 else "unknown",
                version=version,
                locator=one.name,
            )
        )


def _extended(grid: Grid, low: int, depth: int) -> Grid:
    affine = grid.affine
    if affine is not None and low:
        affine = affine.copy()
        affine[:3, 3] += low * affine[:3, 2]
    return Grid((depth, *grid.size[1:]), grid.spacing_mm, affine)


def _moved(mask: MaskRegion | None, planes: int) -> MaskRegion | None:
    if mask is None:
        return None
    return MaskRegion(mask.voxels, (mask.origin[0] + planes, mask.origin[1], mask.origin[2]))
