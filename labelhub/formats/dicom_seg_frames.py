"""The frames of a DICOM segmentation on one grid: where each frame lies, and which segment it shows.

Planes are sorted along the normal of the frames; gaps between sparse planes stay gaps. Slides are laid out on their
total pixel matrix. DICOM positions are in LPS and become RAS. Not here: whose a segmentation is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from labelhub.formats.grids import ImpossibleGridError, grid_of
from labelhub.formats.limits import MAX_MASK_VOXELS
from labelhub.formats.rle import cropped
from labelhub.formats.shapes import Grid, MaskRegion

_RAS = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class PlacedFrames:
    """The masks of all segments on one grid, by segment number. ``background`` is a number that means nothing.

    ``undeclared`` are numbers that mark something and stand for no segment of the file.
    """

    grid: Grid
    masks: dict[int, MaskRegion]
    background: int | None
    undeclared: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a frame lies: its plane, and the row and column of its first voxel in the whole."""

    z: int
    row: int
    column: int
    segment: int | None


def placed_frames(dataset: pydicom.Dataset) -> PlacedFrames:
    """All segments of a file on one grid. Raises :class:`ImpossibleGridError`, or what pydicom raises on damage."""
    kind = str(dataset.get("SegmentationType", "BINARY"))
    pixels = np.asarray(dataset.pixel_array)
    pixels = pixels[np.newaxis] if pixels.ndim == 2 else pixels
    groups = list(dataset.get("PerFrameFunctionalGroupsSequence", None) or [])
    grid, places = (
        _tiles(dataset, groups, len(pixels)) if "TotalPixelMatrixRows" in dataset else _planes(dataset, groups)
    )
    if len(places) != len(pixels):
        raise ImpossibleGridError(f"it describes {len(places)} frames but holds {len(pixels)}")
    top = int(dataset.get("MaximumFractionalValue", 1) or 1) if kind == "FRACTIONAL" else 1
    background = (int(dataset.get("PixelPaddingValue", 0) or 0)) if kind == "LABELMAP" else None
    numbers = [int(segment.SegmentNumber) for segment in dataset.SegmentSequence]
    masks: dict[int, MaskRegion] = {}
    for number in numbers:
        tiles = _tiles_of(number, pixels, places, top=top if kind != "LABELMAP" else None)
        mask = _whole(tiles, grid.size) if number != background else None
        if mask is not None:
            masks[number] = mask
    if kind == "LABELMAP":
        marked = {int(number) for number in np.unique(pixels)} - {background}
    else:
        marked = {place.segment for frame, place in zip(pixels, places, strict=True) if place.segment and frame.any()}
    return PlacedFrames(grid, masks, background, tuple(sorted(marked - set(numbers))))


def _tiles_of(
    number: int, pixels: NDArray[Any], places: list[_Place], *, top: int | None
) -> Iterator[tuple[_Place, NDArray[np.bool_]]]:
    for frame, place in zip(pixels, places, strict=True):
        if top is None:
            yield place, frame == number
        elif place.segment == number:
            yield place, frame >= top / 2


def _whole(tiles: Iterator[tuple[_Place, NDArray[np.bool_]]], size: tuple[int, int, int]) -> MaskRegion | None:
    whole = np.zeros(size, dtype=np.bool_)
    for place, tile in tiles:
        rows, columns = min(tile.shape[0], size[1] - place.row), min(tile.shape[1], size[2] - place.column)
        if rows > 0 and columns > 0:
            part = whole[place.z, place.row : place.row + rows, place.column : place.column + columns]
            part |= tile[:rows, :columns]
    return cropped(whole) if whole.any() else None


def _group(dataset: pydicom.Dataset, frame: pydicom.Dataset | None, name: str) -> pydicom.Dataset | None:
    """The item of a functional group, of the frame itself or shared by all."""
    shared = dataset.get("SharedFunctionalGroupsSequence", None) or [None]
    for holder in (frame, shared[0]):
        if holder is not None and holder.get(name):
            item: pydicom.Dataset = holder[name].value[0]
            return item
    return None


def _segment(dataset: pydicom.Dataset, frame: pydicom.Dataset | None) -> int | None:
    found = _group(dataset, frame, "SegmentIdentificationSequence")
    return int(found.ReferencedSegmentNumber) if found is not None else None


def _spacing(dataset: pydicom.Dataset, frame: pydicom.Dataset | None) -> tuple[float, float, float | None] | None:
    measures = _group(dataset, frame, "PixelMeasuresSequence")
    if measures is None or not measures.get("PixelSpacing"):
        return None
    row, column = (float(value) for value in measures.PixelSpacing)
    between = measures.get("SpacingBetweenSlices") or measures.get("SliceThickness")
    return row, column, float(between) if between else None


