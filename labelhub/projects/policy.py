"""How a project is run: readers an item, gold, thresholds, leases. A document that is checked once and never changes.

Fields say their unit. Not here: the decisions themselves (``routing``), and storage (``models.PolicyVersion``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


class PolicyProblem(ValueError):
    """A value is outside its range; the message names the field and the range."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one version, with safe defaults.

    ``tolerance_mm``/``tolerance_px`` is the τ of surface distances, fixed before reading. ``accept_agreement`` is the least
    mean pairwise similarity (Dice of shapes, share of equal answers) that is accepted without a look; ``slip_agreement`` the
    similarity with the others under which a single odd reader is asked to look again at their own work;
    ``model_agreement`` the least similarity between model and consensus before a reviewer looks.
    ``match_iou`` is the overlap from which two readers' shapes are taken as the same object.
    """

    readers: int = 2
    max_readers: int = 5
    gold_share: float = 0.05
    accept_agreement: float = 0.80
    slip_agreement: float = 0.50
    model_agreement: float = 0.50
    use_model: bool = True
    match_iou: float = 0.30
    tolerance_mm: float = 2.0
    tolerance_px: float = 2.0
    lease_s: int = 1800
    max_rework_rounds: int = 2
    min_gold: int = 20
    min_items: int = 20
    gold_target: float = 0.80
    show_other_answers_on_rework: bool = False

    def to_document(self) -> dict[str, Any]:
        """Return the policy as a JSON-ready dictionary."""
        return asdict(self)


RANGES: Mapping[str, tuple[float, float]] = {
    "readers": (1, 20),
    "max_readers": (1, 50),
    "gold_share": (0.0, 0.5),
    "accept_agreement": (0.0, 1.0),
    "slip_agreement": (0.0, 1.0),
    "model_agreement": (0.0, 1.0),
    "match_iou": (0.01, 1.0),
    "tolerance_mm": (0.001, 1000.0),
    "tolerance_px": (0.001, 1000.0),
    "lease_s": (60, 7 * 24 * 3600),
    "max_rework_rounds": (0, 20),
    "min_gold": (1, 100_000),
    "min_items": (1, 100_000),
    "gold_target": (0.0, 1.0),
}


def read_policy(document: Mapping[str, Any]) -> Policy:
    """Return the policy in ``document``; missing fields take their default. Raises :class:`PolicyProblem`."""
    known = {field.name: field for field in fields(Policy)}
    unknown = sorted(set(document) - set(known))
    if unknown:
        raise PolicyProblem(f"Unknown policy fields: {', '.join(unknown)}. Known: {', '.join(known)}.")
    values = {name: _checked(name, value) for name, value in document.items()}
    policy = Policy(**values)
    if policy.max_readers < policy.readers:
        raise PolicyProblem(f"max_readers is {policy.max_readers}, less than readers ({policy.readers}).")
    return policy


def _checked(name: str, value: Any) -> Any:
    kind = type(getattr(Policy(), name))
    if kind is bool:
        if not isinstance(value, bool):
            raise PolicyProblem(f"{name} is {value!r}; it is true or false.")
        return value
    low, high = RANGES[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise PolicyProblem(f"{name} is {value!r}; it must be a number from {low:g} to {high:g}.")
    if kind is int and value != int(value):
        raise PolicyProblem(f"{name} is {value!r}; it must be a whole number.")
    return kind(value)
