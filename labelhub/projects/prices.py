"""What an hour of work costs in a project: a document that is checked once and never changes.

Not here: what was spent (``analytics.costs``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

MOST_AN_HOUR: Final = 1_000_000.0
MOST_LETTERS: Final = 20


class PricesProblem(ValueError):
    """A price is no number in its range, or stands without a currency; the message says which."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What an hour of labeling and an hour of reviewing cost, in ``currency`` as people write it; None: not known."""

    labeling: float | None = None
    reviewing: float | None = None
    currency: str = ""

    @property
    def is_known(self) -> bool:
        """Whether anything is known at all."""
        return self.labeling is not None or self.reviewing is not None

    def to_document(self) -> dict[str, Any]:
        """Return the prices as a JSON-ready dictionary, which :func:`read_prices` reads back."""
        return asdict(self)


def read_prices(document: Mapping[str, Any]) -> Prices:
    """Return the prices in a document. Raises :class:`PricesProblem`."""
    unknown = sorted(str(name)[:40] for name in set(document) - {field.name for field in fields(Prices)})
    if unknown:
        raise PricesProblem(f"Unknown prices: {', '.join(unknown)}.")
    for name in ("labeling", "reviewing"):
        value = document.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if value is not None and not (is_number and 0 <= value <= MOST_AN_HOUR):
            raise PricesProblem(f"What an hour of {name} costs is a number from 0 to {MOST_AN_HOUR:,.0f}, or empty.")
    currency = document.get("currency", "")
    if not isinstance(currency, str) or len(currency.strip()) > MOST_LETTERS or not currency.isprintable():
        raise PricesProblem(f"The currency is a word of at most {MOST_LETTERS} letters.")
    prices = Prices(document.get("labeling"), document.get("reviewing"), currency.strip())
    if prices.is_known and not prices.currency:
        raise PricesProblem("A price needs a currency, as you write it: EUR, $, credits.")
    return prices
