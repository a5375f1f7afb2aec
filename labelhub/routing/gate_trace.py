"""The course of a labeler's gate over their gold answers: test, watch, new test on an alarm, until a test says pause.

Pure: answers and plans in, the course and what happened on it out; the same answers give the same course, so that it is
computed again whenever gold drops out. A test keeps the plan that it began with: a policy that changes meanwhile holds from
the next test on. Not here: the tests themselves (``numerics.sequential``), keeping the facts (``gates``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np

from labelhub.numerics.graded_sprt import (
    CREDIT_SPAN,
    ErrorRates,
    decide_on_steps,
    steps_by_difficulty,
    steps_of_scores,
)
from labelhub.numerics.results import FloatArray
from labelhub.numerics.sequential import SprtPlan, watch_steps
from labelhub.scoring.gold_answers import GoldAnswer

METHOD_VERSION = "2"

Stage = Literal["testing", "cleared", "failed"]
Kind = Literal["right-wrong", "surface", "difficulty", "credit"]
# An outline is right by its surface from this surface Dice on.
SURFACE_RIGHT = 0.8


@dataclass(frozen=True, slots=True)
class GatePlan:
    """What one test decides between, with which error rates, and the limit of the watch after it.

    ``source`` says where ``good`` comes from: ``policy``, or ``reference readers`` with ``n_reference`` gold answers.

    ``kind`` says what an answer adds, and ``why`` this kind was taken. By *right or wrong*, and by *surface*, ``good`` and
    ``poor`` are shares of right answers. By *difficulty*, ``items`` holds for each item the chance that a good and a poor
    labeler has on it. By *credit* an outline earns 0 to 1, measured by what reference readers reach with each other
    (``items``: item, that Dice, 0; ``usual`` elsewhere); ``good`` and ``poor`` are mean credits and ``spread`` is that of one.
    ``fixed`` is the size of a test of fixed length as planned.
    """

    good: float
    poor: float
    false_pause: float
    miss: float
    drift_limit: float
    source: str = "policy"
    n_reference: int = 0
    kind: Kind = "right-wrong"
    why: str = ""
    spread: float = 0.0
    usual: float = 0.0
    fixed: int = 0
    items: tuple[tuple[int, float, float], ...] = ()

    @property
    def rates(self) -> ErrorRates:
        """The test's error rates, and its bounds."""
        return ErrorRates(self.false_pause, self.miss)

    @property
    def sprt(self) -> SprtPlan:
        """The plan as the numerics take it."""
        return SprtPlan(self.good, self.poor, self.false_pause, self.miss)

    @property
    def longest(self) -> int:
        """After so many gold answers a test ends in any case: twice the size of a test of fixed length."""
        return 2 * self.fixed_n

    @property
    def fixed_n(self) -> int:
        """The size of a test of fixed length with the same errors."""
        return self.fixed or self.sprt.fixed_n

    def counted(self, answers: Sequence[GoldAnswer]) -> Counted:
        """Return what each answer adds to the test, whether it speaks for the labeler, and what it counted as."""
        if self.kind == "credit":
            return self._by_credit(answers)
        if self.kind == "difficulty":
            return self._by_difficulty(answers)
        is_right = np.array([_is_right(answer, self.kind) for answer in answers], dtype=bool)
        steps = np.where(is_right, self.sprt.step_right, self.sprt.step_wrong)
        said = ["" if self.kind != "surface" else _shown("surface Dice", answer.surface) for answer in answers]
        return Counted(steps, tuple(is_right.tolist()), tuple(said))

    def _by_credit(self, answers: Sequence[GoldAnswer]) -> Counted:
        tops = {item: top for item, top, _ in self.items}
        credit = np.array([credit_of(answer, tops.get(answer.item_id, self.usual)) for answer in answers])
        steps = steps_of_scores(credit, good=self.good, bad=self.poor, spread=self.spread)
        return Counted(steps, tuple((steps <= 0).tolist()), tuple(f"credit {value:.2f}" for value in credit))

    def _by_difficulty(self, answers: Sequence[GoldAnswer]) -> Counted:
        known = {item: (good, poor) for item, good, poor in self.items}
        chances = [known.get(answer.item_id, (self.good, self.poor)) for answer in answers]
        good, poor = [a for a, _ in chances], [b for _, b in chances]
        is_right = [answer.is_right for answer in answers]
        said = tuple(f"{a:.2f} if good, {b:.2f} if poor" for a, b in chances)
        return Counted(steps_by_difficulty(is_right, good, poor), tuple(is_right), said)

    def to_document(self) -> dict[str, Any]:
        """Return the plan as a JSON-ready dictionary."""
        return asdict(self)


def plan_of_document(document: Mapping[str, Any]) -> GatePlan:
    """Return the plan that :meth:`GatePlan.to_document` wrote."""
    items = tuple((int(item), float(first), float(second)) for item, first, second in document.get("items", ()))
    return GatePlan(**{**document, "items": items})


def credit_of(answer: GoldAnswer, top: float) -> float:
    """The credit of an outline where readers reach ``top`` with each other: full from there on, none from .2 below.

    Where neither answer nor gold has an area it is full or none, as the answer is right or not.
    """
    if answer.dice is None:
        return float(answer.is_right)
    return float(np.clip((answer.dice - top + CREDIT_SPAN) / CREDIT_SPAN, 0.0, 1.0))


def _is_right(answer: GoldAnswer, kind: str) -> bool:
    return answer.is_right if kind != "surface" or answer.surface is None else answer.surface >= SURFACE_RIGHT


