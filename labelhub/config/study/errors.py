"""Wrong labels left after a second look, where a model's disagreement says which to look at and where lots do, at equal effort.

Labels of real images are spoilt in known ways, a model learns from the spoilt labels with each item left out of what judges it,
and its doubt in the given label orders the second look. Without it the same seconds go to items by lot. Not here: scores of
doubt (``numerics.label_quality``) and the learner (``pixel_model``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from django.utils.safestring import SafeString
from scipy import ndimage
from scipy.special import softmax

from labelhub.analytics.report_parts import Cell, interval_plot, paragraph, section, table
from labelhub.config.study.learning import halved, learner_of
from labelhub.config.study.material import Items, real_items
from labelhub.config.study.plots import Series, axis_over, line_plot
from labelhub.config.study.report import Sheet, Study, figure, in_words, number_cell, numbers, with_interval
from labelhub.config.study.running import Plan, in_parts, mean_over_seeds
from labelhub.numerics.effort import EffortCosts, item_effort
from labelhub.numerics.label_quality import confident_joint, self_confidence, softmin_score
from labelhub.numerics.results import BoolArray, Estimate, FloatArray, IntArray
from labelhub.numerics.simulated import BoundaryFault, read_mask
from labelhub.numerics.spoilt_labels import learn

TARGET = 0.15
RATE = 0.15
BUDGETS = (0.05, 0.1, 0.2, 0.3)
MAIN_BUDGET = 0.2
FOLDS = 5
COSTS = EffortCosts()
# A second reader is wrong too, now and then: so often, of those that were looked at.
SECOND_ERROR = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Spoilt:
    """Labels of which some are wrong: which, how much the model doubts each (high is doubtful), the seconds of a look."""

    is_wrong: BoolArray
    doubt: FloatArray
    seconds: FloatArray


@dataclass(frozen=True, slots=True)
class Left:
    """Wrong labels left at one budget (share of the seconds that looking at everything would cost), in one seed."""

    routed: float
    by_lot: float
    before: float
    # Left by somebody who knew which are wrong: the seconds of mending them are a limit, too.
    known: float

    @property
    def lower_by(self) -> float:
        """By which share fewer are left with routing than by lot."""
        return 1 - self.routed / self.by_lot if self.by_lot > 0 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A way of being wrong, and whether a model that learns from such labels can be expected to see it."""

    name: str
    of: str
    says: str
    is_systematic: bool = False


KINDS = (
    Kind("any other class", "classes", "a class drawn at random in place of the true one"),
    Kind("a class for its neighbour", "classes", "each class given for the next one, in a share of its items"),
    Kind(
        "one class for another throughout",
        "classes",
        "every other class, most of whose items are wrong",
        is_systematic=True,
    ),
    Kind("nothing marked", "masks", "the structure left out"),
    Kind("half of it left out", "masks", "one half of the structure left out"),
    Kind("beside it", "masks", "the outline shifted by 8 px"),
    Kind("ragged outline", "masks", "an outline that wobbles by 3 px"),
    Kind("too large by 4 px", "masks", "an outline 4 px too far out"),
    Kind("too large by 2 px, by most", "masks", "two of three outlines 2 px too far out", is_systematic=True),
)
SYSTEMATIC_RATE = 2 / 3


def left_after(spoilt: Spoilt, budget: float, seed: int) -> Left:
    """Look at items until the seconds are spent: by doubt, and by lot (its expectation over 200 orders)."""
    rng = np.random.default_rng([seed, 5])
    n = len(spoilt.is_wrong)
    slips = rng.random(n) < SECOND_ERROR
    seconds = budget * float(spoilt.seconds.sum())

    def left(order: IntArray) -> float:
        is_seen = np.zeros(n, dtype=bool)
        is_seen[order[: int(np.searchsorted(np.cumsum(spoilt.seconds[order]), seconds, side="right"))]] = True
        return float(np.where(is_seen, slips, spoilt.is_wrong).mean())

    # Equal doubts are ordered by lot, not by their place.
    routed = left(np.lexsort((rng.random(n), -spoilt.doubt)))
    by_lot = float(np.mean([left(rng.permutation(n)) for _ in range(200)]))
    known = left(np.lexsort((rng.random(n), ~spoilt.is_wrong)))
    return Left(routed, by_lot, float(spoilt.is_wrong.mean()), known)


