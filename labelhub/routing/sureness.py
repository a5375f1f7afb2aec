"""How sure the label of an item is, as routing hears it. Not here: the probability itself (``scoring``).

No model of the labelers' errors is kept for a project yet: then nothing is known, and rules rest on agreement.
"""

from __future__ import annotations

from labelhub.catalog.models import Item


def sureness_of(item: Item) -> tuple[float | None, bool]:
    """Return the probability that the item's label is right, None where unknown, and whether known answers calibrate it."""
    return None, False
