"""Where DICOM slices lie: the affine of a stack of them, or the reason why there is none.

Positions are those of DICOM PS3.3 C.7.6.2 (Image Plane): the first three values of the orientation run along a row, the
next three down a column, in LPS millimetres; they are turned into RAS here. Slices are sorted along the normal. A stack
with a gap, an irregular step or two slices at one place is refused: a slice that is not there is never invented. A step
that is not along the normal (a tilted gantry) stays in the affine as the shear that it is, with a warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.pixels.errors import PixelError
from labelhub.formats.pixels.geometry import Affine, check_affine, shear_deg

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_EXACT_MM = 1e-3
_TOLERATED_SHARE = 0.01
_REMEDY = "Bring the whole series in one piece, without duplicates, or bring its slices as single images."


@dataclass(frozen=True, slots=True)
class SlicePlane:
    """One slice in space: position of its first pixel (mm, LPS), directions along rows and columns, spacing (down, along)."""

    position: tuple[float, float, float]
    orientation: tuple[float, float, float, float, float, float]
    spacing_mm: tuple[float, float]

    @property
    def normal(self) -> NDArray[np.float64]:
        """The direction across the slice."""
        return np.cross(self.orientation[:3], self.orientation[3:])

    def key(self) -> tuple[float, ...]:
        """Rounded orientation and spacing: slices of one stack share it."""
        return (*(round(v, 3) + 0.0 for v in self.orientation), *(round(v, 4) for v in self.spacing_mm))


@dataclass(frozen=True, slots=True, eq=False)
class StackGeometry:
    """The order in which slices are stacked, the affine of the stack so ordered (RAS+), and what must be told."""

    order: tuple[int, ...]
    affine: Affine
    warnings: tuple[str, ...]


def slice_plane(
    position: tuple[float, ...], orientation: tuple[float, ...], spacing_mm: tuple[float, ...], place: str
) -> SlicePlane | None:
    """The plane that the elements describe; ``None`` where one is absent. Raises where they contradict themselves."""
    if len(position) != 3 or len(orientation) != 6 or len(spacing_mm) != 2:
        return None
    along, down = np.array(orientation[:3]), np.array(orientation[3:])
    norms = np.linalg.norm(along), np.linalg.norm(down)
    if max(abs(n - 1) for n in norms) > 0.01 or abs(along @ down) > 0.01 or min(spacing_mm) <= 0:
        raise PixelError(
            "The slice's orientation or spacing is impossible.", place=place, remedy="Export the series again."
        )
    (x, y, z), (a, b, c, d, e, f), (rows, columns) = position, orientation, spacing_mm
    return SlicePlane((x, y, z), (a, b, c, d, e, f), (rows, columns))


def single_affine(plane: SlicePlane, thickness_mm: float | None, place: str) -> Affine:
    """The affine (RAS+) of one slice; the third axis has its thickness, or 1 mm where unknown."""
    return _affine(plane, plane.normal * (thickness_mm or 1.0), place)


def stack_geometry(planes: Sequence[SlicePlane], place: str) -> StackGeometry:
    """Order and affine of at least two parallel slices. Refuses gaps, doubles and crooked stacks."""
    positions = np.array([plane.position for plane in planes])
    heights = positions @ planes[0].normal
    order = np.argsort(heights, kind="stable")
    steps = np.diff(heights[order])
    # The lower median: with two steps, the wider one is the gap.
    typical = float(np.sort(steps)[(len(steps) - 1) // 2])
    if steps.min() < max(_EXACT_MM, 0.05 * typical):
        at = int(np.argmin(steps))
        raise PixelError(
            f"Two slices lie at one place (slices {at + 1} and {at + 2} of {len(planes)} in order).",
            place=place,
            remedy=_REMEDY,
        )
    if steps.max() > 1.5 * typical:
        at = int(np.argmax(steps))
        missing = round(steps[at] / typical) - 1
        raise PixelError(
            f"About {missing} slices are missing after slice {at + 1} of {len(planes)}: the gap is {steps[at]:.2f} mm, "
            f"the others are {typical:.2f} mm.",
            place=place,
            remedy=_REMEDY,
        )
    ordered = positions[order]
    step = (ordered[-1] - ordered[0]) / (len(planes) - 1)
    off = float(np.linalg.norm(ordered - (ordered[0] + np.arange(len(planes))[:, np.newaxis] * step), axis=1).max())
    if off > max(_EXACT_MM, _TOLERATED_SHARE * typical):
        raise PixelError(
            f"The slices are not evenly spaced: one lies {off:.3f} mm beside its place.", place=place, remedy=_REMEDY
        )
    warnings: list[str] = []
    if off > _EXACT_MM:
        warnings.append(f"Slices are spaced a little unevenly: up to {off:.3f} mm beside their place.")
    affine = _affine(planes[int(order[0])], step, place)
    tilt = shear_deg(affine)
    if tilt > 0.1:
        warnings.append(
            f"The gantry is tilted by {tilt:.1f}°; slices were left as they are and distances account for it."
        )
    return StackGeometry(tuple(int(i) for i in order), affine, tuple(warnings))


def _affine(plane: SlicePlane, step: NDArray[np.float64], place: str) -> Affine:
    lps = np.eye(4)
    lps[:3, 0] = np.array(plane.orientation[:3]) * plane.spacing_mm[1]
    lps[:3, 1] = np.array(plane.orientation[3:]) * plane.spacing_mm[0]
    lps[:3, 2] = step
    lps[:3, 3] = plane.position
    return check_affine(_LPS_TO_RAS @ lps, place)
