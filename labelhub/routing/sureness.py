"""How sure the label of an item is, as routing hears it. Not here: the probability itself (``scoring.posteriors``)."""

from __future__ import annotations

from dataclasses import dataclass

from labelhub.catalog.models import Item
from labelhub.projects.policy import Policy
from labelhub.scoring.posteriors import posterior_of


@dataclass(frozen=True, slots=True)
class Sureness:
    """The probability that the item's label is right, None where unknown, and how many known answers corrected it."""

    value: float | None = None
    n_known: int = 0

    def is_calibrated(self, policy: Policy) -> bool:
        """Whether the policy relies on the probability."""
        return self.value is not None and self.n_known >= policy.calibration_items


def sureness_of(item: Item) -> Sureness:
    """Return how sure the item's label is now."""
    found = posterior_of(item)
    return Sureness(found.value, found.n_calibration)
