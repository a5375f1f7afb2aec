"""What a reader collects while it walks a source, and how that becomes an :class:`AnnotationSet`.

One place keeps the order of items, lists problems up to a limit, and adds up losses, so that every reader reports in
the same way. Not here: any file syntax.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from labelhub.formats.limits import MAX_PROBLEMS_LISTED, MAX_TEXT
from labelhub.formats.shapes import (
    AnnotationSet,
    EmptyMeans,
    FormatError,
    Grid,
    ItemRecord,
    Loss,
    Problem,
    QuestionSpec,
    Reading,
    Value,
)

_Root = TypeVar("_Root")

UNKNOWN_RATER_REMEDY: Final = "Use one file or folder a rater, or give a table of raters (--raters map.csv)."


@dataclass(frozen=True, slots=True)
class Written:
    """One written file and what its format could not carry."""

    content: bytes
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """Several written files by relative name, and what their format could not carry."""

    files: Mapping[str, bytes]
    losses: tuple[Loss, ...] = ()


@dataclass(slots=True)
class Gathering:
    """The growing result of one reader. Lives for one call and is never shared."""

    items: dict[str, ItemRecord] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)
    labels: dict[str, None] = field(default_factory=dict)
    questions: dict[str, QuestionSpec] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unlisted_problems: int = 0
    losses: dict[tuple[str, str], int] = field(default_factory=dict)
    incomplete: set[tuple[str, str | None]] = field(default_factory=set)

    def problem(self, place: str, message: str, remedy: str) -> None:
        """Note something that could not be used; the rest goes on."""
        self.add_problem(Problem(place, message, remedy))

    def add_problem(self, problem: Problem) -> None:
        """Note a finished problem, listing at most a thousand of them."""
        if len(self.problems) < MAX_PROBLEMS_LISTED:
            self.problems.append(problem)
        else:
            self.unlisted_problems += 1

    def leave_incomplete(self, item: str, rater: str | None) -> None:
        """Note that something this rater (None: nobody knows who) marked on the item was not kept.

        Where nothing else of the reading is left it counts as not read: an empty read would be a false negative.
        """
        self.incomplete.add((item, rater))

    def each_root(self, files: Mapping[str, bytes], load: Callable[[bytes, str], _Root]) -> Iterator[tuple[str, _Root]]:
        """Name and content of every file that ``load`` takes, in order; the others become problems and the rest goes on."""
        for name in sorted(files):
            try:
                root = load(files[name], name)
            except FormatError as error:
                self.add_problem(error.problem)
                continue
            yield name, root

    def note(self, sentence: str) -> None:
        """Keep a sentence about the whole source, once."""
        self.notes.setdefault(sentence)

    def lose(self, what: str, why: str, count: int = 1) -> None:
        """Count something the source holds that is not kept."""
        if count:
            self.losses[what, why] = self.losses.get((what, why), 0) + count

    def add_item(self, item: ItemRecord) -> None:
        """Add an item, or complete the one already known by what this source adds."""
        known = self.items.get(item.key)
        if known is None:
            self.items[item.key] = item
            return
        self.items[item.key] = dataclasses.replace(
            known,
            group=known.group if known.group is not None else item.group,
            group_kind=known.group_kind if known.group is not None else item.group_kind,
            grids=known.grids or item.grids,
        )

    def add_labels(self, labels: Iterable[str]) -> None:
        """Keep label names in the order in which they first appear."""
        for label in labels:
            self.labels.setdefault(label)

    def finish(
        self,
        source: str,
        *,
        empty_means: EmptyMeans,
        empty_rule: str,
        unit_name: str = "image",
        raters_identifiable: bool = True,
    ) -> AnnotationSet:
        """The finished set. Raises :class:`FormatError` where nothing but problems was found."""
        if not self.items and self.problems:
            raise FormatError(dataclasses.replace(self.problems[0], fatal=True))
        problems = tuple(self.problems)
        if self.unlisted_problems:
            more = f"{self.unlisted_problems} more problems of this source are not listed."
            problems = (*problems, Problem(source, more, "Solve the listed ones first, then read again."))
        readings = tuple(reading for reading in self.readings if not self._is_refused(reading))
        self.lose(
            "reads of which no mark could be used",
            "they do not count as read; as empty reads they would be false negatives",
            len(self.readings) - len(readings),
        )
        return AnnotationSet(
            format=source,
            items=tuple(self.items.values()),
            readings=readings,
            labels=tuple(self.labels),
            questions=tuple(self.questions.values()),
            raters_identifiable=raters_identifiable,
            empty_means=empty_means,
            empty_rule=empty_rule,
            unit_name=unit_name,
            notes=tuple(self.notes),
            problems=problems,
            losses=tuple(Loss(what, count, why) for (what, why), count in self.losses.items()),
        )

    def _is_refused(self, reading: Reading) -> bool:
        if reading.shapes or reading.answers:
            return False
        return not self.incomplete.isdisjoint({(reading.item, reading.rater), (reading.item, None)})


def plain_value(value: object) -> Value | None:
    """The value in a form that an attribute may hold, or ``None`` where it has none (nested, null, far too long)."""
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else None
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return tuple(value)
    return None


def grid_conflict(known: ItemRecord | None, grid: Grid | None) -> bool:
    """Whether two sources state different numbers of pixels for one item."""
    if known is None or grid is None or not known.grids:
        return False
    return known.grids[0].size != grid.size


_GROUP_FIELDS = (
    ("patient", ("patient_id", "patient", "subject_id", "subject")),
    ("study", ("study_id", "study")),
    ("image", ("parent_image",)),
)


def group_of(fields: Mapping[str, object]) -> tuple[str, str | None]:
    """The kind and name of the highest known unit above an item, from fields that say so; ``("unknown", None)``
    else.
    """
    group = fields.get("group")
    if isinstance(group, str) and group:
        kind = fields.get("group_kind")
        return (kind if isinstance(kind, str) else "unknown"), group
    for kind, names in _GROUP_FIELDS:
        for name in names:
            value = fields.get(name)
            if isinstance(value, str | int) and not isinstance(value, bool) and str(value):
                return kind, str(value)
    return "unknown", None
