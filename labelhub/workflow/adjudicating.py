"""A reviewer decides an item matter by matter, and settles it when none is open.

Answers are kept as they are given; settling carries them out, all or none. What changed meanwhile (a reader who answered
again, a further reader, another reviewer who settled) refuses the settling with both versions kept. A panel votes on whole
readings instead. Not here: the label itself (``consensus``).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.consensus.adjudicated import IGNORE, Adjudicated, adjudicate
from labelhub.consensus.matters import Matter
from labelhub.consensus.models import Settlement
from labelhub.consensus.regions import Sitting, settle_by_regions, sitting_of
from labelhub.projects.permissions import Action, require
from labelhub.projects.selectors import current_ontology
from labelhub.reviews.adjudications import Given, answers_of, keep_answer
from labelhub.reviews.appraisals import Given as Said
from labelhub.reviews.appraisals import keep_appraisals
from labelhub.reviews.models import MatterAnswer
from labelhub.reviews.reviewer_tests import open_test
from labelhub.reviews.selectors import has_read
from labelhub.workflow import panel, settling, steps, testing_reviewers
from labelhub.workflow.errors import ItemExcluded, StepRefused
from labelhub.workflow.states import State

__all__ = ["Desk", "Matter", "Said", "answer_matter", "decides_by_region", "desk_of", "settle_regions"]
REASON = "A reviewer decided region by region."


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """An item on a reviewer's desk: its matters, their standing answers, those that no longer fit, and the label so far."""

    sitting: Sitting
    answers: tuple[MatterAnswer, ...]
    outdated: tuple[MatterAnswer, ...]
    label: Adjudicated

    @property
    def standing(self) -> dict[str, MatterAnswer]:
        """The answers that are carried out, by matter."""
        gone = {row.pk for row in self.outdated}
        return {row.key: row for row in self.answers if row.pk not in gone}


def desk_of(item: Item, reviewer: User) -> Desk:
    """Return the item as it lies before the reviewer. Raises ``NotFound``/``NotAllowed``, and ``NothingToSettle``."""
    require(reviewer, Action.REVIEW, item)
    return _desk(item, reviewer)


def decides_by_region(reviewer: User, item: Item) -> bool:
    """Whether the reviewer may decide the item matter by matter: two readings or more, none of them theirs, and no panel."""
    if item.state == State.EXCLUDED or has_read(reviewer, item) or panel.sits(item):
        return False
    return len(steps.current_reads(item)) > 1


def answer_matter(
    *, item: Item, by: User, key: str, choice: str, submission: int | None = None, strokes: object = None,
    comment: str = "", request_id: uuid.UUID,
) -> Desk:  # fmt: skip
    """Keep an answer to one matter and return the desk with it. Writes ``matter.answered``.

    Raises what ``keep_answer`` raises, and ``StepRefused`` with code ``panel-votes``, ``matter-gone``, ``reading-gone``,
    ``tied`` or ``not-drawable``.
    """
    require(by, Action.REVIEW, item)
    with transaction.atomic():
        held = steps.locked(item.pk)
        _require_open(held)
        sitting = sitting_of(held, steps.current_reads(held))
        matter = sitting.found.by_key.get(key)
        if matter is None:
            raise StepRefused(
                "This region is no longer in dispute as you saw it: somebody answered again or a reader was added. Nothing "
                "was stored, and your earlier answers are kept. Load the page again.",
                code="matter-gone",
            )
        place = sitting.reader_of(submission)
        if submission is not None and place is None:
            raise StepRefused(
                "This reading no longer speaks for the item. Nothing was stored. Load the page again.",
                code="reading-gone",
            )
        if choice == "consensus" and matter.consensus is None:
            raise StepRefused(
                "The readers are tied here, so together they say nothing. Choose one of them. Nothing was stored.",
                code="tied", status=422,
            )  # fmt: skip
        if choice == "drawn" and matter.kind != "area":
            raise StepRefused(
                "Only regions of a picture can be drawn anew. Choose a reader here. Nothing was stored.",
                code="not-drawable", status=422,
            )  # fmt: skip
        drawn = strokes if isinstance(strokes, list) else []
        _require_drawable(drawn, sitting.found.painted(matter.medium) if matter.medium is not None else frozenset())
        chosen: Submission | None = None if place is None else sitting.submissions[place]
        given = Given(key, choice, chosen, drawn, comment)
        keep_answer(item=held, reviewer=by, given=given, request_id=request_id)
        return _desk(held, by)


