"""What parts of a panel came to before, so that a further reading costs what it changes and not what the whole set does.

A part is a pure function of readings, which never change, and of rules: the same readings and rules give the same part, so
a panel made with a memory equals one made without, to the last digit. Parts that a panel did not use are forgotten after
it: a memory is as large as the set it was used for last. Not here: which parts there are (``gather_objects``,
``panel_items``, …), and when a project is measured (``analytics``).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

T = TypeVar("T")


class Memory:
    """The parts of the panels of one set, by what they rest on. For one thread at a time."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Any, tuple[object, ...]]] = {}
        self._used: dict[Hashable, tuple[Any, tuple[object, ...]]] = {}
        self._numbers: dict[Hashable, int] = {}

    def part(self, name: str, of: Sequence[object], rules: Hashable, make: Callable[[], T]) -> T:
        """Return ``make()`` or what it returned before for the very same objects ``of`` and equal ``rules``.

        The objects are told apart by identity and held, so that no other one is taken for them.
        """
        key = (name, tuple(map(id, of)), rules)
        row = self._used.get(key)
        if row is None:
            row = self._known.get(key) or (make(), tuple(of))
            self._used[key] = row
        value: T = row[0]
        return value

    def number_of(self, rules: Hashable) -> int:
        """Return a number that stands for ``rules`` in this memory: long rules of many parts are compared once."""
        return self._numbers.setdefault(rules, len(self._numbers))

    def forget_unused(self) -> None:
        """Keep what was used since the last call, and nothing else."""
        self._known, self._used = self._used, {}


def digest_of(*numbers: ArrayLike) -> bytes:
    """Return what stands for these numbers, in their order, as part of rules."""
    digest = blake2b(digest_size=16)
    for values in numbers:
        array = np.ascontiguousarray(values, dtype=np.float64)
        digest.update(str(array.shape).encode() + array.tobytes())
    return digest.digest()
