"""How pixels are made ready for a network and what its maps mean: plain settings, checked once.

Not here: doing it (``inference``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from labelhub.projects.errors import DomainError

NORMALISATIONS: Final = ("z-score", "z-score-nonzero", "range", "percentiles", "none")
ACTIVATIONS: Final = ("softmax", "sigmoid")
# ``zyx``: as stored. ``ras``: axes x, y, z towards right, anterior, superior, as MONAI bundles expect them.
AXES: Final = ("zyx", "ras")
MAX_PASSES: Final = 50


class PreparationProblem(DomainError):
    """A setting of how a network is fed is unknown or impossible; nothing was stored."""

    code = "preparation-problem"
    status = 422


@dataclass(frozen=True, slots=True)
class Preparation:
    """What happens before and after the network.

    ``spacing_mm`` ``(z, y, x)`` is what the pixels are resampled to (None: left as they are). ``range`` maps ``low``..``high``
    to ``to_low``..``to_high`` and cuts what lies outside; ``percentiles`` takes the 0.5th and 99.5th for low and high.
    ``patch`` is the window in the network's axes, ``overlap`` its share of overlap. ``flips`` averages over mirrored windows,
    ``dropout_passes`` over that many passes with dropout on; ``members`` names the weights of further networks of the same
    design whose probabilities are averaged in. A region of fewer than ``least_pixels`` is left out.
    """

    spacing_mm: tuple[float, float, float] | None = None
    normalisation: str = "z-score"
    low: float = 0.0
    high: float = 1.0
    to_low: float = 0.0
    to_high: float = 1.0
    axes: str = "zyx"
    patch: tuple[int, ...] = ()
    overlap: float = 0.25
    activation: str = "softmax"
    flips: bool = False
    dropout_passes: int = 0
    members: tuple[str, ...] = ()
    least_pixels: int = 1

    def with_members(self, members: tuple[str, ...]) -> Preparation:
        """Return the same settings with these further networks."""
        return replace(self, members=members)

    def to_document(self) -> dict[str, Any]:
        """Return the settings as a JSON-ready dictionary, which :func:`read_preparation` reads back."""
        return asdict(self)


def read_preparation(document: Mapping[str, Any]) -> Preparation:
    """Return the settings in a document. Raises :class:`PreparationProblem` naming what is wrong."""
    known = {field.name for field in fields(Preparation)}
    unknown = sorted(str(name)[:40] for name in set(document) - known)
    if unknown:
        raise PreparationProblem(
            f"Unknown settings of the network: {', '.join(unknown)}. Known: {', '.join(sorted(known))}."
        )
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
    }
    try:
        prepared = Preparation(**values)
        problem = _problem(prepared)
    except TypeError as error:
        raise PreparationProblem(f"A setting of the network has the wrong type: {error}.") from error
    if problem:
        raise PreparationProblem(f"A setting of the network is impossible: {problem}.")
    return prepared


def _problem(given: Preparation) -> str:
    for name, allowed in (("normalisation", NORMALISATIONS), ("axes", AXES), ("activation", ACTIVATIONS)):
        if getattr(given, name) not in allowed:
            return f"{name} is {str(getattr(given, name))[:40]!r}, allowed are {', '.join(allowed)}"
    spacing = given.spacing_mm
    if spacing is not None and (
        len(spacing) != 3 or not all(_is_number(step) and 0 < step <= 1000 for step in spacing)
    ):
        return "spacing_mm is three numbers above 0"
    if not all(_is_number(value) for value in (given.low, given.high, given.to_low, given.to_high)):
        return "low, high, to_low and to_high are numbers"
    if given.low >= given.high:
        return "low lies below high"
    if not all(isinstance(side, int) and 1 <= side <= 2048 for side in given.patch) or len(given.patch) > 3:
        return "patch is two or three whole numbers from 1 to 2048"
    if not 0 <= given.overlap < 1:
        return "overlap is a share from 0 to below 1"
    if not 0 <= given.dropout_passes <= MAX_PASSES:
        return f"dropout_passes is at most {MAX_PASSES}"
    if given.least_pixels < 1:
        return "least_pixels is at least 1"
    if not all(isinstance(name, str) and len(name) == 64 for name in given.members):
        return "members are names of weights"
    return ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
