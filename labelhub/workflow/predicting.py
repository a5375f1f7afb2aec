"""Letting a model look at a whole project, as a job, and acting on what it sees: scores first, then a second look where due.

A model's word reaches the stored scores of every item it may be heard on. An item that was settled by vote alone and that
the model strongly disagrees with goes to a reviewer; what a person settled stays. Not here: models (``predictions``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.db import transaction

from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.consensus.selectors import current_settlement
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.registry import Running
from labelhub.jobs.services import JobRefused
from labelhub.predictions.models import ModelVersion
from labelhub.predictions.predictor import Interruptible, PictureDoesNotFit, Warming
from labelhub.predictions.selectors import queue_of, unseen_items
from labelhub.predictions.services import predict_item, predictor_for
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project
from labelhub.routing.services import model_objects, route_item
from labelhub.scoring.model_on_gold import score_on_gold
from labelhub.scoring.services import score_item
from labelhub.workflow import lifecycle
from labelhub.workflow.states import State, move

JOB_KIND = "predictions.predict_project"
# As many items that were left out are named for each reason; all are counted.
MOST_CODES: Final = 200


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Items that did not fit a model for one reason: how many, the codes of the first of them, and what they would need."""

    reason: str
    n: int
    codes: tuple[str, ...]
    remedy: str = PictureDoesNotFit.remedy


def start_predictions(*, model: ModelVersion, project: Project, asked_by: str) -> Job:
    """Enqueue a look at every item the model has not seen; asking twice is one job. Writes ``model.look_asked``."""
    with transaction.atomic():
        job = jobs.enqueue(
            kind=JOB_KIND, arguments={"model": model.pk}, project_id=project.pk, asked_by=asked_by,
            dedupe_key=f"predict:{model.pk}", total_units=unseen_items(model).count(), queue=queue_of(model),
        )  # fmt: skip
        audit.append(
            project_id=project.pk, kind="model.look_asked", actor=asked_by, subject=f"model:{model.pk}",
            facts={"job": job.pk},
        )  # fmt: skip
    return job


def run_predictions(running: Running) -> Mapping[str, Any]:
    """Look at item after item: the handler of ``predictions.predict_project``. Stopped or dead, it goes on where it was.

    An item that does not fit the model is left out and named in the result; the others are predicted.
    """
    model = ModelVersion.objects.get(pk=running.arguments["model"])
    keys = list(unseen_items(model).values_list("pk", flat=True))
    try:
        predictor = predictor_for(model)
    except DomainError as error:
        raise JobRefused(str(error)) from error
    notes: list[str] = []
    if isinstance(predictor, Warming):
        predictor.expect(len(keys), notes.append)
    sent = 0
    unfit: dict[tuple[str, str], list[str]] = {}
    for done, key in enumerate(keys):
        show = partial(running.progress, done, len(keys), f"Item {done + 1} of {len(keys)}")
        show()
        if isinstance(predictor, Interruptible):
            predictor.watch(show)
        item = Item.objects.select_related("project").get(pk=key)
        try:
            prediction = predict_item(model=model, item=item, predictor=predictor)
        except PictureDoesNotFit as misfit:
            # The model may be right for all others, and would come upon this one again at every further attempt.
            unfit.setdefault((misfit.reason, misfit.remedy), []).append(item.code)
            continue
        score_on_gold(prediction)
        sent += hear_model(item=item)
    n_unfit = sum(len(codes) for codes in unfit.values())
    looked = f"{len(keys) - n_unfit} looked at" + (f", {n_unfit} left out" if n_unfit else "")
    running.progress(len(keys), len(keys), ". ".join([looked, *dict.fromkeys(notes)]))
    return {
        "items": len(keys) - n_unfit, "sent_to_review": sent, "notes": list(dict.fromkeys(notes)),
        "left_out": [
            {"reason": reason, "items": len(codes), "codes": codes[:MOST_CODES], "remedy": remedy}
            for (reason, remedy), codes in unfit.items()
        ],
    }  # fmt: skip


def left_out(project: Project) -> dict[int, list[LeftOut]]:
    """Return, by model version, the items that did not fit it when it last looked at the project; one query."""
    done = Job.objects.filter(project_id=project.pk, kind=JOB_KIND, state=Job.State.DONE).order_by("pk")
    return {job.arguments["model"]: left_out_of(job) for job in done}


def left_out_of(job: Job) -> list[LeftOut]:
    """Return the items that a look left out, one entry a reason; nothing of a job of another kind."""
    rows = job.result.get("left_out", ()) if job.kind == JOB_KIND else ()
    needed = PictureDoesNotFit.remedy
    return [LeftOut(row["reason"], row["items"], tuple(row["codes"]), row.get("remedy", needed)) for row in rows]


def hear_model(*, item: Item) -> bool:
    """Score the item against its newest prediction; True where a settled label goes to a reviewer because of it."""
    with transaction.atomic():
        held = lifecycle.locked(item.pk)
        scores = score_item(held)
        # Whether gold is right is the gold audit's question; a model has no say in it.
        if held.state != State.SETTLED or scores.has_gold or not scores.reads.current:
            return False
        settlement = current_settlement(held)
        if settlement is None or settlement.decided_by_id is not None or not model_objects(held, scores):
            return False
        route_item(held, scores, trigger="prediction")
        move(item=held, to=State.REVIEW)
    return True
