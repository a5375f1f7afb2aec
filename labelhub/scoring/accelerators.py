"""Who compares two masks where a whole project is scored: this processor, or an accelerator of this process.

A worker of networks that computes on an accelerator registers its comparison when it gets ready; only jobs over whole
projects ask for it. Its numbers are those of ``numerics`` within 1e-6, so rows keep their method and version. Not here: the
comparison (``numerics.overlap``), and the accelerated one, which this package never imports.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from labelhub.numerics.geometry import Placed
from labelhub.numerics.overlap import MaskComparison, compare_placed


class ComparesMasks(Protocol):
    """As ``numerics.overlap.compare_placed``."""

    def __call__(
        self,
        first: Placed,
        second: Placed,
        grid_size: Sequence[int],
        *,
        spacing_mm: Sequence[float] | None,
        tolerance: float,
        second_is_truth: bool,
    ) -> MaskComparison:
        """Every measure of two masks placed on one grid."""


_registered: list[ComparesMasks] = []


def register_accelerator(compare: ComparesMasks) -> None:
    """Have jobs over whole projects in this process compare masks by ``compare``."""
    _registered[:] = [compare]


def forget_accelerator() -> None:
    """Compare on this processor again."""
    _registered.clear()


def quickest() -> ComparesMasks:
    """Return the accelerated comparison where one was registered in this process, else that of this processor."""
    return _registered[0] if _registered else compare_placed
