"""Which DICOM files belong together: one stack a series, orientation, size and, where slices repeat, time point.

Only headers are read. What is no image (segmentations, reports, structure sets) is refused with the way it does come
in. A file without a series or a position stands alone. Nothing is guessed: where slices share a place and no element
tells them apart, the stack is refused when it is read. Not here: pixels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom

from labelhub.formats.pixels.deidentify import numbers_of, text_of
from labelhub.formats.pixels.dicom_frames import DAMAGE, frame_count
from labelhub.formats.pixels.dicom_geometry import SlicePlane, slice_plane
from labelhub.formats.pixels.errors import PixelError, Refusal

_LABELS = "Import it as annotations, on the images that it was drawn on."
_NOT_IMAGES = {
    "SEG": ("a segmentation: labels, not an image", _LABELS),
    "RTSTRUCT": ("a structure set: contours, not an image", _LABELS),
    "ANN": ("a set of annotations, not an image", _LABELS),
    "SR": ("a report, not an image", "Leave it out, or import its measurements as annotations."),
    "PR": ("a presentation state, not an image", "Leave it out."),
    "KO": ("a selection of key images, not an image", "Leave it out."),
    "RTPLAN": ("a treatment plan, not an image", "Leave it out."),
    "DOC": ("a document, not an image", "Leave it out."),
}
_BY_SOP_CLASS = {
    "1.2.840.10008.5.1.4.1.1.66.4": "SEG",
    "1.2.840.10008.5.1.4.1.1.66.7": "SEG",
    "1.2.840.10008.5.1.4.1.1.481.3": "RTSTRUCT",
    "1.2.840.10008.5.1.4.1.1.91.1": "ANN",
}
_HEADER_TAGS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "NumberOfFrames",
    "PhotometricInterpretation",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "TemporalPositionIdentifier",
    "EchoNumbers",
    "AcquisitionNumber",
    "TriggerTime",
    "DirectoryRecordSequence",
]
# What tells slices at one place apart, asked in this order.
_REPEATS = ("TemporalPositionIdentifier", "EchoNumbers", "TriggerTime", "AcquisitionNumber")


@dataclass(frozen=True, slots=True)
class DicomFile:
    """A file to be read: its number in the caller's list, where it lies, and the name to use in messages."""

    number: int
    path: Path
    place: str


@dataclass(frozen=True, slots=True)
class DicomStack:
    """Files that make one medium, in no particular order yet, with what was noticed when they were sorted out."""

    files: tuple[DicomFile, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Slice:
    file: DicomFile
    header: Any
    plane: SlicePlane | None


def plan_stacks(files: Sequence[DicomFile]) -> tuple[tuple[DicomStack, ...], tuple[tuple[DicomFile, Refusal], ...]]:
    """The stacks that the files make, and the files that are no image or cannot be read, each with its reason."""
    alone: list[DicomStack] = []
    series: dict[tuple[object, ...], list[_Slice]] = defaultdict(list)
    refused: list[tuple[DicomFile, Refusal]] = []
    for file in files:
        try:
            piece = _read_slice(file)
            is_multi_frame = frame_count(piece.header, file.place) > 1
        except PixelError as error:
            refused.append((file, error.refusal))
            continue
        uid = text_of(piece.header, "SeriesInstanceUID")
        if piece.plane is None or uid is None or is_multi_frame:
            alone.append(DicomStack((file,)))
        else:
            series[uid, *_size_key(piece.header), *piece.plane.key()].append(piece)
    kinds = defaultdict(list)
    for key in series:
        kinds[key[0]].append(key)
    stacks = []
    for key, slices in series.items():
        told = ("The series holds slices of several orientations or sizes; each became a stack.",)
        stacks += _stacks_of(slices, told if len(kinds[key[0]]) > 1 else ())
    return (*alone, *stacks), tuple(refused)


def plane_of(header: Any, place: str) -> SlicePlane | None:
    """The plane of a single-frame image, ``None`` where the file does not say."""
    return slice_plane(
        numbers_of(header, "ImagePositionPatient"),
        numbers_of(header, "ImageOrientationPatient"),
        numbers_of(header, "PixelSpacing"),
        place,
    )


def _read_slice(file: DicomFile) -> _Slice:
    try:
        header = pydicom.dcmread(file.path, force=True, stop_before_pixels=True, specific_tags=list(_HEADER_TAGS))
    except (*DAMAGE, RecursionError) as error:
        raise PixelError(
            "The DICOM file is damaged or cut short.", place=file.place, remedy="Export or copy the file again."
        ) from error
    kind = _BY_SOP_CLASS.get(text_of(header, "SOPClassUID") or "", text_of(header, "Modality") or "")
    if "DirectoryRecordSequence" in header:
        raise PixelError("This is a DICOMDIR: a table of contents.", place=file.place, remedy="Leave it out.")
    if kind in _NOT_IMAGES:
        what, remedy = _NOT_IMAGES[kind]
        raise PixelError(f"This DICOM file is {what}.", place=file.place, remedy=remedy)
    if not numbers_of(header, "Rows") or not numbers_of(header, "Columns"):
        raise PixelError(
            "The DICOM file holds no image, or was cut short before it.",
            place=file.place,
            remedy="Export or copy the file again, or leave it out.",
        )
    return _Slice(file, header, plane_of(header, file.place))


def _size_key(header: Any) -> tuple[object, ...]:
    return (numbers_of(header, "Rows"), numbers_of(header, "Columns"), numbers_of(header, "SamplesPerPixel"))


def _stacks_of(slices: list[_Slice], warnings: tuple[str, ...]) -> list[DicomStack]:
    """One stack, or one a time point or echo where that is what tells repeated slices apart."""
    once: dict[str, _Slice] = {}
    for piece in slices:
        once.setdefault(text_of(piece.header, "SOPInstanceUID") or f"file {piece.file.number}", piece)
    if len(once) < len(slices):
        warnings = (*warnings, f"{len(slices) - len(once)} copies of slices were left out.")
    kept = list(once.values())
    if _has_repeats(kept):
        for keyword in _REPEATS:
            parts: dict[tuple[float, ...], list[_Slice]] = defaultdict(list)
            for piece in kept:
                parts[numbers_of(piece.header, keyword)].append(piece)
            is_whole = len({len(part) for part in parts.values()}) == 1 and () not in parts
            if len(parts) > 1 and is_whole and not any(_has_repeats(part) for part in parts.values()):
                told = (*warnings, f"Slices repeat; they were told apart by {keyword}.")
                return [DicomStack(tuple(p.file for p in parts[key]), told) for key in sorted(parts)]
    return [DicomStack(tuple(piece.file for piece in kept), warnings)]


def _has_repeats(slices: list[_Slice]) -> bool:
    places = {tuple(round(v, 3) for v in piece.plane.position) for piece in slices if piece.plane is not None}
    return len(places) < len(slices)
