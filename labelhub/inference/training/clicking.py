"""From a release to a network that takes clicks: windows around one class' settled labels, a network a fold, one of all.

As for networks that draft (``running``), whole groups are held out in turn, every finished fold is kept, and what stands beside
the version is what networks reached that were kept from the group. No fold ends early: of clicks that are drawn anew at every
step an early best is mostly luck. Not here: the network and one step of its learning (``deepedit``), starting it
(``workflow.training_models``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from labelhub.catalog.selectors import read_pixels
from labelhub.exports.selectors import labels_in, release_numbered
from labelhub.inference.deepedit import CHANNELS, ClickNetwork, Example, Learner
from labelhub.inference.networks import build, load_weights, weights_of
from labelhub.inference.training import click_figures
from labelhub.inference.training.cases import IGNORED, Label, labels_of
from labelhub.inference.training.fitting import Fitted
from labelhub.inference.training.folds import grouped_folds
from labelhub.inference.training.kept import finished, keep
from labelhub.jobs.registry import Running
from labelhub.predictions import training_log
from labelhub.predictions.architectures import Design, design_of
from labelhub.predictions.models import ModelVersion, TrainingRun
from labelhub.predictions.services import Origin, note_metrics, register_click_network
from labelhub.predictions.sizing import DataShape, sized_to
from labelhub.predictions.training_settings import TrainingRefused, TrainingSettings, read_training_settings

# Windows that are cut before the training begins: enough that none is seen all the time, few enough to hold.
_MOST_WINDOWS: Final = 240
_WINDOWS_A_LABEL: Final = 12
# How much smaller and larger than the plan's a window may be: people zoom.
_SCALES: Final = (0.7, 1.4)
_AROUND_A_LABEL: Final = 0.85
_FLAT_SHARE: Final = 0.5
_JUDGED: Final = 8


@dataclass(frozen=True, slots=True)
class ClickPlan:
    """The class that is learned, the network with its window, and who is held out in which fold."""

    label: str
    design: Design
    patch: tuple[int, int, int]
    fold_of: Mapping[int, int]
    n_groups: int

    @property
    def n_folds(self) -> int:
        """How many folds there are; none where all labels are of one group."""
        return len(set(self.fold_of.values())) if self.n_groups > 1 else 0

    def to_document(self) -> dict[str, Any]:
        """Return the plan as a JSON-ready dictionary, which :func:`read_click_plan` reads back."""
        return {
            "label": self.label, "design": self.design.to_document(), "patch": list(self.patch), "n_groups": self.n_groups,
            "fold_of": {str(item): fold for item, fold in self.fold_of.items()},
        }  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A settled label with the pixels ``[z, y, x(, c)]`` that it was drawn on, both in files."""

    label: Label
    pixels: NDArray[Any]

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """The size of a voxel; 1 along each axis where it is not known, as in the editor."""
        return self.label.grid.spacing_mm or (1.0, 1.0, 1.0)


def train_click_network(run: TrainingRun, running: Running, folder: Path) -> Mapping[str, Any]:
    """Train as a run says, from labels to figures. Stopped or dead, it goes on where it was."""
    return _ClickTraining(run, running, folder).go()


def make_click_plan(labels: Sequence[Label], label: str, settings: TrainingSettings) -> ClickPlan:
    """Return what is to be done with the labels that hold the class. Raises :class:`TrainingRefused` where there are none."""
    if not labels:
        raise TrainingRefused(
            f"No label of the release holds {label!r} as an area, on pixels that are here. Nothing was trained. Settle items "
            "with such labels, make a new release, and start again."
        )
    depths = {entry.grid.size[0] > 1 for entry in labels}
    if depths == {True, False}:
        raise TrainingRefused("The release mixes pictures and volumes. Nothing was trained. Release them apart.")
    median = np.maximum(1, np.rint(np.median([entry.grid.size for entry in labels], axis=0))).astype(int)
    spacings = [entry.grid.spacing_mm for entry in labels]
    known = [spacing for spacing in spacings if spacing is not None]
    z, y, x = np.median(np.array(known), axis=0).tolist() if len(known) == len(spacings) else (1.0, 1.0, 1.0)
    shape = DataShape((int(median[0]), int(median[1]), int(median[2])), (z, y, x), 1, 1)
    sized = sized_to(
        shape,
        effort=settings.sizing,
        click_channels=CHANNELS - 1,
        dropout=settings.dropout,
        network=settings.architecture,
    )
    patch = (1, *sized.patch) if len(sized.patch) == 2 else sized.patch
    groups = {entry.item: entry.group for entry in labels}
    items = sorted(groups)
    folds = grouped_folds([groups[item] for item in items], settings.folds, rng=np.random.default_rng(settings.seed))
    return ClickPlan(
        label, sized.design, (patch[0], patch[1], patch[2]), dict(zip(items, folds, strict=True)),
        len(set(groups.values())),
    )  # fmt: skip


