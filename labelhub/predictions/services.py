"""Registering models and letting them look at items. A prediction is no reading: it votes on nothing.

Not here: comparing predictions with readings (``scoring``) and what follows (``routing``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import grid_of, media_of, read_pixels
from labelhub.predictions.models import ModelVersion, Prediction
from labelhub.predictions.plain import SCOPE, mean_confidence, shape_documents
from labelhub.predictions.predictor import predictor_of
from labelhub.projects.models import Project
from labelhub.projects.selectors import current_ontology


def register_model(
    *, project: Project, name: str, predictor: str, parameters: Mapping[str, Any], by: str
) -> ModelVersion:
    """Write the next version of the model ``name``; its parameters are checked first. Writes ``model.registered``."""
    predictor_of(predictor, parameters)
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        highest = ModelVersion.objects.filter(project=project, name=name).aggregate(highest=Max("number"))["highest"]
        model = ModelVersion.objects.create(
            project=project,
            name=name[:120],
            number=(highest or 0) + 1,
            predictor=predictor,
            parameters=dict(parameters),
        )
        audit.append(
            project_id=project.pk, kind="model.registered", actor=by, subject=f"model:{model.pk}",
            facts={"number": model.number, "predictor": predictor},
        )  # fmt: skip
    return model


def predict_item(*, model: ModelVersion, item: Item) -> Prediction:
    """Let a model version look at an item; the second call returns the first answer. Writes ``item.predicted``.

    Raises ``catalog.errors.NoPixels`` where the item has a grid only.
    """
    earlier = Prediction.objects.filter(model=model, item=item).select_related("model", "item").first()
    if earlier is not None:
        return earlier
    _, ontology = current_ontology(item.project)
    predictor = predictor_of(model.predictor, model.parameters)
    documents: list[dict[str, Any]] = []
    answers: dict[str, Any] = {}
    for medium in media_of(item):
        seen = predictor.predict(read_pixels(medium), grid_of(medium), ontology)
        documents += shape_documents(seen, medium.ordinal)
        answers |= dict(seen.answers)
        answers[SCOPE] = sorted({*answers.get(SCOPE, ()), *seen.asked_labels})
    try:
        with transaction.atomic():
            prediction = Prediction.objects.create(
                model=model, item=item, shapes=documents, answers=answers, confidence=mean_confidence(documents)
            )
            audit.append(
                project_id=item.project_id, kind="item.predicted", actor=f"model:{model.pk}", subject=f"item:{item.pk}",
                facts={"shapes": len(documents)},
            )  # fmt: skip
    except IntegrityError:
        return Prediction.objects.select_related("model", "item").get(model=model, item=item)
    return prediction
