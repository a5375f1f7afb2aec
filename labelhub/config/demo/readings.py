"""Simulated readings of the cut items: the true outline, bent by a labeler's planted fault (`plan.Simulated`).

An outline is the zero line of the truth's signed distance plus a smooth random wobble plus the labeler's offset. Not here:
what is planted (`plan`), and storing it (`building`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

from labelhub.config.demo import plan
from labelhub.config.demo.cutting import Cut
from labelhub.config.demo.plan import Simulated
from labelhub.formats.shapes import Reading, Region, Shape

EDGE_ANSWERS = ("blurred", "fair", "sharp")
WOBBLE_LENGTH_PX = 6.0
SECONDS_AN_ITEM = 40
SIMPLIFY_PX = 0.35
# How often two careful people differ by one step on the edge's sharpness.
EDGE_SLIP = 0.15


Timed = tuple[str, Reading, datetime]


def simulated_readings(
    work: Sequence[tuple[Cut, str, Sequence[Simulated]]], *, started_at: datetime, rng: np.random.Generator
) -> dict[str, tuple[Timed, ...]]:
    """Let each labeler work through their items in sessions; copiers come after those they copy.

    A labeler meets one parent picture after the other, and its further cuts at any time from then on: gold counts once a
    picture, so that the answers that count lie all over the work, as where the queue places them.
    ``work`` is (cut, item code, who reads it). Returns, by item code, (username, reading, time) in the order of the times.
    """
    done: dict[str, list[Timed]] = {code: [] for _, code, _ in work}
    for labeler in sorted(plan.LABELERS, key=lambda labeler: bool(labeler.copies)):
        mine = [(cut, code) for cut, code, readers in work if labeler in readers]
        for number, index in enumerate(order_of_work([cut.parent for cut, _ in mine], rng)):
            cut, code = mine[index]
            session, place = divmod(number, plan.SESSION_ITEMS)
            at = started_at + timedelta(days=1 + 2 * session, hours=2, seconds=SECONDS_AN_ITEM * place)
            original = next(((reading, then) for name, reading, then in done[code] if name == labeler.copies), None)
            if original is not None and rng.random() < labeler.copy_share:
                reading = copied_reading(original[0], rater=labeler.username)
                # Nobody copies what is not there yet.
                at = max(at, original[1]) + timedelta(hours=5)
            else:
                through = place / (plan.SESSION_ITEMS - 1)
                reading = simulated_reading(cut, labeler, item=code, place_in_session=through, rng=rng)
            done[code].append((labeler.username, reading, at))
    return {code: tuple(sorted(rows, key=lambda row: row[2])) for code, rows in done.items()}


def order_of_work(parents: Sequence[str], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the places of a labeler's items in the order in which they come to them."""
    names = rng.permutation(sorted(set(parents)))
    first = {name: (place + rng.random()) / (len(names) + 1) for place, name in enumerate(names)}
    return np.argsort([first[name] + (1 - first[name]) * rng.random() for name in parents])


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
    """Distance of pixel centres to the outline in px, negative inside: the outline lies half a pixel off the nearest centre."""
    outside, inside = ndimage.distance_transform_edt(~mask), ndimage.distance_transform_edt(mask)
    return np.asarray(np.where(mask, 0.5 - inside, outside - 0.5), dtype=np.float64)


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
