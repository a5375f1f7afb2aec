"""Where voxels lie in the patient: affines that can be believed, one canonical order, grids compared.

World coordinates are RAS+ millimetres (x grows to the patient's right, y to the front, z to the head: the convention of
NIfTI); an affine maps the index ``(x, y, z, 1)`` of a voxel centre. The canonical *order* of an array ``[z, y, x]`` is
the one in which axial slices are read: x runs to the patient's left, y to the back, z to the head, as near as the axes
allow. It is that of DICOM axial slices, so their pixel coordinates stay as they are and an axial slice drawn row by row
is in radiological view. Nothing is resampled: axes are swapped and reversed, and the affine goes with them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.pixels.errors import PixelError
from labelhub.formats.shapes import Grid

Affine = NDArray[np.float64]

MAX_SHEAR_DEG = 35.0
_SPACING_LIMITS_MM = (1e-5, 1e4)
_MAX_OFFSET_MM = 1e7
_SAME_WITHIN_VOXELS = 0.05
# The directions in RAS+ that canonical x, y, z run along: left, back, head.
_CANONICAL = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True, slots=True)
class Orientation:
    """Canonical axis ``k`` (x, y, z) is the source's axis ``axes[k]``, reversed if ``flips[k]``."""

    axes: tuple[int, int, int] = (0, 1, 2)
    flips: tuple[bool, bool, bool] = (False, False, False)

    def to_canonical(self, array: NDArray[Any]) -> NDArray[Any]:
        """A view of ``array[z, y, x, ...]`` in source order, in canonical order."""
        moved = array.transpose(*(2 - self.axes[2 - k] for k in range(3)), *range(3, array.ndim))
        return np.flip(moved, self._flipped())

    def to_source(self, array: NDArray[Any]) -> NDArray[Any]:
        """A view of ``array[z, y, x, ...]`` in canonical order, in source order."""
        back = np.argsort([2 - self.axes[2 - k] for k in range(3)])
        return np.flip(array, self._flipped()).transpose(*(int(k) for k in back), *range(3, array.ndim))

    def index_map(self, source_size: tuple[int, int, int]) -> Affine:
        """The 4x4 matrix from canonical to source index ``(x, y, z, 1)``; ``source_size`` is ``(z, y, x)``."""
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1
        for k, (axis, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            matrix[axis, k] = -1 if flip else 1
            matrix[axis, 3] = source_size[2 - axis] - 1 if flip else 0
        return matrix

    def _flipped(self) -> tuple[int, ...]:
        return tuple(2 - k for k in range(3) if self.flips[k])


AS_IT_IS = Orientation()


def canonical_orientation(affine: Affine) -> Orientation:
    """The swap and reversal of axes that comes nearest to left, back, head; ties go to the first in order."""
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = _CANONICAL @ directions
    best = max(itertools.permutations(range(3)), key=lambda axes: sum(abs(cosines[k, axes[k]]) for k in range(3)))
    flips = tuple(bool(cosines[k, best[k]] < 0) for k in range(3))
    return Orientation(axes=(best[0], best[1], best[2]), flips=(flips[0], flips[1], flips[2]))


def canonical_volume(source: NDArray[Any], affine: Affine) -> tuple[NDArray[Any], Grid, Orientation]:
    """The volume ``source[z, y, x, ...]`` in canonical order (a view), its grid and the way back."""
    orientation = canonical_orientation(affine)
    pixels = orientation.to_canonical(source)
    z, y, x = source.shape[:3]
    return pixels, grid_of(pixels.shape[:3], affine @ orientation.index_map((z, y, x))), orientation


def grid_of(size: tuple[int, ...], affine: Affine) -> Grid:
    """The grid of a volume of ``size`` ``(z, y, x)`` with that affine; spacing is the length of its columns."""
    x, y, z = np.linalg.norm(affine[:3, :3], axis=0)
    return Grid(size=(size[0], size[1], size[2]), spacing_mm=(float(z), float(y), float(x)), affine=affine)


def acquired_plane(orientation: Orientation) -> str:
    """The plane in which the source's slices lie, so that a page may open there."""
    return ("sagittal", "coronal", "axial")[orientation.axes.index(2)]


def check_affine(affine: Affine, place: str) -> Affine:
    """Refuse an affine that cannot be of a real image: not finite, a zero or absurd spacing, flat, or too oblique."""
    remedy = "Correct the orientation in the program that wrote the file and export it again."
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or np.abs(affine).max() > _MAX_OFFSET_MM:
        raise PixelError(
            "The orientation matrix holds values that are not finite or absurd.", place=place, remedy=remedy
        )
    if not np.allclose(affine[3], (0, 0, 0, 1)):
        raise PixelError("The orientation matrix is not an affine one.", place=place, remedy=remedy)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if spacing.min() < _SPACING_LIMITS_MM[0] or spacing.max() > _SPACING_LIMITS_MM[1]:
        numbers = ", ".join(f"{s:g}" for s in spacing)
        raise PixelError(f"The spacing of {numbers} mm is impossible.", place=place, remedy=remedy)
    shear = shear_deg(affine)
    if not shear <= MAX_SHEAR_DEG:
        raise PixelError(
            f"The axes are {shear:.0f}° away from a right angle; up to {MAX_SHEAR_DEG:.0f}° can be a tilted gantry.",
            place=place,
            remedy=remedy,
        )
    return affine.astype(np.float64)


def shear_deg(affine: Affine) -> float:
    """The largest deviation of two axes from a right angle, in degrees; 90 where the axes span no volume."""
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    if abs(np.linalg.det(directions)) < 1e-3:
        return 90.0
    cosines = np.abs(directions.T @ directions)[np.triu_indices(3, 1)]
    return float(np.degrees(np.arcsin(np.clip(cosines.max(), 0, 1))))


def same_grid(a: Grid, b: Grid, *, within_voxels: float = _SAME_WITHIN_VOXELS) -> bool:
    """Whether two grids have the same voxels at the same places.

    With both affines known, every corner must agree within that share of the smallest voxel edge. Without, sizes must
    be equal and spacings, where both are known, equal within the same share over the whole extent.
    """
    if a.size != b.size:
        return False
    if a.affine is not None and b.affine is not None:
        edge = float(np.linalg.norm(a.affine[:3, :3], axis=0).min())
        difference = (a.affine - b.affine) @ _corners(a.size)
        return bool(np.linalg.norm(difference[:3], axis=0).max() <= within_voxels * edge)
    if a.spacing_mm is not None and b.spacing_mm is not None:
        drift = [abs(p - q) * n / p for p, q, n in zip(a.spacing_mm, b.spacing_mm, a.size, strict=True)]
        return max(drift) <= within_voxels
    return True


def place_on_grid(labels: NDArray[Any], source: Grid, target: Grid, *, place: str = "mask") -> NDArray[Any]:
    """``labels[z, y, x]`` of ``source`` in the order of ``target``, where both have the same voxels in different order.

    Exact: axes are swapped and reversed only. Raises :class:`PixelError` where the grids differ, instead of going by
    index.
    """
    if source.affine is None or target.affine is None:
        if same_grid(source, target):
            return labels
        raise _other_grid(source, target, place)
    canonical, canonical_grid, _ = canonical_volume(labels, source.affine)
    back = canonical_orientation(target.affine)
    z, y, x = target.size
    target_canonical = target.affine @ back.index_map((z, y, x))
    canonical_size = back.to_canonical(np.broadcast_to(np.uint8(0), target.size)).shape
    if not same_grid(canonical_grid, grid_of(canonical_size, target_canonical)):
        raise _other_grid(source, target, place)
    return np.ascontiguousarray(back.to_source(canonical))


def resample_labels(labels: NDArray[Any], source: Grid, target: Grid, *, place: str = "mask") -> NDArray[Any]:
    """``labels[z, y, x]`` of ``source`` on ``target``: each voxel takes the nearest source voxel's label, 0 outside.

    Goes through both affines; raises :class:`PixelError` where one is unknown. Small structures can be lost: say so.
    """
    if source.affine is None or target.affine is None:
        raise _other_grid(source, target, place)
    to_source = np.linalg.inv(source.affine) @ target.affine
    limits = np.array(source.size[::-1])[:, np.newaxis]
    rows, columns = np.mgrid[0 : target.size[1], 0 : target.size[2]]
    resampled = np.zeros(target.size, dtype=labels.dtype)
    for z in range(target.size[0]):
        index = np.stack([columns.ravel(), rows.ravel(), np.full(rows.size, z), np.ones(rows.size)])
        x, y, k = nearest = np.floor(to_source[:3] @ index + 0.5).astype(np.int64)
        inside = ((nearest >= 0) & (nearest < limits)).all(axis=0)
        resampled[z].reshape(-1)[inside] = labels[k[inside], y[inside], x[inside]]
    return resampled


def _corners(size: tuple[int, int, int]) -> Affine:
    z, y, x = (n - 1 for n in size)
    return np.array([[*corner, 1] for corner in itertools.product((0, x), (0, y), (0, z))], dtype=np.float64).T


def _other_grid(source: Grid, target: Grid, place: str) -> PixelError:
    return PixelError(
        f"The mask's grid ({_words(source)}) is not the image's ({_words(target)}).",
        place=place,
        remedy="Bring the mask that was drawn on this image, or have it resampled through the orientation matrix.",
    )


def _words(grid: Grid) -> str:
    size = " x ".join(str(n) for n in reversed(grid.size))
    if grid.spacing_mm is None:
        return f"{size} voxels, spacing unknown"
    return f"{size} voxels of {' x '.join(f'{s:.4g}' for s in reversed(grid.spacing_mm))} mm"
