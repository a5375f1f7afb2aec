"""The different answers of several raters at a voxel and their counts, found on a device of torch, many items at a time.

As in ``numerics.decision_patterns``: voxels are compared eight to a word, and only words in which raters differ are looked
at voxel by voxel. All overlaps, the agreement and STAPLE of an item follow from what is found here, so that its voxels
are read once. Every step takes all items of a batch, because on an accelerator a small step costs as much as a large one.
Voxels pass in blocks; only those where raters differ are kept from one block to the next.
Not here: what is computed from patterns (``overlaps``, ``agreement``, ``fusion``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from labelhub.inference.accelerated.devices import room_of
from labelhub.inference.accelerated.laid import LaidMaps
from labelhub.numerics.decision_patterns import DecisionPatterns, PatternCounts
from labelhub.numerics.results import IntArray

# So many different values are counted by comparing with each; more are sorted.
_FEW: Final = 64
# Up to so many possible keys there is a place for each to count in.
_COUNTED: Final = 1 << 23
# Working memory for a voxel: keys, their order, and what each rater said, should raters differ everywhere.
_BYTES_A_VOXEL: Final = 48


def pattern_counts(laid: LaidMaps, *, labels: Sequence[int] | None = None) -> list[PatternCounts]:
    """As ``numerics.decision_patterns.pattern_counts``, one an item: equal, in the same order."""
    found = _grouped(_read(laid, labels), laid.n_items)
    return [PatternCounts(*_of_item(found, item)) for item in range(laid.n_items)]


def decision_patterns(laid: LaidMaps, *, labels: Sequence[int] | None = None) -> list[DecisionPatterns]:
    """As ``numerics.decision_patterns.decision_patterns``, one an item: equal but that ``places`` ascend."""
    reading = _read(laid, labels)
    found = _grouped(reading, laid.n_items)
    index = np.int32 if laid.n_voxels < 2**31 else np.int64
    places, item_of = reading.places.cpu().numpy(), reading.items.cpu().numpy()
    pattern = found.pattern.cpu().numpy()
    result = []
    for item in range(laid.n_items):
        own, start = item_of == item, int(np.searchsorted(found.items, item))
        own_labels, table, counts = _of_item(found, item)
        result.append(
            DecisionPatterns(
                own_labels, table, counts,
                places=places[own].astype(index),
                pattern_of_place=(pattern[own] - start + len(own_labels)).astype(np.min_scalar_type(len(table))),
                first=laid.firsts[item],
            )
        )  # fmt: skip
    return result


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """Where raters differ (``places`` in their ``items``), ``codes[rater, place]`` there, and ``agreed[item, label]`` voxels.

    ``wanted`` are the labels that an item has even where no voxel has them.
    """

    labels: IntArray
    agreed: IntArray
    items: torch.Tensor
    places: torch.Tensor
    codes: torch.Tensor
    wanted: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class _Grouped:
    """The different answers where raters differ: rows in order of ``items``, and ``pattern`` the row of each place."""

    labels: IntArray
    agreed: IntArray
    items: IntArray
    table: IntArray
    counts: IntArray
    pattern: torch.Tensor
    wanted: frozenset[int]


def _of_item(found: _Grouped, item: int) -> tuple[IntArray, IntArray, IntArray]:
    """Labels, table and counts of one item, the unanimous patterns first; only labels that it has."""
    low, high = np.searchsorted(found.items, [item, item + 1])
    table, counts, agreed = found.table[low:high], found.counts[low:high], found.agreed[item]
    has = agreed > 0
    has[table.reshape(-1)] = True
    has |= np.isin(found.labels, list(found.wanted))
    number = np.cumsum(has) - 1
    n_labels, n_raters = int(has.sum()), found.table.shape[1]
    unanimous = np.repeat(np.arange(n_labels)[:, None], n_raters, axis=1)
    return found.labels[has], np.concatenate([unanimous, number[table]]), np.concatenate([agreed[has], counts])


def _read(laid: LaidMaps, labels: Sequence[int] | None) -> _Reading:
    parts: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    given: dict[int, IntArray] = {}
    for start, stop in _blocks(laid):
        rows = [laid.stack[rater, :, start:stop] for rater in range(laid.n_raters)]
        _add(given, _value_counts(rows[0]))
        items, places, said = _disputes(rows, laid.in_word)
        parts.append((items, places + start, said))
    items, places = (torch.cat([part[axis] for part in parts]) for axis in (0, 1))
    said = torch.cat([part[2] for part in parts], dim=1)
    if laid.n_filled and 0 in given:
        given[0] = given[0] - laid.n_filled
        given = {value: counts for value, counts in given.items() if counts.any()}
    wanted = frozenset(int(label) for label in labels or ()) | ({0, 1} if laid.is_mask else frozenset())
    values = np.array(sorted({*given, *_values_in(said), *wanted}), dtype=np.int64)
    if not len(values):
        message = f"maps have shape {laid.shape} and no label is given; there is nothing to compare"
        raise ValueError(message)
    nothing = np.zeros(laid.n_items, dtype=np.int64)
    agreed = np.stack([given.get(value, nothing) for value in values.tolist()], axis=1)
    codes = _codes(said, values)
    agreed -= torch.bincount(items * len(values) + codes[0], minlength=agreed.size).reshape(agreed.shape).cpu().numpy()
    return _Reading(values, agreed, items, places, codes, wanted)


def _blocks(laid: LaidMaps) -> Iterator[tuple[int, int]]:
    """Whole words of all items in steps that fit the room."""
    length = int(laid.stack.shape[2])
    each = (_BYTES_A_VOXEL + 3 * int(laid.stack.element_size()) * laid.n_raters) * laid.n_items
    step = max(room_of(laid.device) // each // laid.in_word, 1) * laid.in_word
    for start in range(0, length, step):
        yield start, min(start + step, length)


def _disputes(rows: list[torch.Tensor], in_word: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Where raters differ: the item, the place in it, and what each said there, shape (rater, place)."""
    kind = rows[0].dtype
    words = [row.view(torch.int64) for row in rows]
    differs = torch.zeros_like(words[0])
    for word in words[1:]:
        differs |= words[0] ^ word
    items, found = differs.nonzero(as_tuple=True)
    is_open = (differs[items, found].view(kind) != 0).nonzero().squeeze(1)
    of_word = is_open // in_word
    said = torch.stack([word[items, found].view(kind)[is_open] for word in words])
    return items[of_word], found[of_word] * in_word + is_open % in_word, said