def _planes(dataset: pydicom.Dataset, groups: list[pydicom.Dataset]) -> tuple[Grid, list[_Place]]:
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    positions = [_group(dataset, group, "PlanePositionSequence") for group in groups]
    orientation = _group(dataset, groups[0] if groups else None, "PlaneOrientationSequence")
    spacing = _spacing(dataset, groups[0] if groups else None)
    if orientation is None or spacing is None or any(position is None for position in positions):
        if len(groups) > 1 and len({_segment(dataset, group) for group in groups}) < len(groups):
            raise ImpossibleGridError("its frames have no position")
        grid = Grid((1, rows, columns), None if spacing is None else (spacing[2] or 1.0, spacing[0], spacing[1]))
        return grid, [_Place(0, 0, 0, _segment(dataset, group)) for group in groups]
    cosines = np.array([float(value) for value in orientation.ImageOrientationPatient])
    along_row, along_column = cosines[:3], cosines[3:]
    normal = np.cross(along_row, along_column)
    corners = np.array([[float(v) for v in p.ImagePositionPatient] for p in positions if p is not None])
    heights = corners @ normal
    step = _step(heights, spacing[2])
    planes = np.rint((heights - heights.min()) / step)
    aside = corners - corners[0] - np.outer(heights - heights[0], normal)
    if np.abs((heights - heights.min()) / step - planes).max() > 0.05 or np.abs(aside).max() > 0.1 * min(spacing[:2]):
        raise ImpossibleGridError("its planes are not evenly spaced, or not above one another")
    depth = int(planes.max()) + 1
    if depth * rows * columns > MAX_MASK_VOXELS:
        raise ImpossibleGridError("its planes lie too far apart")
    affine = np.eye(4)
    turned = np.column_stack([along_row * spacing[1], along_column * spacing[0], normal * step])
    affine[:3, :3] = _RAS @ turned
    affine[:3, 3] = _RAS @ corners[int(np.argmin(heights))]
    places = [_Place(int(plane), 0, 0, _segment(dataset, group)) for plane, group in zip(planes, groups, strict=True)]
    return grid_of((depth, rows, columns), affine), places


def _step(heights: NDArray[np.float64], stated: float | None) -> float:
    """The distance of planes: the smallest that occurs, unless the file states one that divides it."""
    apart = np.diff(np.unique(np.round(heights, 4)))
    if not apart.size:
        return stated or 1.0
    smallest = float(apart.min())
    if stated and abs(smallest / stated - round(smallest / stated)) < 0.05 and round(smallest / stated) >= 1:
        return smallest / round(smallest / stated)
    return smallest


def _tiles(dataset: pydicom.Dataset, groups: list[pydicom.Dataset], frames: int) -> tuple[Grid, list[_Place]]:
    """Tiles of a slide; where the file lists none, they fill the matrix row by row, one segment after the other."""
    height, width = int(dataset.TotalPixelMatrixRows), int(dataset.TotalPixelMatrixColumns)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if not 0 < height * width <= MAX_MASK_VOXELS:
        raise ImpossibleGridError(f"its slide of {width} x {height} pixels is impossible or too large")
    spacing = _spacing(dataset, groups[0] if groups else None)
    grid = Grid((1, height, width), None if spacing is None else (spacing[2] or 1.0, spacing[0], spacing[1]))
    if groups:
        places = []
        for group in groups:
            at = _group(dataset, group, "PlanePositionSlideSequence")
            if at is None:
                raise ImpossibleGridError("a tile has no place on its slide")
            row, column = (
                int(at.RowPositionInTotalImagePixelMatrix) - 1,
                int(at.ColumnPositionInTotalImagePixelMatrix) - 1,
            )
            if row < 0 or column < 0:
                raise ImpossibleGridError("a tile lies outside its slide")
            places.append(_Place(0, row, column, _segment(dataset, group)))
        return grid, places
    across, down = -(-width // columns), -(-height // rows)
    numbers = [int(segment.SegmentNumber) for segment in dataset.SegmentSequence]
    is_map = str(dataset.get("SegmentationType", "")) == "LABELMAP"
    if frames != across * down * (1 if is_map else len(numbers)):
        raise ImpossibleGridError("its tiles do not fill its slide")
    layers: list[int | None] = [None] if is_map else list(numbers)
    return grid, [
        _Place(0, row * rows, column * columns, number)
        for number in layers
        for row in range(down)
        for column in range(across)
    ]
