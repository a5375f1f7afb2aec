"""The rows of a panel: every number with its count, interval and method, and the items it rests on. No computing here.

These are what a page, a report and a CSV show; ``panel.measure`` fills them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from labelhub.formats.shapes import Measure
from labelhub.numerics.bootstrap import Resampling
from labelhub.numerics.results import Estimate
from labelhub.scoring.gather import Gathered, IntArray, ReadTally
from labelhub.scoring.item_disagreement import ItemDisagreement
from labelhub.scoring.panel_plain_rows import CopyRow, TruthRow
from labelhub.scoring.remembered import Memory, digest_of

VERSION = "4"
# An interval of a reader's share wider than this says too little about a person, whatever n is.
GREY_WIDTH = 0.2


@dataclass(frozen=True, slots=True)
class Measured:
    """One number of the panel: what it is, its estimate, and the keys of the items behind it.

    ``is_grey`` marks a number that rests on fewer units than the stated minimum, or that has no interval; of single
    readers also one whose interval is wider than 0.2.
    """

    key: str
    name: str
    estimate: Estimate
    items: tuple[str, ...] = ()
    is_grey: bool = False
    # The versions of ontology and instructions whose readings stand together in it; empty where it is one.
    versions: tuple[str, ...] = ()


def number_in_words(measured: Measured) -> str:
    """The number as pages print it: value, interval and n."""
    estimate = measured.estimate
    if not estimate.is_defined:
        return f"undefined ({estimate.reason})"
    return f"{figure(estimate.value)} {interval_in_words(estimate) or '[no interval]'} n={estimate.n}"


def interval_in_words(estimate: Estimate, places: int = 2) -> str:
    """``[0.82–0.91]``, or ``[−0.32 to 0.04]`` where a dash could be taken for a minus; empty without an interval."""
    if not np.isfinite(estimate.width):
        return ""
    between = " to " if estimate.low < 0 or estimate.high < 0 else "–"
    return f"[{figure(estimate.low, places)}{between}{figure(estimate.high, places)}]"


def figure(value: float, places: int = 2) -> str:
    """A figure with a true minus sign, and no minus before zero."""
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


@dataclass(frozen=True, slots=True)
class FoundByRow:
    """Of the objects that ``n_readers`` could have found, how many exactly ``k`` did."""

    n_readers: int
    k: int
    count: int
    share: Measured


@dataclass(frozen=True, slots=True)
class DetectionRow:
    """How far readers agree that an object of one label is there.

    ``agreement`` pools all pairs of readers; ``mean_over_pairs`` averages the pairs of readers of each item, so that
    items with many objects weigh no more. ``empty_reads`` is the share of reads that marked none, ``both_empty`` the
    agreement on that (negative specific agreement over items). ``sensitivity`` is (IoU threshold, agreement).
    """

    label: str
    n_objects: int
    n_marks: int
    agreement: Measured
    mean_over_pairs: Measured
    found_by: tuple[FoundByRow, ...]
    n_reads: int
    n_empty_reads: int
    empty_reads: Measured
    both_empty: Measured
    n_items_all_empty: int
    is_whole: bool
    matched_by: str
    sensitivity: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class OverlapRow:
    """How alike two readers drew the same object of one label, and all of a label together on an item.

    ``hd95`` has one entry a unit of length that occurs. ``whole_*`` compare everything marked on an item, an object
    that one reader missed included; items where both marked nothing are left out of them and counted in
    ``both_empty``.
    """

    label: str
    dice: Measured
    iou: Measured
    hd95: tuple[Measured, ...]
    volume_difference: Measured
    whole_dice: Measured
    whole_iou: Measured
    both_empty: Measured
    n_without_area: int


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """How far readers agree on one question (of an item, or of an object that two readers marked)."""

    question: str
    measure: Measure
    on_objects: bool
    unit: str
    alpha: Measured
    raw: Measured
    gwet: Measured
    prevalence_warning: str | None
    counts: tuple[tuple[str, int], ...]
    reads_for_half_width: int | None


@dataclass(frozen=True, slots=True)
class ShapeRow:
    """Agreement of a label's shapes beyond the mean: alpha with D_o and D_e under ``baseline``, sigma, KS, human ceiling.

    ``sigma`` is the share of pairs within objects closer than all but 5 % of ``n_chance_pairs`` chance pairs. Of very many
    objects ``n_left_out`` were not looked at.
    """

    label: str
    alpha: Measured
    observed: float
    expected: float
    baseline: str
    n_chance_pairs: int
    sigma: float
    ks: float
    n_pairs: int
    ceiling: Measured
    n_left_out: int


@dataclass(frozen=True, slots=True)
class ClassRow:
    """How far readers agree on which class an object has, objects being matched whatever their class.

    ``alpha`` takes "not marked" as a category of its own; ``raw`` looks at objects that both marked. ``confusion`` are
    counts of (class of one reader, class of another) over pairs, in both orders.
    """

    alpha: Measured
    raw: Measured
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two readers compared: over all items where readers are known, else on one item only (``item`` is then set)."""

    first: str
    second: str
    about: str
    measured: Measured
    item: str = ""


@dataclass(frozen=True, slots=True)
class LabelerRow:
    """One identifiable reader: how much they read, how they agree with the others, and against gold."""

    rater: str
    n_readings: int
    n_shared: int
    agreement: tuple[Measured, ...]
    gold: tuple[Measured, ...]
    confusions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One item: how many read it, how far they disagree (0 to 1), why, in what, and what a look is expected to gain."""

    item: str
    source_id: str
    n_readers: int
    disagreement: float
    reason: str
    expected_gain: float
    odd_reader: str = ""
    pairs: tuple[tuple[str, str, float], ...] = ()
    parts: ItemDisagreement = field(default_factory=ItemDisagreement)


@dataclass(frozen=True, slots=True)
class ObjectScore:
    """Two readers' outlines of one object (numbered within its label over the whole set), compared."""

    item: str
    label: str
    object: int
    first: str
    second: str
    dice: float
    iou: float
    hd95: float
    hd95_unit: str
    size_difference: float


