"""Simulated readings of the cut items: the true outline, bent by a labeler's planted fault (`plan.Simulated`).

An outline is the zero line of the truth's signed distance plus a smooth random wobble plus the labeler's offset. Not here:
what is planted (`plan`), and storing it (`building`).
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

from labelhub.config.demo.cutting import Cut
from labelhub.config.demo.plan import Simulated
from labelhub.formats.shapes import Reading, Region, Shape

EDGE_ANSWERS = ("blurred", "fair", "sharp")
WOBBLE_LENGTH_PX = 6.0
SIMPLIFY_PX = 0.35
# How often two careful people differ by one step on the edge's sharpness.
EDGE_SLIP = 0.15


def true_reading(cut: Cut, *, item: str, rater: str) -> Reading:
    """Return what is true of ``cut``, as an expert's reading."""
    return _reading(item, rater, _outline(_signed_distance(cut.mask)), cut.label, EDGE_ANSWERS[cut.sharpness])


def simulated_reading(
    cut: Cut, labeler: Simulated, *, item: str, place_in_session: float, rng: np.random.Generator
) -> Reading:
    """Return what ``labeler`` says of ``cut``; ``place_in_session`` is 0 for the first item of a session and 1 for the last."""
    wobble = ndimage.gaussian_filter(rng.standard_normal(cut.mask.shape), WOBBLE_LENGTH_PX)
    wobble *= labeler.roughness_px / max(float(wobble.std()), 1e-9)
    outline = _outline(_signed_distance(cut.mask) - labeler.offset_px + wobble)
    wrong = max(labeler.confusion, labeler.fatigue * place_in_session)
    label = _other(cut.label) if rng.random() < wrong else cut.label
    step = int(rng.choice([-1, 0, 1], p=[EDGE_SLIP / 2, 1 - EDGE_SLIP, EDGE_SLIP / 2]))
    return _reading(item, labeler.username, outline, label, EDGE_ANSWERS[int(np.clip(cut.sharpness + step, 0, 2))])


def copied_reading(original: Reading, *, rater: str) -> Reading:
    """Return a copy of another's reading under the copier's name, to the last vertex."""
    shapes = tuple(
        Shape(
            shape_id=f"{rater}-{shape.shape_id}", label=shape.label, regions=shape.regions, attributes=shape.attributes
        )
        for shape in original.shapes
    )
    return Reading(
        item=original.item,
        rater=rater,
        shapes=shapes,
        answers=original.answers,
        read_kind="independent",
        planned_blind=True,
    )


def _reading(item: str, rater: str, outline: NDArray[np.float64], label: str, edge: str) -> Reading:
    shape = Shape(shape_id=f"{rater}-1", label=label, regions=(Region("polygon", outline),))
    return Reading(
        item=item, rater=rater, shapes=(shape,), answers={"edge": edge}, read_kind="independent", planned_blind=True
    )


def _signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance to the outline in px, negative inside."""
    return np.asarray(ndimage.distance_transform_edt(~mask) - ndimage.distance_transform_edt(mask))


def _outline(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The longest closed zero line, as polygon vertices ``(x, y)`` with pixel centres at halves."""
    padded = np.pad(distance, 1, constant_values=float(distance.max()))
    lines = measure.find_contours(padded, 0.0)
    longest = max(lines, key=len)
    points = longest[:, ::-1] - 1 + 0.5
    side = distance.shape[0]
    ring = shapely.Polygon(np.clip(points, 0, side)).buffer(0)
    if isinstance(ring, shapely.MultiPolygon):
        ring = max(ring.geoms, key=lambda part: part.area)
    simple = shapely.simplify(ring, SIMPLIFY_PX)
    return np.round(np.asarray(simple.exterior.coords)[:-1] * 4) / 4


def _other(label: str) -> str:
    return "dark" if label == "bright" else "bright"
