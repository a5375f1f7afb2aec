"""The form that starts a training: what each setting means, and what was typed as settings.

Whether the settings can be is judged in one place, ``predictions.training_settings``. Not here: starting (``manage_models``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from labelhub.predictions.training_settings import BOUNDS, CLICKS, EFFORTS, MOST_DROPOUT, NETWORKS, TrainingSettings

_WHOLE, _SHARE, _CHOICE, _SWITCH = "whole", "share", "choice", "switch"
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {"effort": EFFORTS, "network": NETWORKS}
_RANGES: Final[Mapping[str, tuple[float, float]]] = {**BOUNDS, "dropout": (0, MOST_DROPOUT)}

# Name, kind, label, and what it does in a sentence.
_FIELDS: Final = (
    ("network", _CHOICE, "Network",
     "Each is sized to the data. DynUNet and UNet spare an axis whose steps are coarse; SegResNet halves all axes alike."),
    ("effort", _CHOICE, "Effort",
     "How large the network and its windows are: small for two cores, medium for a few, large for a graphics card."),
    ("folds", _WHOLE, "Folds", "Patients are divided into so many parts; each is kept from a network, which is judged by it."),
    ("epochs", _WHOLE, "Epochs", "A network learns for at most so many rounds."),
    ("patience", _WHOLE, "Patience",
     "After so many rounds without a better Dice on what was held out, a fold ends early; one with clicks never does."),
    ("seed", _WHOLE, "Seed", "Where chance begins: the same release, settings and seed give the same network on one machine."),
    ("dropout", _SHARE, "Dropout", "The share of features that is left out by chance at each step; 0 leaves out none."),
    ("dropout_passes", _WHOLE, "Dropout passes",
     "A network with dropout is asked so many times, and contradicts itself where it does not know; it takes longer."),
    ("flips", _SWITCH, "Mirrored windows",
     "An automatic network of pictures looks at mirrored windows too: it tells how unsure it is, and takes four times longer."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One setting as the form shows it; ``least`` and ``most`` are None where it is no number."""

    name: str
    kind: str
    label: str
    words: str
    value: Any
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()


def fields_of(settings: TrainingSettings) -> list[Field]:
    """Return the settings behind "More" with these values."""
    fields = []
    for name, kind, label, words in _FIELDS:
        least, most = _RANGES.get(name, (None, None))
        fields.append(Field(name, kind, label, words, getattr(settings, name), least, most, _CHOICES.get(name, ())))
    return fields


def asked_training(form: Mapping[str, str], earlier: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what the form means for a training: its settings and, of a network that takes clicks, its name.

    A setting that the form leaves out is as in ``earlier``, the settings of the training that is repeated, where it is of the
    same kind; else it has its usual value. What is no number is passed on as it was typed, and refused there.
    """
    kind, _, key = form.get("kind", "").partition(":")
    more = {name: _meant(kind_of, form[name]) for name, kind_of, *_ in _FIELDS if kind_of != _SWITCH and name in form}
    if "more" in form:
        # A box that is not ticked is not sent.
        more |= {name: form.get(name) == "1" for name, kind_of, *_ in _FIELDS if kind_of == _SWITCH}
    if earlier is not None and earlier.get("kind") == kind:
        more = {**earlier, **more}
    if kind == CLICKS:
        return {"settings": more | {"kind": CLICKS, "classes": [key]}, "name": f"Clicks: {key}"[:120]}
    return {"settings": more | {"ensemble": form.get("ensemble") == "1"}}


def recipe_words(settings: TrainingSettings) -> str:
    """Return in a few words how a version was trained."""
    told = [
        f"{label.lower()} {getattr(settings, name)}"
        for name, kind, label, _ in _FIELDS
        if kind != _SWITCH and (settings.dropout or name != "dropout_passes")
    ]
    return ", ".join(
        [*told, *(["mirrored windows"] if settings.flips else []), *(["folds together"] if settings.ensemble else [])]
    )


def _meant(kind: str, typed: str) -> Any:
    try:
        if kind == _WHOLE:
            return int(typed)
        return float(typed) if kind == _SHARE else typed
    except ValueError:
        return typed
