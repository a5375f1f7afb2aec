"""Which items a new version of the ontology or the instructions touches, before it is published. Reads only.

An item is touched where a reading of it that speaks now would say something else or less under the new version: marks of a
class that is merged, split or removed, an answer that is no longer a choice; and where a class is added or split that the
reading was not asked. New instructions touch every item that was read. Not here: publishing (``projects.services``), sending
items back (``rereading``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from labelhub.annotations.models import Annotation, Answer, Submission
from labelhub.catalog.models import Item
from labelhub.projects.lineage import Change, Lineage, changes_between, checked_lineage
from labelhub.projects.models import Project
from labelhub.projects.ontology import Ontology, Question
from labelhub.projects.selectors import current_ontology
from labelhub.scoring.reads import VOTING

# What is listed; all are counted, and all can be sent back.
MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class Touched:
    """One item: how many of its readings say something else or less, and what."""

    item: Item
    n_readings: int
    what: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change comes to: what is different, in sentences with counts, and the items whose readings it touches.

    ``outside`` counts readings with marks or answers that mean nothing any more, ``renamed`` those whose marks are of another
    class from now on, ``not_asked`` those that a new class was not asked of; a reading may be in each. ``items`` are the ids
    of all touched items, in order; ``listed`` describes the first of them.
    """

    changes: tuple[Change, ...]
    sentences: tuple[str, ...]
    outside: int
    renamed: int
    not_asked: int
    items: tuple[int, ...]
    listed: tuple[Touched, ...]

    @property
    def touches_readings(self) -> bool:
        """Whether a reading says something else or less."""
        return bool(self.items)


def impact_of_ontology(project: Project, after: Ontology, lineage: Lineage) -> Impact:
    """Return what publishing ``after`` would touch. Raises ``OntologyProblem`` where the lineage does not fit."""
    _, before = current_ontology(project)
    checked_lineage(before, after, lineage)
    changes = changes_between(before, after, lineage)
    lost = {change.old for change in changes if change.what in ("removed", "split")}
    merged = {change.old for change in changes if change.what == "merged"}
    is_wider = any(change.what in ("added", "split") for change in changes)
    marks = _marks(project, lost | merged)
    answers = _lost_answers(project, before.questions, after.questions)
    outside: dict[int, list[str]] = {}
    for submission, label in marks:
        if label in lost:
            outside.setdefault(submission, []).append(f"{label}: its marks mean nothing any more")
    for submission, question in answers:
        outside.setdefault(submission, []).append(f"{question}: the answer is no choice any more")
    renamed = {
        submission: f"{label}: marks become {lineage.merged[label]}" for submission, label in marks if label in merged
    }
    every = dict(_speaking(project).values_list("pk", "assignment__item_id"))
    wider = set(every) if is_wider else set()
    touched: dict[int, list[tuple[int, str]]] = {}
    for submission in sorted({*outside, *renamed, *wider}):
        if submission in every:
            words = [*outside.get(submission, ()), *([renamed[submission]] if submission in renamed else [])]
            touched.setdefault(every[submission], []).extend(
                (submission, word) for word in words or ["new classes not asked"]
            )
    return Impact(
        changes, _sentences(project, before, changes), outside=len(outside.keys() & every.keys()),
        renamed=len(renamed.keys() & every.keys()), not_asked=len(wider), items=tuple(sorted(touched)),
        listed=_listed(touched),
    )  # fmt: skip


def impact_of_guideline(project: Project) -> Impact:
    """Return what new instructions would touch: every item that was read under earlier ones."""
    every = _speaking(project).values_list("pk", "assignment__item_id", "guideline__number")
    touched: dict[int, list[tuple[int, str]]] = {}
    for submission, item, number in every:
        under = f"read under instructions {number}" if number is not None else "read elsewhere"
        touched.setdefault(item, []).append((submission, under))
    n = sum(len(found) for found in touched.values())
    sentences = (f"{n} reading{'s' if n != 1 else ''} of {len(touched)} item{'s' if len(touched) != 1 else ''} "
                 "stand under earlier instructions and stay as they are.",)  # fmt: skip
    return Impact((), sentences, 0, 0, 0, tuple(sorted(touched)), _listed(touched))


def touched_ids(impact: Impact, chosen: Iterable[str]) -> list[int]:
    """Return the ids of those of the touched items that were chosen by their codes, from the listed ones."""
    wanted = set(chosen)
    return [entry.item.pk for entry in impact.listed if entry.item.code in wanted]


def _speaking(project: Project) -> QuerySet[Submission]:
    """The readings that could speak for their items, of items that are not excluded."""
    rows = Submission.objects.filter(assignment__item__project=project, read_kind__in=VOTING)
    return rows.exclude(assignment__item__state=Item.State.EXCLUDED)


def _marks(project: Project, labels: set[str]) -> list[tuple[int, str]]:
    if not labels:
        return []
    rows = Annotation.objects.filter(submission__assignment__item__project=project, label__in=labels)
    return list(rows.values_list("submission_id", "label").distinct().order_by("submission_id", "label"))


def _lost_answers(project: Project, before: Sequence[Question], after: Sequence[Question]) -> list[tuple[int, str]]:
    """Answers to questions that are still asked, under choices that are no more; a question that is gone is asked no more."""
    known: Mapping[str, Question] = {question.key: question for question in after}
    found: list[tuple[int, str]] = []
    for question in before:
        now = known.get(question.key)
        if now is not None and (now.kind, now.choices) != (question.kind, question.choices):
            rows = Answer.objects.filter(submission__assignment__item__project=project, question=question.key)
            pairs = rows.values_list("submission_id", "value")
            found += [(submission, question.text) for submission, value in pairs if now.refusal_of(value) is not None]
    return found


def _sentences(project: Project, before: Ontology, changes: Sequence[Change]) -> tuple[str, ...]:
    names = {entry.key: entry.name for entry in before.classes}
    rows = Annotation.objects.filter(submission__assignment__item__project=project)
    counts = dict(rows.values_list("label").annotate(n=Count("submission", distinct=True)).order_by())
    return tuple(_sentence(change, names, counts.get(change.old, 0)) for change in changes)


def _sentence(change: Change, names: Mapping[str, str], n: int) -> str:
    name = names.get(change.old, change.old)
    readings = f"{n} reading{'s have' if n != 1 else ' has'} marks of it"
    if change.what == "renamed":
        return f"“{name}” gets another name and stays the same class: {readings}, and nothing changes in what they say."
    if change.what == "merged":
        return f"“{name}” goes into “{change.new[0]}”: {readings}, which are of that class from now on."
    if change.what == "split":
        parts = ", ".join(f"“{part}”" for part in change.new)
        return f"“{name}” is split into {parts}: {readings}, and which part each is, is not known."
    if change.what == "removed":
        return f"“{name}” is removed: {readings}, which are in no number any more; they stay on record."
    return f"“{change.old}” is new: no reading so far was asked for it."


def _listed(touched: Mapping[int, Sequence[tuple[int, str]]]) -> tuple[Touched, ...]:
    first = sorted(touched)[:MOST_LISTED]
    items = Item.objects.in_bulk(first)
    return tuple(
        Touched(
            items[key], len({submission for submission, _ in touched[key]}),
            tuple(dict.fromkeys(word for _, word in touched[key])),
        )
        for key in first
    )  # fmt: skip
