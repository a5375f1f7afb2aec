"""Where each region of each released label comes from, and how sure it is, as one JSON file. People go under numbers.

Written settlement by settlement, in the order of the manifest: always the same bytes. Not here: deciding regions
(``consensus``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from labelhub.consensus.models import SettledShape, Settlement
from labelhub.exports.reads import labeler_name

CHUNK = 500


def provenance_lines(settlements: Sequence[int]) -> Iterator[bytes]:
    """Yield the file in pieces: one line a settled label."""
    yield b'{"settlements":['
    written = 0
    for start in range(0, len(settlements), CHUNK):
        for entry in _entries(settlements[start : start + CHUNK]):
            yield (b",\n" if written else b"\n") + orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)
            written += 1
    yield b"\n]}\n"


def person_name(key: int | None) -> str | None:
    """Return the name under which a reviewer leaves; None where the method decided."""
    return None if key is None else f"reviewer-{key}"


def _entries(keys: Sequence[int]) -> Iterator[dict[str, Any]]:
    rows = Settlement.objects.select_related("item").prefetch_related("inputs__assignment").in_bulk(list(keys))
    shapes: dict[int, list[SettledShape]] = {}
    for shape in SettledShape.objects.filter(settlement__in=keys).order_by("pk"):
        shapes.setdefault(shape.settlement_id, []).append(shape)
    for key in keys:
        inputs = sorted(rows[key].inputs.all(), key=lambda one: one.pk)
        readers = {one.pk: labeler_name(one.assignment.labeler_id) for one in inputs}
        yield _entry(rows[key], shapes.get(key, []), readers)


def _entry(row: Settlement, shapes: Sequence[SettledShape], readers: Mapping[int, str]) -> dict[str, Any]:
    return {
        "item": row.item.code, "number": row.number, "method": row.method, "method_version": row.method_version,
        "why": row.why, "confidence": row.confidence, "answer_confidence": row.answer_confidence,
        "differs_from_vote": row.differences, "inputs": [{"submission": k, "labeler": v} for k, v in readers.items()],
        "regions": [
            {
                "region": entry["region"], "label": entry["label"], "how": entry["how"], "at": entry["at"],
                "why": entry["why"], "decided_by": person_name(entry["decided_by"]), "submission": entry["submission"],
                "labeler": readers.get(entry["submission"]),
            }
            for entry in row.provenance
        ],
        "shapes": [
            {
                "shape": shape.shape_id, "label": shape.label, "confidence": shape.confidence, "votes": shape.votes,
                "readers": shape.readers, "drawn_by": shape.drawn_by, "merged_from": shape.merged_from,
            }
            for shape in shapes
        ],
    }  # fmt: skip