def _shown(what: str, value: float | None) -> str:
    return "" if value is None else f"{what} {value:.2f}"


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What gold answers add to a test: the steps, which of them speak for the labeler, and each in words."""

    steps: FloatArray
    marks: tuple[bool, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the course: a test, or the watch after it, from answer ``first`` on, with its height after each answer.

    Above ``upper`` a test says pause and a watch alarms; below ``lower`` a test clears (a watch has none).
    """

    kind: Literal["test", "watch"]
    test: int
    first: int
    heights: tuple[float, ...]
    upper: float
    lower: float | None
    verdict: Literal["pause", "clear", "alarm", "continue"]
    is_truncated: bool
    plan: GatePlan
    marks: tuple[bool, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GateEvent:
    """Something that happened on the course: ``answer`` is the place of the gold answer after which it fell."""

    kind: Literal["test-started", "cleared", "drift-alarm", "proposed"]
    test: int
    answer: int | None
    height: float = 0.0
    n_used: int = 0
    is_truncated: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """The whole course. ``stage`` is how it stands at its end; ``n_unused`` answers came after a test said pause."""

    answers: tuple[GoldAnswer, ...]
    segments: tuple[Segment, ...]
    events: tuple[GateEvent, ...]
    stage: Stage
    n_unused: int

    @property
    def last(self) -> Segment | None:
        """The stretch in which the labeler is now."""
        return self.segments[-1] if self.segments else None


def trace_of(
    answers: Sequence[GoldAnswer], plan_of: Callable[[int], GatePlan], restarts: Sequence[datetime] = ()
) -> Trace:
    """Return the course over ``answers``, oldest first.

    ``plan_of`` gives the plan of the first, second, … test. At each of the ``restarts`` (a person resumed the labeler, or
    declined to pause them) whatever ran before ends, and the next answers are those of a new test.
    """
    course = _Course(answers, plan_of)
    bounds = sorted(restarts)
    for number in range(len(bounds) + 1):
        after = bounds[number - 1] if number else None
        until = bounds[number] if number < len(bounds) else None
        span = [
            place
            for place, answer in enumerate(answers)
            if (after is None or answer.at > after) and (until is None or answer.at <= until)
        ]
        course.walk(span, is_restart=number > 0)
    return course.trace()


class _Course:
    """Collects the stretches and events while the answers are walked through once."""

    def __init__(self, answers: Sequence[GoldAnswer], plan_of: Callable[[int], GatePlan]) -> None:
        self.answers, self.plan_of = tuple(answers), plan_of
        self.segments: list[Segment] = []
        self.events: list[GateEvent] = []
        self.stage: Stage = "testing"
        self.test = self.n_unused = 0

    def trace(self) -> Trace:
        return Trace(self.answers, tuple(self.segments), tuple(self.events), self.stage, self.n_unused)

    def walk(self, span: Sequence[int], *, is_restart: bool) -> None:
        """Walk through answers next to each other: tests and watches in turn, until one says pause or they end."""
        self.stage = "testing"
        if not span and not is_restart:
            return
        self._start(None if is_restart else span[0])
        place = 0
        while place < len(span):
            tested = self._test(span[place:])
            place += len(tested.heights)
            if tested.verdict == "pause":
                self.n_unused += len(span) - place
                return
            if tested.verdict == "continue" or place == len(span):
                return
            watched = self._watch(span[place:])
            place += len(watched.heights)
            if watched.verdict != "alarm":
                return
            # The alarm pauses nobody: it calls for a new test, on gold that had no part in the alarm.
            self.stage = "testing"
            self._start(span[place - 1])

    def _start(self, answer: int | None) -> None:
        self.test += 1
        self.events.append(GateEvent("test-started", self.test, answer))

    def _test(self, span: Sequence[int]) -> Segment:
        plan = self.plan_of(self.test)
        counted = plan.counted([self.answers[place] for place in span])
        found = decide_on_steps(counted.steps, plan.fixed_n, plan.rates)
        heights = tuple(float(height) for height in found.ratio)
        n = len(heights)
        segment = Segment(
            "test", self.test, span[0], heights, plan.rates.pause_at, plan.rates.clear_at, found.verdict,
            found.is_truncated, plan, counted.marks[:n], counted.words[:n],
        )  # fmt: skip
        self.segments.append(segment)
        if found.verdict != "continue":
            self.stage = "failed" if found.verdict == "pause" else "cleared"
            self.events.append(
                GateEvent(
                    "proposed" if found.verdict == "pause" else "cleared", self.test, span[found.n_used - 1],
                    heights[-1], found.n_used, found.is_truncated,
                )
            )  # fmt: skip
        return segment

    def _watch(self, span: Sequence[int]) -> Segment:
        plan = self.plan_of(self.test)
        counted = plan.counted([self.answers[place] for place in span])
        found = watch_steps(counted.steps, limit=plan.drift_limit)
        end = len(span) if found.alarm_at is None else found.alarm_at + 1
        heights = tuple(float(height) for height in found.course[:end])
        verdict: Literal["alarm", "continue"] = "continue" if found.alarm_at is None else "alarm"
        segment = Segment(
            "watch", self.test, span[0], heights, plan.drift_limit, None, verdict, is_truncated=False, plan=plan,
            marks=counted.marks[:end], words=counted.words[:end],
        )  # fmt: skip
        self.segments.append(segment)
        if verdict == "alarm":
            self.events.append(GateEvent("drift-alarm", self.test, span[end - 1], heights[-1], end))
        return segment
