"""The files of a release, one after the other, written to disk; archives item by item, COCO and CSV whole in memory.

Always the same bytes for the same settlements: items in order, fixed times inside archives, no clock. Not here: which
settlements (the manifest says), file syntax (``formats``).
"""

from __future__ import annotations

import math
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db.models import Q

from labelhub.catalog.models import Medium
from labelhub.catalog.selectors import grid_of
from labelhub.consensus.ambiguity import IGNORE
from labelhub.consensus.models import SettledShape, Settlement
from labelhub.consensus.selectors import readings_of_settlements
from labelhub.formats.coco_writing import coco_losses, iter_coco
from labelhub.formats.gathering import WrittenFiles
from labelhub.formats.nifti_labels import write_nifti
from labelhub.formats.png_masks import write_png_masks
from labelhub.formats.scores_csv import write_rows
from labelhub.formats.shapes import AnnotationSet, ItemRecord, Loss, QuestionSpec, Reading
from labelhub.jobs.registry import Running
from labelhub.projects.models import OntologyVersion, Project
from labelhub.projects.ontology import read_ontology
from labelhub.scoring.models import Score

# Settlements whose shapes are held in memory at a time: as many as together have so many voxels, at least one.
MOST_AT_A_TIME = 50
MOST_VOXELS = 1 << 26
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
SCORE_COLUMNS = (
    "item", "about", "first", "second", "label", "metric", "value", "low", "high", "n", "unit", "reason", "edge_case",
    "method", "method_version",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    """One written file, still in a temporary place, and what its format could not carry."""

    name: str
    path: Path
    losses: tuple[Loss, ...] = ()


def made_files(
    manifest: Mapping[str, Any], project: Project, formats: Sequence[str], running: Running | None
) -> Iterator[Made]:
    """Write each file in turn; the caller takes it and removes it."""
    source = _source_of(manifest, project)
    for done, name in enumerate(sorted(formats)):
        if running is not None:
            running.progress(done, len(formats), f"Writing {name}")
        yield FORMATS[name](source)


@dataclass(frozen=True, slots=True)
class _Source:
    """What a release is written from. ``labels`` are the classes of all its settlements: the same numbers in every file."""

    project: Project
    settlements: Sequence[int]
    as_of: datetime
    labels: tuple[str, ...]
    questions: tuple[QuestionSpec, ...]

    def batches(self) -> Iterator[AnnotationSet]:
        """Yield the settled labels in the order of the manifest, one item or medium at a time; few are held at once."""
        for start in range(0, len(self.settlements), MOST_AT_A_TIME):
            for keys in _light(self.settlements[start : start + MOST_AT_A_TIME]):
                yield from _singly(self._set(keys))

    def whole(self) -> AnnotationSet:
        """Return all settled labels as one set."""
        return self._set(self.settlements)

    def _set(self, keys: Sequence[int]) -> AnnotationSet:
        rows = Settlement.objects.select_related("item").in_bulk(list(keys))
        settlements = [rows[key] for key in keys]
        media: dict[int, list[Medium]] = {}
        of_items = Medium.objects.filter(item__in=[entry.item_id for entry in settlements])
        for medium in of_items.order_by("item", "ordinal"):
            media.setdefault(medium.item_id, []).append(medium)
        items: list[ItemRecord] = []
        readings: list[Reading] = []
        for entry, reading in zip(settlements, readings_of_settlements(settlements), strict=True):
            for record, part in _by_medium(entry, reading, media.get(entry.item_id, [])):
                items.append(record)
                readings.append(part)
        return AnnotationSet(
            format="labelhub", items=tuple(items), readings=tuple(readings), labels=self.labels,
            questions=self.questions, empty_rule="An item without shapes is stated as read and empty.",
        )  # fmt: skip


def _light(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut a run of settlements into shorter ones of at most ``MOST_VOXELS``, so that large volumes are read one by one."""
    items = dict(Settlement.objects.filter(pk__in=keys).values_list("pk", "item_id"))
    voxels: Counter[int] = Counter()
    for medium in Medium.objects.filter(item__in=items.values()):
        voxels[medium.item_id] += math.prod(grid_of(medium).size)
    run: list[int] = []
    weight = 0
    for key in keys:
        own = voxels[items[key]]
        if run and weight + own > MOST_VOXELS:
            yield run
            run, weight = [], 0
        run.append(key)
        weight += own
    yield run


def _singly(annotations: AnnotationSet) -> Iterator[AnnotationSet]:
    """Each reading as a set of its own, so that a writer makes one item's files at a time."""
    for item, reading in zip(annotations.items, annotations.readings, strict=True):
        yield replace(annotations, items=(item,), readings=(reading,))


def _by_medium(
    settlement: Settlement, reading: Reading, media: Sequence[Medium]
) -> Iterator[tuple[ItemRecord, Reading]]:
    """One entry a medium, because files hold one picture or volume each; the first keeps the answers about the item."""
    item = settlement.item
    for place, medium in enumerate(media):
        key = item.code if len(media) == 1 else f"{item.code}-{medium.ordinal}"
        shapes = tuple(replace(shape, medium=0) for shape in reading.shapes if shape.medium == medium.ordinal)
        record = ItemRecord(key=key, group=item.group_key or None, group_kind=item.group_kind, grids=(grid_of(medium),))
        # The settlement's number stands in the manifest; in files a settled label has one version.
        answers = reading.answers if place == 0 else {}
        yield (
            record,
            replace(
                reading, item=key, shapes=shapes, version=1, answers=answers, is_empty_read=not shapes and not answers
            ),
        )


def _source_of(manifest: Mapping[str, Any], project: Project) -> _Source:
    keys = [entry["settlement"] for entry in manifest["settlements"]]
    used = OntologyVersion.objects.filter(
        project=project, number__in={entry["ontology"] for entry in manifest["settlements"]}
    )
    ontologies = [read_ontology(version.content) for version in used.order_by("-number")]
    labels = dict.fromkeys(entry.key for ontology in ontologies for entry in ontology.classes)
    questions = {question.key: question for ontology in reversed(ontologies) for question in ontology.question_specs()}
    if SettledShape.objects.filter(settlement__in=keys, label=IGNORE).exists():
        # The last number, so that those of the classes stay as they are without it.
        labels[IGNORE] = None
    as_of = datetime.fromisoformat(manifest["as_of"])
    return _Source(project, keys, as_of, tuple(labels), tuple(questions.values()))


def _coco(source: _Source) -> Made:
    annotations = source.whole()
    path = _new_file()
    with path.open("wb") as stream:
        stream.writelines(iter_coco(annotations))
    return Made("coco.json", path, coco_losses(annotations))


def _csv(source: _Source) -> Made:
    path = _new_file()
    path.write_bytes(write_rows(_score_rows(source), columns=SCORE_COLUMNS))
    return Made("scores.csv", path)


def _score_rows(source: _Source) -> Iterator[dict[str, object]]:
    """Every score that stood when the release was started, of all items of the project, by labeler and not by name."""
    stood = Q(replaced_at=None) | Q(replaced_at__gt=source.as_of)
    rows = (
        Score.objects.filter(stood, item__project=source.project, computed_at__lte=source.as_of)
        .select_related("item", "first__assignment__labeler", "second__assignment__labeler", "prediction__model")
        .order_by("item_id", "pk")
    )
    for row in rows.iterator(chunk_size=2000):
        yield {
            "item": row.item.code, "about": row.about, "first": _reader(row.first), "second": _other(row),
            "label": row.label, "metric": row.metric, "value": row.value, "low": row.low, "high": row.high, "n": row.n,
            "unit": row.unit, "reason": row.reason, "edge_case": row.edge_case, "method": row.method,
            "method_version": row.method_version,
        }  # fmt: skip


def _reader(submission: Any) -> str:
    if submission is None:
        return ""
    return f"labeler-{submission.assignment.labeler_id} v{submission.version} {submission.read_kind}"


def _other(row: Score) -> str:
    if row.gold_id is not None:
        return f"gold-{row.gold_id}"
    if row.prediction is not None:
        return f"model {row.prediction.model.name} {row.prediction.model.number}"
    return _reader(row.second)


def _new_file() -> Path:
    with tempfile.NamedTemporaryFile(prefix="labelhub-release-", delete=False) as handle:
        return Path(handle.name)


def _nifti(source: _Source) -> Made:
    numbers = {label: number for number, label in enumerate(source.labels, start=1)}
    return _archive("nifti.zip", (write_nifti(part, values=numbers) for part in source.batches()))


def _png(source: _Source) -> Made:
    return _archive("png.zip", (write_png_masks(part) for part in source.batches()))


def _archive(name: str, parts: Iterator[WrittenFiles]) -> Made:
    """Write a ZIP item by item; its bytes depend on names and contents alone."""
    path, seen, lost = _new_file(), set[str](), Counter[tuple[str, str]]()
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for part in parts:
            for loss in part.losses:
                lost[loss.what, loss.why] += loss.count
            # The table of classes comes with every item, and is the same.
            for file_name in sorted(set(part.files) - seen):
                seen.add(file_name)
                entry = zipfile.ZipInfo(file_name, date_time=_ZIP_TIME)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, part.files[file_name])
    return Made(name, path, tuple(Loss(what, count, why) for (what, why), count in lost.items()))


FORMATS: Mapping[str, Callable[[_Source], Made]] = {"coco": _coco, "csv": _csv, "nifti": _nifti, "png": _png}
