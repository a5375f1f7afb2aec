"""Answers whose duration would tell something hidden are sent on a beat: whoever holds a stopwatch learns nothing from them.

Handing out gold asks the database other things than handing out other work does, and a submit takes as long as the hidden
readings, the gold and the gate ask for. Such an answer waits for the next of a few moments after its request began: 0.1 s,
then twice as long each time. What is asked of the database stays as it is. Not here: what the answers say (``disclosures``).

A duration near a beat may fall before or behind it, so that work of a second still tells a little; that of a tenth, what
handing out and submitting small images takes, tells nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

FIRST_S = 0.1
# Replaced where time is modelled (``manage.py soak gold-classifier``) or where nobody watches (the tests).
clock: Callable[[], float] = time.perf_counter
wait: Callable[[float], None] = time.sleep


def beat_after(took_s: float) -> float:
    """Return the first beat that is not before ``took_s``."""
    beat = FIRST_S
    while beat < took_s:
        beat *= 2
    return beat


def on_a_beat(act: Callable[P, R]) -> Callable[P, R]:
    """Let ``act`` return, or raise, on a beat after it was called. For views; never inside a transaction."""

    @wraps(act)
    def waiting(*args: P.args, **kwargs: P.kwargs) -> R:
        began = clock()
        try:
            return act(*args, **kwargs)
        finally:
            took = clock() - began
            wait(beat_after(took) - took)

    waiting.is_on_a_beat = True  # type: ignore[attr-defined]
    return waiting
