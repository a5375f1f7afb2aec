"""Every example in a docstring of the package runs and gives what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import labelhub.numerics

MODULES = sorted(module.name for module in pkgutil.iter_modules(labelhub.numerics.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name):
    module = importlib.import_module(f"labelhub.numerics.{name}")
    outcome = doctest.testmod(module, extraglobs={"np": np})
    assert outcome.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_has_an_example_or_says_whose_form_it_shares(name):
    module = importlib.import_module(f"labelhub.numerics.{name}")
    assert module.__doc__
    for attribute, value in vars(module).items():
        if callable(value) and getattr(value, "__module__", "") == module.__name__ and not attribute.startswith("_"):
            assert value.__doc__, f"{name}.{attribute} has no docstring"
