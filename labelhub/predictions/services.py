"""Registering models and letting them look at items. A prediction is no reading: it votes on nothing.

Not here: comparing predictions with readings (``scoring``) and what follows (``routing``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Max

from labelhub.audit import services as audit
from labelhub.catalog.blobs import store_blob
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import grid_of, media_of, read_pixels
from labelhub.predictions.architectures import Design
from labelhub.predictions.interactive import CLICK_NETWORK
from labelhub.predictions.models import ModelVersion, Prediction, TrainedItem
from labelhub.predictions.plain import SCOPE, map_documents, mean_confidence, shape_documents
from labelhub.predictions.predictor import Predictor, predictor_of
from labelhub.predictions.preparation import Preparation
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project
from labelhub.projects.selectors import current_ontology

# The name of the predictor that runs networks; workers with a framework register it.
NETWORK: Final = "network"


class MappingProblem(DomainError):
    """A network's maps cannot be led to the project's classes; nothing was registered."""

    code = "mapping-problem"
    status = 422


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a network comes from: words for people, the hash of what was brought in, or the release that it learned from."""

    source: str = ""
    licence: str = ""
    checksum: str = ""
    release_number: int | None = None
    release_sha256: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    learned_from: Sequence[int] = ()
    fold_of: ModelVersion | None = None
    fold: int | None = None


def register_model(
    *, project: Project, name: str, predictor: str, parameters: Mapping[str, Any], by: str
) -> ModelVersion:
    """Write the next version of the model ``name``; its parameters are checked first. Writes ``model.registered``."""
    predictor_of(predictor, parameters)
    return _registered(project=project, name=name, by=by, predictor=predictor, parameters=dict(parameters))


def register_network(
    *, project: Project, name: str, design: Design, weights: bytes, classes: Sequence[str], preparation: Preparation, by: str,
    origin: Origin | None = None,
) -> ModelVersion:  # fmt: skip
    """Write the next version of a network with its weights and the items that it learned from. Writes ``model.registered``.

    ``classes`` has, for each map that comes out, the key of the class it means, or nothing. That the weights fit the design is
    checked by ``inference`` before. Raises :class:`MappingProblem`.
    """
    _check_mapping(project, design, classes, preparation)
    given = origin or Origin()
    blob = store_blob(content=weights, kind="weights")
    with transaction.atomic():
        model = _registered(
            project=project, name=name, by=by, predictor=NETWORK, parameters=preparation.to_document(),
            architecture=design.architecture, arguments=dict(design.arguments), weights=blob, classes=list(classes),
            source=given.source[:300], licence=given.licence[:200], checksum=given.checksum or blob.pk,
            release_number=given.release_number, release_sha256=given.release_sha256, metrics=dict(given.metrics),
            fold_of=given.fold_of, fold=given.fold,
        )  # fmt: skip
        TrainedItem.objects.bulk_create(TrainedItem(model=model, item_id=key) for key in given.learned_from)
    return model


def register_click_network(
    *, project: Project, name: str, design: Design, weights: bytes, label: str, by: str, origin: Origin | None = None
) -> ModelVersion:
    """Write the next version of a network that takes clicks and answers for the painted class ``label``, with the items that it
    learned from.

    Writes ``model.registered``. That the weights fit the design is checked by ``inference`` before. Raises
    :class:`MappingProblem` for a class that is not painted here.
    """
    entry = current_ontology(project)[1].label_class(label)
    if entry is None or entry.tool != "brush":
        raise MappingProblem(f"{label[:40]!r} is no painted class of this project. Nothing was registered.")
    given = origin or Origin()
    blob = store_blob(content=weights, kind="weights")
    with transaction.atomic():
        model = _registered(
            project=project, name=name, by=by, predictor=CLICK_NETWORK, architecture=design.architecture,
            arguments=dict(design.arguments), weights=blob, classes=[label], source=given.source[:300],
            licence=given.licence[:200], checksum=given.checksum or blob.pk, release_number=given.release_number,
            release_sha256=given.release_sha256, metrics=dict(given.metrics),
        )  # fmt: skip
        TrainedItem.objects.bulk_create(TrainedItem(model=model, item_id=key) for key in given.learned_from)
    return model


