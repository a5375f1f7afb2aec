"""What several raters said of the same voxels, voxel by voxel, as the few different patterns of answers and their counts.

Ten million voxels read by five raters hold at most 32 different answers to yes or no, and with many labels still only
some thousands, for raters differ along borders only. Whatever is a function of the answers at a voxel (a vote, a
posterior, a confusion matrix) needs to be computed once a pattern. Voxels where all raters agree are never listed: eight
of them are compared at a time, and counted. Not here: what is computed from patterns (``all_pairs``, ``staple``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelhub.numerics.arguments import checked
from labelhub.numerics.columns import counted_columns, grouped_columns
from labelhub.numerics.results import BoolArray, FloatArray, IntArray

METHOD = "patterns of decisions"
VERSION = "1"

# Words a step: what a step touches stays in the processor's cache.
_STEP = 1 << 15
# Below this many bytes a second thread costs more than it saves.
_WORTH_A_THREAD = 1 << 22
_COUNTED = 1 << 17
_DENSE = 1 << 20
_WORD = 8
# Up to this many values it is quicker to compare with each than to mark those that occur.
_FEW = 16
_NOTHING = "maps have no voxel, and no labels are named; one of both is needed"


@dataclass(frozen=True, slots=True, eq=False)
class PatternCounts:
    """The different answers of all raters at a voxel, and how many voxels have them.

    ``table[pattern, rater]`` is a place in ``labels``; ``counts[pattern]`` voxels. The first patterns are the unanimous
    ones, one a label in order of ``labels``, also where no voxel has them.
    """

    labels: IntArray
    table: IntArray
    counts: IntArray

    @property
    def n_raters(self) -> int:
        """How many raters there are."""
        return int(self.table.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class DecisionPatterns(PatternCounts):
    """As :class:`PatternCounts`, and which voxels have them.

    ``places`` are the flat indices of the voxels where raters differ, ``pattern_of_place`` their patterns, ``first`` the
    answers of the first rater, which at all other voxels are everyone's.
    """

    places: NDArray[np.integer]
    pattern_of_place: NDArray[np.integer]
    first: NDArray[np.generic]

    @property
    def n_voxels(self) -> int:
        """How many voxels the grid has."""
        return int(self.first.size)

    def chosen(self, label_place: int) -> BoolArray:
        """Whether each rater chose a label, pattern by pattern: shape (pattern, rater)."""
        return np.asarray(self.table == label_place)

    def spread(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """One value a pattern, laid out over the grid: shape of the masks.

        Examples
        --------
        >>> found = decision_patterns([np.array([[0, 5]]), np.array([[5, 5]])])
        >>> found.spread(np.array([0.0, 1.0, 0.5])).tolist()
        [[0.5, 1.0]]
        """
        unanimous = values[: len(self.labels)]
        result = np.empty(self.first.shape, dtype=values.dtype)
        flat, source = result.reshape(-1), self.first.reshape(-1)
        if len(self.labels) == 2 and source.dtype == np.bool_:
            no, yes = unanimous
            if values.dtype == np.bool_ and not no and yes:
                np.copyto(flat, source)
            else:
                for start in range(0, len(flat), _STEP * _WORD):
                    stop = start + _STEP * _WORD
                    flat[start:stop].fill(no)
                    np.copyto(flat[start:stop], yes, where=source[start:stop])
        else:
            self._spread_labels(flat, source, unanimous)
        flat[self.places] = values[self.pattern_of_place]
        return result

    def _spread_labels(
        self, flat: NDArray[np.generic], source: NDArray[np.generic], unanimous: NDArray[np.generic]
    ) -> None:
        if flat.dtype == source.dtype and np.array_equal(unanimous, self.labels):
            np.copyto(flat, source)
            return
        for start in range(0, len(flat), _STEP * _WORD):
            stop = start + _STEP * _WORD
            flat[start:stop] = unanimous[_label_places(source[start:stop], self.labels)]


@checked
def decision_patterns(maps: Sequence[NDArray[np.generic]], *, labels: Sequence[int] | None = None) -> DecisionPatterns:
    """The patterns of several raters' answers on one grid.

    Parameters
    ----------
    maps : sequence of array of bool or int, all of one shape
        One mask or label map a rater.
    labels : sequence of int, optional
        Possible labels besides those that occur.

    Raises
    ------
    ValueError
        Where there is no rater, grids differ, answers are not whole numbers, or there is neither a voxel nor a label.

    Examples
    --------
    >>> found = decision_patterns([np.array([[0, 1, 1]]), np.array([[0, 1, 0]])])
    >>> found.labels.tolist(), found.table.tolist(), found.counts.tolist()
    ([0, 1], [[0, 0], [1, 1], [1, 0]], [1, 1, 1])
    """
    found = _read(maps, labels)
    table, counts, pattern = grouped_columns(found.codes, len(found.labels))
    small = np.min_scalar_type(len(found.labels) + len(table))
    kind = found.first.dtype
    return DecisionPatterns(
        *found.with_unanimous(table, counts),
        places=found.places,
        pattern_of_place=(pattern + len(found.labels)).astype(small),
        first=maps[0] if maps[0].dtype == kind else found.first.reshape(maps[0].shape),
    )


@checked
def pattern_counts(maps: Sequence[NDArray[np.generic]], *, labels: Sequence[int] | None = None) -> PatternCounts:
    """As :func:`decision_patterns`, without the places: what is the same pattern then need not be told voxel by voxel.

    Examples
    --------
    >>> pattern_counts([np.array([[0, 1, 1]]), np.array([[0, 1, 0]])]).counts.tolist()
    [1, 1, 1]
    """
    found = _read(maps, labels)
    return PatternCounts(*found.with_unanimous(*counted_columns(found.codes, len(found.labels))))


def values_in(voxels: NDArray[np.generic]) -> IntArray:
    """The different values of a mask or label map, in order.

    Examples
    --------
    >>> values_in(np.array([[7, 0, 7]], dtype=np.uint8)).tolist()
    [0, 7]
    """
    return np.asarray(_value_counts(voxels)[0], dtype=np.int64)


def one_hot(patterns: PatternCounts) -> FloatArray:
    """Who chose what, as ones: shape (pattern, rater x label), the labels of a rater beside each other."""
    n_labels = len(patterns.labels)
    result = np.zeros((len(patterns.table), patterns.n_raters * n_labels))
    columns = patterns.table + np.arange(patterns.n_raters) * n_labels
    result[np.arange(len(result))[:, None], columns] = 1.0
    return result


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """All labels, how many voxels all raters give each, where raters differ, and ``codes[rater, place]`` there."""

    labels: IntArray
    agreed: IntArray
    places: NDArray[np.integer]
    codes: NDArray[np.integer]
    first: NDArray[np.generic]

    def with_unanimous(self, table: IntArray, counts: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Labels, table and counts with the unanimous patterns before the others."""
        unanimous = np.repeat(np.arange(len(self.labels))[:, None], len(self.codes), axis=1)
        return self.labels, np.concatenate([unanimous, table]), np.concatenate([self.agreed, counts])


