"""A reviewer names what is wrong with single objects: proposals against the label as it stands, confirmed or changed.

Proposals are computed when they are looked at and never stored; what a reviewer says is. An object is known by the shapes of
the reading, so that a name stays with it while the label changes. Not here: the rules of naming (``consensus.object_errors``),
and keeping names (``reviews.verdicts``).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.consensus.object_errors import METHOD, VERSION, NamedError, ObjectErrors, name_errors
from labelhub.consensus.regions import Sitting, sitting_of
from labelhub.consensus.selectors import current_settlement, readings_of_settlements
from labelhub.formats.shapes import Shape
from labelhub.projects.permissions import Action, require
from labelhub.projects.selectors import current_ontology, current_policy
from labelhub.reviews.error_models import ObjectVerdict
from labelhub.reviews.reviewer_tests import as_it_waits, open_test
from labelhub.reviews.verdicts import Judged, keep_verdicts, standing_verdicts
from labelhub.scoring.loaded import Loaded
from labelhub.scoring.services import terms_of
from labelhub.workflow import adjudicating, panel, steps
from labelhub.workflow.errors import ItemExcluded, StepRefused
from labelhub.workflow.states import State

SETTLED, DECIDED, NOTHING = "the settled label", "the label as you decided so far", "nothing yet"


@dataclass(frozen=True, slots=True)
class ReadingErrors:
    """What is wrong with one reading: errors and objects without one, and what was said of each by its key."""

    submission: Submission
    errors: tuple[NamedError, ...]
    right: tuple[NamedError, ...]
    said: Mapping[str, ObjectVerdict]


@dataclass(frozen=True, slots=True)
class ErrorsOnDesk:
    """The errors of each current reading, and what they were compared with, in words."""

    against: str
    readings: tuple[ReadingErrors, ...]


def errors_on_desk(item: Item, by: User) -> ErrorsOnDesk:
    """Return what is proposed and what was said of each object. Raises ``NotFound``/``NotAllowed``."""
    require(by, Action.REVIEW, item)
    item = as_it_waits(item, open_test(by, item))
    reads = steps.current_reads(item)
    against, named = _named(item, by, reads)
    said = standing_verdicts(item, by)
    found = []
    for submission, errors in zip(reads, named, strict=True):
        own = {key: row for (pk, key), row in said.items() if pk == submission.pk}
        found.append(ReadingErrors(submission, errors.errors, errors.right, own))
    return ErrorsOnDesk(against, tuple(found))


def judge_objects(
    *, item: Item, by: User, submission: int, kinds: Mapping[str, str], request_id: uuid.UUID
) -> tuple[ObjectVerdict, ...]:
    """Keep the kind of error, or ``none``, that ``by`` names for objects of one reading, by their keys.

    Writes ``objects.judged``. Raises what ``keep_verdicts`` raises, ``ItemExcluded``, and ``StepRefused`` with code
    ``reading-gone`` or ``object-gone``.
    """
    require(by, Action.REVIEW, item)
    if item.state == State.EXCLUDED:
        raise ItemExcluded(code=item.code)
    desk = errors_on_desk(item, by)
    own = next((entry for entry in desk.readings if entry.submission.pk == submission), None)
    if own is None:
        raise StepRefused(
            "This reading no longer speaks for the item. Nothing was stored. Load the page again.", code="reading-gone"
        )
    errors = {error.key: error for error in (*own.errors, *own.right)}
    judged = []
    for key, kind in kinds.items():
        error, earlier = errors.get(key), own.said.get(key)
        if error is None and earlier is None:
            raise StepRefused(
                "This object is no longer there as you saw it. Nothing was stored. Load the page again.",
                code="object-gone",
            )
        judged.append(_judged(error, kind) if error is not None else _as_before(earlier, kind))  # type: ignore[arg-type]
    return keep_verdicts(item=item, submission=own.submission, reviewer=by, judged=judged, request_id=request_id)


def _named(item: Item, by: User, reads: Sequence[Submission]) -> tuple[str, Sequence[ObjectErrors]]:
    """What the readings are compared with, in words, and what is proposed for each."""
    settlement = current_settlement(item) if item.state in (State.SETTLED, State.AMBIGUOUS) else None
    if len(reads) < 2:
        loaded = Loaded(item, terms_of(current_ontology(item.project)[1], current_policy(item.project)[1]))
        label = None if settlement is None else readings_of_settlements([settlement])[0].shapes
        known = {"terms": loaded.terms, "grids": loaded.grids, "extents": loaded.extents}
        named = [name_errors(reading, label, **known) for reading in loaded.readings(reads)]  # type: ignore[arg-type]
        return (NOTHING if settlement is None else SETTLED), named
    sitting = sitting_of(item, reads)
    if settlement is not None:
        return SETTLED, _compared(
            sitting, ("settled", settlement.pk), lambda: readings_of_settlements([settlement])[0].shapes
        )
    desk = adjudicating.desk_of(item, by)
    key = ("decided", *sorted(row.pk for row in desk.standing.values()))
    # A panel votes on whole readings, and nobody decides its regions.
    against = "the readers together" if panel.sits(item) else DECIDED
    return against, _compared(sitting, key, lambda: [part.shape for part in desk.label.parts])


def _compared(
    sitting: Sitting, key: tuple[object, ...], label: Callable[[], Sequence[Shape]]
) -> Sequence[ObjectErrors]:
    """The errors of all readings against one label, found once: of a volume it takes a second, and each word asks again."""
    found: Sequence[ObjectErrors] | None = sitting.derived.get(key)
    if found is None:
        matters, shapes = sitting.found, label()
        found = [
            name_errors(reading, shapes, terms=matters.terms, grids=matters.grids, extents=matters.extents)
            for reading in matters.readings
        ]
        # Labels that came before are not asked for again.
        sitting.derived.clear()
        sitting.derived[key] = found
    return found


def _judged(error: NamedError, kind: str) -> Judged:
    return Judged(
        key=error.key, kind=kind, proposed=error.kind or "", label_given=error.label_given[:80],
        label_accepted=error.label_accepted[:80], medium=error.medium, size=error.size, unit=error.unit,
        first_slice=error.slices[0], last_slice=error.slices[1], place=list(error.place), offset=error.offset,
        length_unit=error.length_unit, method=METHOD, method_version=VERSION,
    )  # fmt: skip


def _as_before(row: ObjectVerdict, kind: str) -> Judged:
    """A further word on an object that the comparison no longer names."""
    return Judged(
        row.key, kind, "", row.label_given, row.label_accepted, row.medium, row.size, row.unit, row.first_slice,
        row.last_slice, row.place, row.offset, row.length_unit, row.method, row.method_version,
    )  # fmt: skip
