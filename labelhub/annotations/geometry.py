"""Whether regions are shapes that can be scored: finite, inside the image, with an area, not crossing themselves.
 Caps come first: counts are looked at before a single number is. Not here: which class may have which kind
(``operations``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from typing import Any, TypeAlias

from shapely.geometry import LinearRing, Polygon

from labelhub.annotations.errors import OperationRefused, told

Size: TypeAlias = tuple[int, int, int]

MAX_REGIONS = 2_000
MAX_VERTICES = 20_000
# In square pixels: what a person can neither see nor mean.
SMALLEST_AREA = 1e-3
_LEAST_POINTS = {"box": 2, "polygon": 3, "ellipse": 2, "polyline": 2, "points": 1}


def checked_regions(regions: Any, size: Size, allowed: Set[str]) -> list[dict[str, Any]]:
    """Return regions in their plain form. Raises ``OperationRefused`` with the code of what is wrong.

    ``size`` is the medium's grid ``(z, y, x)``; ``allowed`` the kinds that the class's tool draws.
    """
    if not isinstance(regions, list) or not regions or not all(isinstance(region, Mapping) for region in regions):
        raise _refused("malformed", "A shape needs at least one region")
    points = [region.get("points") for region in regions]
    total = sum(len(entry) if isinstance(entry, list) else 0 for entry in points)
    if len(regions) > MAX_REGIONS or total > MAX_VERTICES:
        raise _refused(
            "too-many-points",
            f"A shape has at most {MAX_REGIONS} regions and {MAX_VERTICES} vertices; this one has {total}",
        )
    checked = [_region(region, size, allowed) for region in regions]
    outlined = {region.get("z", 0) for region in checked if not region.get("is_hole")}
    if any(region.get("is_hole") and region.get("z", 0) not in outlined for region in checked):
        raise _refused("hole-alone", "A hole needs an outline on the same slice")
    return checked


def _region(region: Mapping[str, Any], size: Size, allowed: Set[str]) -> dict[str, Any]:
    kind, z = region.get("kind"), region.get("z", 0)
    if not isinstance(kind, str) or kind not in _LEAST_POINTS:
        raise _refused("malformed", "The kind of a region is not one of those that exist")
    if kind not in allowed:
        raise _refused("tool-mismatch", f"This class is not drawn as {kind}")
    if type(z) is not int or not 0 <= z < size[0]:
        raise _refused("slice-unknown", f"The shape is on slice {told(z)}; there are {size[0]}")
    points = _points(region.get("points"), kind)
    _require_inside(kind, points, size)
    _require_body(kind, points)
    checked: dict[str, Any] = {"kind": kind, "points": points}
    if z:
        checked["z"] = z
    if region.get("is_hole") is True and kind == "polygon":
        checked["is_hole"] = True
    checked |= _extras(region, kind, len(points))
    return checked


def _extras(region: Mapping[str, Any], kind: str, count: int) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    rotation = region.get("rotation_deg", 0)
    if rotation and kind in {"box", "ellipse"}:
        if not _is_number(rotation) or abs(rotation) > 360:
            raise _refused("malformed", "A rotation is a number of degrees from -360 to 360")
        extras["rotation_deg"] = rotation
    visibility = region.get("visibility")
    if visibility and kind == "points":
        is_list = isinstance(visibility, list) and len(visibility) == count
        if not is_list or not all(type(entry) is int and 0 <= entry <= 2 for entry in visibility):
            raise _refused("malformed", "Visibility is 0, 1 or 2 for each point")
        extras["visibility"] = visibility
    if region.get("edge_excluded") is True:
        extras["edge_excluded"] = True
    return extras


def _points(points: Any, kind: str) -> list[list[float]]:
    least = _LEAST_POINTS[kind]
    if not isinstance(points, list) or len(points) < least or (kind in {"box", "ellipse"} and len(points) != 2):
        raise _refused(
            "too-few-points",
            f"A {kind} needs {'exactly 2' if kind in {'box', 'ellipse'} else f'at least {least}'} points",
        )
    for point in points:
        if not isinstance(point, list) or len(point) != 2 or not all(_is_number(value) for value in point):
            raise _refused("not-a-number", "A point is two finite numbers")
    return points


def _require_inside(kind: str, points: list[list[float]], size: Size) -> None:
    corners = points
    if kind == "ellipse":
        (cx, cy), (rx, ry) = points
        corners = [[cx - rx, cy - ry], [cx + rx, cy + ry]]
    if not all(0 <= x <= size[2] and 0 <= y <= size[1] for x, y in corners):
        raise _refused("outside-image", f"The shape leaves the image ({size[2]} × {size[1]} pixels)")


def _require_body(kind: str, points: list[list[float]]) -> None:
    if kind == "box":
        (x0, y0), (x1, y1) = points
        if x1 <= x0 or y1 <= y0 or (x1 - x0) * (y1 - y0) < SMALLEST_AREA:
            raise _refused("zero-area", "The box has no area, or its corners are not upper left and lower right")
    elif kind == "ellipse" and (points[1][0] <= 0 or points[1][1] <= 0 or points[1][0] * points[1][1] < SMALLEST_AREA):
        raise _refused("zero-area", "The ellipse has no area")
    elif kind == "polygon":
        _require_simple(points)
    elif kind == "polyline" and all(point == points[0] for point in points):
        raise _refused("zero-area", "The line has no length")


def _require_simple(points: list[list[float]]) -> None:
    if len({(x, y) for x, y in points}) < 3 or Polygon(points).area < SMALLEST_AREA:
        # A figure of eight has area 0 too, but the reason to name is that it crosses itself.
        if len({(x, y) for x, y in points}) >= 4 and not LinearRing(points).is_simple:
            raise _crossing()
        raise _refused("zero-area", "The polygon has no area")
    if not LinearRing(points).is_simple:
        raise _crossing()


def _crossing() -> OperationRefused:
    return _refused("self-crossing", "The outline crosses itself")


def _is_number(value: object) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < 2**53
    return isinstance(value, float) and math.isfinite(value)


def _refused(code: str, what: str) -> OperationRefused:
    return OperationRefused(code, f"{what}. It was not stored. The rest of your work is safe.")
