"""Simulated readers with known faults: class answers and masks as a person with those faults would give them.

Used for the demonstration project and for studies of methods. Every fault is a number that is written down, so that a
test can ask whether the measures find it. Not here: real readers, and any measure.

References
----------
Warfield SK et al. (2004) STAPLE (raters simulated by moved boundaries). IEEE Trans Med Imaging 23:903-921.
Dawid AP, Skene AM (1979) Maximum likelihood estimation of observer error-rates (confusion matrices). Appl Stat
28:20-28.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from labelhub.numerics.arguments import checked, one_a_unit
from labelhub.numerics.results import BoolArray, FloatArray, IntArray
from labelhub.numerics.signed_distances import signed_distance

METHOD = "simulated reader"
VERSION = "1"


@dataclass(frozen=True, slots=True, eq=False)
class BoundaryFault:
    """How a reader's outlines differ from the truth, in the unit of the spacing.

    ``offset`` moves the whole boundary, outwards where positive; ``noise`` is the standard deviation of its wobble and
    ``smoothness`` the length over which the wobble changes.
    """

    offset: float = 0.0
    noise: float = 0.0
    smoothness: float = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class ObjectFault:
    """Which objects a reader misses and invents: a chance for each object, and a mean number of inventions an item."""

    miss_rate: float = 0.0
    extra_mean: float = 0.0
    extra_radius: float = 3.0


@checked
def read_mask(
    truth: BoolArray,
    fault: BoundaryFault,
    rng: np.random.Generator,
    *,
    spacing: Sequence[float] | None = None,
    severity: float = 1.0,
) -> BoolArray:
    """A mask as a reader with this fault would draw it: signed distance plus a smooth random field, cut at the offset.

    Parameters
    ----------
    truth : array of bool, shape (y, x) or (z, y, x)
        The true mask. An empty one stays empty.
    fault : BoundaryFault
    rng : numpy.random.Generator
    spacing : sequence of float, optional
        Size of a voxel along each axis; 1 by default.
    severity : float
        Multiplies noise and offset, such as :func:`fatigue` gives it.

    Examples
    --------
    >>> truth = np.zeros((40, 40), dtype=bool)
    >>> truth[10:30, 10:30] = True
    >>> drawn = read_mask(truth, BoundaryFault(offset=2.0), np.random.default_rng(0))
    >>> int(drawn[20].sum())
    24
    """
    _check_boundary(fault, severity)
    mask = np.asarray(truth, dtype=bool)
    if not mask.any():
        return mask.copy()
    steps = np.ones(mask.ndim) if spacing is None else np.asarray(spacing, dtype=np.float64)
    distance = signed_distance(mask, steps)
    field = smooth_field(mask.shape, fault.smoothness / steps, rng) if fault.noise > 0 else 0.0
    return np.asarray(distance < severity * (fault.offset + fault.noise * field))


def smooth_field(shape: tuple[int, ...], smoothness: ArrayLike, rng: np.random.Generator) -> FloatArray:
    """A Gaussian random field of mean 0 and standard deviation 1 that changes over ``smoothness`` voxels."""
    widths = np.broadcast_to(np.asarray(smoothness, dtype=np.float64), (len(shape),))
    field = ndimage.gaussian_filter(rng.standard_normal(shape), widths, mode="wrap")
    spread = float(field.std())
    return np.asarray((field - field.mean()) / spread if spread > 0 else field, dtype=np.float64)


@checked
def read_objects(
    objects: Sequence[BoolArray], fault: ObjectFault, rng: np.random.Generator, shape: tuple[int, ...]
) -> tuple[BoolArray, ...]:
    """The objects a reader marks: each true one unless missed, and balls that are not there, all on one grid.

    Examples
    --------
    >>> seen = read_objects([np.ones((9, 9), dtype=bool)], ObjectFault(miss_rate=1.0), np.random.default_rng(0), (9, 9))
    >>> len(seen)
    0
    """
    _check_share(fault.miss_rate, "miss_rate")
    if not (fault.extra_mean >= 0 and fault.extra_radius > 0):
        message = f"extra_mean is {fault.extra_mean} and extra_radius {fault.extra_radius}; allowed is >= 0 and > 0"
        raise ValueError(message)
    seen = [mask for mask in objects if rng.random() >= fault.miss_rate]
    for _ in range(int(rng.poisson(fault.extra_mean))):
        centre = [rng.uniform(0, length) for length in shape]
        squared = sum((axis + 0.5 - c) ** 2 for axis, c in zip(np.ogrid[tuple(map(slice, shape))], centre, strict=True))
        ball = np.asarray(squared <= fault.extra_radius**2)
        if ball.any():
            seen.append(ball)
    return tuple(seen)


@checked
def read_labels(truth: ArrayLike, confusion: ArrayLike, rng: np.random.Generator) -> IntArray:
    """Class answers of a reader with this confusion matrix ``confusion[truth, given]``; classes are 0, 1, 2 and so on.

    ``confusion`` may be one matrix, or one an item (item, truth, given) where the reader changes with time.

    Parameters
    ----------
    truth : array of int, shape (item,)
        Classes from 0 on.
    confusion : array of float, shape (truth, given) or (item, truth, given)
        Rows add up to 1.
    rng : numpy.random.Generator

    Examples
    --------
    >>> swap = [[0.0, 1.0], [1.0, 0.0]]
    >>> read_labels([0, 1, 1], swap, np.random.default_rng(0)).tolist()
    [1, 0, 0]
    """
    classes = one_a_unit("truth", truth, np.int64)
    table = np.asarray(confusion, dtype=np.float64)
    if table.ndim not in (2, 3) or table.shape[-1] != table.shape[-2]:
        message = f"confusion has shape {table.shape}; (truth, given) or (item, truth, given) is needed"
        raise ValueError(message)
    if (table < 0).any() or not np.allclose(table.sum(axis=-1), 1.0):
        message = (
            f"confusion is {table.tolist()}, which holds a row that is not a distribution (at least 0, adding up to 1)"
        )
        raise ValueError(message)
    if len(classes) and (classes.min() < 0 or classes.max() >= table.shape[-1]):
        message = f"truth runs from {classes.min()} to {classes.max()}; allowed are 0 to {table.shape[-1] - 1}"
        raise ValueError(message)
    rows = table[classes] if table.ndim == 2 else table[np.arange(len(classes)), classes]
    steps = np.cumsum(rows, axis=1)
    passed = steps <= rng.random(len(classes))[:, None]
    return np.asarray(np.minimum(passed.sum(axis=1), table.shape[-1] - 1), dtype=np.int64)


def confusion_of_accuracy(accuracy: float | FloatArray, n_classes: int) -> FloatArray:
    """The confusion matrix of a reader who is right this often and otherwise errs evenly; one an item for an array.

    Examples
    --------
    >>> confusion_of_accuracy(0.8, 3).round(2).tolist()
    [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]
    """
    if n_classes < 2:
        message = f"n_classes is {n_classes}; at least 2 are needed"
        raise ValueError(message)
    right = np.asarray(accuracy, dtype=np.float64)[..., None, None]
    if not ((right >= 0) & (right <= 1)).all():
        message = f"accuracy is {accuracy!r}; it lies between 0 and 1"
        raise ValueError(message)
    same = np.eye(n_classes)
    return np.asarray(right * same + (1 - right) / (n_classes - 1) * (1 - same), dtype=np.float64)


@checked
def confusing_pair(n_classes: int, first: int, second: int, rate: float) -> FloatArray:
    """The confusion matrix of a reader who takes two classes for each other this often and is else right.

    Examples
    --------
    >>> confusing_pair(3, 0, 1, 0.25).tolist()
    [[0.75, 0.25, 0.0], [0.25, 0.75, 0.0], [0.0, 0.0, 1.0]]
    """
    _check_share(rate, "rate")
    if first == second or not (0 <= first < n_classes and 0 <= second < n_classes):
        message = f"first is {first} and second {second}; two different classes below {n_classes} are needed"
        raise ValueError(message)
    table = np.eye(n_classes)
    table[[first, second], [first, second]] = 1 - rate
    table[[first, second], [second, first]] = rate
    return table


@checked
def copied_labels(own: ArrayLike, other: ArrayLike, rate: float, rng: np.random.Generator) -> IntArray:
    """A reader's answers, of which this share is taken from another reader (who must have answered: at least 0).

    Parameters
    ----------
    own, other : array of int, shape (item,)
        The reader's answers and those copied from; below 0 where the other gave none.
    rate : float
        0 to 1.
    rng : numpy.random.Generator

    Examples
    --------
    >>> copied_labels([0, 0, 0], [1, 2, 1], 1.0, np.random.default_rng(0)).tolist()
    [1, 2, 1]
    """
    _check_share(rate, "rate")
    mine, theirs = np.asarray(own, dtype=np.int64), np.asarray(other, dtype=np.int64)
    if mine.shape != theirs.shape:
        message = f"own has shape {mine.shape} and other {theirs.shape}; both need one answer an item"
        raise ValueError(message)
    is_copied = (rng.random(mine.shape) < rate) & (theirs >= 0)
    return np.where(is_copied, theirs, mine)


@checked
def fatigue(n_items: int, start: float, end: float, *, rest_every: int = 0) -> FloatArray:
    """A quantity that goes in a line from ``start`` to ``end`` over the items of a session, in reading order.

    With ``rest_every`` above 0 it begins anew after so many items. Use it as accuracy or as severity.

    Examples
    --------
    >>> fatigue(5, 1.0, 0.0).tolist(), fatigue(4, 0.0, 1.0, rest_every=2).tolist()
    ([1.0, 0.75, 0.5, 0.25, 0.0], [0.0, 1.0, 0.0, 1.0])
    """
    length = rest_every if rest_every > 0 else n_items
    position = np.arange(n_items) % max(length, 1)
    return np.asarray(start + (end - start) * position / max(length - 1, 1), dtype=np.float64)


@checked
def spam_labels(n_items: int, n_classes: int, rng: np.random.Generator, *, favourite: int | None = None) -> IntArray:
    """Answers of someone who does not look: evenly at random, or always the favourite.

    Parameters
    ----------
    n_items, n_classes : int
    rng : numpy.random.Generator
    favourite : int, optional
        The class that is always given; evenly at random without it.

    Examples
    --------
    >>> spam_labels(3, 4, np.random.default_rng(0), favourite=2).tolist()
    [2, 2, 2]
    """
    if favourite is None:
        return rng.integers(0, n_classes, size=n_items).astype(np.int64)
    return np.full(n_items, favourite, dtype=np.int64)


def _check_boundary(fault: BoundaryFault, severity: float) -> None:
    if not (fault.noise >= 0 and fault.smoothness > 0 and severity >= 0 and np.isfinite(fault.offset)):
        message = f"fault is {fault} and severity {severity}; noise and severity start at 0, smoothness above 0"
        raise ValueError(message)


def _check_share(value: float, name: str) -> None:
    if not 0.0 <= value <= 1.0:
        message = f"{name} is {value!r}; a share lies between 0 and 1"
        raise ValueError(message)