def wrong_classes(kind: str, truth: IntArray, n_classes: int, rate: float, rng: np.random.Generator) -> IntArray:
    """The classes given: a share of ``rate`` is wrong."""
    given = truth.copy()
    n_wrong = round(rate * len(truth))
    if kind == "one class for another throughout":
        # Class after class until the share is reached; of each, four of five are given as the next.
        for first in range(0, n_classes, 2):
            own = np.nonzero(truth == first)[0]
            chosen = rng.permutation(own)[: min(round(0.8 * len(own)), n_wrong - int((given != truth).sum()))]
            given[chosen] = (first + 1) % n_classes
        return given
    chosen = rng.permutation(len(truth))[:n_wrong]
    step = 1 if kind == "a class for its neighbour" else rng.integers(1, n_classes, len(chosen))
    given[chosen] = (truth[chosen] + step) % n_classes
    return given


def wrong_mask(kind: str, mask: BoolArray, rng: np.random.Generator) -> BoolArray:
    """One mask drawn wrongly."""
    if kind == "nothing marked":
        return np.zeros_like(mask)
    if kind == "half of it left out":
        axis = int(rng.integers(2))
        middle = round(float(np.argwhere(mask)[:, axis].mean()))
        before = np.indices(mask.shape)[axis] < middle
        return np.asarray(mask & (before if rng.random() < 0.5 else ~before))
    if kind == "beside it":
        angle = rng.uniform(0, 2 * np.pi)
        return np.asarray(ndimage.shift(mask.astype(float), (8 * np.sin(angle), 8 * np.cos(angle)), order=0) > 0.5)
    if kind == "ragged outline":
        return read_mask(mask, BoundaryFault(0.0, 3.0, 3.0), rng)
    return read_mask(mask, BoundaryFault(2.0 if "2 px" in kind else 4.0), rng)


def cross_validated(n: int, work: Callable[[IntArray, IntArray], FloatArray], rng: np.random.Generator) -> FloatArray:
    """Predictions of every item by a model that did not learn from it: ``work(others, own)`` for each of the folds."""
    fold = rng.permutation(np.arange(n) % FOLDS)
    parts = [(np.nonzero(fold != number)[0], np.nonzero(fold == number)[0]) for number in range(FOLDS)]
    found: FloatArray | None = None
    for others, own in parts:
        answers = work(others, own)
        if found is None:
            found = np.empty((n, *answers.shape[1:]))
        found[own] = answers
    assert found is not None
    return found


def classes_spoilt(items: Items, kind: Kind, seed: int, rate: float = RATE) -> Spoilt:
    """Class labels, wrong in part; doubt is one minus the out-of-sample probability of the given class.

    Items beside the diagonal of the confident joint come first: they are those that another class claims.
    """
    rng = np.random.default_rng([seed, 1])
    n_classes = int(items.classes.max()) + 1
    given = wrong_classes(kind.name, items.classes, n_classes, rate, rng)

    def work(others: IntArray, own: IntArray) -> FloatArray:
        logits = []
        for number in range(n_classes):
            learned = learn(items.looks[others], (given[others] == number).astype(np.float64), ridge=5.0)
            logits.append(learned.intercept + items.looks[own] @ learned.weights)
        return np.asarray(softmax(np.stack(logits, axis=1), axis=1), dtype=np.float64)

    probabilities = cross_validated(len(given), work, rng)
    doubt = 1 - self_confidence(given, probabilities) + confident_joint(given, probabilities).is_suspect
    return Spoilt(given != items.classes, doubt, np.full(len(given), COSTS.open_s + COSTS.review_s))


