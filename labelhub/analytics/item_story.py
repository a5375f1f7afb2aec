"""Everything that is known about one item, for the people who may see it: readers, scores, routes, decisions, label, history.

Read only, in a fixed number of queries. Hidden from annotators as a whole. Not here: the shapes themselves (``layers``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Prefetch, Q, QuerySet

from labelhub.accounts.models import User
from labelhub.analytics.event_words import VOTING_EVENTS, EventLine, lines_of
from labelhub.annotations.models import Annotation, Submission
from labelhub.assignments.models import HELD, Assignment
from labelhub.assignments.selectors import authors_of, of_item
from labelhub.audit.models import Event
from labelhub.audit.selectors import events_of_project
from labelhub.catalog.models import Item, Medium
from labelhub.catalog.selectors import media_of
from labelhub.consensus.models import Settlement
from labelhub.projects.models import Labeler
from labelhub.projects.selectors import current_ontology
from labelhub.reviews.appraisals import appraisals_of
from labelhub.reviews.error_models import Appraisal
from labelhub.reviews.models import Decision
from labelhub.reviews.selectors import hidden_since, screen_of
from labelhub.routing.models import Route
from labelhub.scoring.evidence import category_of, is_closed
from labelhub.scoring.item_disagreement import ItemDisagreement, StoredClass, of_stored
from labelhub.scoring.model_quality import QUALITY
from labelhub.scoring.models import GoldReference, Score
from labelhub.scoring.planted import let_stand
from labelhub.scoring.posteriors import ItemPosterior, posterior_of
from labelhub.scoring.reads import is_counted, reads_of
from labelhub.scoring.rows import AGREEMENT, RIGHT, SIMILARITY
from labelhub.scoring.versions import mixed, under_of


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
    model_belief: Score | None = None
    stood_planted: bool = False
    appraisal: Appraisal | None = None

    @property
    def key(self) -> str:
        """The name of this reader's layer."""
        return f"s{self.submission.pk}"

    @property
    def authors(self) -> list[Labeler]:
        """Who drew it, who began it first: more than one where a draft was handed over."""
        return authors_of(self.submission.assignment)


@dataclass(frozen=True, slots=True)
class PairStory:
    """Two current readings compared: their similarity, and the numbers of each class and question."""

    first: Submission
    second: Submission
    similarity: Score | None
    parts: tuple[Score, ...]

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions of the rules that stand together in the comparison; empty where it is one."""
        return mixed((rules_of(self.first), rules_of(self.second)))


def rules_of(submission: Submission) -> str:
    """Return in words which ontology and instructions a reading was made under."""
    guideline = submission.guideline
    return under_of(submission.ontology.number, guideline.number if guideline is not None else None)


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
    disagreement: ItemDisagreement
    scores: tuple[Score, ...] = ()

    @property
    def route(self) -> Route | None:
        """Where the item was sent last."""
        return self.routes[0] if self.routes else None

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions of the rules whose readings stand together in the agreement; empty where it is one."""
        return mixed(rules_of(reader.submission) for reader in self.readers if reader.is_counted)

    @property
    def current(self) -> tuple[ReaderStory, ...]:
        """The readings that decide the item now."""
        return tuple(reader for reader in self.readers if reader.is_current)


def story_of(item: Item, user: User | None) -> ItemStory:
    """Return the item's story as ``user`` may see it: without others' votes while they may still vote in a panel; None: all."""
    scores = list(Score.objects.filter(item=item, replaced_at=None).order_by("about", "label", "pk"))
    gold = GoldReference.objects.filter(item=item, retired_at=None).first()
    readers = _readers(item, scores, gold, _decided(item, user), appraisals_of(item, user))
    agreement = [score for score in scores if score.about == Score.About.ITEM and score.metric == AGREEMENT]
    settlements = Settlement.objects.filter(item=item).select_related("decided_by", "ontology").order_by("-number")
    routes = Route.objects.filter(item=item).select_related("author", "policy").order_by("-pk")
    pairs = _pairs(readers, scores)
    return ItemStory(
        item=item,
        media=tuple(media_of(item)),
        readers=readers,
        open_assignments=tuple(row for row in of_item(item) if row.state in HELD),
        pairs=pairs,
        agreement=agreement[-1] if agreement else None,
        routes=tuple(routes),
        settlements=tuple(settlements.prefetch_related("shapes")),
        gold=gold,
        events=lines_of(events_about(item, [reader.submission.pk for reader in readers], user=user)),
        posterior=posterior_of(item),
        disagreement=_disagreement(item, [reader for reader in readers if reader.is_current], pairs),
        scores=tuple(scores),
    )


