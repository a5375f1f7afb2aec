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

from labelhub.numerics.sequential import SprtPlan, drift, sprt
from labelhub.scoring.gold_answers import GoldAnswer

METHOD_VERSION = "1"

Stage = Literal["testing", "cleared", "failed"]


@dataclass(frozen=True, slots=True)
class GatePlan:
    """What one test decides between, with which error rates, and the limit of the watch after it.

    ``source`` says where ``good`` comes from: ``policy``, or ``reference readers`` with ``n_reference`` gold answers.
    """

    good: float
    poor: float
    false_pause: float
    miss: float
    drift_limit: float
    source: str = "policy"
    n_reference: int = 0

    @property
    def sprt(self) -> SprtPlan:
        """The plan as the numerics take it."""
        return SprtPlan(self.good, self.poor, self.false_pause, self.miss)

    @property
    def longest(self) -> int:
        """After so many gold answers a test ends in any case: twice the size of a test of fixed length."""
        return 2 * self.sprt.fixed_n

    def to_document(self) -> dict[str, Any]:
        """Return the plan as a JSON-ready dictionary."""
        return asdict(self)


def plan_of_document(document: Mapping[str, Any]) -> GatePlan:
    """Return the plan that :meth:`GatePlan.to_document` wrote."""
    return GatePlan(**document)


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
        found = sprt([self.answers[place].is_right for place in span], plan.sprt)
        heights = tuple(float(height) for height in found.ratio)
        segment = Segment(
            "test", self.test, span[0], heights, plan.sprt.pause_at, plan.sprt.clear_at, found.verdict,
            found.is_truncated, plan,
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
        found = drift(
            [self.answers[place].is_right for place in span], limit=plan.drift_limit, good=plan.good, bad=plan.poor
        )
        end = len(span) if found.alarm_at is None else found.alarm_at + 1
        heights = tuple(float(height) for height in found.course[:end])
        verdict: Literal["alarm", "continue"] = "continue" if found.alarm_at is None else "alarm"
        segment = Segment(
            "watch", self.test, span[0], heights, plan.drift_limit, None, verdict, is_truncated=False, plan=plan
        )
        self.segments.append(segment)
        if verdict == "alarm":
            self.events.append(GateEvent("drift-alarm", self.test, span[end - 1], heights[-1], end))
        return segment
