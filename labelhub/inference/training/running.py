"""The job that trains: labels, plan, a model a fold, one of all, their versions, out-of-sample predictions, what was reached.

Every step is kept when it is done, so that a job whose worker died goes on where it was: finished folds are not trained again,
predictions not made again. Not here: starting it (``workflow.training_models``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from django.db import transaction

from labelhub.catalog.models import Item
from labelhub.exports.models import Release
from labelhub.exports.selectors import labels_in, release_numbered
from labelhub.inference.training import measuring
from labelhub.inference.training.cases import Case, Label, labels_of, make_cases
from labelhub.inference.training.clicking import train_click_network
from labelhub.inference.training.fitting import Epoch, Fitted, fit
from labelhub.inference.training.kept import ALL, finished, keep
from labelhub.inference.training.planning import Plan, channels, make_plan, read_plan, renumbered
from labelhub.jobs.registry import Running
from labelhub.jobs.services import JobRefused
from labelhub.predictions import training_log
from labelhub.predictions.models import ModelVersion, TrainingRun
from labelhub.predictions.predictor import Interruptible
from labelhub.predictions.selectors import folds_of, training_numbered
from labelhub.predictions.services import Origin, note_metrics, predict_item, predictor_for, register_network
from labelhub.predictions.training_settings import CLICKS, TrainingSettings, read_training_settings
from labelhub.projects.errors import DomainError
from labelhub.projects.selectors import current_ontology
from labelhub.workflow.predicting import hear_model, start_predictions
from labelhub.workflow.training_models import AREA_TOOLS


def run_training(running: Running) -> Mapping[str, Any]:
    """Train as a run says: the handler of ``inference.train``. Stopped or dead, it goes on where it was."""
    run = training_numbered(int(running.arguments["run"]))
    try:
        with tempfile.TemporaryDirectory(prefix="labelhub-training-") as folder:
            if run.settings.get("kind") == CLICKS:
                return train_click_network(run, running, Path(folder))
            return _Training(run, running, Path(folder)).go()
    except DomainError as error:
        raise JobRefused(str(error)) from error


class _Training:
    """One training, from labels to numbers."""

    def __init__(self, run: TrainingRun, running: Running, folder: Path) -> None:
        self.run, self.running, self.folder = run, running, folder
        self.settings: TrainingSettings = read_training_settings(run.settings)
        self.release: Release = release_numbered(run.project, run.release_number)
        _, ontology = current_ontology(run.project)
        areas = [entry.key for entry in ontology.classes if entry.tool in AREA_TOOLS]
        self.candidates = [key for key in areas if not self.settings.classes or key in self.settings.classes]
        self.done, self.total = 0, 1

    def go(self) -> Mapping[str, Any]:
        labels: list[Label] = []
        for item, reading in labels_in(self.release):
            self._show("Reading the labels")
            labels += labels_of(item, reading, self.candidates, self.folder)
        plan = self._plan(labels)
        n_epochs = self.settings.epochs
        self.total = (plan.n_folds + 1) * n_epochs + len(plan.fold_of)
        model = self.run.model
        if model is None:
            model = self._versions(plan, self._fitted(plan, labels), sorted(plan.fold_of))
        self.done = (plan.n_folds + 1) * n_epochs
        metrics = self._judged(plan, model, labels)
        note_metrics(model=model, metrics=metrics, by="system")
        training_log.close_run(run=self.run)
        # What nobody let it learn from it looks at next, so that drafts and doubts are there when people come.
        start_predictions(model=model, project=self.run.project, asked_by="system")
        return {"model": model.pk, "items": len(plan.fold_of), "folds": plan.n_folds}

    def _plan(self, labels: list[Label]) -> Plan:
        if "design" in self.run.plan:
            return read_plan(self.run.plan)
        plan = make_plan(labels, self.candidates, self.settings)
        training_log.note_plan(run=self.run, plan=plan.to_document() | {"fitted": {}})
        return plan

    def _fitted(self, plan: Plan, labels: list[Label]) -> dict[str, Fitted]:
        """The weights of each fold and of the model of all; what an earlier attempt finished is read again."""
        cases = make_cases(
            labels, plan.preparation, self.folder, numbers=renumbered(self.candidates, plan.classes),
            channels=channels(labels), is_flat=plan.design.dimensions == 2, between=self._show,
        )  # fmt: skip
        fitted: dict[str, Fitted] = {}
        for fold in range(plan.n_folds):
            learn = [case for case in cases if plan.fold_of[case.item] != fold]
            held_out = [case for case in cases if plan.fold_of[case.item] == fold]
            fitted[str(fold)] = self._fit(plan, fold, learn, held_out, self.settings.epochs)
        best = [entry.best_epoch for entry in fitted.values()]
        epochs = max(1, round(float(np.median(best)))) if best else self.settings.epochs
        fitted[ALL] = self._fit(plan, None, cases, [], epochs)
        return fitted

    def _fit(self, plan: Plan, fold: int | None, learn: list[Case], held_out: list[Case], epochs: int) -> Fitted:
        number = plan.n_folds if fold is None else fold
        self.done = number * self.settings.epochs
        if (earlier := finished(self.run, fold)) is not None:
            return earlier
        training_log.begin_fold(run=self.run, fold=fold)
        words = "All items" if fold is None else f"Fold {fold + 1} of {plan.n_folds}"

        def tell(epoch: Epoch) -> None:
            training_log.note_point(
                run=self.run, fold=fold, epoch=epoch.number, loss=epoch.loss, held_out_loss=epoch.held_out_loss,
                held_out_dice=epoch.held_out_dice,
            )  # fmt: skip
            self.done = number * self.settings.epochs + epoch.number
            dice = "" if epoch.held_out_dice is None else f", held-out Dice {epoch.held_out_dice:.2f}"
            self._show(f"{words}, epoch {epoch.number}: loss {epoch.loss:.2f}{dice}")

        found = fit(
            plan.design, plan.patch, learn, held_out, self.settings, seed=self.settings.seed * 1000 + number, epochs=epochs,
            tell=tell, between=partial(self._show, words),
        )  # fmt: skip
        return keep(self.run, fold, found)

    def _versions(self, plan: Plan, fitted: Mapping[str, Fitted], items: list[int]) -> ModelVersion:
        """Register the model of all items and those of the folds, together or not at all."""
        members = tuple(
            entry["weights"]
            for name, entry in self.run.plan["fitted"].items()
            if name != ALL and self.settings.ensemble
        )
        release: dict[str, Any] = {"release_number": self.release.number, "release_sha256": self.release.sha256}
        common: dict[str, Any] = {
            "project": self.run.project, "design": plan.design, "classes": plan.outputs, "by": self.run.started_by or "system",
        }  # fmt: skip
        source = f"trained here from release {self.release.number}, seed {self.settings.seed}"
        with transaction.atomic():
            preparation = plan.preparation.with_members(members)
            model = register_network(
                **common, name=self.run.name, weights=fitted[ALL].weights, preparation=preparation,
                origin=Origin(source=source, licence="own", learned_from=items, **release),
            )  # fmt: skip
            for fold in range(plan.n_folds):
                learned = [item for item in items if plan.fold_of[item] != fold]
                origin = Origin(source=source, licence="own", learned_from=learned, fold_of=model, fold=fold, **release)
                register_network(
                    **common, name=f"{self.run.name[:100]} (fold {fold + 1} of version {model.number})",
                    weights=fitted[str(fold)].weights, preparation=plan.preparation, origin=origin,
                )  # fmt: skip
            training_log.note_model(run=self.run, model=model)
        return model

    def _judged(self, plan: Plan, model: ModelVersion, labels: list[Label]) -> dict[str, Any]:
        """Let the model of each fold look at the items kept from it, have them heard, and measure them."""
        if not plan.n_folds:
            return measuring.without_folds(len(plan.fold_of))
        by_item: dict[int, list[Label]] = {}
        for label in labels:
            by_item.setdefault(label.item, []).append(label)
        values: dict[str, dict[int, float]] = {key: {} for key in plan.classes}
        for version in folds_of(model):
            predictor = predictor_for(version)
            for item in (item for item, fold in plan.fold_of.items() if fold == version.fold):
                self._show("Looking at what was held out")
                if isinstance(predictor, Interruptible):
                    predictor.watch(self._show)
                held = Item.objects.select_related("project").get(pk=item)
                prediction = predict_item(model=version, item=held, predictor=predictor, is_out_of_sample=True)
                for key in plan.classes:
                    number = self.candidates.index(key) + 1
                    values[key][item] = measuring.item_dice(prediction, by_item[item], number, key)
                hear_model(item=held)
                self.done += 1
        groups = {label.item: label.group for label in labels}
        return measuring.metrics_of(values, groups, seed=self.settings.seed, n_items=len(plan.fold_of))

    def _show(self, message: str = "") -> None:
        self.running.progress(self.done, max(self.total, self.done + 1), message or self.running.job.message)
