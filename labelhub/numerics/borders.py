"""The borders of a mask as closed rings along the sides of its pixels: filling them by the pixel centre rule gives it again.

Pixels that touch at a corner only are apart (four neighbours), so no ring meets itself. Not here: smooth outlines.
"""

from __future__ import annotations

import numpy as np

from labelhub.numerics.results import BoolArray, FloatArray

# Steps (x, y) of a border that has its pixel on the right hand as seen on the screen: right, down, left, up.
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def borders_of(mask: BoolArray) -> list[tuple[FloatArray, bool]]:
    """Every border as its corners ``(x, y)``, outer ones first, and whether it surrounds a hole.

    Parameters
    ----------
    mask : array of bool, shape (y, x)

    Returns
    -------
    list of (array of float, shape (corner, 2), bool)
        Empty for an empty mask.

    Examples
    --------
    >>> ring = np.ones((3, 3), dtype=bool)
    >>> ring[1, 1] = False
    >>> [(points.tolist(), is_hole) for points, is_hole in borders_of(ring)]
    [([[0.0, 0.0], [3.0, 0.0], [3.0, 3.0], [0.0, 3.0]], False), ([[1.0, 1.0], [1.0, 2.0], [2.0, 2.0], [2.0, 1.0]], True)]
    """
    if mask.ndim != 2 or mask.dtype != np.bool_:
        message = f"mask has shape {mask.shape} and dtype {mask.dtype}; booleans of shape (y, x) are needed"
        raise ValueError(message)
    follow = _sides(mask)
    outer: list[tuple[FloatArray, bool]] = []
    holes: list[tuple[FloatArray, bool]] = []
    for start in list(follow):
        if start not in follow:
            continue
        for corners in _parted(_walked(start, follow)):
            points = np.array(corners, dtype=np.float64)
            x, y = points.T
            doubled_area = float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())
            (outer if doubled_area > 0 else holes).append((points, doubled_area < 0))
    return outer + holes


def _sides(mask: BoolArray) -> dict[tuple[int, int, int], None]:
    """Every unit side of the border as (x, y, direction) of where it starts, row by row."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    open_sides = (~padded[:-2, 1:-1], ~padded[1:-1, 2:], ~padded[2:, 1:-1], ~padded[1:-1, :-2])
    # Above a pixel the border runs right, on its right side down, below it left, on its left side up.
    offsets = ((0, 0), (1, 0), (1, 1), (0, 1))
    rows = []
    for direction, (is_open, (dx, dy)) in enumerate(zip(open_sides, offsets, strict=True)):
        y, x = np.nonzero(inside & is_open)
        rows.append(np.column_stack([x + dx, y + dy, np.full(len(x), direction)]))
    sides = np.concatenate(rows)
    order = np.lexsort((sides[:, 2], sides[:, 0], sides[:, 1]))
    return dict.fromkeys(map(tuple, sides[order].tolist()))


def _walked(start: tuple[int, int, int], sides: dict[tuple[int, int, int], None]) -> list[tuple[int, int]]:
    """The corners of the ring that begins with this side; its sides are taken out."""
    corners: list[tuple[int, int]] = []
    x, y, direction = start
    previous = -1
    while (x, y, direction) in sides:
        del sides[(x, y, direction)]
        if direction != previous:
            corners.append((x, y))
        dx, dy = _STEPS[direction]
        x, y, previous = x + dx, y + dy, direction
        # Where pixels touch at a corner the ring goes on along its own pixel; holes that touch are parted afterwards.
        for turn in (1, 0, 3):
            following = (direction + turn) % 4
            if (x, y, following) in sides:
                direction = following
                break
    # The first side begins at the ring's topmost point, the leftmost of these: always a corner.
    return corners


def _parted(corners: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """The ring cut into rings that meet no point twice: a hole may touch the outline around it at a corner."""
    rings: list[list[tuple[int, int]]] = []
    path: list[tuple[int, int]] = []
    place: dict[tuple[int, int], int] = {}
    for corner in corners:
        if corner in place:
            at = place[corner]
            rings.append(path[at:])
            for passed in path[at + 1 :]:
                del place[passed]
            del path[at + 1 :]
        else:
            place[corner] = len(path)
            path.append(corner)
    return [*rings, path]
