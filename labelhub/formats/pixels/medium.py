"""What a decoder gives: pixels in canonical order, the grid they lie on, and what may be kept beside them.

The identity stands apart: a caller derives pseudonymous keys from it and throws it away; it is never stored in the
clear. Not here: file syntax, storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.pixels.errors import PixelError
from labelhub.formats.pixels.geometry import AS_IT_IS, Affine, Orientation, acquired_plane, canonical_volume
from labelhub.formats.shapes import Grid

MAX_PIXEL_BYTES = 1 << 30

MediumKind: TypeAlias = Literal["photograph", "volume", "frames"]
ValueMeaning: TypeAlias = Literal["RGB", "HU", "intensity"]
Metadata: TypeAlias = Mapping[str, str | int | float | tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose picture it is, in the source's own identifiers. For deriving pseudonyms only; never stored or shown."""

    patient_id: str | None = None
    study_uid: str | None = None
    series_uid: str | None = None
    frame_of_reference_uid: str | None = None
    sop_uids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class DecodedMedium:
    """One picture, volume or run of frames.

    ``pixels`` is ``[z, y, x]`` or ``[z, y, x, c]`` in uint8, int16, uint16 or float32. ``orientation`` leads from the
    source's own order of voxels to that of ``pixels`` and back. ``window`` is ``(center, width)`` where the file names
    one. ``sources`` are the numbers of the files that it came from, in the order of their slices.
    """

    kind: MediumKind
    pixels: NDArray[Any]
    grid: Grid
    value_meaning: ValueMeaning = "intensity"
    window: tuple[float, float] | None = None
    metadata: Metadata = field(default_factory=dict)
    identity: Identity = field(default_factory=Identity)
    orientation: Orientation = AS_IT_IS
    warnings: tuple[str, ...] = ()
    sources: tuple[int, ...] = (0,)


_START = {
    "uint8": "uint8",
    "bool": "uint8",
    "int8": "int16",
    "uint16": "uint16",
    "float32": "float32",
    "float64": "float32",
}
_RANGE = {"uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535)}
_EXACT_FLOAT32 = 1 << 24
# Every warning about values that were no numbers holds these words.
NOT_FINITE = "had no finite value"


class SliceStack:
    """Collects slices in the narrowest stored type that holds every value, within a cap."""

    def __init__(self, shape: tuple[int, ...], source_type: np.dtype[Any], *, max_bytes: int, place: str) -> None:
        self._shape, self._max_bytes, self._place = shape, max_bytes, place
        self._unknown: list[tuple[int, NDArray[np.bool_]]] = []
        self._is_rounded = False
        start = np.dtype(_START.get(source_type.name, "int16"))
        check_pixel_count(shape, start.itemsize, max_bytes=max_bytes, place=place)
        self._pixels: NDArray[Any] = np.zeros(shape, dtype=start)

    def put(self, z: int, plane: NDArray[Any]) -> None:
        """Store slice ``z``; widens the whole stack where a value does not fit."""
        if plane.dtype.kind == "f":
            plane = self._without_gaps(z, plane)
        if self._pixels.dtype.kind != "f":
            self._widen(plane)
        elif plane.dtype.kind != "f":
            self._note_rounding(plane)
        self._pixels[z] = plane

    def finish(self) -> tuple[NDArray[Any], tuple[str, ...]]:
        """The array and what a reader must be told about its values."""
        warnings: list[str] = []
        if self._unknown:
            count = sum(int(gaps.sum()) for _, gaps in self._unknown)
            known = [self._least_known(z, gaps) for z, gaps in self._unknown]
            finite = [value for value in known if value is not None]
            lowest = min([*finite, float(self._pixels.min())]) if finite else 0.0
            for z, gaps in self._unknown:
                self._pixels[z][gaps] = lowest
            warnings.append(f"{count} pixels {NOT_FINITE}; they are shown as the lowest value, {lowest:g}.")
        if self._is_rounded:
            warnings.append("Values above 16777216 were rounded to 32-bit floating point.")
        return self._pixels, tuple(warnings)

    def _without_gaps(self, z: int, plane: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(over="ignore"):
            single = plane.astype(np.float32)
        gaps = ~np.isfinite(single)
        if not gaps.any():
            return single
        self._unknown.append((z, gaps))
        known = single[~gaps]
        return np.where(gaps, known.min() if known.size else np.float32(0), single)

    def _least_known(self, z: int, gaps: NDArray[np.bool_]) -> float | None:
        known = self._pixels[z][~gaps]
        return float(known.min()) if known.size else None

    def _widen(self, plane: NDArray[Any]) -> None:
        low, high = int(plane.min()), int(plane.max())
        current = self._pixels.dtype
        if plane.dtype.kind == "f" or not _fits(low, high, current.name):
            mine_low, mine_high = int(self._pixels.min()), int(self._pixels.max())
            low, high = min(low, mine_low), max(high, mine_high)
            wider = "float32"
            if plane.dtype.kind != "f":
                wider = next((name for name in ("int16", "uint16") if _fits(low, high, name)), "float32")
            check_pixel_count(self._shape, np.dtype(wider).itemsize, max_bytes=self._max_bytes, place=self._place)
            self._pixels = self._pixels.astype(wider)
            self._note_rounding(plane)

    def _note_rounding(self, plane: NDArray[Any]) -> None:
        if plane.dtype.kind != "f" and max(abs(int(plane.min())), abs(int(plane.max()))) > _EXACT_FLOAT32:
            self._is_rounded = True


def volume_medium(
    pixels: NDArray[Any],
    spacing_mm: tuple[float, float, float] | None,
    affine: Affine | None,
    *,
    time_point: int | None,
    warnings: tuple[str, ...],
) -> DecodedMedium:
    """A volume file's pixels ``[z, y, x(, c)]`` as a medium, turned into canonical order where its position is known."""
    metadata: dict[str, str | int | float | tuple[float, ...]] = {}
    if time_point is not None:
        metadata["time_point"] = time_point
    size = (pixels.shape[0], pixels.shape[1], pixels.shape[2])
    grid, orientation = Grid(size=size, spacing_mm=spacing_mm, affine=affine), AS_IT_IS
    if affine is not None and size[0] > 1:
        pixels, grid, orientation = canonical_volume(pixels, affine)
        metadata["acquired_plane"] = acquired_plane(orientation)
    return DecodedMedium(
        kind="volume" if size[0] > 1 else "photograph",
        pixels=pixels,
        grid=grid,
        value_meaning="RGB" if pixels.ndim == 4 else "intensity",
        metadata=metadata,
        orientation=orientation,
        warnings=warnings,
    )


def check_pixel_count(shape: tuple[int, ...], itemsize: int, *, max_bytes: int, place: str) -> None:
    """Refuse a size below one pixel or above the cap, before memory is taken."""
    needed = itemsize
    for n in shape:
        needed *= int(n)
    if min(shape) < 1:
        raise PixelError(
            "The file announces a size without a single pixel.", place=place, remedy="Export the image again."
        )
    if needed > max_bytes:
        raise PixelError(
            f"The file announces {' x '.join(str(int(n)) for n in shape)} values, {needed >> 20} MiB decoded; "
            f"the limit is {max_bytes >> 20} MiB.",
            place=place,
            remedy="If the size is real, crop or downsample the image, or ask the administrator to raise the limit.",
        )


def _fits(low: int, high: int, name: str) -> bool:
    return _RANGE[name][0] <= low and high <= _RANGE[name][1]
