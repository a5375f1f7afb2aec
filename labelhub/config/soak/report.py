"""What a long trial found: how often it tried, what went wrong, and how surely "nothing" means nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class TimeIsUp(Exception):
    """Raised by who hears the progress, to end a trial before its number is reached."""


# Says how far a trial is: done, of how many. May raise :class:`TimeIsUp` between two tries.
# How many failures are told of.
TOLD = 5
Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Say nothing."""


@dataclass(slots=True)
class Trial:
    """One trial of a property. ``n`` counts what was tried; the seed replays it."""

    name: str
    seed: int
    n: int = 0
    failures: list[str] = field(default_factory=list)
    facts: dict[str, float | int | str] = field(default_factory=dict)

    def check(self, holds: bool, otherwise: str) -> None:
        """Note a failure where the property does not hold."""
        if not holds:
            self.failures.append(otherwise)

    @contextmanager
    def while_there_is_time(self) -> Iterator[None]:
        """End the tries early, and say so, where the time for them is up."""
        try:
            yield
        except TimeIsUp:
            self.facts["stopped by the clock at"] = self.n

    @property
    def sentence(self) -> str:
        """The result in words, with the upper 95 % bound where nothing failed (3/n)."""
        told = "; ".join(f"{name} {value}" for name, value in self.facts.items())
        if self.failures:
            first = "; ".join(self.failures[:TOLD])
            failed = f"{len(self.failures)} checks in {self.n:,} tries failed (seed {self.seed})"
            return f"{self.name}: {failed}. First: {first}. {told}"
        bound = f"upper bound {3 / self.n:.1e}" if self.n else "nothing was tried"
        return f"{self.name}: 0 of {self.n:,} failed, {bound} (seed {self.seed}). {told}".rstrip()
