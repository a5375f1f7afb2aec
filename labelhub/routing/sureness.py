"""How sure the label of an item is, as routing hears it. Not here: the probability itself (``scoring.posteriors``)."""

from __future__ import annotations

from labelhub.catalog.models import Item
from labelhub.scoring.posteriors import posterior_of


def sureness_of(item: Item) -> tuple[float | None, bool]:
    """Return the probability that the item's label is right, None where unknown, and whether known answers calibrate it."""
    found = posterior_of(item)
    return found.value, found.is_calibrated