def masks_spoilt(items: Items, kind: Kind, seed: int, rate: float = RATE, learner: str = "") -> Spoilt:
    """Masks, wrong in part; doubt is one minus the softmin of each pixel's out-of-sample probability of its given label."""
    rng = np.random.default_rng([seed, 2])
    n = len(items.masks)
    is_wrong = np.zeros(n, dtype=bool)
    is_wrong[rng.permutation(n)[: round((SYSTEMATIC_RATE if kind.is_systematic else rate) * n)]] = True
    given = np.stack([
        wrong_mask(kind.name, mask, rng) if wrong else mask for mask, wrong in zip(items.masks, is_wrong, strict=True)
    ])  # fmt: skip
    seen = halved(given.astype(float)) >= 0.5
    model = learner_of(learner)(halved(items.images))

    def work(others: IntArray, own: IntArray) -> FloatArray:
        members = model.predictions(others.tolist(), seen[others], own.tolist(), seed)
        return np.asarray(members.mean(axis=0), dtype=np.float64)

    inside = cross_validated(n, work, rng)
    doubt = [1 - softmin_score(np.where(mask, share, 1 - share)) for mask, share in zip(seen, inside, strict=True)]
    # Looking costs opening and a look; what is wrong is then drawn anew where it has to be.
    costs = [item_effort(mine, true, COSTS).assisted_s for mine, true in zip(given, items.masks, strict=True)]
    return Spoilt(is_wrong, np.array(doubt), np.array(costs))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    kind: Kind
    seeds: tuple[int, ...]
    items: Items
    learner: str
    rate: float = RATE


