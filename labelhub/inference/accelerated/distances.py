"""How far the surface voxels of several masks are from each other's surfaces: exact, in any spacing, on a device of torch.

The squared distance to the nearest surface voxel is found axis by axis: along an axis the least of what the neighbours k
steps away have, plus (k spacing)². Nothing farther than a limit is asked for. The limit starts at some voxels and doubles
until each surface voxel has an answer below it, which is then exact, because nothing beyond could be nearer; so the
work follows the distances that there are. Planes pass in slabs with a margin as wide as the limit, so that memory is
bounded by the room of the device. Not here: which masks are compared (``surfaces``).

References
----------
Saito T, Toriwaki JI (1994) New algorithms for Euclidean distance transformation of an n-dimensional digitized picture.
Pattern Recognition 27:1551-1565.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch

from labelhub.inference.accelerated.devices import room_of

# The first limit, in voxels of the longest side; most outlines of one structure lie nearer.
_FIRST: Final = 6.0
_DOUBLE: Final = 8
# The transform, its copy while an axis is worked on, and what is added to it.
_COPIES: Final = 4
# So much larger than the diagonal is the last limit: rounding must not leave a voxel without an answer.
_MORE: Final = 1.001


def surface(masks: torch.Tensor) -> torch.Tensor:
    """The voxels of each mask ``[reader, ...]`` with a face neighbour outside it, the grid's edge counting as outside."""
    core = masks.clone()
    for axis in range(1, masks.ndim):
        n = masks.shape[axis]
        core.narrow(axis, 0, 1).zero_()
        core.narrow(axis, n - 1, 1).zero_()
        core.narrow(axis, 1, n - 1).logical_and_(masks.narrow(axis, 0, n - 1))
        core.narrow(axis, 0, n - 1).logical_and_(masks.narrow(axis, 1, n - 1))
    return masks & ~core


def distances_between(
    surfaces: torch.Tensor, spacing: Sequence[float], *, room: int | None = None
) -> list[torch.Tensor]:
    """Of each reader the distances of its surface voxels to every reader's surface: shape (reader, voxel), float64.

    Parameters
    ----------
    surfaces : tensor of bool, shape (reader, y, x) or (reader, z, y, x)
        Surface voxels; each reader has at least one.
    spacing : sequence of float
        Size of a voxel along each axis of the grid.
    room : int, optional
        Bytes of working memory; that of the device by default. One plane with its margin is the least.
    """
    diagonal = math.sqrt(sum((step * length) ** 2 for step, length in zip(spacing, surfaces.shape[1:], strict=True)))
    limit = min(_FIRST * max(spacing), diagonal * _MORE)
    found = _all(surfaces, spacing, limit, room or room_of(surfaces.device))
    while limit < diagonal and any(bool((own > limit**2).any()) for own in found):
        limit = min(2 * limit, diagonal * _MORE)
        found = _all(surfaces, spacing, limit, room or room_of(surfaces.device))
    return [own.sqrt() for own in found]


def _all(surfaces: torch.Tensor, spacing: Sequence[float], limit: float, room: int) -> list[torch.Tensor]:
    """The squared distances of each reader's surface voxels, slab after slab; those above the limit are not exact."""
    n_readers, n_planes = surfaces.shape[:2]
    margin = int(limit // spacing[0])
    each = _DOUBLE * _COPIES * max(surfaces[:, 0].numel(), 1)
    step = max(1, room // each - 2 * margin)
    parts: list[list[torch.Tensor]] = [[] for _ in range(n_readers)]
    for start in range(0, n_planes, step):
        stop = min(start + step, n_planes)
        low, high = max(start - margin, 0), min(stop + margin, n_planes)
        squared = _transformed(surfaces[:, low:high], spacing, limit)[:, start - low : stop - low]
        for reader in range(n_readers):
            parts[reader].append(squared[:, surfaces[reader, start:stop]])
    return [torch.cat(own, dim=1) for own in parts]


def _transformed(surfaces: torch.Tensor, spacing: Sequence[float], limit: float) -> torch.Tensor:
    """The squared distance of each voxel to the nearest surface voxel of each reader, where that is within the limit."""
    squared = torch.where(surfaces, 0.0, math.inf).to(torch.float64)
    for axis, step in enumerate(spacing, start=1):
        # Only what stood before this axis may be asked: else a distance along it would be added twice.
        before = squared.clone()
        n = squared.shape[axis]
        for apart in range(1, min(n, int(limit // step) + 1)):
            added = (apart * step) ** 2
            near, far = squared.narrow(axis, apart, n - apart), squared.narrow(axis, 0, n - apart)
            torch.minimum(near, before.narrow(axis, 0, n - apart) + added, out=near)
            torch.minimum(far, before.narrow(axis, apart, n - apart) + added, out=far)
    return squared
