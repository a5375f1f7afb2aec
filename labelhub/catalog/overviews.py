"""A reduced copy of a volume for a view of all of it at once: every k-th voxel of each axis, so that any volume travels.

The axis that is sampled most finely in millimetres is thinned first, so voxels that are thicker in one direction become more
like cubes. A volume with few enough voxels comes as it is. Nothing is averaged: a value of the copy is a value of the
volume, at the middle of the block that it stands for. Colour becomes grey. Not here: who may see it
(``projects.permissions``), the routes (``api.media``), slices for drawing (``selectors.read_slice``).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelhub.catalog.blobs import open_blob
from labelhub.catalog.models import Medium
from labelhub.catalog.selectors import TILE_VERSION, pixels_of
from labelhub.formats import pixel_blob
from labelhub.projects.permissions import NotFound

# 8 million voxels are 17 MB of CT, which a browser without a graphics card still turns.
MOST_VOXELS = 8_000_000
# What a texture of WebGL2 has at least is 256 a side; every machine that we met has 512.
LONGEST_SIDE = 512


@dataclass(frozen=True, slots=True)
class Overview:
    """The copy as raw rows: ``content`` is little endian ``dtype`` of ``size`` [z, y, x].

    Voxel ``i`` of an axis is the volume's voxel ``(step - 1) // 2 + i * step``.
    """

    content: bytes
    size: tuple[int, int, int]
    steps: tuple[int, int, int]
    dtype: str


def steps_for(
    size: Sequence[int], spacing_mm: Sequence[float] | None, most_voxels: int = MOST_VOXELS
) -> tuple[int, int, int]:
    """Return every how many voxels [z, y, x] one is taken, so that at most ``most_voxels`` are left.

    >>> steps_for((160, 384, 384), (0.7, 0.365, 0.365))
    (1, 2, 2)
    """
    sides = spacing_mm or (1.0, 1.0, 1.0)
    steps = [math.ceil(n / LONGEST_SIDE) for n in size]
    while math.prod(math.ceil(n / step) for n, step in zip(size, steps, strict=True)) > most_voxels:
        thinned = [axis for axis in range(3) if steps[axis] < size[axis]]
        finest = min(thinned, key=lambda axis: (steps[axis] * sides[axis], -size[axis]))
        steps[finest] += 1
    return steps[0], steps[1], steps[2]


def steps_of(medium: Medium) -> tuple[int, int, int]:
    """Return the steps of the medium's copy. Raises ``NotFound`` for what is no volume."""
    if medium.kind != Medium.Kind.VOLUME:
        raise NotFound("Only a volume can be seen from all sides.")
    spacing = (medium.spacing_z, medium.spacing_y, medium.spacing_x)
    known = None if None in spacing else [float(side or 0) for side in spacing]
    return steps_for((medium.size_z, medium.size_y, medium.size_x), known)


def overview_etag(medium: Medium) -> str:
    """Return the ETag (without quotes) of the copy; needs no pixels. Raises :class:`NoPixels`, ``NotFound``."""
    steps = steps_of(medium)
    return hashlib.sha256(f"{TILE_VERSION}:{pixels_of(medium).sha256}:overview:{steps}".encode()).hexdigest()


def read_overview(medium: Medium) -> Overview:
    """Return the copy of a volume, reading one slice at a time. Raises :class:`NoPixels`, ``NotFound``."""
    steps = steps_of(medium)
    with open_blob(pixels_of(medium)) as stream:
        voxels = pixel_blob.read_thinned(stream, steps)
    if voxels.ndim == 4:
        voxels = voxels[..., :3].mean(axis=-1).astype(voxels.dtype)
    return Overview(
        content=np.ascontiguousarray(voxels, dtype=voxels.dtype.newbyteorder("<")).tobytes(),
        size=(voxels.shape[0], voxels.shape[1], voxels.shape[2]),
        steps=steps,
        dtype=voxels.dtype.name,
    )
