"""The files of a release, one after the other, written to disk; archives item by item, COCO and CSV whole in memory.

Always the same bytes for the same manifest: items in order, fixed times inside archives, no clock. What is truly ambiguous
is an ignore region in every format (:data:`IGNORED_AS`). Not here: which settlements and reads (the manifest says), turning
them into plain sets (``contents``), file syntax (``formats``).
"""

from __future__ import annotations

import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.db.models import Q

from labelhub.consensus.adjudicated import IGNORE
from labelhub.exports.contents import Contents, settled_contents
from labelhub.exports.provenance import provenance_lines
from labelhub.exports.reads import read_contents
from labelhub.formats.coco_writing import coco_losses, iter_coco
from labelhub.formats.gathering import WrittenFiles
from labelhub.formats.nifti_labels import write_nifti
from labelhub.formats.png_masks import write_png_masks
from labelhub.formats.scores_csv import write_rows
from labelhub.formats.shapes import AnnotationSet, Loss, Shape
from labelhub.jobs.registry import Running
from labelhub.projects.models import Project
from labelhub.scoring.models import Score

PROVENANCE = "provenance.json"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
SCORE_COLUMNS = (
    "item", "about", "first", "second", "label", "metric", "value", "low", "high", "n", "unit", "reason", "edge_case",
    "method", "method_version",
)  # fmt: skip


# How an ignore region stands in each format, as the manifest says it to whoever reads the files.
IGNORED_AS = {
    "class": IGNORE,
    "coco": "category “ignore” and iscrowd 1",
    "nifti": "the value under “ignore” in labels.json, over every class and in every layer",
    "png": "the index under “ignore” in palette/labels.json, over every class, and a picture of its own",
}
IGNORE_VALUE, WIDE_IGNORE_VALUE = 255, 65_535


@dataclass(frozen=True, slots=True)
class Made:
    """One written file, still in a temporary place, and what its format could not carry."""

    name: str
    path: Path
    losses: tuple[Loss, ...] = ()


def made_files(
    manifest: Mapping[str, Any], project: Project, formats: Sequence[str], running: Running | None
) -> Iterator[Made]:
    """Write each file in turn; the caller takes it and removes it.

    Asked for with every read, each format of shapes has a file of the reads beside that of the settled labels. A manifest
    of an earlier version gives the files that it gave then.
    """
    settled = settled_contents(manifest, project)
    for done, name in enumerate(sorted(formats)):
        if running is not None:
            running.progress(done, len(formats), f"Writing {name}")
        yield FORMATS[name](settled, "")
        if "reads" in manifest and name in SHAPE_FORMATS:
            yield FORMATS[name](read_contents(manifest, project), "reads-")
    if "ignore" in manifest:
        yield _provenance(settled)


def class_values(labels: Sequence[str], *, is_first_version: bool = False) -> dict[str, int]:
    """Return the number of each class in label maps: from 1 in order, and a fixed one for what is ignored.

    The first version of the manifest gave the ignore class the last number.
    """
    values = {label: number for number, label in enumerate(labels, start=1)}
    if IGNORE in values and not is_first_version:
        values[IGNORE] = IGNORE_VALUE if len(labels) <= IGNORE_VALUE else WIDE_IGNORE_VALUE
    return values


def _coco(source: Contents, prefix: str) -> Made:
    annotations = source.whole() if source.is_first_version else _crowded(source.whole())
    path = _new_file()
    with path.open("wb") as stream:
        stream.writelines(iter_coco(annotations))
    return Made(f"{prefix}coco.json", path, coco_losses(annotations))


def _crowded(annotations: AnnotationSet) -> AnnotationSet:
    """Mark what is ignored as COCO's tools do."""
    return _changed(
        annotations,
        lambda shapes: [
            replace(one, attributes={**one.attributes, "iscrowd": 1}) if one.label == IGNORE else one for one in shapes
        ],
    )


def _ignored_last(annotations: AnnotationSet) -> AnnotationSet:
    return _changed(annotations, lambda shapes: sorted(shapes, key=lambda one: one.label == IGNORE))


def _changed(annotations: AnnotationSet, change: Callable[[Sequence[Shape]], Sequence[Shape]]) -> AnnotationSet:
    readings = tuple(replace(reading, shapes=tuple(change(reading.shapes))) for reading in annotations.readings)
    return replace(annotations, readings=readings)


def _csv(source: Contents, prefix: str) -> Made:
    path = _new_file()
    path.write_bytes(write_rows(_score_rows(source), columns=SCORE_COLUMNS))
    return Made(f"{prefix}scores.csv", path)


def _provenance(source: Contents) -> Made:
    path = _new_file()
    with path.open("wb") as stream:
        stream.writelines(provenance_lines(source.keys))
    return Made(PROVENANCE, path)


def _score_rows(source: Contents) -> Iterator[dict[str, object]]:
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


def _nifti(source: Contents, prefix: str) -> Made:
    values = class_values(source.labels, is_first_version=source.is_first_version)
    over = None if source.is_first_version else IGNORE
    return _archive(f"{prefix}nifti.zip", (write_nifti(part, values=values, over=over) for part in source.batches()))


def _png(source: Contents, prefix: str) -> Made:
    values = class_values(source.labels, is_first_version=source.is_first_version)
    parts = source.batches() if source.is_first_version else map(_ignored_last, source.batches())
    return _archive(f"{prefix}png.zip", (write_png_masks(part, values=values) for part in parts))


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


FORMATS: Mapping[str, Callable[[Contents, str], Made]] = {"coco": _coco, "csv": _csv, "nifti": _nifti, "png": _png}
# Those that hold shapes, and so may hold every read as well.
SHAPE_FORMATS = frozenset({"coco", "nifti", "png"})
