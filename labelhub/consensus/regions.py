"""Settling an item region by region, as a reviewer decided; and the matters of an item, remembered while somebody is at them.

Not here: finding matters (``matters``), putting the label together (``adjudicated``), when it may be settled (``workflow``).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.annotations.plain import values_to_document
from labelhub.catalog.models import Item
from labelhub.consensus.adjudicated import METHOD, VERSION, Adjudicated, Answer, Stroke
from labelhub.consensus.matters import ItemMatters, Matter, matters_of
from labelhub.consensus.models import Settlement
from labelhub.consensus.provenance import How, RegionProvenance
from labelhub.consensus.services import decided_whole, keep_shapes, merged_label, new_settlement, write_event
from labelhub.projects.selectors import current_ontology, current_policy
from labelhub.reviews.models import MatterAnswer
from labelhub.scoring.loaded import Loaded
from labelhub.scoring.services import terms_of

# Items that somebody is at, in this process.
MOST_ITEMS = 6
HOW: Mapping[str, How] = {"reader": "reading", "consensus": "method", "drawn": "drawn", "ambiguous": "ambiguous"}
_SITTINGS: OrderedDict[tuple[int, ...], Sitting] = OrderedDict()
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Sitting:
    """The matters of an item among these readings, which stand in the order of ``found.readings``.

    ``derived`` keeps what is computed of them on the way, for as long as they are remembered.
    """

    submissions: tuple[Submission, ...]
    found: ItemMatters
    fits: tuple[int, ...]
    derived: dict[tuple[object, ...], Any] = field(default_factory=dict)

    def reader_of(self, submission: int | None) -> int | None:
        """The place of a reading among those that decide, None where it is not one of them."""
        return next((place for place, entry in enumerate(self.submissions) if entry.pk == submission), None)

    def answer_of(self, row: MatterAnswer) -> Answer:
        """A kept answer in plain form."""
        return Answer(
            row.key, row.choice, self.reader_of(row.submission_id),  # type: ignore[arg-type]
            tuple(
                Stroke(entry["mode"], entry["label"], entry["z"], tuple((x, y) for x, y in entry["points"]))
                for entry in row.strokes
            ),
        )  # fmt: skip

    def speaks(self, row: MatterAnswer) -> bool:
        """Whether the answer can be carried out: the reading that it names still decides."""
        return row.submission_id is None or self.reader_of(row.submission_id) is not None


def sitting_of(item: Item, submissions: Sequence[Submission]) -> Sitting:
    """Return the matters of the item among its current readings. The same readings under the same rules are looked at once.

    Raises ``NothingToSettle`` without any.
    """
    policy_version, policy = current_policy(item.project)
    ontology_version, ontology = current_ontology(item.project)
    key = (item.pk, policy_version.pk, ontology_version.pk, *(entry.pk for entry in submissions))
    with _LOCK:
        if key in _SITTINGS:
            _SITTINGS.move_to_end(key)
            return _SITTINGS[key]
    loaded = Loaded(item, terms_of(ontology, policy))
    label = merged_label(item, submissions, loaded=loaded)
    found = matters_of(
        loaded.readings(submissions), label.merged, terms=loaded.terms, grids=loaded.grids, extents=loaded.extents
    )
    sitting = Sitting(tuple(submissions), found, label.fits)
    with _LOCK:
        _SITTINGS[key] = sitting
        while len(_SITTINGS) > MOST_ITEMS:
            _SITTINGS.popitem(last=False)
    return sitting


def forget_sittings() -> None:
    """Forget all: for trials that empty the database and draw the same numbers again."""
    with _LOCK:
        _SITTINGS.clear()


def settle_by_regions(
    *, item: Item, sitting: Sitting, label: Adjudicated, answers: Sequence[MatterAnswer], by: User, reason: str
) -> Settlement:
    """Settle the item with the label that ``by`` put together. Writes ``item.settled``."""
    submissions = sitting.submissions
    by_key = sitting.found.by_key
    parts = [_provenance(by_key[row.key], row, label, by) for row in answers if row.key in by_key]
    settlement = new_settlement(
        item, submissions, METHOD, VERSION, by, reason,
        no_finding=label.is_empty and bool(sitting.found.terms.labels), confidence=None,
        answers=values_to_document(label.answers),
        why=f"{len(parts)} of {len(sitting.found.matters)} matters decided by a reviewer; all else: "
        f"{sitting.found.merged.method}"[:400],
        fits=list(sitting.fits), provenance=decided_whole("method", None, sitting.found.merged.method, parts=parts),
    )  # fmt: skip
    keep_shapes(settlement, [part.as_merged() for part in label.parts], submissions)
    write_event(item, settlement, by)
    return settlement


def _provenance(matter: Matter, row: MatterAnswer, label: Adjudicated, by: User) -> RegionProvenance:
    said = matter.says
    return RegionProvenance(
        region=matter.key, how=HOW[row.choice], at=row.at, label=matter.name or _classes(said), decided_by=by.pk,
        submission=row.submission_id, why=row.comment, medium=matter.medium, place=matter.place, size=matter.size,
        unit=matter.unit, n_changed=label.changed.get(matter.key),
    )  # fmt: skip


def _classes(said: Sequence[object]) -> str:
    names = {name for says in said for name, _ in getattr(says, "shares", ())} | {
        getattr(says, "value", "") for says in said
    }
    return ", ".join(sorted(names - {""}))[:80]
