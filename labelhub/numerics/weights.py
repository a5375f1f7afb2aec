"""Agreement weights between categories: 1 on the diagonal, less the further two categories lie apart.

Categories are taken by their position (1, 2, 3, ...), not by their value; where the values themselves are meant, pass
them as ``values`` and the matrix to the coefficient. Not here: the distances of Krippendorff's
alpha, which are another thing (Gwet's "ordinal weights" are not Krippendorff's ordinal metric).

References
----------
Gwet KL (2014) Handbook of Inter-Rater Reliability, 4th ed., chapter 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.results import FloatArray

WeightName: TypeAlias = Literal["identity", "linear", "quadratic", "ordinal", "radical", "ratio", "circular", "bipolar"]
Weights: TypeAlias = WeightName | ArrayLike


def agreement_weights(weights: Weights, n_categories: int, values: Sequence[float] | None = None) -> FloatArray:
    """The weight matrix ``weights[category, category]`` of a named scheme, or a checked copy of a given one.

    With categories x, y between the least a and the greatest b, all of Gwet's schemes: "linear" 1 - |x-y|/(b-a);
    "quadratic" its square; "radical" its root; "ratio" 1 - ((x-y)/(x+y))**2 / ((b-a)/(b+a))**2; "circular" one minus
    sin(pi (x-y)/(b-a+1))**2 over its maximum (the last category is next to the first); "bipolar" one minus
    (x-y)**2 / ((x+y-2a)(2b-x-y)) over its maximum (gaps near the poles count more); "ordinal" by rank alone,
    1 - C(|k-l|+1, 2)/C(q, 2); "identity" gives no partial credit.

    Parameters
    ----------
    weights : str or array, shape (category, category)
        A name above, or a matrix with 1 on its diagonal and nothing above 1.
    n_categories : int
        How many categories are possible.
    values : sequence of float, optional
        The categories' values, rising; positions 1, 2, 3, ... by default. "ratio" needs values of at least 0.

    Raises
    ------
    ValueError
        Where the name is unknown, the matrix is none, or the values do not rise.

    Examples
    --------
    Linear weights of three categories, and circular ones of four (the hours of a clock, say):

    >>> agreement_weights("linear", 3)[0].tolist()
    [1.0, 0.5, 0.0]
    >>> agreement_weights("circular", 4)[0].round(3).tolist()
    [1.0, 0.5, 0.0, 0.5]
    """
    if not isinstance(weights, str):
        return _checked(np.array(weights, dtype=np.float64), n_categories)
    if weights not in _DISTANCES:
        message = f"weights is {weights!r}; allowed are {', '.join(map(repr, _DISTANCES))}, or a matrix"
        raise ValueError(message)
    position = np.arange(1, n_categories + 1, dtype=np.float64) if values is None else _rising(values, n_categories)
    if weights == "ratio" and n_categories and position[0] < 0:
        message = f"values start at {position[0]:g}; weights='ratio' needs values of at least 0"
        raise ValueError(message)
    distance = _DISTANCES[weights](position)
    largest = distance.max(initial=0.0)
    return np.asarray(1 - distance / largest if largest > 0 else 1 - distance, dtype=np.float64)


def weights_from_disagreement(disagreement: ArrayLike) -> FloatArray:
    """Agreement weights from disagreement weights (0 on the diagonal), as Cohen (1968) gives them.

    ``1 - disagreement / its largest entry``; the matrix is square, finite and nowhere below 0, else a ValueError.

    Examples
    --------
    >>> weights_from_disagreement([[0, 1], [3, 0]]).round(3).tolist()
    [[1.0, 0.667], [0.0, 1.0]]
    """
    distance = np.asarray(disagreement, dtype=np.float64)
    is_square = distance.ndim == 2 and distance.shape[0] == distance.shape[1]
    if not is_square or not (np.isfinite(distance) & (distance >= 0)).all() or np.diag(distance).any():
        message = (
            f"disagreement is {distance.tolist()}; a square matrix of at least 0, with 0 on its diagonal, is needed"
        )
        raise ValueError(message)
    if not distance.max(initial=0.0) > 0:
        message = "disagreement has no entry above 0; at least one pair of categories must disagree"
        raise ValueError(message)
    return np.asarray(1 - distance / distance.max(), dtype=np.float64)


def _rising(values: Sequence[float], n_categories: int) -> FloatArray:
    position = np.asarray(values, dtype=np.float64)
    if position.shape != (n_categories,) or not np.isfinite(position).all() or (np.diff(position) <= 0).any():
        message = f"values is {list(values)!r}; {n_categories} finite rising numbers are needed"
        raise ValueError(message)
    return position


def _gap(x: FloatArray) -> FloatArray:
    return np.asarray(np.abs(x[:, None] - x[None, :]), dtype=np.float64)


def _sum(x: FloatArray) -> FloatArray:
    return np.asarray(x[:, None] + x[None, :], dtype=np.float64)


def _identity_distance(x: FloatArray) -> FloatArray:
    return 1 - np.eye(len(x))


def _ordinal_distance(x: FloatArray) -> FloatArray:
    steps = _gap(np.arange(len(x), dtype=np.float64))
    return steps * (steps + 1)


def _ratio_distance(x: FloatArray) -> FloatArray:
    return (_gap(x) / np.where(_sum(x) > 0, _sum(x), 1.0)) ** 2


def _circular_distance(x: FloatArray) -> FloatArray:
    # sin(pi d / U) is sin(pi (U - d) / U), but not to the last bit: the shorter way round keeps equal weights equal.
    length = float(np.ptp(x)) + 1 if len(x) else 1.0
    return np.asarray(np.sin(np.pi * np.minimum(_gap(x), length - _gap(x)) / length) ** 2, dtype=np.float64)


def _bipolar_distance(x: FloatArray) -> FloatArray:
    low, high = x.min(initial=np.inf), x.max(initial=-np.inf)
    room = (_sum(x) - 2 * low) * (2 * high - _sum(x))
    return np.where(_gap(x) > 0, _gap(x) ** 2 / np.where(room > 0, room, 1.0), 0.0)


_DISTANCES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "identity": _identity_distance,
    "linear": _gap,
    "quadratic": lambda x: _gap(x) ** 2,
    "ordinal": _ordinal_distance,
    "radical": lambda x: np.sqrt(_gap(x)),
    "ratio": _ratio_distance,
    "circular": _circular_distance,
    "bipolar": _bipolar_distance,
}


def _checked(matrix: FloatArray, n_categories: int) -> FloatArray:
    if matrix.shape != (n_categories, n_categories):
        message = f"weights has shape {matrix.shape}; with {n_categories} categories {(n_categories,) * 2} is needed"
        raise ValueError(message)
    if not np.isfinite(matrix).all() or not np.allclose(np.diag(matrix), 1.0) or (matrix > 1 + 1e-12).any():
        message = f"weights is {matrix.tolist()}; it must be finite, 1 on the diagonal and nowhere above 1"
        raise ValueError(message)
    return matrix
