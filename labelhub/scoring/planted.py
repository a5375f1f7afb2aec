"""Whether a reading that began from a draft with a planted error shows what the model drew before the error was planted.

The error is held against the reading over the voxels that it changed: what share of them says what the model's own draft
said there. From half on it was caught. Not here: planting (``predictions.planting``), keeping the answer (``helped``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from labelhub.annotations.models import Submission
from labelhub.formats.shapes import Shape
from labelhub.numerics.geometry import PlacedMask
from labelhub.predictions.planting import CLASS, MISSING
from labelhub.projects.models import Project
from labelhub.scoring.extents import Extent, extent_of
from labelhub.scoring.models import HelpedReading

CAUGHT_FROM: Final = 0.5
# Kinds of reading that may have begun from a model's draft, by themselves or through work that they mend or continue.
HELPED: Final = frozenset({"assisted", "unblinded", "co-edited", "rework"})
# A mark without area within so many pixels of where one was left out counts as that one, put back.
NEAR_PX: Final = 10.0

Size = tuple[int, int, int]


def undone_share(kind: str, right: Shape, wrong: Shape | None, drawn: Sequence[Shape], size: Size) -> float:
    """Return the share, from 0 to 1, of what the error changed that ``drawn`` shows as the model had it.

    ``size`` is the medium's grid ``(z, y, x)``. Marks without area give 0 or 1.
    """
    here = [shape for shape in drawn if shape.medium == right.medium]
    truth = extent_of(right, size)
    if truth.mask is None:
        return float(_is_mark_undone(kind, truth, None if wrong is None else extent_of(wrong, size), here, size))
    planted = None if wrong is None else extent_of(wrong, size).mask
    low, shape = _window([truth.mask, *([] if planted is None else [planted])])
    was, became = _in_window([truth.mask], low, shape), _in_window([planted] if planted else [], low, shape)
    own = _in_window(_masks(here, right.label, size), low, shape)
    if kind == CLASS and wrong is not None:
        other = _in_window(_masks(here, wrong.label, size), low, shape)
        return float((own & ~other)[was].mean())
    changed = was ^ became
    return float((own == was)[changed].mean()) if changed.any() else 1.0


def let_stand(submissions: Iterable[Submission]) -> frozenset[int]:
    """Return the ids of those that let a planted error stand: they speak for nobody. Asks nothing about independent reads."""
    keys = [submission.pk for submission in submissions if submission.read_kind in HELPED]
    if not keys:
        return frozenset()
    rows = HelpedReading.objects.filter(submission__in=keys, is_caught=False)
    return frozenset(rows.values_list("submission_id", flat=True))


def errors_that_stood(project: Project) -> frozenset[int]:
    """Return which of the project's submissions let a planted error stand."""
    rows = HelpedReading.objects.filter(submission__assignment__item__project=project, is_caught=False)
    return frozenset(rows.values_list("submission_id", flat=True))


def _is_mark_undone(kind: str, right: Extent, wrong: Extent | None, drawn: Sequence[Shape], size: Size) -> bool:
    if right.place is None:
        return True
    places = [(shape.label, extent.place) for shape in drawn if (extent := extent_of(shape, size)).place is not None]
    own = [place for label, place in places if label == right.shape.label and place is not None]
    if kind == MISSING or wrong is None or wrong.place is None:
        return _nearest(own, right.place) <= NEAR_PX
    if kind == CLASS:
        others = [place for label, place in places if label == wrong.shape.label and place is not None]
        return _nearest(own, right.place) <= min(NEAR_PX, _nearest(others, right.place))
    return _nearest(own, right.place) <= _nearest(own, wrong.place)


def _nearest(places: Sequence[tuple[float, float, float]], to: tuple[float, float, float]) -> float:
    return min((float(np.linalg.norm(np.subtract(place, to))) for place in places), default=float("inf"))


def _masks(shapes: Sequence[Shape], label: str, size: Size) -> list[PlacedMask]:
    extents = [extent_of(shape, size) for shape in shapes if shape.label == label]
    return [extent.mask for extent in extents if extent.mask is not None]


def _window(masks: Sequence[PlacedMask]) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    low = np.min([mask.origin for mask in masks], axis=0)
    high = np.max([np.add(mask.origin, mask.voxels.shape) for mask in masks], axis=0)
    return low, tuple(int(side) for side in high - low)


def _in_window(masks: Sequence[PlacedMask], low: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The masks together, cut to the window that begins at ``low``."""
    found = np.zeros(shape, dtype=np.bool_)
    for mask in masks:
        start = np.subtract(mask.origin, low)
        begin, end = np.maximum(start, 0), np.minimum(start + mask.voxels.shape, shape)
        if (begin < end).all():
            to = tuple(slice(int(a), int(b)) for a, b in zip(begin, end, strict=True))
            part = tuple(slice(int(a - s), int(b - s)) for a, b, s in zip(begin, end, start, strict=True))
            found[to] |= mask.voxels[part]
    return found
