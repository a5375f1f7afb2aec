"""Whether regions are shapes that can be scored: finite, inside the image, with an area, not crossing themselves.
 Caps come first: counts are looked at before a single number is. Not here: which class may have which kind
(``operations``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray

from labelhub.annotations.crossings import form_of
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
    points = region.get("points")
    places = _places(points, kind)
    _require_inside(kind, places, size)
    _require_body(kind, places)
    checked: dict[str, Any] = {"kind": kind, "points": points}
    if z:
        checked["z"] = z
    if region.get("is_hole") is True and kind == "polygon":
        checked["is_hole"] = True
    checked |= _extras(region, kind, len(places))
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


def _places(points: Any, kind: str) -> NDArray[np.float64]:
    """Return the points as ``[point, (x, y)]``; lists of thousands are looked at without a step of Python for each number."""
    least = _LEAST_POINTS[kind]
    if not isinstance(points, list) or len(points) < least or (kind in {"box", "ellipse"} and len(points) != 2):
        raise _refused(
            "too-few-points",
            f"A {kind} needs {'exactly 2' if kind in {'box', 'ellipse'} else f'at least {least}'} points",
        )
    if set(map(type, points)) != {list} or set(map(len, points)) != {2}:
        raise _not_a_number()
    kinds = set(map(type, chain.from_iterable(points)))
    if bool in kinds or not all(issubclass(kind, int | float) for kind in kinds):
        raise _not_a_number()
    try:
        places = np.fromiter(chain.from_iterable(points), dtype=np.float64, count=2 * len(points)).reshape(-1, 2)
    except OverflowError as error:
        raise _not_a_number() from error
    # A whole number from here on is not what a float says of it.
    if not np.isfinite(places).all() or (np.abs(places).max() >= 2**53 and not all(map(_is_number, chain(*points)))):
        raise _not_a_number()
    return places


def _require_inside(kind: str, places: NDArray[np.float64], size: Size) -> None:
    corners = places
    if kind == "ellipse":
        corners = np.stack([places[0] - places[1], places[0] + places[1]])
    if not ((corners >= 0) & (corners <= (size[2], size[1]))).all():
        raise _refused("outside-image", f"The shape leaves the image ({size[2]} × {size[1]} pixels)")


def _require_body(kind: str, places: NDArray[np.float64]) -> None:
    if kind == "box":
        width, height = places[1] - places[0]
        if width <= 0 or height <= 0 or width * height < SMALLEST_AREA:
            raise _refused("zero-area", "The box has no area, or its corners are not upper left and lower right")
    elif kind == "ellipse" and (places[1].min() <= 0 or places[1].prod() < SMALLEST_AREA):
        raise _refused("zero-area", "The ellipse has no area")
    elif kind == "polygon":
        _require_simple(places)
    elif kind == "polyline" and (places == places[0]).all():
        raise _refused("zero-area", "The line has no length")


def _require_simple(outline: NDArray[np.float64]) -> None:
    n_distinct = _distinct(outline, 4)
    is_flat = n_distinct < 3 or shapely.area(shapely.polygons(outline)) < SMALLEST_AREA
    # A figure of eight has area 0 too, but the reason to name is that it crosses itself.
    form = form_of(outline) if n_distinct >= 4 or not is_flat else "simple"
    if form == "crossing":
        raise _refused("self-crossing", "The outline crosses itself")
    if is_flat:
        raise _refused("zero-area", "The polygon has no area")
    if form == "tangled":
        raise _refused("tangled", "The outline goes to and fro too often to be the edge of a thing")


def _distinct(outline: NDArray[np.float64], most: int) -> int:
    """Return at how many places the corners are, counted to ``most``."""
    found: set[tuple[float, float]] = set()
    for x, y in outline:
        found.add((x, y))
        if len(found) == most:
            break
    return len(found)


def _not_a_number() -> OperationRefused:
    return _refused("not-a-number", "A point is two finite numbers")


def _is_number(value: object) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < 2**53
    return isinstance(value, float) and math.isfinite(value)


def _refused(code: str, what: str) -> OperationRefused:
    return OperationRefused(code, f"{what}. It was not stored. The rest of your work is safe.")
