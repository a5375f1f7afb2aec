"""Everything that is known about one item, for the people who may see it: readers, scores, routes, decisions, label, history.

Read only, in a fixed number of queries. Hidden from annotators as a whole. Not here: the shapes themselves (``layers``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import QuerySet

from labelhub.analytics.event_words import EventLine, lines_of
from labelhub.annotations.models import Annotation, Submission
from labelhub.assignments.models import HELD, Assignment
from labelhub.assignments.selectors import of_item
from labelhub.audit.models import Event
from labelhub.audit.selectors import events_of_project
from labelhub.catalog.models import Item, Medium
from labelhub.catalog.selectors import media_of
from labelhub.consensus.models import Settlement
from labelhub.projects.models import Labeler
from labelhub.reviews.models import Decision
from labelhub.routing.models import Route
from labelhub.scoring.models import GoldReference, Score
from labelhub.scoring.posteriors import ItemPosterior, posterior_of
from labelhub.scoring.reads import is_counted, reads_of
from labelhub.scoring.rows import AGREEMENT, RIGHT, SIMILARITY


@dataclass(frozen=True, slots=True)
class ReaderStory:
    """One submission of the item, what it counts for, and what was decided about it."""

    submission: Submission
    labeler: Labeler
    shapes: Mapping[str, int]
    marks: tuple[Annotation, ...]
    answers: Mapping[str, object]
    is_counted: bool
    is_current: bool
    is_gold: bool
    decision: Decision | None
    gold_similarity: Score | None
    gold_right: Score | None
    model_similarity: Score | None

    @property
    def key(self) -> str:
        """The name of this reader's layer."""
        return f"s{self.submission.pk}"


@dataclass(frozen=True, slots=True)
class PairStory:
    """Two current readings compared: their similarity, and the numbers of each class and question."""

    first: Submission
    second: Submission
    similarity: Score | None
    parts: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class ItemStory:
    """One item with all that happened to it, newest route first."""

    item: Item
    media: tuple[Medium, ...]
    readers: tuple[ReaderStory, ...]
    open_assignments: tuple[Assignment, ...]
    pairs: tuple[PairStory, ...]
    agreement: Score | None
    routes: tuple[Route, ...]
    settlements: tuple[Settlement, ...]
    gold: GoldReference | None
    events: tuple[EventLine, ...]
    posterior: ItemPosterior

    @property
    def route(self) -> Route | None:
        """Where the item was sent last."""
        return self.routes[0] if self.routes else None

    @property
    def current(self) -> tuple[ReaderStory, ...]:
        """The readings that decide the item now."""
        return tuple(reader for reader in self.readers if reader.is_current)


def story_of(item: Item) -> ItemStory:
    """Return the item's story."""
    scores = list(Score.objects.filter(item=item, replaced_at=None).order_by("about", "label", "pk"))
    gold = GoldReference.objects.filter(item=item, retired_at=None).first()
    readers = _readers(item, scores, gold)
    agreement = [score for score in scores if score.about == Score.About.ITEM and score.metric == AGREEMENT]
    settlements = Settlement.objects.filter(item=item).select_related("decided_by").order_by("-number")
    routes = Route.objects.filter(item=item).select_related("author", "policy").order_by("-pk")
    return ItemStory(
        item=item,
        media=tuple(media_of(item)),
        readers=readers,
        open_assignments=tuple(row for row in of_item(item) if row.state in HELD),
        pairs=_pairs(readers, scores),
        agreement=agreement[-1] if agreement else None,
        routes=tuple(routes),
        settlements=tuple(settlements.prefetch_related("shapes")),
        gold=gold,
        events=lines_of(_events(item, readers)),
        posterior=posterior_of(item),
    )


def _events(item: Item, readers: tuple[ReaderStory, ...]) -> QuerySet[Event]:
    """The events about the item and about what was submitted for it, oldest first."""
    subjects = [f"item:{item.pk}", *(f"submission:{reader.submission.pk}" for reader in readers)]
    return events_of_project(item.project_id).filter(subject__in=subjects).order_by("seq")


def _readers(item: Item, scores: list[Score], gold: GoldReference | None) -> tuple[ReaderStory, ...]:
    reads = reads_of(item)
    current = {submission.pk for submission in reads.current}
    rows = Submission.objects.filter(pk__in=[submission.pk for submission in reads.every])
    details = {row.pk: row for row in rows.prefetch_related("annotations", "answers")}
    decisions = Decision.objects.filter(item=item).select_related("reviewer").order_by("pk")
    decided = {decision.submission_id: decision for decision in decisions}

    def found(submission: Submission, about: str, metric: str) -> Score | None:
        return next(
            (s for s in scores if (s.first_id, s.about, s.metric, s.label) == (submission.pk, about, metric, "")), None
        )

    return tuple(
        ReaderStory(
            submission=submission,
            labeler=submission.assignment.labeler,
            shapes=_counts([annotation.label for annotation in details[submission.pk].annotations.all()]),
            marks=tuple(details[submission.pk].annotations.all()),
            answers={answer.question: answer.value for answer in details[submission.pk].answers.all()},
            is_counted=is_counted(submission),
            is_current=submission.pk in current,
            is_gold=gold is not None and gold.submission_id == submission.pk,
            decision=decided.get(submission.pk),
            gold_similarity=found(submission, Score.About.GOLD, SIMILARITY),
            gold_right=found(submission, Score.About.GOLD, RIGHT),
            model_similarity=found(submission, Score.About.MODEL, SIMILARITY),
        )
        for submission in reads.every
    )


def _pairs(readers: tuple[ReaderStory, ...], scores: list[Score]) -> tuple[PairStory, ...]:
    current = sorted((reader.submission for reader in readers if reader.is_current), key=lambda one: one.pk)
    pairs = []
    for index, first in enumerate(current):
        for second in current[index + 1 :]:
            own = [
                s for s in scores if s.about == Score.About.PAIR and (s.first_id, s.second_id) == (first.pk, second.pk)
            ]
            whole = next((s for s in own if s.metric == SIMILARITY and not s.label), None)
            pairs.append(PairStory(first, second, whole, tuple(s for s in own if s.label and s.value is not None)))
    return tuple(pairs)


def _counts(labels: list[str]) -> dict[str, int]:
    return {label: labels.count(label) for label in sorted(set(labels))}
