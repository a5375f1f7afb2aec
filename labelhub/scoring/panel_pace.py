"""Whether a reader gets worse within a session: their judged answers against gold, by place in the session.

Sessions come from the times of all their measured readings; a pause of half an hour begins a new one. Needs sources that
say when a reading was finished. Not here: the slope itself (``numerics.fatigue``), and drift over weeks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelhub.numerics.fatigue import fatigue_slope, sessions_of
from labelhub.scoring.panel_rows import Bench, Measured

ENDING = ", change per ten items of a session"


def tiring_row(bench: Bench, rater: int, aspect: str, values: Sequence[float], items: Sequence[int]) -> Measured | None:
    """The slope of one reader's ``aspect`` (a value from 0 to 1 an item) within their sessions; None without times."""
    gathered = bench.gathered
    times = {
        item: reading.submitted_at.timestamp()
        for (item, reader), reading in gathered.readings.items()
        if reader == rater and reading.submitted_at is not None
    }
    judged = [(item, value) for item, value in zip(items, values, strict=True) if item in times]
    if not judged:
        return None
    order = sorted(times, key=lambda item: (times[item], item))
    session = sessions_of([times[item] for item in order])
    first_of = {number: place for place, number in reversed(list(enumerate(session)))}
    place_of = {item: (place - first_of[session[place]], session[place]) for place, item in enumerate(order)}
    estimate = fatigue_slope(
        np.array([value for _, value in judged]),
        [place_of[item][0] for item, _ in judged],
        [place_of[item][1] for item, _ in judged],
    )
    wrong = np.array([item for item, value in judged if value < 1], dtype=np.int64)
    name = aspect + ENDING
    return bench.measured(
        f"gold.{gathered.raters[rater]}.{name}", name, estimate, wrong, minimum=bench.settings.min_gold
    )


def is_tiring(measured: Measured) -> bool:
    """Whether this number of a reader is such a slope."""
    return measured.name.endswith(ENDING)
