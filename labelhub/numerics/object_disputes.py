"""Disputes about objects rather than pixels: readers do not agree on whether a thing is there, or on what it is.

Readers' objects are first matched within their class; what is not complete then is matched whatever the class, so that two
readers who gave one thing two names dispute its class, not its presence. A reader who was not asked for any of the classes in
question is silent. Not here: how alike two shapes are (the caller's table), and outlines of objects all agree on
(``disputes``, by their pixels).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.arguments import checked, one_a_unit
from labelhub.numerics.matching import NOT_ANNOTATED, cluster_objects
from labelhub.numerics.results import BoolArray, FloatArray, IntArray

METHOD = "disputed objects"
VERSION = "1"


@dataclass(frozen=True, slots=True, eq=False)
class ObjectDispute:
    """A thing that some readers marked: ``members[reader]`` is their object, -1 where a reader marked nothing.

    ``is_presence``: a reader who was asked has nothing there; ``is_class``: classes differ. ``is_silent[reader]``: was not
    asked. ``low`` and ``high`` are the corners of the box around all members, ``centre`` the mean of their centres, ``size``
    the median of their sizes. ``number`` counts from 1, the largest first.
    """

    number: int
    members: IntArray
    labels: IntArray
    is_presence: bool
    is_class: bool
    is_silent: BoolArray
    low: tuple[float, ...]
    high: tuple[float, ...]
    centre: tuple[float, ...]
    size: float

    @property
    def kind(self) -> str:
        """What is in dispute, in words."""
        if self.is_presence and self.is_class:
            return "presence and class"
        return "presence" if self.is_presence else "class"


@dataclass(frozen=True, slots=True, eq=False)
class ObjectDisputes:
    """The disputed objects, and those that everybody asked has alike: ``agreed[object, reader]``, -1 where silent."""

    disputes: tuple[ObjectDispute, ...]
    agreed: IntArray
    method: str = METHOD
    version: str = VERSION


@checked
def object_disputes(
    similarity: ArrayLike,
    readers: ArrayLike,
    labels: ArrayLike,
    boxes: ArrayLike,
    *,
    n_readers: int,
    threshold: float,
    sizes: ArrayLike | None = None,
    asked: Sequence[Collection[int] | None] | None = None,
) -> ObjectDisputes:
    """The objects of an item on whose presence or class its readers differ, largest first.

    Parameters
    ----------
    similarity : array of float, shape (object, object)
        Symmetric, high is alike, whatever the class.
    readers, labels : array of int, shape (object,)
        Whose each object is (from 0), and its class.
    boxes : array of float, shape (object, 2, axis)
        Low and high corner of each.
    n_readers : int
        All who read the item, with those who marked nothing.
    threshold : float
        Least similarity of two marks of one thing.
    sizes : array of float, shape (object,), optional
        Of each object; that of its box by default.
    asked : sequence of (collection of int or None), optional
        The classes each reader was asked for; None for all.

    Raises
    ------
    ValueError
        Where shapes do not fit each other, or the threshold is not above 0.

    Examples
    --------
    Three readers of one thing; the third calls it otherwise. A second thing was seen by the first alone.

    >>> alike = np.array([[1, 0, 1, 1], [0, 1, 0, 0], [1, 0, 1, 1], [1, 0, 1, 1]], dtype=float)
    >>> boxes = [[[0, 0], [9, 9]], [[50, 50], [52, 52]], [[0, 0], [9, 9]], [[0, 0], [9, 9]]]
    >>> found = object_disputes(alike, [0, 0, 1, 2], [1, 1, 1, 2], boxes, n_readers=3, threshold=0.3)
    >>> [(one.kind, one.members.tolist()) for one in found.disputes]
    [('class', [0, 2, 3]), ('presence', [1, -1, -1])]
    """
    owner, given = one_a_unit("readers", readers, np.int64), one_a_unit("labels", labels, np.int64)
    corners = one_a_unit("boxes", boxes, np.float64)
    table = np.asarray(similarity, dtype=np.float64).reshape(len(owner), len(owner))
    if not (len(given) == len(owner) == len(corners)) or (len(owner) and corners.shape[1:2] != (2,)):
        message = f"labels has {len(given)} and boxes {len(corners)} entries for {len(owner)} objects; each needs one"
        raise ValueError(message)
    heard = _heard(asked, n_readers)
    measured = np.prod(corners[:, 1] - corners[:, 0], axis=1) if sizes is None and len(owner) else sizes
    extent = np.asarray([] if measured is None else measured, dtype=np.float64)
    same = np.where(given[:, None] == given[None, :], table, 0.0)
    alike = cluster_objects(same, owner, threshold, n_raters=n_readers).members
    is_agreed = np.array([_silent(row, given, heard)[row < 0].all() for row in alike], dtype=bool)
    rest = np.sort(alike[~is_agreed][alike[~is_agreed] >= 0]) if len(alike) else np.zeros(0, dtype=np.int64)
    mixed = cluster_objects(table[np.ix_(rest, rest)], owner[rest], threshold, n_raters=n_readers).members
    rows = np.where(mixed >= 0, np.append(rest, NOT_ANNOTATED)[mixed], NOT_ANNOTATED)
    found = [_dispute(row, given, corners, extent, _silent(row, given, heard)) for row in rows]
    disputes = [one for one in found if one.is_presence or one.is_class]
    disputes.sort(key=lambda one: (-one.size, one.low))
    ranked = tuple(replace(one, number=number) for number, one in enumerate(disputes, start=1))
    together = [row for row, one in zip(rows, found, strict=True) if not (one.is_presence or one.is_class)]
    agreed = np.concatenate([alike[is_agreed], np.asarray(together, dtype=np.int64).reshape(-1, n_readers)])
    return ObjectDisputes(ranked, agreed)


def _heard(asked: Sequence[Collection[int] | None] | None, n_readers: int) -> list[frozenset[int] | None]:
    if asked is None:
        return [None] * n_readers
    if len(asked) != n_readers:
        message = f"asked has {len(asked)} entries for {n_readers} readers; one a reader is needed"
        raise ValueError(message)
    return [None if scope is None else frozenset(scope) for scope in asked]


def _silent(row: IntArray, labels: IntArray, heard: Sequence[frozenset[int] | None]) -> BoolArray:
    """Who has nothing here because none of these classes was asked of them."""
    here = set(labels[row[row >= 0]].tolist())
    return np.array([
        member < 0 and scope is not None and not here & scope for member, scope in zip(row.tolist(), heard, strict=True)
    ])  # fmt: skip


def _dispute(
    row: IntArray, labels: IntArray, corners: FloatArray, sizes: FloatArray, is_silent: BoolArray
) -> ObjectDispute:
    own = row[row >= 0]
    low, high = corners[own, 0], corners[own, 1]
    return ObjectDispute(
        number=0,
        members=row,
        labels=np.where(row >= 0, labels[row], NOT_ANNOTATED),
        is_presence=bool((row[~is_silent] < 0).any()),
        is_class=len(np.unique(labels[own])) > 1,
        is_silent=is_silent,
        low=tuple(low.min(axis=0).tolist()),
        high=tuple(high.max(axis=0).tolist()),
        centre=tuple(((low + high) / 2).mean(axis=0).tolist()),
        size=float(np.median(sizes[own])),
    )
