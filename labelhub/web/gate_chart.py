"""A gate's course as a small chart and as the rows of a table: the same numbers, with the bounds drawn.

Not here: the course itself (``routing.gate_trace``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from labelhub.routing.gate_trace import Segment, Trace

WIDTH, HEIGHT = 760, 240
LEFT, RIGHT, TOP, BOTTOM = 40, 92, 14, 26
SAYS = {"pause": "fails", "clear": "cleared", "alarm": "alarm", "continue": ""}


@dataclass(frozen=True, slots=True)
class Dot:
    """One gold answer on the chart; those that speak against the labeler (wrong, or of low credit) are crosses."""

    x: float
    y: float
    is_right: bool
    title: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """One test or watch: its line, its dots, the heights of its bounds, and what it came to."""

    kind: str
    name: str
    points: str
    dots: tuple[Dot, ...]
    x_start: float
    x_end: float
    y_upper: float
    y_lower: float | None
    upper: float
    lower: float | None
    says: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All stretches, and the zero line."""

    stretches: tuple[Stretch, ...]
    y_zero: float
    x_last: float
    n: int
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True, slots=True)
class Row:
    """One gold answer in the table. ``height`` and the bounds are None for answers that came after a failed test.

    ``counted`` says what it counted as where that is more than right or wrong; ``speaks_for`` whether it spoke for the labeler.
    """

    number: int
    code: str
    at: datetime
    is_right: bool
    stage: str
    height: float | None
    upper: float | None
    lower: float | None
    says: str
    counted: str
    speaks_for: bool


def chart_of(trace: Trace) -> Chart | None:
    """Return the chart of a course; None without any answer in it."""
    if not trace.segments:
        return None
    n = len(trace.answers)
    heights = [height for part in trace.segments for height in part.heights]
    high = max([*heights, *(part.upper for part in trace.segments)]) + 0.4
    low = min([0.0, *heights, *(part.lower for part in trace.segments if part.lower is not None)]) - 0.4
    scale = _Scale(n, low, high)
    return Chart(tuple(_stretch(trace, part, scale) for part in trace.segments), scale.y(0.0), scale.x(n - 1), n)


def rows_of(trace: Trace) -> tuple[Row, ...]:
    """Return a row for each gold answer, oldest first."""
    parts: dict[int, tuple[Segment, int]] = {}
    for part in trace.segments:
        for offset in range(len(part.heights)):
            parts[part.first + offset] = (part, offset)
    return tuple(_row(trace, place, parts.get(place)) for place in range(len(trace.answers)))


def _row(trace: Trace, place: int, found: tuple[Segment, int] | None) -> Row:
    answer = trace.answers[place]
    if found is None:
        return Row(
            place + 1, answer.code, answer.at, answer.is_right, "after the test had failed", None, None, None, "", "",
            answer.is_right,
        )  # fmt: skip
    part, offset = found
    is_last = offset == len(part.heights) - 1
    return Row(
        place + 1, answer.code, answer.at, answer.is_right, _name(part), part.heights[offset], part.upper, part.lower,
        SAYS[part.verdict] if is_last else "", part.words[offset], part.marks[offset],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Scale:
    n: int
    low: float
    high: float

    def x(self, place: float) -> float:
        return round(LEFT + (place + 1) / (self.n + 0.5) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, height: float) -> float:
        return round(TOP + (self.high - height) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM), 1)


def _stretch(trace: Trace, part: Segment, scale: _Scale) -> Stretch:
    places = [part.first + offset for offset in range(len(part.heights))]
    start = (scale.x(places[0] - 1), scale.y(0.0))
    line: Sequence[tuple[float, float]] = [
        start, *((scale.x(place), scale.y(height)) for place, height in zip(places, part.heights, strict=True))
    ]  # fmt: skip
    dots = tuple(Dot(x, y, part.marks[offset], _title(trace, part, offset)) for offset, (x, y) in enumerate(line[1:]))
    return Stretch(
        part.kind, _name(part), " ".join(f"{x},{y}" for x, y in line), dots, start[0], line[-1][0], scale.y(part.upper),
        None if part.lower is None else scale.y(part.lower), part.upper, part.lower, SAYS[part.verdict],
    )  # fmt: skip


def _title(trace: Trace, part: Segment, offset: int) -> str:
    place = part.first + offset
    said = "right" if trace.answers[place].is_right else "wrong"
    return (
        f"{place + 1}: {part.words[offset] or said}"
        if part.plan.kind != "difficulty"
        else (f"{place + 1}: {said}; chance to be right {part.words[offset]}")
    )


def _name(part: Segment) -> str:
    return f"{'Test' if part.kind == 'test' else 'Watch'} {part.test}"