def settle_regions(
    *, item: Item, by: User, reason: str = "", seen: str | None = None, said: Mapping[int, Said] | None = None
) -> Settlement | None:
    """Settle the item as the reviewer decided, and keep what they ``said`` of readings, by their id.

    None: it was a test of the reviewer, and nothing follows for the item.

    Writes ``item.settled``, and ``reading.appraised`` for each reading of which something is said. Raises what
    ``keep_appraisals`` raises, ``StepRefused`` with code ``matters-open`` while anything is open, ``own-read`` or
    ``class-gone``, ``ItemExcluded``, and ``StaleJudgement`` where somebody acted since ``seen`` (``steps.versions_of``);
    what was answered is kept.
    """
    require(by, Action.REVIEW, item)
    if (test := open_test(by, item)) is not None:
        desk = _desk(item, by)
        _require_decided(desk)
        testing_reviewers.hear_regions(test, [part.shape for part in desk.label.parts], desk.label.answers, reason)
        return None
    settling.require_not_own(item, by)
    with transaction.atomic():
        held = steps.locked(item.pk)
        _require_open(held)
        stale = steps.keep_if_stale(held, by, seen, {"verdict": "by region", "reason": reason[:300]})
        if stale is None:
            desk = _desk(held, by)
            _require_decided(desk)
            _require_known_classes(held, desk)
            settlement = settle_by_regions(
                item=held, sitting=desk.sitting, label=desk.label, answers=tuple(desk.standing.values()), by=by,
                reason=reason.strip() or REASON,
            )  # fmt: skip
            keep_appraisals(item=held, by=by, given=said or {}, readings=desk.sitting.submissions)
            settling.settled(held, settlement, by, None)
            item.state = held.state
            return settlement
    raise stale


def _desk(item: Item, reviewer: User) -> Desk:
    sitting = sitting_of(item, steps.current_reads(item))
    answers = answers_of(item, reviewer)
    fitting = [row for row in answers if row.key in sitting.found.by_key and sitting.speaks(row)]
    label = adjudicate(sitting.found, [sitting.answer_of(row) for row in fitting])
    fits = {row.pk for row in fitting}
    return Desk(sitting, answers, tuple(row for row in answers if row.pk not in fits), label)


def _require_open(item: Item) -> None:
    if item.state == State.EXCLUDED:
        raise ItemExcluded(code=item.code)
    if panel.sits(item):
        raise StepRefused(
            "In this project a panel votes on whole readings. Nothing was stored. Give your vote for a reading.",
            code="panel-votes",
        )


def _require_drawable(strokes: list[Any], classes: frozenset[str]) -> None:
    """Only what the readers painted on this picture is drawn anew; what else a stroke must be is checked where it is kept."""
    for stroke in strokes:
        label = stroke.get("label") if isinstance(stroke, dict) else None
        if label and label not in classes:
            raise StepRefused(
                f"Nobody painted {str(label)[:40]!r} on this picture, so it cannot be drawn here. Nothing was stored.",
                code="class-not-drawn", status=422,
            )  # fmt: skip


def _require_decided(desk: Desk) -> None:
    if desk.label.open:
        n = len(desk.label.open)
        raise StepRefused(
            f"{n} of {len(desk.sitting.found.matters)} matters {'is' if n == 1 else 'are'} still open. Nothing was settled, "
            "and your answers are kept. Decide the rest, or take the readers' vote.",
            code="matters-open",
        )


def _require_known_classes(item: Item, desk: Desk) -> None:
    _, ontology = current_ontology(item.project)
    unknown = sorted({part.shape.label for part in desk.label.parts if part.shape.label != IGNORE})
    gone = [label for label in unknown if ontology.label_class(label) is None]
    if gone:
        raise StepRefused(
            f"The class {gone[0]!r} was taken out of the project meanwhile. Nothing was settled, and your answers are kept. "
            "Choose another reading there, or ask an admin to bring the class back.",
            code="class-gone",
        )
