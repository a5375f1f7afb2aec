"""A proposal for the image that somebody labels: where they point, in voxels of the medium; back comes a piece of a mask.

The bits travel as they do for masks (``api.documents``): one a voxel, rows first, the first in the highest bit; where the piece
begins, its size and who made it stand in the headers. Nothing is stored, and nothing that anybody else drew is looked at.
Not here: what is allowed (``workflow.assisting``), what hints mean (``predictions.marks``).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import numpy as np
from django.http import HttpResponse
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.views import APIView

from labelhub.accounts.models import User
from labelhub.assignments.selectors import drawn_by
from labelhub.predictions.assist import Question
from labelhub.predictions.marks import Hints, Place
from labelhub.workflow.assisting import propose

# Of all presses, corners of strokes and extreme points together.
MAX_PLACES = 2000
MAX_LEVEL = 20
_FURTHEST = 1 << 24


class ProposeView(APIView):
    """What somebody's hints mean."""

    def post(self, request: Request, assignment: uuid.UUID) -> HttpResponse:
        """Return the proposal's bits; none, and a size of 0, where the hints mean nothing in this picture."""
        assert isinstance(request.user, User)
        own = drawn_by(request.user, assignment)
        body = request.data if isinstance(request.data, Mapping) else {}
        medium, label = _whole(body, "medium", 0, _FURTHEST), body.get("label")
        if not isinstance(label, str):
            raise ParseError("“label” names the class that is painted. Nothing was proposed.")
        by_model = body.get("by_model", False)
        if not isinstance(by_model, bool):
            raise ParseError("“by_model” is true or false. Nothing was proposed.")
        answer = propose(
            assignment=own, by=request.user, ordinal=medium, label=label, question=_question(body), by_model=by_model
        )
        size = (0, 0, 0) if answer.mask is None else answer.mask.shape
        content = b"" if answer.mask is None else np.packbits(answer.mask).tobytes()
        response = HttpResponse(content, content_type="application/octet-stream")
        response["X-Origin"], response["X-Size"] = _joined(answer.origin), _joined(size)
        response["X-Source"], response["X-Method"] = "model" if answer.is_trained else "tool", answer.method
        response["Cache-Control"] = "no-store"
        return response


def _question(body: Mapping[str, Any]) -> Question:
    origin, size = _place(body.get("origin"), "origin"), _place(body.get("size"), "size")
    strokes = _list(body.get("strokes", []), "strokes")
    count = [MAX_PLACES]
    sides: dict[bool, list[tuple[Place, ...]]] = {True: [], False: []}
    for stroke in strokes:
        is_inside = stroke.get("is_inside") if isinstance(stroke, Mapping) else None
        if not isinstance(is_inside, bool):
            raise ParseError("Each of “strokes” has “is_inside” and “points”. Nothing was proposed.")
        sides[is_inside].append(_places(stroke.get("points"), "points", origin, count))
    box = body.get("box")
    if box is not None and not isinstance(box, Mapping):
        raise ParseError("“box” has “origin” and “size”, or is null. Nothing was proposed.")
    hints = Hints(
        positive=_places(body.get("positive", []), "positive", origin, count),
        negative=_places(body.get("negative", []), "negative", origin, count),
        positive_strokes=tuple(sides[True]),
        negative_strokes=tuple(sides[False]),
        box=None if box is None else _box(box, origin),
        extreme=_places(body.get("extreme", []), "extreme", origin, count),
    )
    return Question(medium=0, origin=origin, size=size, hints=hints, level=_whole(body, "level", -MAX_LEVEL, MAX_LEVEL))


def _box(box: Mapping[str, Any], origin: Place) -> tuple[Place, Place]:
    low, size = _moved(_place(box.get("origin"), "box"), origin), _place(box.get("size"), "box")
    return low, (low[0] + size[0], low[1] + size[1], low[2] + size[2])


def _places(value: Any, name: str, origin: Place, left: list[int]) -> tuple[Place, ...]:
    """The places of a list in voxels of the region; ``left`` holds how many may still come in this request."""
    entries = _list(value, name)
    left[0] -= len(entries)
    if left[0] < 0:
        raise ParseError(f"A proposal takes at most {MAX_PLACES} places. Nothing was proposed. Point at less.")
    return tuple(_moved(_place(entry, name), origin) for entry in entries)


def _moved(place: Place, origin: Place) -> Place:
    return place[0] - origin[0], place[1] - origin[1], place[2] - origin[2]


def _place(value: Any, name: str) -> Place:
    if (
        not isinstance(value, list)
        or [type(at) for at in value] != [int] * 3
        or not all(0 <= at < _FURTHEST for at in value)
    ):
        raise ParseError(f"“{name}” holds whole numbers from 0: slice, row, column. Nothing was proposed.")
    return value[0], value[1], value[2]


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ParseError(f"“{name}” must be a list. Nothing was proposed.")
    return value


def _whole(body: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = body.get(name, 0)
    if type(value) is not int or not least <= value <= most:
        raise ParseError(f"“{name}” must be a whole number from {least} to {most}. Nothing was proposed.")
    return value


def _joined(values: tuple[int, ...]) -> str:
    return ",".join(map(str, values))
