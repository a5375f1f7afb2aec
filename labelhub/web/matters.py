"""Matters as the page shows them: in words, and as small pictures. Hidden from annotators as a whole.

Not here: what the matters are (``consensus.matters``), and answering them (``workflow.adjudicating``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from labelhub.analytics.layers import Layer
from labelhub.catalog.models import Medium
from labelhub.consensus.adjudicated import IGNORE
from labelhub.consensus.matters import Matter, Says
from labelhub.formats.shapes import Reading
from labelhub.projects.ontology import Ontology
from labelhub.reviews.models import MatterAnswer
from labelhub.web.overlays import alpha_png, layer_document, picture_in, png_of, step_for
from labelhub.workflow.adjudicating import Desk

THUMBNAIL_PX = 96
LIT = (255, 92, 46, 110)
# A region is drawn no finer than this before its miniature is made.
MOST_LIT_PX = 4 * THUMBNAIL_PX
WORDS = {"consensus": "the readers together", "drawn": "drawn anew", "ambiguous": "ambiguous", "reader": "chosen"}


def desk_document(
    desk: Desk, ontology: Ontology, others: Sequence[str], letters: Mapping[int, str] | None = None
) -> dict[str, Any]:
    """Return the matters, the answers, the thin band beside them, and the label so far, ready for JSON.

    ``letters`` are how readers are called in a blind review: what they say then stands in the order of these.
    """
    found, standing = desk.sitting.found, desk.standing
    keys = [f"s{submission.pk}" for submission in desk.sitting.submissions]
    parts = tuple(part.shape for part in desk.label.parts)
    result = Layer("result", "settled", "Result", Reading(desk.sitting.found.readings[0].item, "result", parts))
    called = letters or {}
    order = sorted(
        range(len(keys)), key=lambda place: called.get(desk.sitting.submissions[place].assignment.labeler_id, "")
    )
    painted = {label for medium in found.grounds for label in found.painted(medium)}
    return {
        "matters": [
            _matter_document(
                number, matter, ontology, [(place, keys[place]) for place in order], standing.get(matter.key)
            )
            for number, matter in enumerate(found.matters, start=1)
        ],
        "band": _band_words(desk),
        "notes": _notes(desk, others),
        "result": {**layer_document(result, ontology), "kind": "result"},
        "classes": [{"key": e.key, "name": e.name} for e in ontology.classes if e.key in painted],
    }


def _matter_document(
    number: int, matter: Matter, ontology: Ontology, readers: Sequence[tuple[int, str]], answer: MatterAnswer | None
) -> dict[str, Any]:
    return {
        "key": matter.key, "number": number, "kind": matter.kind, "title": _title(number, matter, ontology),
        "where": _where(matter), "medium": matter.medium, "place": matter.place, "box": matter.box,
        "says": [
            {"reader": key, "words": words_of(says, matter, ontology), "is_silent": says.is_silent}
            for says, key in ((matter.says[place], key) for place, key in readers)
        ],
        "consensus": None if matter.consensus is None else words_of(matter.consensus, matter, ontology),
        "answer": None if answer is None else {
            "choice": answer.choice, "reader": None if answer.submission_id is None else f"s{answer.submission_id}",
            "comment": answer.comment, "words": WORDS[answer.choice],
        },
    }  # fmt: skip


def words_of(says: Says, matter: Matter, ontology: Ontology) -> str:
    """What somebody says about a matter, in words."""
    if says.is_silent:
        return "was not asked" if matter.kind in ("area", "object") else "did not answer"
    if matter.kind == "area":
        shares = [(_class_name(label, ontology), share) for label, share in says.shares]
        return ", ".join(name if share > 0.9 else f"{name} on {share:.0%}" for name, share in shares) or "nothing here"
    if matter.kind == "object":
        return ", ".join(_class_name(label, ontology) for label in says.value.split(", ") if label) or "nothing here"
    return says.value


def _title(number: int, matter: Matter, ontology: Ontology) -> str:
    if matter.kind in ("answer", "attribute"):
        question = ontology.question(matter.name)
        return f"{number}. {question.text if question is not None else matter.name}"
    labels = {label for says in matter.says for label, _ in says.shares}
    labels |= {label for says in matter.says for label in says.value.split(", ") if label}
    return f"{number}. {', '.join(sorted(_class_name(label, ontology) for label in labels)) or 'region'}"


def _where(matter: Matter) -> str:
    size = _size_words(matter)
    if matter.box is None:
        return "answered differently" if matter.kind == "answer" else "readers are tied"
    first, last = matter.box[0][0], matter.box[1][0] - 1
    if last > first:
        return f"{size}, slices {first + 1}–{last + 1}"
    return size if first == 0 else f"{size}, slice {first + 1}"


def _size_words(matter: Matter) -> str:
    if matter.size is None:
        return "one mark"
    return f"{matter.size:,.0f} {matter.unit}" if matter.size >= 10 else f"{matter.size:.2g} {matter.unit}"


def _band_words(desk: Desk) -> str:
    grounds = desk.sitting.found.grounds.values()
    bands = [ground.disputes.band for ground in grounds if ground.disputes.band.n_voxels]
    if not bands:
        return ""
    unit = next(iter(grounds)).disputes.unit
    size = sum(band.size for band in bands)
    share = sum(band.n_voxels for band in bands) / max(sum(g.disputes.n_differing for g in grounds), 1)
    return (
        f"Thin band along outlines: {size:,.0f} {unit}, {share:.0%} of all that differs, within the tolerance; "
        "settled by the readers together."
    )


def _notes(desk: Desk, others: Sequence[str]) -> list[str]:
    notes = []
    if desk.outdated:
        n = len(desk.outdated)
        notes.append(
            f"{n} of your earlier answers belong{'s' if n == 1 else ''} to what is no longer in dispute (a reader answered "
            "again, or one was added). They are kept on record and not carried out."
        )
    if others:
        notes.append(
            f"{', '.join(others)} also decided matters of this item. Whoever settles first counts; all answers are kept."
        )
    return notes


def region_png(matter: Matter, z: int) -> bytes | None:
    """Return a region's voxels on plane ``z`` as a PNG that is white where it is, for its own box; None without any.

    Of a region that is larger than one picture a pixel stands for several voxels: the page fits it to the box.
    """
    if matter.region is None or not 0 <= z - matter.region.origin[0] < matter.region.voxels.shape[0]:
        return None
    plane = matter.region.voxels[z - matter.region.origin[0]]
    if not plane.any():
        return None
    return alpha_png(plane, step_for(*plane.shape))


def matter_thumbnail(medium: Medium, matter: Matter) -> bytes:
    """Return a square miniature of where the matter lies, its region lit."""
    assert matter.box is not None
    assert matter.place is not None
    low, high = matter.box
    z = min(max(round(matter.place[0]), 0), medium.size_z - 1)
    half = max(high[1] - low[1], high[2] - low[2], 16) * 3 // 4 + 2
    y, x = (low[1] + high[1]) // 2, (low[2] + high[2]) // 2
    box = (x - half, y - half, x + half, y + half)
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    if medium.pixels_id is None:
        picture = Image.new("RGB", size, "#101010")
    else:
        picture = picture_in(medium, z, box, THUMBNAIL_PX).resize(size)
    if matter.region is not None and 0 <= z - matter.region.origin[0] < matter.region.voxels.shape[0]:
        _, top, left = matter.region.origin
        plane = matter.region.voxels[z - matter.region.origin[0]]
        lit = Image.new("L", (min(2 * half, MOST_LIT_PX), min(2 * half, MOST_LIT_PX)))
        by = lit.width / (2 * half)
        part = Image.fromarray(np.where(plane, LIT[3], 0).astype(np.uint8))
        part = part.resize((max(1, round(part.width * by)), max(1, round(part.height * by))), Image.Resampling.BOX)
        lit.paste(part, (round((left - box[0]) * by), round((top - box[1]) * by)))
        picture.paste(LIT[:3], (0, 0), lit.resize(size, Image.Resampling.BOX))
    return png_of(picture)


def _class_name(label: str, ontology: Ontology) -> str:
    if label == IGNORE:
        return "ignore"
    entry = ontology.label_class(label)
    return entry.name if entry is not None else label
