"""The geometry of one COCO annotation: which of its outlines, masks, boxes and keypoints can be used.

The box is kept only where there is no outline, mask or keypoint that it merely surrounds. Coordinates are kept as
they are. Not here: who drew it and what it is called (:mod:`labelhub.formats.coco`).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from labelhub.formats.gathering import Gathering
from labelhub.formats.limits import is_usable_number
from labelhub.formats.outlines import box_region, is_crossed, points_from_flat
from labelhub.formats.rle import LyingRunLengthsError, cropped, mask_from_counts, unpack_counts
from labelhub.formats.shapes import MaskRegion, Region
from labelhub.formats.strict_json import Json, as_list, as_mapping


class PlacedImage(Protocol):
    """What the geometry needs to know of the image."""

    @property
    def z(self) -> int:
        """The plane of the item that the image shows."""
        ...

    @property
    def height(self) -> int:
        """Rows, 0 where unknown."""
        ...

    @property
    def width(self) -> int:
        """Columns, 0 where unknown."""
        ...


class ShapeParts(Protocol):
    """Where the geometry is collected."""

    regions: list[Region]
    masks: list[MaskRegion]


def read_geometry(found: Gathering, place: str, fields: dict[str, Json], image: PlacedImage, parts: ShapeParts) -> bool:
    """Add everything usable to ``parts``; false, with a problem noted, where the annotation must be refused."""
    extra = as_mapping(fields.get("labelhub"))
    segmentation = fields.get("segmentation")
    if isinstance(segmentation, dict):
        if not _read_run_lengths(found, place, segmentation, image, parts):
            return False
    elif not _read_polygons(found, place, as_list(segmentation), image, parts, edge=extra.get("edge_excluded") is True):
        return False
    if not _read_keypoints(
        found, place, fields.get("keypoints"), image, parts, plain=extra.get("plain_points") is True
    ):
        return False
    box = as_list(fields.get("bbox"))
    has_box_of_its_own = extra.get("box") is True or not (parts.regions or parts.masks)
    if not box or not has_box_of_its_own:
        return True
    if len(box) != 4 or not all(map(is_usable_number, box)) or box[2] < 0 or box[3] < 0:
        found.problem(place, f"The box {str(box)[:80]} is not [x, y, width, height].", "Correct or remove it.")
        return False
    turn = as_mapping(fields.get("attributes")).get("rotation", 0.0)
    degrees = float(turn) if is_usable_number(turn) else 0.0
    parts.regions.append(box_region(*box, z=image.z, rotation_deg=degrees))
    return True


def _read_polygons(
    found: Gathering, place: str, rings: list[Json], image: PlacedImage, parts: ShapeParts, *, edge: bool
) -> bool:
    for ring in rings:
        points = points_from_flat(ring)
        if points is None or len(points) < 3:
            found.problem(
                place, "An outline is not a list of three or more finite points.", "Correct or remove the outline."
            )
            return False
        if is_crossed(points):
            found.problem(place, "The outline crosses itself; it was kept as drawn.", "Redraw it if its area matters.")
        parts.regions.append(Region("polygon", points, z=image.z, edge_excluded=edge))
    return True


def _read_run_lengths(
    found: Gathering, place: str, segmentation: dict[str, Json], image: PlacedImage, parts: ShapeParts
) -> bool:
    counts, size = segmentation.get("counts"), segmentation.get("size")
    try:
        if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int for side in size)):
            raise LyingRunLengthsError("the mask states no size")
        if image.height and size != [image.height, image.width]:
            raise LyingRunLengthsError(
                f"the mask is for {size[1]} x {size[0]} pixels, the image has {image.width} x {image.height}"
            )
        runs = unpack_counts(counts) if isinstance(counts, str) else counts
        if not isinstance(runs, list):
            raise LyingRunLengthsError("the mask has no run lengths")
        mask = mask_from_counts(runs, size[0], size[1])
    except LyingRunLengthsError as error:
        found.problem(place, f"The run-length mask was refused: {error}.", "Export the mask again.")
        return False
    parts.masks.append(cropped(mask[np.newaxis], (image.z, 0, 0)))
    return True


def _read_keypoints(
    found: Gathering, place: str, keypoints: Json, image: PlacedImage, parts: ShapeParts, *, plain: bool
) -> bool:
    values = as_list(keypoints)
    if not values:
        return True
    usable = len(values) % 3 == 0 and all(map(is_usable_number, values)) and all(v in (0, 1, 2) for v in values[2::3])
    if not usable:
        found.problem(
            place, "The keypoints are not triples of x, y and a visibility of 0, 1 or 2.", "Correct or remove them."
        )
        return False
    triples = np.array(values, dtype=np.float64).reshape(-1, 3)
    visibility = () if plain else tuple(int(v) for v in triples[:, 2])
    parts.regions.append(Region("points", np.ascontiguousarray(triples[:, :2]), z=image.z, visibility=visibility))
    return True
