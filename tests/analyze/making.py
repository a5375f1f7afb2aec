"""Small sets of readings made by hand for the tests of measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelhub.formats.shapes import AnnotationSet, Grid, ItemRecord, QuestionSpec, Reading, Region, Shape, Value

GRID = Grid(size=(1, 200, 200))


def box(x: float, y: float, side: float = 20.0, label: str = "cell", name: str = "", **attributes: Value) -> Shape:
    points = np.array([[x, y], [x + side, y + side]], dtype=np.float64)
    return Shape(name or f"{label}-{x:g}-{y:g}-{side:g}", label, (Region("box", points),), attributes=attributes)


def outline(points: Sequence[tuple[float, float]], label: str = "cell", name: str = "p", **region: Any) -> Shape:
    return Shape(name, label, (Region("polygon", np.array(points, dtype=np.float64), **region),))


def point(x: float, y: float, label: str = "spot") -> Shape:
    return Shape(f"{label}-{x:g}-{y:g}", label, (Region("points", np.array([[x, y]], dtype=np.float64)),))


def reading(item: str, rater: str, *shapes: Shape, **more: Any) -> Reading:
    facts: dict[str, Any] = {"read_kind": "independent", "planned_blind": True, "is_empty_read": not shapes}
    if "answers" in more:
        facts["is_empty_read"] = False
    return Reading(item, rater, shapes, **{**facts, **more})


def make_set(
    readings: Sequence[Reading],
    *,
    questions: Sequence[QuestionSpec] = (),
    groups: Mapping[str, str] | None = None,
    grid: Grid = GRID,
    **more: Any,
) -> AnnotationSet:
    keys = list(dict.fromkeys(entry.item for entry in readings))
    records = tuple(
        ItemRecord(
            key,
            source_id=key,
            group=(groups or {}).get(key),
            group_kind="patient" if groups else "unknown",
            grids=(grid,),
        )
        for key in keys
    )
    labels = tuple(dict.fromkeys(shape.label for entry in readings for shape in entry.shapes))
    facts: dict[str, Any] = {"labels": labels, "unit_name": "image"}
    return AnnotationSet("made", records, tuple(readings), questions=tuple(questions), **{**facts, **more})


def rated(table: Mapping[str, Mapping[str, str]], question: str = "kind", **more: Any) -> list[Reading]:
    """Readings from ``{item: {rater: answer}}``."""
    return [
        reading(item, rater, answers={question: answer}, **more)
        for item, answers in table.items()
        for rater, answer in answers.items()
    ]
