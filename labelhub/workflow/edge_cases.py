"""Edge cases first: which of the unread items are worth a person's time most, by a model's doubt, as a batch with priority.

A strategy chooses a batch of items that nobody was given; the queue then hands them out before others. The recommended one is
a lot with foreground assured while few labels are settled, class-stratified power entropy from then on. Not here: the
strategies themselves (``numerics.acquisition``, ``numerics.diversity``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from labelhub.accounts.models import User
from labelhub.assignments.batches import make_batch
from labelhub.assignments.models import Batch
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.consensus.selectors import standing_settlements
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.registry import Running
from labelhub.numerics import acquisition, diversity
from labelhub.numerics.acquisition import Batch as Chosen
from labelhub.predictions.models import ModelVersion, Prediction
from labelhub.projects.models import Project
from labelhub.projects.permissions import Action, require
from labelhub.projects.selectors import current_ontology
from labelhub.scoring.model_doubt import ItemDoubt, doubt_of
from labelhub.scoring.models import GoldReference
from labelhub.workflow.errors import StepRefused

JOB_KIND = "workflow.choose_edge_cases"
# Strategies by name, and what each looks for. The first is chosen by how many labels are settled.
STRATEGIES: Mapping[str, str] = {
    "recommended": "what is recommended for as many settled labels as there are",
    "class-stratified": "class by class what it is least sure of, with some chance",
    "entropy": "what it is least sure of",
    "margin": "where two classes are nearest to each other",
    "bald": "where its members disagree: what more labels would settle",
    "coreset": "what lies furthest from everything that was chosen",
    "typiclust": "what is typical of each kind of item",
    "foreground-random": "by lot, with things to label assured",
    "random": "by lot",
}
PRIORITY = 5
MOST_ITEMS = 5_000


class NoEdgeCases(StepRefused):
    """Nothing can be chosen: no unread item was seen by the model, or the strategy needs what it does not give."""

    code = "no-edge-cases"


def start_choosing(*, project: Project, model: ModelVersion, strategy: str, size: int, by: User) -> Job:
    """Enqueue the choice of ``size`` unread items. Admins only. Writes ``edge_cases.asked``. Raises :class:`NoEdgeCases`."""
    require(by, Action.MANAGE, project)
    if strategy not in STRATEGIES or not 1 <= size <= MOST_ITEMS:
        raise NoEdgeCases(
            f"Choose one of the strategies and 1 to {MOST_ITEMS} items. Nothing was changed.",
            code="choice-refused",
            status=422,
        )
    if not candidates(model).exists():
        raise NoEdgeCases("This model has seen no item that nobody was given. Nothing was changed. Let it look first.")
    with transaction.atomic():
        job = jobs.enqueue(
            kind=JOB_KIND, project_id=project.pk, asked_by=f"user:{by.pk}", dedupe_key=f"edge-cases:{model.pk}",
            arguments={"model": model.pk, "strategy": strategy, "size": size, "by": by.pk},
        )  # fmt: skip
        audit.append(
            project_id=project.pk, kind="edge_cases.asked", actor=f"user:{by.pk}", subject=f"model:{model.pk}",
            facts={"job": job.pk, "strategy": strategy, "items": size},
        )  # fmt: skip
    return job


def run_choosing(running: Running) -> Mapping[str, Any]:
    """Look at what the model said of each unread item, choose, and make a batch: the handler of the job."""
    model = ModelVersion.objects.select_related("project").get(pk=running.arguments["model"])
    rows = list(candidates(model).select_related("item").prefetch_related("item__media").order_by("item_id"))
    labels = [entry.key for entry in current_ontology(model.project)[1].classes]
    doubts = []
    for done, row in enumerate(rows):
        running.progress(done, len(rows), f"Item {done + 1} of {len(rows)}")
        doubts.append(doubt_of(row, labels, len(row.item.media.all())))
    n_settled = standing_settlements(model.project).count()
    asked = running.arguments
    try:
        chosen = choose(doubts, asked["strategy"], asked["size"], n_settled=n_settled, seed=model.pk)
    except NoEdgeCases as refusal:
        raise jobs.JobRefused(str(refusal)) from refusal
    with transaction.atomic():
        # Somebody may have been given one of them meanwhile.
        still = {row.item_id for row in candidates(model).select_for_update(of=("self",))}
        items = [rows[at].item for at in chosen.units if rows[at].item_id in still]
        batch = make_batch(
            project=model.project, name=_name(model), items=items, by=f"job:{running.job.pk}", priority=PRIORITY
        )
    return {"batch": batch.name, "items": len(items), "method": chosen.method}


def candidates(model: ModelVersion) -> QuerySet[Prediction]:
    """Return what the model said of items that nobody was given yet, that are no gold, and that lie in no shared batch."""
    rows = Prediction.objects.filter(model=model, item__state=Item.State.WAITING, item__reads_taken=0)
    rows = rows.exclude(Exists(GoldReference.objects.filter(item=OuterRef("item"), retired_at=None)))
    return rows.exclude(item__in=Batch.objects.filter(project=model.project_id, is_shared=True).values("places__item"))


def choose(doubts: list[ItemDoubt], strategy: str, size: int, *, n_settled: int, seed: int) -> Chosen:
    """Return which of the items come first, by the strategy's name. Raises :class:`NoEdgeCases`."""
    rng = np.random.default_rng([seed, n_settled])
    size = min(size, len(doubts))
    if not size:
        raise NoEdgeCases("No unread item is left. Nothing was changed.")
    name = acquisition.recommended_strategy(n_settled) if strategy == "recommended" else strategy
    if name == "random":
        return acquisition.random_batch(len(doubts), size, rng)
    if name == "foreground-random":
        return acquisition.foreground_batch([entry.has_foreground for entry in doubts], size, rng)
    if name == "class-stratified":
        return acquisition.stratified_power_batch([entry.by_class for entry in doubts], size, rng)
    if name == "coreset":
        return diversity.k_centre_batch([entry.features for entry in doubts], size)
    if name == "typiclust":
        return diversity.typical_batch([entry.features for entry in doubts], size, rng)
    scores = np.array([_score(entry, name) for entry in doubts])
    if not np.isfinite(scores).any():
        raise NoEdgeCases(
            "This model was asked once for each item, so its members cannot disagree. Nothing was changed. Choose another "
            "strategy, or train an ensemble."
        )
    return acquisition.top_batch(scores, size)


def _score(doubt: ItemDoubt, name: str) -> float:
    return {"entropy": doubt.entropy, "margin": doubt.margin, "bald": doubt.epistemic}[name]


def _name(model: ModelVersion) -> str:
    """A name that no batch of the project has: the model's, and a number."""
    stem = f"Edge cases, {model.name} {model.number}"[:70]
    taken = set(Batch.objects.filter(project=model.project_id, name__startswith=stem).values_list("name", flat=True))
    return next(name for n in range(1, len(taken) + 2) if (name := stem if n == 1 else f"{stem} ({n})") not in taken)
