"""A decoded label map: whole numbers on a grid, in one or several layers, with the names of the numbers where a file has them.

Not here: the files (:mod:`nifti_labels`, :mod:`nrrd_labels`, :mod:`png_masks`) and whose they are (:mod:`label_maps`).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labelhub.formats.limits import MAX_MASK_VOXELS
from labelhub.formats.rle import cropped
from labelhub.formats.shapes import FormatError, Grid, Problem, Shape

MAX_VALUE = 65_535


@dataclass(frozen=True, slots=True, eq=False)
class LabelVolume:
    """``layers`` are label maps ``[z, y, x]`` on one grid; ``names[layer, value]`` names a number of a layer."""

    grid: Grid
    layers: tuple[NDArray[np.integer], ...]
    names: Mapping[tuple[int, int], str] = field(default_factory=dict)


def shapes_of(volume: LabelVolume, names: Mapping[int, str]) -> tuple[Shape, ...]:
    """One shape a number: all its voxels. ``names`` names numbers that the file itself does not."""
    shapes = []
    for number, layer in enumerate(volume.layers):
        for value, box in enumerate(ndimage.find_objects(layer), start=1):
            if box is None:
                continue
            mask = cropped(layer[box] == value, (box[0].start, box[1].start, box[2].start))
            label = volume.names.get((number, value)) or names.get(value) or f"label {value}"
            shapes.append(Shape(f"{number}.{value}", label, mask=mask, source="imported"))
    return tuple(shapes)


def whole_labels(values: NDArray[np.generic], place: str) -> NDArray[np.integer]:
    """The values as whole numbers from 0. Raises :class:`FormatError` where they are not a label map."""
    if values.size > MAX_MASK_VOXELS:
        raise refusal(place, f"The volume holds {values.size} voxels, too many.", "Crop it.")
    if values.dtype.kind not in "biuf":
        raise refusal(place, "The voxels are not single numbers.", "Give a label map: one whole number a voxel.")
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.rint(values)).all()):
        raise refusal(
            place,
            "The voxels are not whole numbers, so this is an image or a probability map, not a label map.",
            "Leave images out, or threshold the map first.",
        )
    if values.size and (values.min() < 0 or values.max() > MAX_VALUE):
        raise refusal(
            place,
            f"The voxels hold numbers below 0 or above {MAX_VALUE}: an image, not a label map.",
            "Leave it out.",
        )
    return values.astype(np.int32)


def inflated(data: bytes, limit: int, place: str) -> bytes:
    """Unpacked gzip data, at most ``limit`` bytes of it. Raises :class:`FormatError` where it is damaged."""
    unpacker = zlib.decompressobj(31)
    try:
        out = unpacker.decompress(data, limit)
    except zlib.error as error:
        raise refusal(place, f"The compressed data are damaged: {error}.", "Copy or export the file again.") from None
    if not unpacker.eof and len(out) < limit:
        raise refusal(place, "The compressed data end too early.", "Copy or export the file again.")
    return out


def refusal(place: str, message: str, remedy: str) -> FormatError:
    """The error for a file that cannot be used."""
    return FormatError(Problem(place, message, remedy, fatal=True))