@dataclass(frozen=True, slots=True)
class WorkRow:
    """What to do next about one item."""

    item: str
    source_id: str
    reason: str
    action: str
    whom: str
    expected_gain: float


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """A reader's number that is clearly out of bounds; ``what`` goes on after the reader's name."""

    rater: str
    what: str
    measured: Measured


@dataclass(frozen=True, slots=True)
class Planning:
    """What cannot be concluded, and how many reads would change that."""

    cannot: tuple[str, ...]
    second_reads_worst_case: int
    second_reads_if_high: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What a panel was made with; printed with it."""

    seed: int
    match_iou: float
    reach_px: float
    reach_mm: float
    n_resamples: int
    min_items: int
    min_gold: int
    gold_target: float
    version: str = VERSION


@dataclass(frozen=True, slots=True)
class Source:
    """What was read: counts, kinds of read, and what the source says of itself."""

    format: str
    unit: str
    group_unit: str
    n_items: int
    n_items_in_source: int
    n_groups: int
    n_readings: int
    n_items_read_twice: int
    readers_per_item: tuple[tuple[int, int], ...]
    kind: str
    is_independent: bool
    are_raters_known: bool
    raters: tuple[str, ...]
    tallies: tuple[ReadTally, ...]
    empty_rule: str
    notes: tuple[str, ...]
    problems: tuple[tuple[str, str, str], ...]
    losses: tuple[tuple[str, int, str], ...]
    # How many readings were made under which versions, where these are several.
    versions: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class GoldRow:
    """All readers together against gold."""

    n_items: int
    numbers: tuple[Measured, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Everything that a page or a report shows about a set of readings."""

    source: Source
    settings: Settings
    verdict: tuple[str, str, str]
    cautions: tuple[str, ...]
    detection: tuple[DetectionRow, ...]
    overlap: tuple[OverlapRow, ...]
    classes: ClassRow | None
    questions: tuple[QuestionRow, ...]
    pairs: tuple[PairRow, ...]
    labelers: tuple[LabelerRow, ...]
    gold: GoldRow | None
    items: tuple[ItemRow, ...]
    worklist: tuple[WorkRow, ...]
    copies: tuple[CopyRow, ...]
    planning: Planning
    alarms: tuple[AlarmRow, ...] = ()
    object_scores: tuple[ObjectScore, ...] = ()
    shapes: tuple[ShapeRow, ...] = ()
    truth: tuple[TruthRow, ...] = ()

    @property
    def disputed(self) -> tuple[ItemRow, ...]:
        """The items readers disagree on, most disputed first."""
        known = [row for row in self.items if row.n_readers >= 2 and row.disagreement > 0]
        return tuple(sorted(known, key=lambda row: (-row.disagreement, -row.expected_gain)))

    def numbers(self) -> tuple[Measured, ...]:
        """Every number about the set as a whole (not those of single readers or items), in reading order."""
        found: list[Measured] = []
        for detection in self.detection:
            found += [detection.agreement, detection.mean_over_pairs, *(row.share for row in detection.found_by)]
            found += [detection.empty_reads, detection.both_empty]
        for overlap in self.overlap:
            found += [overlap.dice, overlap.iou, *overlap.hd95, overlap.volume_difference]
            found += [overlap.whole_dice, overlap.whole_iou, overlap.both_empty]
        if self.classes is not None:
            found += [self.classes.alpha, self.classes.raw]
        for question in self.questions:
            found += [question.alpha, question.raw, question.gwet]
        if self.gold is not None:
            found += list(self.gold.numbers)
        return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What every part of the panel needs: readings, seed, the least n of a number that is not grey, what is known already."""

    gathered: Gathered
    settings: Settings
    memory: Memory = field(default_factory=Memory)

    def resampling(self, key: str, items: IntArray) -> Resampling:
        """Resample the groups of these units. Each number has random numbers of its own, so order changes nothing."""
        rng = np.random.default_rng([self.settings.seed, zlib.crc32(key.encode())])
        return Resampling(
            rng=rng,
            groups=self.gathered.groups[items],
            group_unit=self.gathered.group_unit,
            n_resamples=self.settings.n_resamples,
        )

    def remembered(
        self, key: str, numbers: Sequence[ArrayLike], items: IntArray, make: Callable[[Resampling], Estimate],
        *rules: Hashable,
    ) -> Estimate:  # fmt: skip
        """``make`` the estimate, or what it was: out of ``numbers`` (a unit first), their groups and ``rules`` alone."""
        groups = np.unique(self.gathered.groups[items], return_inverse=True)[1]
        known = (digest_of(*numbers, groups), self.gathered.group_unit, self.memory.number_of(self.settings), *rules)
        return self.memory.part(f"number {key}", (), known, lambda: make(self.resampling(key, items)))

    def measured(
        self,
        key: str,
        name: str,
        estimate: Estimate,
        items: Iterable[int],
        *,
        minimum: int | None = None,
        widest: float = np.inf,
    ) -> Measured:
        """The number with the items behind it, grey where it rests on too few units or its interval is too wide."""
        least = self.settings.min_items if minimum is None else minimum
        places = np.unique(np.fromiter(items, dtype=np.int64))
        behind = tuple(self.gathered.items[index].key for index in places.tolist())
        is_enough = estimate.is_defined and estimate.n >= least and estimate.width <= widest
        return Measured(key, name, estimate, behind, is_grey=not is_enough)