def _read(maps: Sequence[NDArray[np.generic]], labels: Sequence[int] | None) -> _Reading:
    flats = _checked_maps(maps)
    agreed, places, decisions = _scan(flats)
    known = set(agreed) | set(labels or ())
    known |= {0, 1} if flats[0].dtype == np.bool_ else _values(decisions, known)
    if not known:
        raise ValueError(_NOTHING)
    values = np.array(sorted(int(one) for one in known), dtype=np.int64)
    counts = np.array([agreed.get(value, 0) for value in values.tolist()], dtype=np.int64)
    return _Reading(values, counts, places, _label_places(decisions, values), flats[0])


def _checked_maps(maps: Sequence[NDArray[np.generic]]) -> list[NDArray[np.generic]]:
    if len(maps) == 0:
        message = "maps is empty; at least one rater's mask is needed"
        raise ValueError(message)
    for number, one in enumerate(maps):
        if one.shape != maps[0].shape:
            message = f"rater {number} has a mask of shape {one.shape} and rater 0 {maps[0].shape}; one grid is needed"
            raise ValueError(message)
        if one.dtype != np.bool_ and not np.issubdtype(one.dtype, np.integer):
            message = f"rater {number} has dtype {one.dtype}; masks are boolean and label maps whole numbers"
            raise ValueError(message)
    kind = np.result_type(*(one.dtype for one in maps))
    return [np.ascontiguousarray(one, dtype=kind).reshape(-1) for one in maps]


