"""What of a training is done and kept, so that one whose worker died trains no fold twice."""

from __future__ import annotations

from typing import Final

from labelhub.catalog.blobs import read_named, store_blob
from labelhub.inference.training.fitting import Fitted
from labelhub.predictions import training_log
from labelhub.predictions.models import TrainingRun

# The network that learns from all items, beside those of the folds, which are named by their numbers.
ALL: Final = "all"


def fold_name(fold: int | None) -> str:
    """Return the name under which a fold is kept; None is the one that learns from all."""
    return ALL if fold is None else str(fold)


def finished(run: TrainingRun, fold: int | None) -> Fitted | None:
    """Return what an earlier attempt made of a fold, or None."""
    found = run.plan.get("fitted", {}).get(fold_name(fold))
    return None if found is None else Fitted(read_named(found["weights"]), found["best_epoch"])


def keep(run: TrainingRun, fold: int | None, fitted: Fitted) -> Fitted:
    """Keep a fold's weights, and note that it is done."""
    blob = store_blob(content=fitted.weights, kind="weights")
    done = run.plan["fitted"] | {fold_name(fold): {"weights": blob.pk, "best_epoch": fitted.best_epoch}}
    training_log.note_plan(run=run, plan=run.plan | {"fitted": done})
    return fitted