def events_about(
    item: Item, submissions: Sequence[int], releases: Sequence[int] = (), *, user: User | None
) -> QuerySet[Event]:
    """Return the events about the item, what was submitted for it and the releases that hold it, oldest first.

    Without others' votes while ``user`` may still vote in a panel.
    """
    subjects = [
        f"item:{item.pk}",
        *(f"submission:{key}" for key in submissions),
        *(f"release:{key}" for key in releases),
    ]
    rows = events_of_project(item.project_id).filter(subject__in=subjects).order_by("seq")
    kept_since = None if user is None else hidden_since(user, item)
    if user is None or kept_since is None:
        return rows
    return rows.exclude(Q(kind__in=VOTING_EVENTS, at__gte=kept_since) & ~Q(actor=f"user:{user.pk}"))


def _decided(item: Item, user: User | None) -> Mapping[int, Decision]:
    """The newest judgement of each submission that ``user`` may see."""
    rows = Decision.objects.filter(item=item).select_related("reviewer").order_by("pk")
    screen = None if user is None else screen_of(user, item)
    return {row.submission_id: row for row in rows if screen is None or screen.shows(row.reviewer_id, row.at)}


def _readers(
    item: Item,
    scores: list[Score],
    gold: GoldReference | None,
    decided: Mapping[int, Decision],
    appraised: Mapping[int, Appraisal],
) -> tuple[ReaderStory, ...]:
    reads = reads_of(item)
    current = {submission.pk for submission in reads.current}
    rows = Submission.objects.filter(pk__in=[submission.pk for submission in reads.every])
    rows = rows.select_related("assignment__labeler__user", "assignment__recall_of", "ontology", "guideline", "policy")
    # What is told of a mark is its class: outlines are layers, and may be long.
    marks = Prefetch("annotations", Annotation.objects.defer("regions", "attributes", "mask_origin"))
    details = {row.pk: row for row in rows.prefetch_related(marks, "answers")}

    stood = let_stand(reads.every)

    def found(submission: Submission, about: str, metric: str) -> Score | None:
        return next(
            (s for s in scores if (s.first_id, s.about, s.metric, s.label) == (submission.pk, about, metric, "")), None
        )

    return tuple(
        ReaderStory(
            submission=details[submission.pk],
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
            model_belief=found(submission, Score.About.MODEL, QUALITY),
            stood_planted=submission.pk in stood,
            appraisal=appraised.get(submission.pk),
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


def _disagreement(item: Item, readers: list[ReaderStory], pairs: tuple[PairStory, ...]) -> ItemDisagreement:
    """How the current readers differ, out of the stored comparisons of each two and their answers."""
    place = {reader.submission.pk: number for number, reader in enumerate(readers)}
    keyed = {_key(place[pair.first.pk], place[pair.second.pk]): pair for pair in pairs}
    parts = [(key, place[pair.first.pk] > key[0], score) for key, pair in keyed.items() for score in pair.parts]
    classes = []
    for label in dict.fromkeys(score.label for _, _, score in parts):
        own = [(key, is_turned, score) for key, is_turned, score in parts if score.label == label]
        classes.append(
            StoredClass(
                label,
                next((score.unit for _, _, score in own if score.metric == "hd95"), ""),
                {key: float(score.value or 0) for key, _, score in own if score.metric == "hd95"},
                frozenset(key for key, _, score in own if score.edge_case in ("first-empty", "second-empty")),
                {
                    key: float(score.value or 0) * (-1 if is_turned else 1)
                    for key, is_turned, score in own
                    if score.metric == "volume-difference"
                },
            )
        )
    similarity = {
        key: pair.similarity.value for key, pair in keyed.items()
        if pair.similarity is not None and pair.similarity.value is not None
    }  # fmt: skip
    names = [reader.labeler.name for reader in readers]
    return of_stored(names, similarity=similarity, classes=classes, answers=_codes(item, readers))


def _key(first: int, second: int) -> tuple[int, int]:
    return (first, second) if first < second else (second, first)


def _codes(item: Item, readers: list[ReaderStory]) -> dict[str, tuple[list[float], int]]:
    """The answers to questions with few possible answers as numbers, NaN where there is none, and how many are possible."""
    if not any(reader.answers for reader in readers):
        return {}
    found = {}
    for question in current_ontology(item.project)[1].question_specs():
        if is_closed(question):
            given = [_category(reader.answers.get(question.key)) for reader in readers]
            names = list(dict.fromkeys([*map(_category, question.choices), *(said for said in given if said)]))
            found[question.key] = ([names.index(said) if said else math.nan for said in given], len(names))
    return found


def _category(value: object) -> str:
    """The category of a stored answer; empty where there is none."""
    if isinstance(value, list | tuple):
        return category_of(tuple(str(part) for part in value))
    return "" if value is None else category_of(value)  # type: ignore[arg-type]


def _counts(labels: list[str]) -> dict[str, int]:
    return {label: labels.count(label) for label in sorted(set(labels))}