def _scan(
    flats: list[NDArray[np.generic]],
) -> tuple[dict[int, int], NDArray[np.integer], NDArray[np.generic]]:
    """How many voxels all give each label; flat indices of the other voxels; what each rater said there."""
    kind = flats[0].dtype
    in_word = _WORD // kind.itemsize
    whole = len(flats[0]) // in_word * in_word
    index = np.int32 if len(flats[0]) < 2**31 else np.int64
    tail = [flat[whole:] for flat in flats]
    open_tail = np.logical_or.reduce([one != tail[0] for one in tail])
    places = [(np.flatnonzero(open_tail) + whole).astype(index)]
    decisions = [np.stack([one[open_tail] for one in tail])]
    n_threads = min(os.cpu_count() or 1, 4) if flats[0].nbytes * len(flats) >= _WORTH_A_THREAD else 1
    share = -(-whole // (n_threads * _STEP * in_word)) * _STEP * in_word
    pieces = [[flat[start : min(start + share, whole)] for flat in flats] for start in range(0, whole, share or 1)]
    with ThreadPoolExecutor(n_threads) as pool:
        for number, (at, said) in enumerate(pool.map(_disputes, pieces)):
            places.append((at + number * share).astype(index))
            decisions.append(said)
    given = np.concatenate(decisions, axis=1)
    values, counts = _value_counts(given[0])
    agreed = _added([_value_counts(tail[0]), *_word_counts(flats[0][:whole].view(np.uint64), kind), (values, -counts)])
    rest = len(flats[0]) - given.shape[1] - sum(count for value, count in agreed.items() if value)
    return {value: n for value, n in {**agreed, 0: rest}.items() if n}, np.concatenate(places), given


def _disputes(flats: list[NDArray[np.generic]]) -> tuple[IntArray, NDArray[np.generic]]:
    """Where raters differ in voxels that fill whole words, and what each said there: shape (rater, place)."""
    kind = flats[0].dtype
    in_word = _WORD // kind.itemsize
    room = np.empty((2, _STEP), dtype=np.uint64)
    places, decisions = [np.zeros(0, dtype=np.int64)], [np.zeros((len(flats), 0), dtype=kind)]
    for start in range(0, len(flats[0]), _STEP * in_word):
        parts = [flat[start : start + _STEP * in_word] for flat in flats]
        differs = _differing([part.view(np.uint64) for part in parts], room)
        if len(found := np.flatnonzero(differs != 0)):
            inside = np.flatnonzero(differs[found].view(f"u{kind.itemsize}"))
            at = found[inside // in_word] * in_word + inside % in_word
            said = np.empty((len(flats), len(at)), dtype=kind)
            for part, row in zip(parts, said, strict=True):
                np.take(part, at, out=row, mode="clip")
            places.append(at + start)
            decisions.append(said)
    return np.concatenate(places), np.concatenate(decisions, axis=1)


def _differing(words: list[NDArray[np.uint64]], room: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Words that are not 0 in the voxels where any rater differs from the first, written into the first row of room."""
    result, part = room[0, : len(words[0])], room[1, : len(words[0])]
    result.fill(0)
    for word in words[1:]:
        np.bitwise_xor(words[0], word, out=part)
        np.bitwise_or(result, part, out=result)
    return result


def _word_counts(
    words: NDArray[np.uint64], kind: np.dtype[np.generic]
) -> Iterator[tuple[NDArray[np.generic], IntArray]]:
    """Values other than 0 in the words and how many voxels have them; most words hold one value eight times."""
    if kind == np.bool_:
        yield np.array([True]), np.array([np.count_nonzero(words.view(np.bool_))], dtype=np.int64)
        return
    for start in range(0, len(words), _COUNTED):
        part = words[start : start + _COUNTED]
        filled = part[part != 0]
        if len(filled) < len(part) // 4:
            yield _value_counts(filled.view(kind))
        else:
            alike, counts = np.unique(filled, return_counts=True)
            yield _value_counts(alike.view(kind), np.repeat(counts, _WORD // kind.itemsize))


def _value_counts(
    voxels: NDArray[np.generic], weights: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.generic], IntArray]:
    if voxels.dtype.itemsize == 1 and voxels.dtype != np.int8:
        table = np.zeros(256, dtype=np.int64)
        flat = voxels.reshape(-1).view(np.uint8)
        for start in range(0, len(flat), _DENSE):
            part = slice(start, start + _DENSE)
            table += np.bincount(flat[part], None if weights is None else weights[part], 256).astype(np.int64)
        values = np.flatnonzero(table)
        return values, table[values]
    values, place = np.unique(voxels, return_inverse=True)
    return values, np.bincount(place.reshape(-1), weights, len(values)).astype(np.int64)


def _values(voxels: NDArray[np.generic], expected: set[int]) -> set[int]:
    """The values that occur; quick where these are few and nothing else occurs."""
    kind = voxels.dtype
    if kind.kind == "u" and voxels.size and expected == set(range(int(voxels.max()) + 1)):
        return expected
    if len(expected) <= _FEW:
        limits = np.iinfo(kind.str)
        inside = [value for value in expected if limits.min <= value <= limits.max]
        if sum(int(np.count_nonzero(voxels == kind.type(value))) for value in inside) == voxels.size:
            return set(inside)
    if voxels.dtype.itemsize == 1 and voxels.dtype != np.int8:
        is_there = np.zeros(256, dtype=bool)
        is_there[voxels.view(np.uint8)] = True
        return set(np.flatnonzero(is_there).tolist())
    return {int(value) for value in np.unique(voxels)}


def _added(parts: list[tuple[NDArray[np.generic], IntArray]]) -> dict[int, int]:
    result: dict[int, int] = {}
    for values, counts in parts:
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            result[int(value)] = result.get(int(value), 0) + count
    return {value: count for value, count in result.items() if count}


def _label_places(voxels: NDArray[np.generic], labels: IntArray) -> NDArray[np.integer]:
    """The place of each value in the sorted labels."""
    if labels[0] == 0 and labels[-1] == len(labels) - 1:
        return np.asarray(voxels.view(np.dtype(f"u{voxels.itemsize}")))
    if voxels.dtype.itemsize == 1 and voxels.dtype != np.int8:
        lookup = np.zeros(256, dtype=np.min_scalar_type(len(labels)))
        lookup[labels[labels < 256]] = np.flatnonzero(labels < 256)
        return np.asarray(lookup[voxels.view(np.uint8)])
    return np.asarray(np.searchsorted(labels, voxels))