def _play(part: _Part) -> list[list[Left]]:
    """For each seed what is left at each budget."""
    found = []
    for seed in part.seeds:
        if part.kind.of == "classes":
            spoilt = classes_spoilt(part.items, part.kind, seed, part.rate)
        else:
            spoilt = masks_spoilt(part.items, part.kind, seed, part.rate, part.learner)
        found.append([left_after(spoilt, budget, seed) for budget in BUDGETS])
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What was left for one kind of error: ``left[seed][budget]``."""

    kind: Kind
    left: Sequence[Sequence[Left]]

    def lower_by(self, budget: float) -> Estimate:
        """By which share fewer errors are left with routing, over paired seeds."""
        place = BUDGETS.index(budget)
        return mean_over_seeds(
            np.array([one[place].lower_by for one in self.left]), "share by which fewer errors are left"
        )

    def mean(self, budget: float, of: str) -> float:
        """The mean error share of one way of choosing: "routed", "by_lot", "known" or "before"."""
        place = BUDGETS.index(budget)
        return float(np.mean([getattr(one[place], of) for one in self.left]))

    @property
    def is_met(self) -> bool:
        """Whether the target is met at the main budget, with its whole interval."""
        return self.lower_by(MAIN_BUDGET).low >= TARGET


def run(plan: Plan) -> Study:
    """Spoil, learn, look again: every kind of error."""
    items = real_items(is_short=plan.is_short)
    parts = [_Part(kind, plan.seeds, items, plan.network) for kind in KINDS]
    results = in_parts(_play, parts, plan, lambda part: f"{part.kind.of}: {part.kind.name}")
    outcomes = [Outcome(part.kind, left) for part, left in zip(parts, results, strict=True)]
    return Study(
        "errors", "Label errors left after a second look", "Routing by a model's disagreement against lots, at equal effort.",
        tuple(_findings(outcomes)), (_targets(outcomes), _budgets(outcomes), _how(items)), NOT_SHOWN,
        {"errors": _sheet(outcomes)},
    )  # fmt: skip


NOT_SHOWN = (
    "Real wrong labels: errors here are planted, and each kind comes alone. Real ones gather on hard items, where "
    "models err too.",
    "Other models: the doubt is a pixel model's (or that of softmax regression on filters). A better model finds more, "
    "and learns "
    "systematic errors better too.",
    "More readers: against several readers and Dawid–Skene the gain is smaller; here an item has one label.",
    "That a model is worth its cost: without one the same seconds are spent by lot, and the model is free here.",
    "Cuts of one picture are not independent, and cross-validation does not keep them apart: items of other people would be "
    "judged worse.",
)


def _findings(outcomes: Sequence[Outcome]) -> list[str]:
    met = [one for one in outcomes if one.is_met]
    missed = [one for one in outcomes if not one.is_met]
    found = [
        f"At {MAIN_BUDGET:.0%} of the effort of looking at everything, routing leaves at least {TARGET:.0%} fewer wrong "
        "labels for "
        f"{len(met)} of {len(outcomes)} kinds of errors: "
        + in_words([f"{one.kind.name} ({with_interval(one.lower_by(MAIN_BUDGET), '{:.0%}')})" for one in met]) + "."
    ]  # fmt: skip
    if missed:
        named = in_words([f"{one.kind.name} ({with_interval(one.lower_by(MAIN_BUDGET), '{:.0%}')})" for one in missed])
        found.append(f"The target is missed, or not shown to be met, for {named}.")
    if any(one.kind.is_systematic for one in missed):
        found.append(
            "What most labels say the model learns, and then it doubts the right ones: only gold or a reviewer helps."
        )
    return found


def _targets(outcomes: Sequence[Outcome]) -> SafeString:
    rows: list[list[Cell]] = [
        [
            one.kind.name, one.kind.of, f"{one.mean(MAIN_BUDGET, 'before'):.1%}", f"{one.mean(MAIN_BUDGET, 'by_lot'):.1%}",
            f"{one.mean(MAIN_BUDGET, 'routed'):.1%}", f"{one.mean(MAIN_BUDGET, 'known'):.1%}",
            number_cell(one.lower_by(MAIN_BUDGET), "{:.0%}"),
            interval_plot(one.lower_by(MAIN_BUDGET), -0.5, 1.0), "met" if one.is_met else "missed",
        ]
        for one in outcomes
    ]  # fmt: skip
    head = [
        "errors",
        "in",
        "wrong before",
        "left by lot",
        "with routing",
        "if known",
        "fewer by",
        "",
        f"{TARGET:.0%} fewer",
    ]
    return section(
        "target", f"At {MAIN_BUDGET:.0%} of the effort",
        table("Share of items that are wrong", head, rows, (2, 3, 4, 5, 6)),
        paragraph("Met means that the whole interval lies above the target; it is compared with lots. If it were known "
                  "which labels "
                  "are wrong, the seconds of mending them would still leave some."),
    )  # fmt: skip


def _budgets(outcomes: Sequence[Outcome]) -> SafeString:
    series = []
    for one in outcomes:
        found = [one.lower_by(budget) for budget in BUDGETS]
        values, low, high = ([getattr(e, n) for e in found] for n in ("value", "low", "high"))
        series.append(Series(one.kind.name, list(BUDGETS), values, low, high))
    x = axis_over("share of the effort of looking at everything", BUDGETS)
    y = axis_over("fewer wrong labels left", [value for one in series for value in (*one.y, *one.low, *one.high)])
    rows: list[list[Cell]] = [
        [one.kind.name, *(number_cell(one.lower_by(budget), "{:.0%}") for budget in BUDGETS)] for one in outcomes
    ]
    plot = line_plot(series, x, y, marks=((TARGET, "target"), (0.0, "no gain")), title="Fewer errors left by effort")
    return section(
        "budgets", "By effort", figure(plot, "By which share fewer wrong labels are left than by lot. 95 % over seeds."),
        table("Fewer by", ["errors", *(f"{budget:.0%} of the effort" for budget in BUDGETS)], rows, (1, 2, 3, 4)),
    )  # fmt: skip


def _how(items: Items) -> SafeString:
    n_classes = int(items.classes.max()) + 1
    texts = (
        f"Classes: {len(items.classes)} crops of {n_classes} pictures, the class being the picture; softmax regression "
        "on filters. "
        f"Masks: {len(items.masks)} cuts of 64 x 64 px; the pixel model. {FOLDS} folds, so that no item is judged by a "
        "model that "
        "learned from it; the model learns from the wrong labels as they are.",
        f"{RATE:.0%} of the labels are wrong, of systematic masks two of three. Doubt in a class: those beside the "
        "diagonal of the "
        "confident joint first, then the least probability of the given class. Doubt in a mask: the softmin of its pixels.",
        "A look costs 2 s to open and 2 s to review, and what is wrong in a mask is drawn anew at 0.12 s a pixel. Both "
        "ways spend "
        f"the same seconds. Who looks is wrong in {SECOND_ERROR:.0%} of what they see. By lot is the mean of 200 orders.",
        "Intervals are Student's over paired seeds, 95 %.",
    )
    return section("how", "How it is compared", *map(paragraph, texts))


def _sheet(outcomes: Sequence[Outcome]) -> Sheet:
    rows = tuple(
        (
            one.kind.of, one.kind.name, budget, one.mean(budget, "before"), one.mean(budget, "by_lot"),
            one.mean(budget, "routed"), one.mean(budget, "known"), *numbers(one.lower_by(budget)),
        )
        for one in outcomes
        for budget in BUDGETS
    )  # fmt: skip
    head = (
        "of",
        "kind",
        "budget",
        "wrong_before",
        "left_by_lot",
        "left_routed",
        "left_if_known",
        "fewer_by",
        "low",
        "high",
        "seeds",
    )
    return Sheet(head, rows)
