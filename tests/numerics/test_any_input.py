"""Every public function takes lists for arrays and refuses what it cannot use with a ``ValueError``; new ones are found by it.

The calls come from the examples in docstrings, which run while they are recorded; then each argument in turn is replaced by
something wrong. Planted once and seen to fail: ``@checked`` left off a listed function; the rule of arrays taken out of
``arguments`` (``AttributeError`` and ``TypeError`` from inside); a spacing below 0 let through; masks on two grids compared.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import re
import warnings
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import labelhub.numerics
from labelhub.numerics.arguments import checked, one_a_unit
from labelhub.numerics.bootstrap import Resampling
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.results import Estimate
from tests.numerics.calls import MODULES, Call, public_functions, recorded_calls

FUNCTIONS = public_functions()
CHECKED = {name: function for name, function in FUNCTIONS.items() if hasattr(function, "__wrapped__")}
TABLE = re.search(
    r"\| module \| main functions \|.*?\n\n", (Path(labelhub.numerics.__path__[0]) / "README.md").read_text(), re.DOTALL
)
PLACED = [PlacedMask(np.ones((2, 2), dtype=bool), (0, 0)), PlacedMask(np.ones((2, 3), dtype=bool), (0, 1))]
# Functions that have no example of their own and that no other example calls.
MORE_CALLS = {
    "bootstrap.weighted_bootstrap_interval": Call(
        (3, lambda drawn: drawn[:, 0].astype(float), Resampling(np.random.default_rng(0), n_resamples=9)), {}
    ),
    "disagreement.disputed_regions_among": Call((PLACED,), {}),
    "results.undefined": Call(("no reason",), {"n": 0, "unit": "items", "method": "m", "version": "1"}),
    "shape_distances.iou_distance": Call(tuple(PLACED), {}),
}  # fmt: skip
WRONG: Mapping[str, Any] = {
    "None": None, "a text": "text", "nothing": [], "NaN": math.nan, "below 0": -1, "a mapping": {}, "texts": [["a", "b"]],
    "rows of unequal length": [[1, 2], [3]], "something else": object(), "a list of None": [None],
    "numbers below 0": [-1.0, -1.0], "a flat list": [1, 2, 3],
}  # fmt: skip
# What the caller's own function does with the caller's own things is the caller's.
OWN = {("structured.structured_alpha", "items"), ("shape_raters.overall_human_ceiling", "items")}


@pytest.fixture(scope="module")
def calls() -> dict[str, Call]:
    known = {name: call for name, call in MORE_CALLS.items() if call is not None}
    return known | recorded_calls(FUNCTIONS)


def attempt(function: Any, bound: inspect.BoundArguments, **changed: Any) -> Any:
    """The result, or the ValueError; anything else is raised."""
    given = inspect.BoundArguments(bound.signature, copy.deepcopy(bound.arguments) | changed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*given.args, **given.kwargs)
        except ValueError as refusal:
            return refusal


def bound_call(name: str, calls: dict[str, Call]) -> inspect.BoundArguments:
    assert name in calls, f"{name} has no example in its docstring: give one, so that its input can be tried"
    return inspect.signature(CHECKED[name]).bind(*calls[name].args, **calls[name].kwargs)


def test_every_module_stands_in_the_readme_and_every_function_named_there_is_checked():
    assert TABLE is not None
    rows = [line.split("|")[1:3] for line in TABLE.group().splitlines()[2:] if line.startswith("|")]
    modules = {name for first, _ in rows for name in re.findall(r"`(\w+)`", first)}
    assert modules == set(MODULES), "a new module has a row; a row has a module"
    named = {name for _, second in rows for name in re.findall(r"`([a-z]\w+)`", second)}
    known = {name.partition(".")[2] for name in FUNCTIONS}
    unchecked = {name.partition(".")[2] for name in FUNCTIONS} - {name.partition(".")[2] for name in CHECKED}
    assert not (named & known & unchecked) - {"checked", "one_a_unit"}, "put @checked on it"


@pytest.mark.parametrize("name", CHECKED)
def test_wrong_input_gives_a_result_or_a_value_error_and_nothing_else(name: str, calls: dict[str, Call]):
    bound = bound_call(name, calls)
    for argument in bound.arguments:
        for kind, value in WRONG.items():
            if (name, argument) in OWN:
                continue
            try:
                attempt(CHECKED[name], bound, **{argument: value})
            except Exception as error:  # noqa: BLE001 (whatever it is, the message says of which input)
                pytest.fail(f"{name}: {argument} is {kind}: {type(error).__name__}: {error}")


@pytest.mark.parametrize("name", CHECKED)
def test_lists_give_what_arrays_give(name: str, calls: dict[str, Call]):
    bound = bound_call(name, calls)
    arrays = {argument: value for argument, value in bound.arguments.items() if is_array(value)}
    if not arrays:
        return
    lists = {argument: as_list(value) for argument, value in arrays.items()}
    ours, theirs = attempt(CHECKED[name], bound), attempt(CHECKED[name], bound, **lists)
    assert not isinstance(theirs, ValueError), theirs
    assert alike(ours, theirs)


@pytest.mark.parametrize("name", CHECKED)
def test_a_spacing_below_0_and_masks_on_two_grids_are_refused(name: str, calls: dict[str, Call]):
    bound = bound_call(name, calls)
    arguments = bound.arguments
    bound.apply_defaults()
    masks = [
        key
        for key, value in arguments.items()
        if isinstance(value, np.ndarray) and value.dtype == bool and value.ndim > 1
    ]
    if len(masks) == 2 and arguments[masks[0]].shape == arguments[masks[1]].shape:
        assert isinstance(attempt(CHECKED[name], bound, **{masks[1]: arguments[masks[1]][1:]}), ValueError)
    for argument in arguments:
        dimensions = next((arguments[key].ndim for key in masks), 0)
        if argument.startswith("spacing") and dimensions:
            refusal = attempt(CHECKED[name], bound, **{argument: [-1.0] * dimensions})
            assert isinstance(refusal, ValueError)
            assert "spacing" in str(refusal)


def is_array(value: Any) -> bool:
    is_some = isinstance(value, list | tuple) and bool(value)
    return isinstance(value, np.ndarray) or (is_some and all(isinstance(part, np.ndarray) for part in value))


def as_list(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else [part.tolist() for part in value]


def alike(first: Any, second: Any) -> bool:
    """Whether two results say the same."""
    if isinstance(first, np.ndarray):
        return np.array_equal(first, second, equal_nan=first.dtype.kind == "f")
    if dataclasses.is_dataclass(first):
        names = [field.name for field in dataclasses.fields(first)]
        return type(first) is type(second) and all(alike(getattr(first, n), getattr(second, n)) for n in names)
    if isinstance(first, tuple | list):
        return len(first) == len(second) and all(map(alike, first, second))
    if isinstance(first, Mapping):
        return first.keys() == second.keys() and all(alike(first[key], second[key]) for key in first)
    if isinstance(first, float):
        return math.isclose(first, second, rel_tol=1e-12) or (math.isnan(first) and math.isnan(second))
    return callable(first) or bool(first == second)


def test_arguments_are_refused_by_name_value_and_what_is_allowed():
    @checked
    def weigh(values: np.ndarray, estimate: Estimate, level: float = 0.95, name: str | None = None) -> np.ndarray:
        return values * level

    estimate = Estimate(1.0, 0.0, 1.0, 3, "items", "m", "1")
    assert weigh([1, 2], estimate, 2.0).tolist() == [2.0, 4.0], "a list stands for an array"
    for call, words in (
        (lambda: weigh("ab", estimate), "values is 'ab'; allowed is an array"),
        (lambda: weigh([1], 0.5), "estimate is 0.5; allowed is a Estimate"),
        (lambda: weigh([1], estimate, level=True), "level is True; allowed is a number"),
        (lambda: weigh([1], estimate, name=3), "name is 3; allowed is a text or None"),
        (lambda: one_a_unit("truth", 1.0), "truth is 1.0; allowed is one entry a unit"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_what_an_annotation_leaves_open_passes_and_the_rest_is_looked_at():
    @checked
    def told(
        key: Hashable | None,
        names: set[int],
        values: NDArray[Any],
        places: Sequence[int],
        sizes: Sequence[int | None] = (),
    ) -> tuple[Any, ...]:
        return key, names, values, places, sizes

    key, names, values, places, sizes = told(("a", 1), "any", ["x", "y"], np.array([1, 2]), [1, None])
    assert (key, names, values.tolist(), places.tolist(), sizes) == (("a", 1), "any", ["x", "y"], [1, 2], [1, None])
    mixed: Any = [1, "a"]
    for call, words in (
        (lambda: told(None, set(), [1], np.array(3)), r"places is array\(3\); allowed is a sequence"),
        (lambda: told(None, set(), [1], np.array(["a"])), r"places is array\(\['a'\].*; allowed is a sequence"),
        (lambda: told(None, set(), [1], [1], mixed), r"sizes\[1\] is 'a'; allowed is a whole number or None"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