def note_metrics(*, model: ModelVersion, metrics: Mapping[str, Any], by: str) -> None:
    """Keep what a version was measured to reach, once it is known. Writes ``model.measured``."""
    with transaction.atomic():
        model.metrics = dict(metrics)
        ModelVersion.objects.filter(pk=model.pk).update(metrics=model.metrics)
        audit.append(project_id=model.project_id, kind="model.measured", actor=by, subject=f"model:{model.pk}")


def factory_parameters(model: ModelVersion) -> dict[str, Any]:
    """Return what the predictor's factory gets: the parameters, and for a network its design, weights and classes."""
    if not model.is_network:
        return dict(model.parameters)
    return {
        "design": {"architecture": model.architecture, "arguments": model.arguments}, "weights": model.weights_id,
        "classes": model.classes, "preparation": model.parameters,
    }  # fmt: skip


def predictor_for(model: ModelVersion) -> Predictor:
    """Return the predictor of a version, ready to look. Raises ``NoSuchPredictor`` where it is not installed here."""
    return predictor_of(model.predictor, factory_parameters(model))


def predict_item(
    *, model: ModelVersion, item: Item, predictor: Predictor | None = None, is_out_of_sample: bool = False
) -> Prediction:
    """Let a model version look at an item; the second call returns the first answer. Writes ``item.predicted``.

    ``predictor`` is the version's, where the caller holds it ready. Raises ``catalog.errors.NoPixels`` where the item has a
    grid only.
    """
    earlier = Prediction.objects.filter(model=model, item=item).select_related("model", "item").first()
    if earlier is not None:
        return earlier
    _, ontology = current_ontology(item.project)
    ready = predictor or predictor_for(model)
    documents: list[dict[str, Any]] = []
    maps: list[dict[str, Any]] = []
    answers: dict[str, Any] = {}
    for medium in media_of(item):
        seen = ready.predict(read_pixels(medium), grid_of(medium), ontology)
        documents += shape_documents(seen, medium.ordinal)
        maps += map_documents(seen, medium.ordinal)
        answers |= dict(seen.answers)
        answers[SCOPE] = sorted({*answers.get(SCOPE, ()), *seen.asked_labels})
    try:
        with transaction.atomic():
            prediction = Prediction.objects.create(
                model=model, item=item, shapes=documents, answers=answers, confidence=mean_confidence(documents), maps=maps,
                is_out_of_sample=is_out_of_sample,
            )  # fmt: skip
            audit.append(
                project_id=item.project_id, kind="item.predicted", actor=f"model:{model.pk}", subject=f"item:{item.pk}",
                facts={"shapes": len(documents)},
            )  # fmt: skip
    except IntegrityError:
        return Prediction.objects.select_related("model", "item").get(model=model, item=item)
    return prediction


def _registered(*, project: Project, name: str, by: str, **values: Any) -> ModelVersion:
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        highest = ModelVersion.objects.filter(project=project, name=name).aggregate(highest=Max("number"))["highest"]
        model = ModelVersion.objects.create(project=project, name=name[:120], number=(highest or 0) + 1, **values)
        audit.append(
            project_id=project.pk, kind="model.registered", actor=by, subject=f"model:{model.pk}",
            facts={"number": model.number, "predictor": model.predictor},
        )  # fmt: skip
    return model


def _check_mapping(project: Project, design: Design, classes: Sequence[str], preparation: Preparation) -> None:
    _, ontology = current_ontology(project)
    known = {entry.key for entry in ontology.classes}
    unknown = [key for key in classes if key and key not in known]
    if unknown:
        raise MappingProblem(
            f"The project has no class {unknown[0][:80]!r}. Nothing was registered. "
            f"It has: {', '.join(sorted(known)) or 'none'}."
        )
    if len(classes) != design.out_channels:
        raise MappingProblem(
            f"The network gives {design.out_channels} maps and {len(classes)} were named. Nothing was registered. Name a class "
            "for each, or leave it empty."
        )
    if not any(classes):
        raise MappingProblem("No map of the network means a class of the project. Nothing was registered.")
    if preparation.activation == "softmax" and design.out_channels < 2:
        raise MappingProblem(
            "A network with one map says yes or no: choose the activation sigmoid. Nothing was registered."
        )
