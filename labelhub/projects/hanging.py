"""A hanging protocol: which series of an item stands in which pane of the editor, on which plane, through which window.

A rule names a series by a part of its description or kind ("flair", "MR"), or by its number in the item ("#2"). What fits no
series of an item is left out, so one protocol serves items with unlike series; without a rule the editor arranges them itself.
A document that is checked once and never changes. Not here: storage (``models.HangingVersion``), applying it to an item (the
editor, ``static/js/lib/hanging.js``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Layout = Literal["one", "two", "stacked", "four"]
Plane = Literal["axial", "coronal", "sagittal"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
PLANES: tuple[Plane, ...] = get_args(Plane)
# How many panes show pictures in each layout.
PANES: Mapping[Layout, int] = {"one": 1, "two": 2, "stacked": 2, "four": 3}
MOST_CHARACTERS = 80


class HangingProblem(ValueError):
    """A rule says what no pane can show; the message names the pane and what is allowed."""


@dataclass(frozen=True, slots=True)
class PaneRule:
    """What one pane shows. ``window`` is (centre, width) in the series' values, None for the series' own."""

    series: str
    plane: Plane = "axial"
    window: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Protocol:
    """A layout and a rule for each of its first panes; no rule at all leaves it to the editor.

    ``is_one_space`` says that all series of an item lie in one space, whatever frames of reference their files name: they were
    registered before they came here.
    """

    layout: Layout = "two"
    panes: tuple[PaneRule, ...] = ()
    is_one_space: bool = False

    def to_document(self) -> dict[str, Any]:
        """Return the protocol as JSON; ``read_protocol`` reads it back."""
        return asdict(self) | {"panes": [{**asdict(rule), "window": _listed(rule.window)} for rule in self.panes]}


def read_protocol(document: Mapping[str, Any]) -> Protocol:
    """Return the checked protocol. Raises :class:`HangingProblem`.

    >>> read_protocol({"layout": "two", "panes": [{"series": "flair"}, {"series": "#2"}]}).panes[1].series
    '#2'
    """
    layout = next((name for name in LAYOUTS if name == document.get("layout")), None)
    if layout is None:
        raise HangingProblem(f"The layout is one of {', '.join(LAYOUTS)}, not {str(document.get('layout'))[:20]!r}.")
    rules = document.get("panes", [])
    if not isinstance(rules, list) or len(rules) > PANES[layout]:
        raise HangingProblem(f"This layout has {PANES[layout]} panes for series; more rules than that say nothing.")
    panes = tuple(_rule(number, rule) for number, rule in enumerate(rules, start=1))
    shown = [(rule.series.casefold(), rule.plane) for rule in panes]
    if len(set(shown)) < len(shown):
        raise HangingProblem(
            "Two panes show the same series on the same plane. Give one of them another plane or series."
        )
    return Protocol(layout, panes, is_one_space=document.get("is_one_space") is True)


def _rule(number: int, rule: Any) -> PaneRule:
    if not isinstance(rule, dict) or not isinstance(rule.get("series"), str) or not rule["series"].strip():
        raise HangingProblem(f"Pane {number} names no series. Write a part of its name, or its number as #2.")
    series = rule["series"].strip()
    if len(series) > MOST_CHARACTERS:
        raise HangingProblem(f"Pane {number}: a part of a series' name has at most {MOST_CHARACTERS} characters.")
    plane = next((name for name in PLANES if name == rule.get("plane", "axial")), None)
    if plane is None:
        raise HangingProblem(f"Pane {number}: the plane is one of {', '.join(PLANES)}.")
    return PaneRule(series, plane, _window(number, rule.get("window")))


def _window(number: int, window: Any) -> tuple[float, float] | None:
    if window is None:
        return None
    is_pair = isinstance(window, list | tuple) and len(window) == 2
    if not is_pair or not all(isinstance(value, int | float) and math.isfinite(value) for value in window):
        raise HangingProblem(f"Pane {number}: a window is two numbers, its centre and its width.")
    centre, width = float(window[0]), float(window[1])
    if width <= 0:
        raise HangingProblem(f"Pane {number}: the width of a window is above 0, not {width:g}.")
    return centre, width


def _listed(window: tuple[float, float] | None) -> list[float] | None:
    return None if window is None else [window[0], window[1]]
