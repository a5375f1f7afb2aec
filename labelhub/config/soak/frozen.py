"""A stretch of code in which the clock stands still and chance is a seed, so that two runs can be compared byte by byte.

For soak runs only: it replaces functions of the standard library for the whole process while it lasts. Everything random that
the server draws (ids, nonces, tokens, keys, codes) comes from ``os.urandom`` in the end, whatever it is called.
"""

from __future__ import annotations

import os
import random  # noqa: TID251 - replaced here, not used
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from unittest import mock

import numpy as np
from django.utils import timezone

START = datetime(2031, 1, 6, 9, 0, tzinfo=UTC)


class Frozen:
    """The clock and the chance of a run; :meth:`step` sets both, so that no step depends on how much happened before it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.step(0)

    def step(self, number: int) -> None:
        """Begin step ``number``: one minute a step, and chance begins anew."""
        self.number = number
        self.now = START + timedelta(minutes=number)
        self._rng = np.random.default_rng((self._seed, number))

    def time(self) -> float:
        """Return what ``time.time`` returns meanwhile."""
        return self.now.timestamp()

    def random_bytes(self, count: int) -> bytes:
        """Return what ``os.urandom`` returns meanwhile."""
        return self._rng.bytes(count)


@contextmanager
def frozen(seed: int) -> Iterator[Frozen]:
    """Freeze clock and chance for everything that this process does."""
    state = Frozen(seed)

    class StandingClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return state.now if tz is None else state.now.astimezone(tz)

    with (
        mock.patch.object(timezone, "datetime", StandingClock),
        mock.patch.object(time, "time", state.time),
        mock.patch.object(os, "urandom", state.random_bytes),
        mock.patch.object(random, "_urandom", state.random_bytes),
    ):
        yield state
