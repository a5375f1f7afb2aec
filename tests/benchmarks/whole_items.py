"""Regions of whole items from shapes as they are stored, and their answers: the second half of ``bench_adjudication``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from labelhub.consensus.adjudicated import Answer, adjudicate
from labelhub.consensus.matters import ItemMatters, matters_of
from labelhub.consensus.merge import Merged, merge_readings
from labelhub.formats.shapes import Grid, MaskRegion, Reading, Shape
from labelhub.formats.shapes import Region as Outline
from labelhub.numerics.mask_pair import bounds
from labelhub.scoring.compare import Terms
from labelhub.scoring.extents import Extents


def timed_items(
    maps: list[np.ndarray],
    readers: list[list[tuple[int, np.ndarray]]],
    photograph: tuple[int, int],
    timed: Callable[[str, Callable[[], object], float], None],
) -> None:
    """What opening the page and settling compute, from shapes as they are stored."""
    items = (
        ("volume", painted_readings(maps), Grid(maps[0].shape, (1.0, 1.0, 1.0)), frozenset(LABELS), 1500),
        ("photograph", outlined_readings(readers), Grid((1, *photograph)), frozenset[str](), 500),
    )
    for name, readings, grid, pooled, limit in items:
        terms = Terms(LABELS, pooled=pooled)
        timed(f"{name}: merged, the vote beside", partial(merged, readings, grid, terms, Extents()), 1000)
        found = opened(readings, grid, terms)
        what = f"{name}: opening it, {len(found.matters)} matters"
        timed(what, partial(opened, readings, grid, terms), limit)
        answers = [Answer(matter.key, "reader", reader=n % 5) for n, matter in enumerate(found.matters)]
        timed(f"{name}: the label out of all answers", partial(adjudicate, found, answers), 300)


def merged(readings: list[Reading], grid: Grid, terms: Terms, extents: Extents) -> Merged:
    return merge_readings(readings, terms=terms, grids=[grid], extents=extents)


def opened(readings: list[Reading], grid: Grid, terms: Terms) -> ItemMatters:
    extents = Extents()
    label = merged(readings, grid, terms, extents)
    return matters_of(readings, label, terms=terms, grids=[grid], extents=extents)


LABELS = tuple(f"class {k}" for k in range(1, 9))


def painted_readings(maps: list[np.ndarray]) -> list[Reading]:
    readings = []
    for reader, one in enumerate(maps):
        shapes = []
        for place, label in enumerate(LABELS, start=1):
            box = bounds(one == place)
            assert box is not None
            origin = tuple(part.start for part in box)
            shapes.append(Shape(label, label, mask=MaskRegion(np.ascontiguousarray(one[box] == place), origin)))
        readings.append(Reading("item", f"r{reader}", tuple(shapes)))
    return readings


def outlined_readings(readers: list[list[tuple[int, np.ndarray]]]) -> list[Reading]:
    return [
        Reading(
            "item", f"r{reader}",
            tuple(Shape(f"s{k}", LABELS[label], (Outline("polygon", ring),)) for k, (label, ring) in enumerate(rings)),
        )
        for reader, rings in enumerate(readers)
    ]  # fmt: skip
