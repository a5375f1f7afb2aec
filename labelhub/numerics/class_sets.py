"""Objects that may overlap as one map: every voxel holds the set of classes drawn there, as a number with one bit a class.

Two readers who drew the same objects in another order have the same map, and an object that lies over another hides
nothing. Each class is settled by a vote of its own. Not here: which objects are the same one (``object_disputes``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from labelhub.numerics.arguments import checked
from labelhub.numerics.decision_patterns import DecisionPatterns
from labelhub.numerics.geometry import Placed
from labelhub.numerics.results import IntArray
from labelhub.numerics.settled_maps import settled_of_patterns

METHOD = "sets of classes"
VERSION = "1"

MOST_CLASSES = 62


@checked
def class_set_map(
    objects: Sequence[tuple[int, Placed]], shape: tuple[int, ...], n_classes: int
) -> NDArray[np.unsignedinteger]:
    """One reader's objects ``(class, mask)`` painted on a grid: bit ``k`` of a voxel says that class ``k`` is there.

    Parameters
    ----------
    objects : sequence of (int, Placed)
        Classes from 0 on; what lies beyond the grid is cut off.
    shape : tuple of int
    n_classes : int
        At most 62. All readers of an item need the same number, so that their maps have one type.

    Raises
    ------
    ValueError
        Where there are too many classes, or an object has none of them.

    Examples
    --------
    >>> from labelhub.numerics.geometry import PlacedMask
    >>> row = PlacedMask(np.ones((1, 2), dtype=bool), (0, 1))
    >>> class_set_map([(0, row), (1, PlacedMask(row.voxels, (0, 2)))], (1, 5), 2).tolist()
    [[0, 1, 3, 2, 0]]
    """
    if not 0 < n_classes <= MOST_CLASSES:
        message = f"n_classes is {n_classes}; 1 to {MOST_CLASSES} fit into one map"
        raise ValueError(message)
    result = np.zeros(shape, dtype=np.min_scalar_type((1 << n_classes) - 1))
    for place, mask in objects:
        if not 0 <= place < n_classes:
            message = f"an object has class {place}; allowed are 0 to {n_classes - 1}"
            raise ValueError(message)
        target, source = [], []
        for start, n, length in zip(mask.origin, mask.voxels.shape, shape, strict=True):
            low, high = max(start, 0), max(min(start + n, length), start, 0)
            target.append(slice(low, high))
            source.append(slice(low - start, high - start))
        part = result[tuple(target)]
        # Whether a class is there, times its bit: one array of the map's type an object.
        np.bitwise_or(part, np.multiply(mask.voxels[tuple(source)], result.dtype.type(1 << place)), out=part)
    return result


def classes_in(code: int) -> tuple[int, ...]:
    """The classes of a set, in order.

    Examples
    --------
    >>> classes_in(5), classes_in(0)
    ((0, 2), ())
    """
    return tuple(place for place in range(code.bit_length()) if code >> place & 1)


def class_counts(counts: IntArray, codes: IntArray, n_classes: int) -> IntArray:
    """Voxels of each class out of voxels of each set: ``counts[..., set]`` to shape (..., class).

    Examples
    --------
    >>> class_counts(np.array([10, 2, 3]), np.array([0, 1, 3]), 2).tolist()
    [5, 3]
    """
    has = (codes[:, None] >> np.arange(n_classes)[None, :]) & 1
    return np.asarray(counts @ has, dtype=np.int64)


def set_tolerances(tolerance: Mapping[int, float], codes: Sequence[int]) -> dict[int, float]:
    """The tolerance of every set: the largest of its classes'.

    Examples
    --------
    >>> set_tolerances({0: 1.0, 1: 2.0}, [1, 3])
    {1: 1.0, 3: 2.0}
    """
    return {code: max(tolerance[place] for place in classes_in(code)) for code in codes if code}


@checked
def voted_class_sets(patterns: DecisionPatterns, asked: Sequence[int] | None = None) -> NDArray[np.integer]:
    """The classes that more than half of those asked drew at each voxel, each by itself.

    Where exactly half drew one, the voxel takes the set of the nearest that is settled.

    Parameters
    ----------
    patterns : DecisionPatterns
        Of the readers' maps of :func:`class_set_map`.
    asked : sequence of int, optional
        The classes each reader was asked for, as a set; all by default.

    Examples
    --------
    Each of two classes is drawn by two of three readers, no two of whom drew the same set.

    >>> from labelhub.numerics.decision_patterns import decision_patterns
    >>> voted_class_sets(decision_patterns([np.array([[code]], dtype=np.uint8) for code in (1, 2, 3)])).tolist()
    [[3]]
    """
    n_classes = max(int(patterns.labels.max(initial=0)).bit_length(), 1)
    bits = (patterns.labels[patterns.table][:, :, None] >> np.arange(n_classes)) & 1
    votes = bits.sum(axis=1)
    scopes = np.full(patterns.n_raters, -1, dtype=np.int64) if asked is None else np.asarray(asked, dtype=np.int64)
    n_asked = ((scopes[:, None] >> np.arange(n_classes)) & 1).sum(axis=0)
    code = ((2 * votes > n_asked).astype(np.int64) << np.arange(n_classes)).sum(axis=1)
    labels = np.unique(code)
    is_tied = ((2 * votes == n_asked) & (n_asked > 0)).any(axis=1)
    return settled_of_patterns(patterns, np.where(is_tied, len(labels), np.searchsorted(labels, code)), labels)
