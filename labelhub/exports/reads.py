"""Every read behind a release's labels, where it was asked for: under the labeler's number, never a name.

Which reads they are is fixed in the manifest when the release is started. In files a labeler's reads of one item are
numbered in their order (``as``): a repeat or a later version is told from the first, and the manifest says what each is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from labelhub.annotations.models import Submission
from labelhub.annotations.plain import readings_of
from labelhub.assignments.selectors import authors_of
from labelhub.catalog.models import Item
from labelhub.exports.contents import Contents, chunks, contents_of
from labelhub.formats.shapes import Reading
from labelhub.projects.models import Project


def reads_entries(items: Sequence[int]) -> list[dict[str, Any]]:
    """Return what a manifest says of each submission of these items, item by item in the order in which they were made."""
    seen: Counter[tuple[int, int]] = Counter()
    entries = []
    for some in chunks(items):
        rows = Submission.objects.filter(assignment__item__in=some)
        rows = rows.select_related(
            "assignment__item", "assignment__labeler", "assignment__continues", "ontology", "guideline"
        ).order_by("assignment__item_id", "pk")
        for row in rows:
            seen[row.assignment.item_id, row.assignment.labeler_id] += 1
            entries.append(_entry(row, seen[row.assignment.item_id, row.assignment.labeler_id]))
    return entries


def read_contents(manifest: Mapping[str, Any], project: Project) -> Contents:
    """Return every read that the manifest names."""
    keys = [entry["submission"] for entry in manifest["reads"]]
    places = {entry["submission"]: entry["as"] for entry in manifest["reads"]}
    items: dict[int, int] = {}
    for some in chunks(keys):
        items |= dict(Submission.objects.filter(pk__in=some).values_list("pk", "assignment__item_id"))

    def load(wanted: Sequence[int]) -> list[tuple[Item, Reading]]:
        rows = Submission.objects.select_related("assignment__item").in_bulk(list(wanted))
        submissions = [rows[key] for key in wanted]
        return [
            (row.assignment.item, _named(reading, row, places[row.pk]))
            for row, reading in zip(submissions, readings_of(submissions), strict=True)
        ]

    return contents_of(manifest, project, keys, items, load)


def labeler_name(key: int) -> str:
    """Return the name under which a labeler leaves: a number, also where an import brought a name along."""
    return f"labeler-{key}"


def _entry(row: Submission, place: int) -> dict[str, Any]:
    return {
        "item": row.assignment.item.code, "submission": row.pk, "labeler": labeler_name(row.assignment.labeler_id),
        # Who began a draft that was handed over, then who went on with it.
        "authors": [labeler_name(author.pk) for author in authors_of(row.assignment)],
        "as": place, "version": row.version, "read_kind": row.read_kind, "planned_blind": row.planned_blind,
        "ontology": row.ontology.number, "guideline": row.guideline.number if row.guideline is not None else None,
    }  # fmt: skip


def _named(reading: Reading, row: Submission, place: int) -> Reading:
    return replace(reading, rater=labeler_name(row.assignment.labeler_id), version=place)