def _value_counts(rows: torch.Tensor) -> dict[int, IntArray]:
    """How many voxels of each item ``rows[item]`` have each value that occurs."""
    n_items = len(rows)
    if rows.numel() == 0:
        return {}
    low, high = (int(limit) for limit in rows.aminmax())
    if rows.device.type == "cpu" and rows.dtype == torch.uint8:
        counts = torch.stack([torch.bincount(row, minlength=high + 1) for row in rows], dim=1)[low:]
        values = range(low, high + 1)
    elif high - low < _FEW:
        values = range(low, high + 1)
        counts = torch.stack([(rows == value).sum(dim=1) for value in values])
    else:
        different, place = torch.unique(rows, return_inverse=True)
        place += torch.arange(n_items, device=rows.device)[:, None] * len(different)
        counts = torch.bincount(place.reshape(-1), minlength=n_items * len(different)).reshape(n_items, -1).T
        return dict(zip(different.tolist(), counts.cpu().numpy(), strict=True))
    return {value: row for value, row in zip(values, counts.cpu().numpy(), strict=True) if row.any()}


def _add(given: dict[int, IntArray], more: dict[int, IntArray]) -> None:
    for value, counts in more.items():
        given[value] = given[value] + counts if value in given else counts


def _values_in(said: torch.Tensor) -> set[int]:
    if said.dtype == torch.uint8:
        return set(torch.bincount(said.reshape(-1)).nonzero().squeeze(1).tolist())
    return set(torch.unique(said).tolist())


def _codes(said: torch.Tensor, labels: IntArray) -> torch.Tensor:
    """The place of each value in the sorted labels."""
    if len(labels) and labels[0] == 0 and labels[-1] == len(labels) - 1:
        return said.to(torch.int64)
    return torch.searchsorted(torch.from_numpy(labels).to(said.device), said.to(torch.int64))


def _grouped(reading: _Reading, n_items: int) -> _Grouped:
    n_labels, n_raters = len(reading.labels), len(reading.codes)
    rows = [reading.items, *reading.codes]
    span = n_items * n_labels**n_raters
    if span < 2**63:
        keys = reading.items
        for answers in reading.codes:
            keys = keys * n_labels + answers
        different, pattern, times = _unique(keys, span)
        items, table = _digits(different.cpu().numpy(), n_labels, n_raters)
    else:
        # More patterns are possible than a word can hold.
        columns, pattern, times = torch.unique(torch.stack(rows), dim=1, return_inverse=True, return_counts=True)
        items, table = columns[0].cpu().numpy(), np.ascontiguousarray(columns[1:].cpu().numpy().T)
    counts = times.cpu().numpy().astype(np.int64)
    return _Grouped(reading.labels, reading.agreed, items, table, counts, pattern, reading.wanted)


def _unique(keys: torch.Tensor, span: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    if span > _COUNTED:
        different, pattern, times = torch.unique(keys, return_inverse=True, return_counts=True)
        return different, pattern, times
    times = torch.bincount(keys, minlength=span)
    different = times.nonzero().squeeze(1)
    number = torch.zeros(span, dtype=torch.int32, device=keys.device)
    number[different] = torch.arange(len(different), dtype=torch.int32, device=keys.device)
    return different, number[keys], times[different]


def _digits(keys: NDArray[np.int64], n_labels: int, n_raters: int) -> tuple[IntArray, IntArray]:
    """The items and the codes behind keys: shapes (key) and (key, rater)."""
    result, rest = np.empty((len(keys), n_raters), dtype=np.int64), keys
    for rater in reversed(range(n_raters)):
        rest, result[:, rater] = np.divmod(rest, n_labels)
    return rest, result
