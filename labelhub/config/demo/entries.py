"""What the parts of the demo's building pass to each other: an item with the cut it came from, and how progress is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labelhub.catalog.models import Item
from labelhub.config.demo.cutting import Cut
from labelhub.config.demo.plan import Simulated

ACTOR = "demo"

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class DemoItem:
    """A stored item with the cut that it came from, which gold it is (empty: none), and who shall read it."""

    item: Item
    cut: Cut
    gold: str
    readers: tuple[Simulated, ...]
