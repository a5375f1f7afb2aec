"""Points from strangers: numbers become arrays, impossible ones are refused, crossed outlines are noticed.

Not here: filling outlines (see ``numerics.rasterise``) and anything about one file format.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import shapely

from labelhub.formats.limits import MAX_POINTS_A_REGION, is_usable_number
from labelhub.formats.shapes import Points, Region

ELLIPSE_CORNERS = 64


def points_from_flat(numbers: object) -> Points | None:
    """``(n, 2)`` points from ``[x0, y0, x1, y1, …]``; ``None`` where that is not an even list of usable numbers."""
    if not isinstance(numbers, list) or not numbers or len(numbers) % 2 or len(numbers) > 2 * MAX_POINTS_A_REGION:
        return None
    if not all(is_usable_number(number) for number in numbers):
        return None
    return np.array(numbers, dtype=np.float64).reshape(-1, 2)


def points_from_pairs(pairs: object) -> Points | None:
    """``(n, 2)`` points from ``[[x0, y0], …]``; ``None`` where that is not a list of pairs of usable numbers."""
    if not isinstance(pairs, list) or not pairs or len(pairs) > MAX_POINTS_A_REGION:
        return None
    if not all(
        isinstance(pair, list | tuple) and len(pair) == 2 and all(map(is_usable_number, pair)) for pair in pairs
    ):
        return None
    return np.array(pairs, dtype=np.float64)


def is_crossed(points: Points) -> bool:
    """Whether a closed outline of three or more points crosses or touches itself, so that 'inside' has several
    meanings.
    """
    return len(points) >= 3 and not bool(shapely.is_valid(shapely.Polygon(points)))


def box_region(x: float, y: float, width: float, height: float, *, z: int = 0, rotation_deg: float = 0.0) -> Region:
    """A box from its first corner and its size."""
    return Region("box", np.array([[x, y], [x + width, y + height]]), z=z, rotation_deg=rotation_deg)


def outline_of(region: Region) -> Points:
    """The closed outline of a box, ellipse or polygon as ``(n, 2)`` vertices, rotation applied; an ellipse has 64
    corners.
    """
    if region.kind == "polygon":
        return region.points
    if region.kind == "box":
        (x0, y0), (x1, y1) = region.points
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float64)
        return turned(corners, ((x0 + x1) / 2, (y0 + y1) / 2), region.rotation_deg)
    if region.kind == "ellipse":
        (cx, cy), (rx, ry) = region.points
        angles = np.linspace(0, 2 * math.pi, ELLIPSE_CORNERS, endpoint=False)
        corners = np.column_stack([cx + rx * np.cos(angles), cy + ry * np.sin(angles)])
        return turned(corners, (cx, cy), region.rotation_deg)
    raise ValueError(f"a region of kind {region.kind!r} encloses nothing")


def turned(points: Points, centre: Sequence[float], degrees: float) -> Points:
    """Points turned clockwise on the screen (y points down) about a centre."""
    if not degrees:
        return points
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    middle = np.asarray(centre, dtype=np.float64)
    return np.asarray((points - middle) @ turn + middle, dtype=np.float64)


def enclosed_area(points: Points) -> float:
    """The area inside a simple outline (shoelace formula)."""
    x, y = points[:, 0], points[:, 1]
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
