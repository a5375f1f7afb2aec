"""What every model looks like from outside: pixels in, shapes with confidences out. No framework is named here.

A predictor is found by name. The classical one is always there; packages above may register others that run elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.shapes import Grid, Shape, Value
from labelhub.projects.errors import DomainError
from labelhub.projects.ontology import Ontology


@dataclass(frozen=True, slots=True)
class Doubt:
    """How unsure a model is of a shape, in bits: what more training could take away, and what the picture leaves open."""

    epistemic: float
    aleatoric: float


@dataclass(frozen=True, slots=True, eq=False)
class PixelMap:
    """A number from 0 to ``most`` for each pixel ``[z, y, x]``, as uint8 (0 to 255).

    ``kind`` is ``probability`` (of the class ``label``), ``epistemic`` or ``aleatoric`` (in bits).
    """

    kind: str
    values: NDArray[np.uint8]
    label: str = ""
    most: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a model says of one medium. ``confidences`` are by shape id, from 0 to 1, where the model has them.

    ``asked_labels`` are the classes the model knows: of all others it says nothing, and nothing is not "absent". ``doubts`` are
    the mean epistemic and aleatoric uncertainty of a shape, in bits, where the model was asked more than once; ``maps`` what
    it said of each pixel.
    """

    shapes: tuple[Shape, ...] = ()
    confidences: Mapping[str, float] = field(default_factory=dict)
    answers: Mapping[str, Value] = field(default_factory=dict)
    asked_labels: tuple[str, ...] = ()
    doubts: Mapping[str, Doubt] = field(default_factory=dict)
    maps: tuple[PixelMap, ...] = ()


class PictureDoesNotFit(DomainError):
    """The model was made for another kind of picture, and nothing was predicted of this one; others may fit.

    ``reason`` is the half sentence that says in what they differ.
    """

    code = "picture-does-not-fit"
    remedy: ClassVar[str] = "a model that was made for such pictures"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason[:1].upper()}{reason[1:]}. Nothing was predicted. It would need {self.remedy}.")
        self.reason = reason


class PictureTooLarge(PictureDoesNotFit):
    """The picture does not fit into the memory of this machine even in the smallest windows; on another it may."""

    code = "picture-too-large"
    remedy = "a machine with more memory, or other programs closed on this one"


class Predictor(Protocol):
    """Anything that looks at pixels ``[z, y, x]`` or ``[z, y, x, c]`` on a grid and says what is there."""

    def predict(self, pixels: NDArray[Any], grid: Grid, ontology: Ontology) -> Seen:
        """Say what is on this medium. Pure: the same pixels give the same answer. Raises :class:`PictureDoesNotFit`."""


@runtime_checkable
class Interruptible(Protocol):
    """A predictor that takes long over one medium and can be stopped in between."""

    def watch(self, between: Callable[[], None]) -> None:
        """Call ``between`` at least every second of work from now on, and let pass what it raises."""


@runtime_checkable
class Warming(Protocol):
    """A predictor that can make itself faster for much work, which pays only there."""

    def expect(self, pictures: int, note: Callable[[str], None]) -> None:
        """So many pictures come, of one project; ``note`` hears in a sentence what did not work on the way."""


class NoSuchPredictor(DomainError):
    """A model version names a predictor that no installed package provides."""

    code = "no-such-predictor"


PredictorFactory = Callable[[Mapping[str, Any]], Predictor]
_factories: dict[str, PredictorFactory] = {}


_everywhere: set[str] = set()


def register_predictor(name: str, factory: PredictorFactory, *, runs_everywhere: bool = False) -> None:
    """Make a predictor known under ``name``. The factory gets the model version's parameters.

    One that ``runs_everywhere`` is registered in every process, and workers of any machine can run it.
    """
    _factories[name] = factory
    if runs_everywhere:
        _everywhere.add(name)


def is_known(name: str) -> bool:
    """Whether a predictor of that name is registered in this process."""
    return name in _factories


def runs_everywhere(name: str) -> bool:
    """Whether any worker can run the predictor; the others run where networks do."""
    return name in _everywhere


def predictor_of(name: str, parameters: Mapping[str, Any]) -> Predictor:
    """Return the predictor ``name`` with these parameters. Raises :class:`NoSuchPredictor`."""
    factory = _factories.get(name)
    if factory is None:
        known = ", ".join(sorted(_factories)) or "none"
        raise NoSuchPredictor(
            f"The predictor {name!r} is not installed here. Nothing was predicted. Known: {known}. Networks run in a worker of "
            "their own: `manage.py worker --queues gpu`."
        )
    return factory(parameters)
