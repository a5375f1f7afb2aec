"""Calls of the public functions of ``labelhub.numerics``, taken from the examples in their docstrings while these run."""

from __future__ import annotations

import copy
import doctest
import functools
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

import labelhub.numerics

MODULES: dict[str, ModuleType] = {
    module.name: importlib.import_module(f"labelhub.numerics.{module.name}")
    for module in pkgutil.iter_modules(labelhub.numerics.__path__)
}


@dataclass(frozen=True)
class Call:
    """One call that worked: the arguments as they were given."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def public_functions() -> dict[str, Callable[..., Any]]:
    """Every public function by ``module.name``."""
    return {
        f"{name}.{attribute}": value
        for name, module in MODULES.items()
        for attribute, value in vars(module).items()
        if callable(value) and not isinstance(value, type) and not attribute.startswith("_")
        and getattr(value, "__module__", "") == module.__name__ and hasattr(value, "__code__")
    }  # fmt: skip


def recorded_calls(functions: dict[str, Callable[..., Any]]) -> dict[str, Call]:
    """The first call of each function while all examples run; of functions without an example those of others' examples."""
    found: dict[str, Call] = {}
    spies = {id(function): _spy(name, function, found) for name, function in functions.items()}
    replaced = [
        (module, attribute, value)
        for module in MODULES.values()
        for attribute, value in vars(module).items()
        if id(value) in spies
    ]
    try:
        for module, attribute, value in replaced:
            setattr(module, attribute, spies[id(value)])
        runner = doctest.DocTestRunner(verbose=False)
        for module in MODULES.values():
            for test in doctest.DocTestFinder().find(module, extraglobs={"np": np}):
                runner.run(test, out=lambda text: None)
        assert not runner.failures, "an example is not true any more: see test_doctests"
    finally:
        for module, attribute, value in replaced:
            setattr(module, attribute, value)
    return found


def _spy(name: str, function: Callable[..., Any], found: dict[str, Call]) -> Callable[..., Any]:
    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if name not in found:
            given = copy.deepcopy((args, kwargs))
            result = function(*args, **kwargs)
            found.setdefault(name, Call(*given))
            return result
        return function(*args, **kwargs)

    return called
