"""Models of one's own: a Python class in a package that was installed beside LabelHub, found by its entry point.

A package says in its ``pyproject.toml``::

    [project.entry-points."labelhub.predictors"]
    my-model = "my_package.models:MyPredictor"

``MyPredictor(parameters)`` has ``predict(pixels, grid, ontology)`` as :class:`~labelhub.predictions.predictor.Predictor` says.
Whoever may install packages on the machine may run code there anyway; nothing that comes over the network is ever loaded this
way. Loaded by workers and commands when a model first asks for it, never by a process that serves pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from labelhub.predictions.predictor import NoSuchPredictor, Predictor, is_known, register_predictor

GROUP: Final = "labelhub.predictors"


def register_plugins() -> list[str]:
    """Make the predictors of installed packages known and return their names; none may take a name that is taken."""
    found = []
    for entry in entry_points(group=GROUP):
        if not is_known(entry.name):
            register_predictor(entry.name, _Late(entry))
        found.append(entry.name)
    return found


class _Late:
    """A factory that loads the package when a model first asks for it."""

    def __init__(self, entry: EntryPoint) -> None:
        self.entry = entry

    def __call__(self, parameters: Mapping[str, Any]) -> Predictor:
        try:
            made: Predictor = self.entry.load()(parameters)
        except ImportError as error:
            raise NoSuchPredictor(
                f"The predictor {self.entry.name!r} is installed but cannot be loaded ({error}). Nothing was predicted."
            ) from error
        return made
