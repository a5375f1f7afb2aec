"""Writes DICOM segmentations through highdicom: one binary file a read, on the frames of the images that were read.

Masks reach the image frames through the affine, nearest voxel; the same read gives the same bytes for the same date.
Each shape is a segment of its own, so overlaps and objects stay whole. Not here: reading
(:mod:`labelhub.formats.dicom_seg`).
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import highdicom
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.sr.codedict import codes

from labelhub.formats.gathering import WrittenFiles
from labelhub.formats.grids import ImpossibleGridError, grid_of, resample_to, same_grid
from labelhub.formats.nifti_labels import safe_name
from labelhub.formats.shape_masks import shape_mask
from labelhub.formats.shapes import AnnotationSet, Grid, Loss, MaskRegion, Reading

_RAS = np.diag([-1.0, -1.0, 1.0])


def write_dicom_seg(
    annotations: AnnotationSet, *, images: Mapping[str, Sequence[pydicom.Dataset]], made_at: datetime
) -> WrittenFiles:
    """Segmentations of all reads whose item has ``images`` (single-frame slices of one series), by file name.

    Raises :class:`~labelhub.formats.grids.ImpossibleGridError` where the slices of an item are no volume.
    """
    lost: Counter[tuple[str, str]] = Counter()
    items = {item.key: item for item in annotations.items}
    files: dict[str, bytes] = {}
    for reading in annotations.readings:
        slices = images.get(reading.item)
        item = items.get(reading.item)
        if not slices or item is None or not item.grids:
            lost["reads of items without DICOM images", "a segmentation refers to the images that were read"] += 1
            continue
        ordered, grid = sorted_slices(slices)
        segments = _segments(reading, item.grids[0], grid, lost)
        if not segments:
            lost["empty reads", "a segmentation needs a segment"] += 1
            continue
        version = f".v{reading.version}" if reading.version > 1 else ""
        name = f"{safe_name(reading.rater)}/{safe_name(reading.item)}{version}.dcm"
        files[name] = _file(reading, ordered, segments, made_at)
    return WrittenFiles(files, tuple(Loss(what, count, why) for (what, why), count in lost.items()))


def sorted_slices(slices: Sequence[pydicom.Dataset]) -> tuple[list[pydicom.Dataset], Grid]:
    """Slices in the order of their planes, and the grid that they form. Raises :class:`ImpossibleGridError`."""
    first = slices[0]
    try:
        cosines = np.array([float(value) for value in first.ImageOrientationPatient])
        corners = np.array([[float(value) for value in one.ImagePositionPatient] for one in slices])
        row_mm, column_mm = (float(value) for value in first.PixelSpacing)
        size = (len(slices), int(first.Rows), int(first.Columns))
    except (AttributeError, TypeError, ValueError):
        raise ImpossibleGridError("its images state no position") from None
    normal = np.cross(cosines[:3], cosines[3:])
    heights = corners @ normal
    order = np.argsort(heights)
    steps = np.diff(heights[order])
    step = float(steps.mean()) if steps.size else float(first.get("SliceThickness", 1.0) or 1.0)
    if steps.size and np.abs(steps - step).max() > 0.05 * step:
        raise ImpossibleGridError("its images are not evenly spaced")
    affine = np.eye(4)
    affine[:3, :3] = _RAS @ np.column_stack([cosines[:3] * column_mm, cosines[3:] * row_mm, normal * step])
    affine[:3, 3] = _RAS @ corners[order[0]]
    return [slices[int(place)] for place in order], grid_of(size, affine)


def _segments(
    reading: Reading, own: Grid, target: Grid, lost: Counter[tuple[str, str]]
) -> list[tuple[str, NDArray[np.bool_]]]:
    segments = []
    for shape in reading.shapes:
        mask = shape_mask(shape, own)
        if shape.medium or not mask.voxels.any():
            lost["shapes that enclose no voxel", "points, lines and tags have no voxels"] += 1
            continue
        if shape.attributes:
            lost["attributes of shapes", "a segment has a label only"] += 1
        if shape.mask is None:
            lost["outlines", "they are written as whole voxels"] += 1
        segments.append((shape.label[:64], _on(mask, own, target)))
    if segments:
        lost["what a class is in medicine", "every segment is coded as tissue; its label holds the class"] += len(
            segments
        )
    if reading.answers or reading.read_kind != "unknown":
        lost["answers and read kinds", "a segmentation holds voxels only"] += 1
    return segments


def _on(mask: MaskRegion, own: Grid, target: Grid) -> NDArray[np.bool_]:
    if not same_grid(own, target):
        return resample_to(mask, own, target)
    whole = np.zeros(target.size, dtype=np.bool_)
    z, y, x = (slice(start, start + n) for start, n in zip(mask.origin, mask.voxels.shape, strict=True))
    whole[z, y, x] = mask.voxels
    return whole


def _file(
    reading: Reading,
    images: list[pydicom.Dataset],
    segments: list[tuple[str, NDArray[np.bool_]]],
    made_at: datetime,
) -> bytes:
    pixels = np.stack([mask for _, mask in segments], axis=-1).astype(np.uint8)
    mark = hashlib.sha256(pixels.tobytes()).hexdigest()
    seeds = [reading.item, reading.rater, str(reading.version), *(label for label, _ in segments), mark]
    made = highdicom.seg.Segmentation(
        source_images=[_with_character_set(image) for image in images],
        pixel_array=pixels,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            highdicom.seg.SegmentDescription(
                segment_number=number,
                segment_label=label,
                segmented_property_category=codes.SCT.Tissue,
                segmented_property_type=codes.SCT.Tissue,
                algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
            )
            for number, (label, _) in enumerate(segments, start=1)
        ],
        series_instance_uid=pydicom.uid.generate_uid(entropy_srcs=["series", *seeds]),
        series_number=1,
        sop_instance_uid=pydicom.uid.generate_uid(entropy_srcs=["instance", *seeds]),
        instance_number=1,
        manufacturer="LabelHub",
        manufacturer_model_name="LabelHub",
        software_versions="1",
        device_serial_number="1",
        content_creator_name=_person_name(reading.rater),
    )
    made.SpecificCharacterSet = "ISO_IR 192"
    _fix_what_changes(made, pydicom.uid.generate_uid(entropy_srcs=["dimensions", *seeds]), made_at)
    for keyword in ("ContentDate", "SeriesDate", "InstanceCreationDate"):
        setattr(made, keyword, made_at.strftime("%Y%m%d"))
    for keyword in ("ContentTime", "SeriesTime", "InstanceCreationTime"):
        setattr(made, keyword, made_at.strftime("%H%M%S"))
    stream = io.BytesIO()
    made.save_as(stream)
    return stream.getvalue()


def _fix_what_changes(made: pydicom.Dataset, dimensions: str, made_at: datetime) -> None:
    """Highdicom stamps the clock and a random identifier; equal reads shall give equal bytes."""
    for equipment in made.get("ContributingEquipmentSequence", []):
        equipment.ContributionDateTime = made_at.strftime("%Y%m%d%H%M%S")
    for sequence in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for dimension in made.get(sequence, []):
            dimension.DimensionOrganizationUID = dimensions


def _with_character_set(image: pydicom.Dataset) -> pydicom.Dataset:
    """Highdicom refuses images whose character set is there but empty, which real scanners write."""
    if image.get("SpecificCharacterSet") or "SpecificCharacterSet" not in image:
        return image
    named = pydicom.Dataset()
    named.update({element.tag: element for element in image})
    named.file_meta = image.file_meta
    named.SpecificCharacterSet = "ISO_IR 100"
    return named


def _person_name(rater: str) -> str:
    """A rater as a DICOM person name of one part; the mark at the end says that there is no other."""
    plain = "".join(" " if character in "^\\=" else character for character in rater)
    return f"{plain[:60].strip()}^"
