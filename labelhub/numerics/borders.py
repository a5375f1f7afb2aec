"""The borders of a mask as closed rings along the sides of its pixels: filling them by the pixel centre rule gives it again.

Pixels that touch at a corner only are apart (four neighbours), so no ring meets itself. Not here: smooth outlines.
"""

from __future__ import annotations

import numpy as np

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import BoolArray, FloatArray, IntArray

# Steps (x, y) of a border that has its pixel on the right hand as seen on the screen: right, down, left, up.
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


@checked
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
    if not mask.any():
        return []
    x, y, direction = _sides(mask)
    outer: list[tuple[FloatArray, bool]] = []
    holes: list[tuple[FloatArray, bool]] = []
    for sides in _rings(_following(x, y, direction).tolist()):
        # The first side begins at the ring's topmost point, the leftmost of these: always a corner, hence the -1.
        corners = sides[np.diff(direction[sides], prepend=-1) != 0]
        for points in _parted(np.column_stack([x[corners], y[corners]])):
            doubled_area = _doubled_area(points)
            (outer if doubled_area > 0 else holes).append((points, doubled_area < 0))
    return outer + holes


def _sides(mask: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """Every unit side of the border, where it starts and its direction: row by row, then by column and direction."""
    padded = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), dtype=np.bool_)
    padded[1:-1, 1:-1] = mask
    level, upright = padded[:, 1:-1], padded[1:-1]
    y, x = _places(level[1:] != level[:-1])
    # Above a pixel the border runs right, below it left.
    is_below = level[1:][y, x]
    sides = [np.stack([np.where(is_below, x, x + 1), y, np.where(is_below, 0, 2)])]
    y, x = _places(upright[:, 1:] != upright[:, :-1])
    # On a pixel's right side it runs down, on its left side up.
    is_left = upright[:, :-1][y, x]
    sides.append(np.stack([x, np.where(is_left, y, y + 1), np.where(is_left, 1, 3)]))
    every = np.concatenate(sides, axis=1)
    x, y, direction = every[:, np.lexsort((every[2], every[0], every[1]))]
    return x, y, direction


def _places(is_side: BoolArray) -> tuple[IntArray, IntArray]:
    """Rows and columns of the true ones."""
    return np.divmod(np.flatnonzero(is_side), is_side.shape[1])


def _following(x: IntArray, y: IntArray, direction: IntArray) -> IntArray:
    """The number of the side that goes on where each one ends."""
    width = int(x.max()) + 2
    own = (y * width + x) * 4 + direction
    step_x, step_y = np.array(_STEPS).T
    end = ((y + step_y[direction]) * width + x + step_x[direction]) * 4
    following = np.full(len(x), -1)
    # Where pixels touch at a corner the ring goes on along its own pixel; holes that touch are parted afterwards.
    for turn in (3, 0, 1):
        wanted = end + (direction + turn) % 4
        place = np.minimum(np.searchsorted(own, wanted), len(own) - 1)
        following = np.where(own[place] == wanted, place, following)
    return following


def _rings(following: list[int]) -> list[IntArray]:
    """The sides of each ring in order, from its first one on."""
    is_walked = bytearray(len(following))
    rings = []
    for start in range(len(following)):
        sides, side = [], start
        while not is_walked[side]:
            is_walked[side] = 1
            sides.append(side)
            side = following[side]
        if sides:
            rings.append(np.array(sides))
    return rings


def _doubled_area(ring: FloatArray) -> float:
    """Twice the area within, above 0 where the ring runs clockwise on the screen."""
    x, y = ring.T
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1] + x[-1] * y[0] - x[0] * y[-1])


def _parted(ring: IntArray) -> list[FloatArray]:
    """The ring cut into rings that meet no point twice: a hole may touch the outline around it at a corner."""
    if len(set(map(tuple, ring.tolist()))) == len(ring):
        return [ring.astype(np.float64)]
    rings: list[FloatArray] = []
    path: list[tuple[int, int]] = []
    place: dict[tuple[int, int], int] = {}
    for x, y in ring.tolist():
        if (x, y) in place:
            at = place[x, y]
            rings.append(np.array(path[at:], dtype=np.float64))
            for passed in path[at + 1 :]:
                del place[passed]
            del path[at + 1 :]
        else:
            place[x, y] = len(path)
            path.append((x, y))
    return [*rings, np.array(path, dtype=np.float64)]
