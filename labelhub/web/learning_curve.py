"""A training's course as a small chart and as the rows of a table: the same numbers. Not here: training (``inference``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from labelhub.predictions.models import TrainingPoint

WIDTH: Final = 760
HEIGHT: Final = 200
LEFT: Final = 40
RIGHT: Final = 92
TOP: Final = 12
BOTTOM: Final = 24
LINE_HEIGHT: Final = 14.0
TICKS: Final = (0.0, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Line:
    """The held-out Dice of one fold, epoch by epoch, and where its name stands."""

    name: str
    points: str
    x_end: float
    y_end: float
    last: float


@dataclass(frozen=True, slots=True)
class Curve:
    """The lines, the heights of the ticks, and the rows of the table."""

    lines: tuple[Line, ...]
    ticks: tuple[tuple[float, float], ...]
    rows: tuple[TrainingPoint, ...]
    last_epoch: int
    width: int = WIDTH
    height: int = HEIGHT


def curve_of(points: Sequence[TrainingPoint]) -> Curve | None:
    """Return the chart of a training's points; None before the first epoch."""
    if not points:
        return None
    last = max(point.epoch for point in points)
    by_fold: dict[int | None, list[TrainingPoint]] = {}
    for point in points:
        by_fold.setdefault(point.fold, []).append(point)
    lines = _apart([line for fold, own in by_fold.items() if (line := _line(fold, own, last)) is not None])
    return Curve(tuple(lines), tuple((tick, _y(tick)) for tick in TICKS), tuple(points), last)


def _line(fold: int | None, points: Sequence[TrainingPoint], last: int) -> Line | None:
    measured = [(point.epoch, point.held_out_dice) for point in points if point.held_out_dice is not None]
    if not measured:
        return None
    places = [(_x(epoch, last), _y(dice)) for epoch, dice in measured]
    return Line(
        "all items" if fold is None else f"fold {fold + 1}", " ".join(f"{x:.1f},{y:.1f}" for x, y in places),
        round(places[-1][0], 1), round(places[-1][1], 1), measured[-1][1],
    )  # fmt: skip


def _apart(lines: Sequence[Line]) -> list[Line]:
    """Move names that would lie over one another, so that each can be read."""
    placed: list[Line] = []
    for line in sorted(lines, key=lambda one: one.y_end):
        lowest = placed[-1].y_end + LINE_HEIGHT if placed else line.y_end
        placed.append(replace(line, y_end=max(line.y_end, lowest)))
    return placed


def _x(epoch: int, last: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (epoch / max(last, 1))


def _y(dice: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - min(max(dice, 0.0), 1.0))
