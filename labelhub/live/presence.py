"""What a window may say of where its person is: cursor, tool, selection, what is being dragged. Written anew, never stored.

Who says it is stamped by the server. Nothing here is true for longer than a moment, so anything odd is left out, not refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

MOST_GHOST_POINTS = 400
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_KINDS = ("box", "polygon", "ellipse", "polyline", "points", "stroke")


def presence_of(given: Any) -> dict[str, Any]:
    """Return what is plain in ``given``: ``cursor`` (medium, plane, index, x, y), ``tool``, ``label``, ``selection``, ``holds``
    (a shape in hand), ``ghost`` (kind, points, radius), ``view`` (the visible box, for who follows), ``away``.
    """
    if not isinstance(given, Mapping):
        return {}
    found: dict[str, Any] = {}
    if (cursor := _placed(given.get("cursor"), ("x", "y"))) is not None:
        found["cursor"] = cursor
    if (view := _placed(given.get("view"), ("x0", "y0", "x1", "y1"))) is not None:
        found["view"] = view
    for name in ("tool", "label", "selection", "holds"):
        value = given.get(name)
        if isinstance(value, str) and _WORD.fullmatch(value):
            found[name] = value
    if (ghost := _ghost(given.get("ghost"))) is not None:
        found["ghost"] = ghost
    if given.get("away") is True:
        found["away"] = True
    return found


def _placed(given: Any, numbers: tuple[str, ...]) -> dict[str, Any] | None:
    if not isinstance(given, Mapping):
        return None
    medium, plane, index = given.get("medium"), given.get("plane", "axial"), given.get("index", 0)
    values = [given.get(name) for name in numbers]
    if type(medium) is not int or type(index) is not int or plane not in ("axial", "coronal", "sagittal"):
        return None
    if not (0 <= medium < 1000 and 0 <= index < 1_000_000 and all(_is_number(value) for value in values)):
        return None
    return {"medium": medium, "plane": plane, "index": index, **dict(zip(numbers, values, strict=True))}


def _ghost(given: Any) -> dict[str, Any] | None:
    if not isinstance(given, Mapping) or given.get("kind") not in _KINDS:
        return None
    points = given.get("points")
    if not isinstance(points, list) or not 0 < len(points) <= MOST_GHOST_POINTS:
        return None
    if not all(isinstance(at, list) and len(at) == 2 and _is_number(at[0]) and _is_number(at[1]) for at in points):
        return None
    radius = given.get("radius", 0)
    return {"kind": given["kind"], "points": points, "radius": radius if _is_number(radius) else 0}


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < 1e7
