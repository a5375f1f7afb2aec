"""Numbers of a panel in which readings under several versions of the rules stand together: each is marked, and it is said.

Not here: what a reading says under another version (``versions``), and any number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from labelhub.formats.shapes import Reading
from labelhub.scoring.gather import Gathered
from labelhub.scoring.panel_rows import LabelerRow, Measured, Panel
from labelhub.scoring.versions import mixed, under_of

# Versions that are named in the caution; more are counted.
MOST_NAMED = 4


def with_versions(panel: Panel, gathered: Gathered) -> Panel:
    """Return the panel with a mark at each number that pools versions; itself where all readings are under one."""
    by_item: dict[str, set[str]] = {}
    by_rater: dict[tuple[str, str], set[str]] = {}
    for (item, rater), reading in gathered.readings.items():
        key, words = gathered.items[item].key, _under(reading)
        by_item.setdefault(key, set()).add(words)
        by_rater.setdefault((gathered.raters[rater], key), set()).add(words)
    counts = Counter(_under(reading) for reading in gathered.readings.values())
    if len({words for words in counts if words}) < 2:
        return panel
    everything = mixed(counts)

    def of_items(measured: Measured) -> tuple[str, ...]:
        return mixed(_joined(by_item, measured.items)) if measured.items else everything

    def of_rater(rater: str) -> Callable[[Measured], tuple[str, ...]]:
        own = {item: words for (name, item), words in by_rater.items() if name == rater}
        return lambda measured: mixed(_joined(own, measured.items or tuple(own)))

    marked: Panel = _marked(replace(panel, labelers=(), object_scores=()), of_items)
    rows = tuple(_labeler(row, of_items, of_rater(row.rater)) for row in panel.labelers)
    return replace(
        marked, labelers=rows, object_scores=panel.object_scores, cautions=(*panel.cautions, _caution(counts)),
        source=replace(panel.source, versions=tuple(sorted(counts.items()))),
    )  # fmt: skip


def _labeler(row: LabelerRow, shared: Callable[[Measured], Any], own: Callable[[Measured], Any]) -> LabelerRow:
    """Agreement rests on the others' readings too; what is measured on gold on the labeler's own alone."""
    return replace(
        row, agreement=tuple(_marked(one, shared) for one in row.agreement),
        gold=tuple(_marked(one, own) for one in row.gold),
    )  # fmt: skip


def _marked(value: Any, versions_of: Callable[[Measured], tuple[str, ...]]) -> Any:
    """The same value with every number in it marked."""
    if isinstance(value, Measured):
        found = versions_of(value)
        return replace(value, versions=found) if found else value
    if isinstance(value, tuple):
        parts = tuple(_marked(part, versions_of) for part in value)
        return value if all(new is old for new, old in zip(parts, value, strict=True)) else parts
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value) if isinstance(getattr(value, field.name), tuple | Measured)]
        names += [field.name for field in fields(value) if is_dataclass(getattr(value, field.name))]
        new = {name: _marked(getattr(value, name), versions_of) for name in names}
        changed = {name: part for name, part in new.items() if part is not getattr(value, name)}
        return replace(value, **changed) if changed else value
    return value


def _joined(by_key: Mapping[str, set[str]], keys: Iterable[str]) -> set[str]:
    return set().union(*(by_key.get(key, set()) for key in keys))


def _caution(counts: Counter[str]) -> str:
    named = sorted((words, n) for words, n in counts.items() if words)
    parts = [f"{words} ({n} reading{'s' if n != 1 else ''})" for words, n in named[:MOST_NAMED]]
    rest = len(named) - len(parts)
    more = f" and {rest} more" if rest > 0 else ""
    return (
        f"Readings under {len(named)} versions of the rules stand together: {'; '.join(parts)}{more}. A number that mixes "
        "them is marked; what an earlier version did not ask is left out of it."
    )


def _under(reading: Reading) -> str:
    return under_of(reading.ontology, reading.guideline)
