"""How a network is trained: plain settings, checked once and kept. Not here: training (``inference.training``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, cast

from labelhub.predictions.preparation import MAX_PASSES
from labelhub.predictions.sizing import Effort, Network
from labelhub.projects.errors import DomainError

EFFORTS: Final = ("small", "medium", "large")
NETWORKS: Final = ("DynUNet", "SegResNet", "UNet")
# A network that drafts whole items, or one that takes clicks and answers for one painted class.
AUTOMATIC: Final = "automatic"
CLICKS: Final = "clicks"
# The least and the most of each number; a page shows the same.
BOUNDS: Final = {
    "folds": (2, 10), "epochs": (1, 2000), "steps": (1, 1000), "batch": (0, 256), "patience": (1, 1000),
    "seed": (0, 2**31 - 1), "dropout_passes": (2, MAX_PASSES),
}  # fmt: skip
# More than this share of dropout leaves a network little to learn with.
MOST_DROPOUT: Final = 0.8


class TrainingRefused(DomainError):
    """The training cannot be started or cannot learn from what it was given; nothing was started, or nothing kept."""

    code = "training-refused"
    status = 422


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """What a training does, the same each time for the same seed, release and machine.

    ``classes`` are learned (empty: all that are drawn as areas). ``folds`` parts of the groups are held out in turn. An epoch
    is ``steps`` batches of ``batch`` patches (0: what the dimensions suggest); after ``patience`` epochs without a better
    held-out Dice a fold ends. ``flips`` makes models of pictures look at mirrored windows too, which tells how unsure they are
    (a volume has eight of them, which a CPU would take half a minute for); ``ensemble`` lets the models of the folds answer
    together with the one that saw all, which tells it of volumes too. ``kind`` is ``automatic`` or ``clicks``: a network that
    answers clicks for one class, of which all folds take the same number of steps, since none ends early. ``dropout`` is the
    share of features that is left out by chance at each step; an automatic network that learned so is asked ``dropout_passes``
    times with it, and tells by its contradictions what it does not know (Gal and Ghahramani 2016).
    """

    kind: str = AUTOMATIC
    classes: tuple[str, ...] = ()
    folds: int = 3
    epochs: int = 30
    steps: int = 12
    batch: int = 0
    patience: int = 8
    effort: str = "small"
    seed: int = 0
    learning_rate: float = 3e-3
    flips: bool = True
    ensemble: bool = False
    dropout: float = 0.0
    dropout_passes: int = 8
    network: str = "DynUNet"

    @property
    def sizing(self) -> Effort:
        """The effort as the sizing of networks knows it."""
        return cast(Effort, self.effort)

    @property
    def architecture(self) -> Network:
        """The network as the sizing knows it."""
        return cast(Network, self.network)

    def to_document(self) -> dict[str, Any]:
        """Return the settings as a JSON-ready dictionary."""
        return asdict(self) | {"classes": list(self.classes)}


def read_training_settings(document: Mapping[str, Any]) -> TrainingSettings:
    """Return the settings in a document. Raises :class:`TrainingRefused` naming what is wrong."""
    known = {field.name for field in fields(TrainingSettings)}
    unknown = sorted(str(name)[:40] for name in set(document) - known)
    if unknown:
        raise TrainingRefused(
            f"Unknown settings of a training: {', '.join(unknown)}. Nothing was started. Known: {', '.join(sorted(known))}."
        )
    if document.get("network", NETWORKS[0]) not in NETWORKS:
        raise TrainingRefused(f"network is one of {', '.join(NETWORKS)}. Nothing was started.")
    _check_numbers(document)
    if document.get("kind", AUTOMATIC) not in (AUTOMATIC, CLICKS):
        raise TrainingRefused(f"kind is {AUTOMATIC} or {CLICKS}. Nothing was started.")
    if document.get("effort", "small") not in EFFORTS:
        raise TrainingRefused(f"effort is one of {', '.join(EFFORTS)}. Nothing was started.")
    classes = document.get("classes", ())
    if not isinstance(classes, list | tuple) or not all(isinstance(key, str) for key in classes):
        raise TrainingRefused("classes is a list of keys. Nothing was started.")
    if document.get("kind", AUTOMATIC) == CLICKS and len(classes) != 1:
        raise TrainingRefused("A network that takes clicks learns one class: name it. Nothing was started.")
    return TrainingSettings(**{**document, "classes": tuple(classes)})


def _check_numbers(document: Mapping[str, Any]) -> None:
    for name, (least, most) in BOUNDS.items():
        value = document.get(name, least)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise TrainingRefused(f"{name} is a whole number from {least} to {most}. Nothing was started.")
    rate = document.get("learning_rate", 1e-3)
    if not isinstance(rate, int | float) or not 0 < rate < 1:
        raise TrainingRefused("learning_rate lies between 0 and 1. Nothing was started.")
    dropout = document.get("dropout", 0.0)
    if not isinstance(dropout, int | float) or isinstance(dropout, bool) or not 0 <= dropout <= MOST_DROPOUT:
        raise TrainingRefused(f"dropout is a share from 0 to {MOST_DROPOUT}. Nothing was started.")
    for name in ("flips", "ensemble"):
        if not isinstance(document.get(name, False), bool):
            raise TrainingRefused(f"{name} is true or false. Nothing was started.")