def read_click_plan(document: Mapping[str, Any]) -> ClickPlan:
    """Return a stored plan."""
    z, y, x = document["patch"]
    return ClickPlan(
        str(document["label"]), design_of(document["design"]), (z, y, x),
        {int(item): int(fold) for item, fold in document["fold_of"].items()}, int(document["n_groups"]),
    )  # fmt: skip


def windows_of(seen: Sequence[Seen], patch: tuple[int, int, int], rng: np.random.Generator) -> list[Example]:
    """Return windows to learn from: most around a place of the class, of many sizes, mirrored at random; of volumes, half of
    them single slices, since that is what people mostly point at.
    """
    each = max(2, min(_WINDOWS_A_LABEL, _MOST_WINDOWS // max(len(seen), 1)))
    return [_window(one, _sides(one, patch, rng), _middle(one, rng), rng) for one in seen for _ in range(each)]


def judged_window(one: Seen, patch: tuple[int, int, int]) -> Example:
    """Return the window in which a held-out label is judged: of the plan's size, in the middle of what is of the class."""
    spans = [np.flatnonzero((one.label.map == 1).any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    middle = [(int(span[0]) + int(span[-1])) // 2 for span in spans]
    return _window(one, patch, middle, None)


def _sides(one: Seen, patch: tuple[int, int, int], rng: np.random.Generator) -> tuple[int, int, int]:
    scale = float(rng.uniform(*_SCALES))
    sides = [max(1, round(side * scale)) if side > 1 else 1 for side in patch]
    if one.label.grid.size[0] > 1 and rng.random() < _FLAT_SHARE:
        sides[int(rng.choice(3, p=(0.6, 0.2, 0.2)))] = 1
    return sides[0], sides[1], sides[2]


def _middle(one: Seen, rng: np.random.Generator) -> list[int]:
    if rng.random() < _AROUND_A_LABEL:
        places = np.argwhere(one.label.map == 1)
        return [int(at) for at in places[int(rng.integers(len(places)))]]
    return [int(rng.integers(side)) for side in one.label.grid.size]


def _window(one: Seen, sides: tuple[int, int, int], middle: Sequence[int], rng: np.random.Generator | None) -> Example:
    shifts = [0 if rng is None else int(rng.integers(-(side // 4), side // 4 + 1)) for side in sides]
    starts = [
        int(np.clip(at - side // 2 + shift, 0, max(n - side, 0)))
        for at, side, shift, n in zip(middle, sides, shifts, one.label.grid.size, strict=True)
    ]
    box = tuple(slice(start, start + side) for start, side in zip(starts, sides, strict=True))
    mirrored = () if rng is None else tuple(axis for axis in range(3) if rng.random() < 0.5)
    pixels, labels = (np.ascontiguousarray(np.flip(part[box], mirrored)) for part in (one.pixels, one.label.map))
    counts = labels != IGNORED
    return Example(pixels, labels == 1, one.spacing_mm, None if counts.all() else counts)


class _ClickTraining:
    """One training of a network that takes clicks."""

    def __init__(self, run: TrainingRun, running: Running, folder: Path) -> None:
        self.run, self.running, self.folder = run, running, folder
        self.settings = read_training_settings(run.settings)
        self.release = release_numbered(run.project, run.release_number)
        (self.key,) = self.settings.classes
        self.done, self.total = 0, 1

    def go(self) -> Mapping[str, Any]:
        labels: list[Label] = []
        for item, reading in labels_in(self.release):
            self._show("Reading the labels")
            labels += [label for label in labels_of(item, reading, [self.key], self.folder) if 1 in label.present]
        plan = self._plan(labels)
        self.total = (plan.n_folds + 1) * self.settings.epochs + len(labels)
        model = self.run.model
        if model is None or not model.metrics:
            seen = [Seen(label, self._pixels(label)) for label in labels]
            folds = [self._fit(plan, fold, seen) for fold in range(plan.n_folds)]
            model = model or self._version(plan, self._fit(plan, None, seen))
            note_metrics(model=model, metrics=self._judged(plan, folds, seen), by="system")
        training_log.close_run(run=self.run)
        return {"model": model.pk, "items": len(plan.fold_of), "folds": plan.n_folds}

    def _plan(self, labels: list[Label]) -> ClickPlan:
        if "design" in self.run.plan:
            return read_click_plan(self.run.plan)
        plan = make_click_plan(labels, self.key, self.settings)
        training_log.note_plan(run=self.run, plan=plan.to_document() | {"fitted": {}})
        return plan

    def _pixels(self, label: Label) -> NDArray[Any]:
        """The pixels of a label's medium in a file, of which a window is read at a time."""
        self._show("Reading the pictures")
        path = self.folder / f"pixels-{label.medium.pk}.npy"
        np.save(path, read_pixels(label.medium), allow_pickle=False)
        kept: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return kept

    def _fit(self, plan: ClickPlan, fold: int | None, seen: list[Seen]) -> Fitted:
        number = plan.n_folds if fold is None else fold
        self.done = number * self.settings.epochs
        if (earlier := finished(self.run, fold)) is not None:
            return earlier
        training_log.begin_fold(run=self.run, fold=fold)
        words = "All items" if fold is None else f"Fold {fold + 1} of {plan.n_folds}"
        rng = np.random.default_rng(self.settings.seed * 1000 + number)
        learn = [one for one in seen if fold is None or plan.fold_of[one.label.item] != fold]
        held_out = [one for one in seen if fold is not None and plan.fold_of[one.label.item] == fold][:_JUDGED]
        judged = [judged_window(one, plan.patch) for one in held_out]
        examples = windows_of(learn, plan.patch, rng)
        learner = Learner(plan.design, rng=rng, rate=self.settings.learning_rate)
        for epoch in range(1, self.settings.epochs + 1):
            loss = learner.learn(examples, self.settings.steps, lambda _step, _loss: self._show(words))
            dice = click_figures.mean_after_one(learner.answering, judged)
            training_log.note_point(run=self.run, fold=fold, epoch=epoch, loss=loss, held_out_dice=dice)
            self.done = number * self.settings.epochs + epoch
            told = "" if dice is None else f", held-out Dice after a click {dice:.2f}"
            self._show(f"{words}, epoch {epoch}: loss {loss:.2f}{told}")
        return keep(self.run, fold, Fitted(weights_of(learner.network), self.settings.epochs))

    def _version(self, plan: ClickPlan, fitted: Fitted) -> ModelVersion:
        origin = Origin(
            source=f"trained here from release {self.release.number}, seed {self.settings.seed}", licence="own",
            release_number=self.release.number, release_sha256=self.release.sha256, learned_from=sorted(plan.fold_of),
        )  # fmt: skip
        model = register_click_network(
            project=self.run.project, name=self.run.name, design=plan.design, weights=fitted.weights, label=plan.label,
            by=self.run.started_by or "system", origin=origin,
        )  # fmt: skip
        training_log.note_model(run=self.run, model=model)
        return model

    def _judged(self, plan: ClickPlan, folds: Sequence[Fitted], seen: list[Seen]) -> dict[str, Any]:
        """Let a simulated person click on what each fold was kept from."""
        found: dict[int, list[click_figures.Session]] = {}
        for fold, fitted in enumerate(folds):
            network = ClickNetwork(plan.design, load_weights(build(plan.design), fitted.weights))
            for one in (one for one in seen if plan.fold_of[one.label.item] == fold):
                self._show("Clicking on what was held out")
                # The same clicks at every attempt, whatever was done before.
                rng = np.random.default_rng([self.settings.seed, one.label.medium.pk])
                example = judged_window(one, plan.patch)
                found.setdefault(one.label.item, []).append(click_figures.session(network, example, rng))
                self.done += 1
        groups = {one.label.item: one.label.group for one in seen}
        return click_figures.metrics_of(found, groups, seed=self.settings.seed, n_items=len(plan.fold_of))

    def _show(self, message: str = "") -> None:
        self.running.progress(self.done, max(self.total, self.done + 1), message or self.running.job.message)
