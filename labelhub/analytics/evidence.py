"""From a number or a sentence to the items behind it. Not here: the numbers (``scoring.panel``), addresses (``web``)."""

from __future__ import annotations

from collections.abc import Iterator

from labelhub.scoring.panel_rows import Measured, Panel


def every_number(panel: Panel) -> Iterator[Measured]:
    """Every number of the panel: of the set, of each labeler, of each pair."""
    yield from panel.numbers()
    for row in panel.labelers:
        yield from row.agreement
        yield from row.gold
    for pair in panel.pairs:
        yield pair.measured
    for shape in panel.shapes:
        yield from (shape.alpha, shape.ceiling)


def number_named(panel: Panel, key: str) -> Measured | None:
    """Return the number with this key; None where the panel has none (any more)."""
    return next((measured for measured in every_number(panel) if measured.key == key), None)
