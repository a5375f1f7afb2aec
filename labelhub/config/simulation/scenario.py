"""Scenario files of the simulation: read, checked, and turned into dataclasses. Not here: any drawing of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from labelhub.formats.strict_json import load_json
from labelhub.projects.policy import Policy, PolicyProblem, read_policy

FOLDER = Path(__file__).resolve().parents[3] / "fixtures" / "simulation"


class ScenarioProblem(ValueError):
    """A scenario file cannot be used; the message names the file and the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelGiver:
    """A labeler of classes and the planted fault; the fields are those of the file."""

    accuracy: float
    tires_to: float | None = None
    copies: int | None = None
    copied_share: float = 0.0
    spams: str = ""
    favourite: int = 0
    overlooks: int | None = None
    overlooked_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskGiver:
    """A labeler of masks and the planted fault; lengths in pixels."""

    noise_px: float
    offset_px: float = 0.0
    missing_share: float = 0.0
    missing_again_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What every scenario states: items, capacity, budgets, the policy, and the target."""

    name: str
    says: str
    items: int
    capacity: float
    budgets: tuple[int, ...]
    policy: Policy
    difficulty: float
    target: float
    gain_is_expected: bool
    measure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScenario(Scenario):
    """Class labels."""

    prevalence: tuple[float, ...]
    labelers: tuple[LabelGiver, ...]
    uneven_errors: bool
    shared_errors: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskScenario(Scenario):
    """Masks of one structure an item."""

    labelers: tuple[MaskGiver, ...]
    grid: int
    radius_px: tuple[float, float]
    smoothness_px: float
    gold_each: int


_Giver = TypeVar("_Giver", LabelGiver, MaskGiver)


def read_scenarios(name: str = "all", folder: Path = FOLDER) -> tuple[LabelScenario | MaskScenario, ...]:
    """Return the scenario of this name, or all, in the order of their names. Raises :class:`ScenarioProblem`."""
    paths = sorted(folder.glob("*.json"))
    chosen = paths if name == "all" else [path for path in paths if path.stem == name]
    if not chosen:
        known = ", ".join(path.stem for path in paths)
        raise ScenarioProblem(f"There is no scenario {name!r}. Known: all, {known}.")
    return tuple(read_scenario(path) for path in chosen)


def read_scenario(path: Path) -> LabelScenario | MaskScenario:
    """Return one scenario. Raises :class:`ScenarioProblem`."""
    document = load_json(path.read_bytes(), path.name)
    try:
        return _scenario(document)
    except (KeyError, TypeError, ValueError, PolicyProblem) as error:
        raise ScenarioProblem(f"{path.name} cannot be used: {error!r}") from error


def _scenario(document: Mapping[str, Any]) -> LabelScenario | MaskScenario:
    shared: dict[str, Any] = {
        "name": str(document["name"]),
        "says": str(document["says"]),
        "items": int(document["items"]),
        "capacity": float(document["capacity"]),
        "budgets": tuple(int(budget) for budget in document["budgets"]),
        "policy": read_policy(document["policy"]),
        "difficulty": float(document["difficulty"]),
        "target": next(float(value) for name, value in document["target"].items() if name.startswith("share_")),
        "gain_is_expected": bool(document["gain_is_expected"]),
        "measure": str(document["measure"]),
    }
    if document["kind"] == "labels":
        return LabelScenario(
            **shared,
            prevalence=tuple(float(share) for share in document["prevalence"]),
            labelers=_givers(document["labelers"], LabelGiver),
            uneven_errors=bool(document["uneven_errors"]),
            shared_errors=float(document["shared_errors"]),
        )
    if document["kind"] != "masks":
        raise ScenarioProblem(f"kind is {document['kind']!r}; it is labels or masks")
    low, high = document["radius_px"]
    return MaskScenario(
        **shared,
        labelers=_givers(document["labelers"], MaskGiver),
        grid=int(document["grid"]),
        radius_px=(float(low), float(high)),
        smoothness_px=float(document["smoothness_px"]),
        gold_each=int(document["gold_each"]),
    )


def _givers(rows: Sequence[Mapping[str, Any]], kind: type[_Giver]) -> tuple[_Giver, ...]:
    known = {field.name for field in fields(kind)}
    for row in rows:
        if unknown := sorted(set(row) - known):
            raise ScenarioProblem(f"a labeler has unknown fields: {', '.join(unknown)}")
    return tuple(kind(**row) for row in rows)
