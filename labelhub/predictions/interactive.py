"""Proposals while somebody works: who makes them, by name. The geodesic one is always there and needs no training.

A network that takes clicks is registered from above (``register_interactive``), by the process that may import its framework.
Not here: the process that answers clicks (``inference.assist_server``), how a page reaches it (``predictions.assist``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from labelhub.predictions import geodesic
from labelhub.predictions.geodesic import Check, Proposed
from labelhub.predictions.marks import Hints
from labelhub.predictions.predictor import NoSuchPredictor

CLASSICAL = geodesic.METHOD
# The predictor of model versions that take clicks (``inference.deepedit``).
CLICK_NETWORK = "network-clicks"


class Interactive(Protocol):
    """Anything that turns what a person points at into a mask.

    ``is_trained`` says whether it learned from labels: what it proposes then counts as a model's, and the read as assisted.
    """

    is_trained: bool

    def propose(
        self, pixels: NDArray[Any], hints: Hints, *, spacing_mm: tuple[float, float, float], level: int, check: Check
    ) -> Proposed:
        """Return what the hints mean in ``pixels``; the same input gives the same answer."""


class Geodesic:
    """Shortest ways through the picture (``geodesic``): it knows nothing but these pixels and these hints."""

    is_trained = False

    def propose(
        self, pixels: NDArray[Any], hints: Hints, *, spacing_mm: tuple[float, float, float], level: int, check: Check
    ) -> Proposed:
        """Return what the hints mean in ``pixels``."""
        return geodesic.propose(pixels, hints, spacing_mm=spacing_mm, level=level, check=check)


InteractiveFactory = Callable[[Mapping[str, Any]], Interactive]
_factories: dict[str, InteractiveFactory] = {CLASSICAL: lambda _parameters: Geodesic()}


def register_interactive(name: str, factory: InteractiveFactory) -> None:
    """Make a way to answer clicks known under ``name``. The factory gets the model version's parameters."""
    _factories[name] = factory


def interactive_of(name: str, parameters: Mapping[str, Any]) -> Interactive:
    """Return the way to answer clicks of that name. Raises :class:`~labelhub.predictions.predictor.NoSuchPredictor`."""
    factory = _factories.get(name)
    if factory is None:
        known = ", ".join(sorted(_factories))
        raise NoSuchPredictor(f"Nothing called {name!r} answers clicks here. Nothing was proposed. Known: {known}.")
    return factory(parameters)
