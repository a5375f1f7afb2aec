"""Agreement weights between categories: 1 on the diagonal, less the further two categories lie apart.

Categories are taken by their position (0, 1, 2, ...), not by their value. Not here: the distances of Krippendorff's
alpha, which are another thing (Gwet's "ordinal weights" are not Krippendorff's ordinal metric).

References
----------
Gwet KL (2014) Handbook of Inter-Rater Reliability, 4th ed., chapter 3.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.results import FloatArray

WeightName: TypeAlias = Literal["identity", "linear", "quadratic", "ordinal", "radical"]
Weights: TypeAlias = WeightName | ArrayLike

_NAMES = ("identity", "linear", "quadratic", "ordinal", "radical")


def agreement_weights(weights: Weights, n_categories: int) -> FloatArray:
    """The weight matrix ``weights[category, category]`` of a named scheme, or a checked copy of a given one.

    Parameters
    ----------
    weights : {"identity", "linear", "quadratic", "ordinal", "radical"} or array, shape (category, category)
        A given matrix must have 1 on its diagonal and nothing above 1.
    n_categories : int
        How many categories are possible.

    Examples
    --------
    Linear weights of three categories:

    >>> agreement_weights("linear", 3)[0].tolist()
    [1.0, 0.5, 0.0]
    """
    if not isinstance(weights, str):
        return _checked(np.array(weights, dtype=np.float64), n_categories)
    if weights not in _NAMES:
        message = f"weights is {weights!r}; allowed are {', '.join(map(repr, _NAMES))}, or a matrix"
        raise ValueError(message)
    position = np.arange(n_categories, dtype=np.float64)
    gap = np.abs(position[:, None] - position[None, :])
    span = max(n_categories - 1, 1)
    if weights == "identity":
        return np.eye(n_categories)
    if weights == "linear":
        return 1 - gap / span
    if weights == "quadratic":
        return 1 - (gap / span) ** 2
    if weights == "radical":
        return 1 - np.sqrt(gap / span)
    return np.asarray(1 - gap * (gap + 1) / max(n_categories * (n_categories - 1), 1), dtype=np.float64)


def weights_from_disagreement(disagreement: ArrayLike) -> FloatArray:
    """Agreement weights from disagreement weights (0 on the diagonal), as Cohen (1968) gives them.

    Examples
    --------
    >>> weights_from_disagreement([[0, 1], [3, 0]]).round(3).tolist()
    [[1.0, 0.667], [0.0, 1.0]]
    """
    distance = np.asarray(disagreement, dtype=np.float64)
    if not distance.max(initial=0.0) > 0:
        message = "disagreement has no entry above 0; at least one pair of categories must disagree"
        raise ValueError(message)
    return np.asarray(1 - distance / distance.max(), dtype=np.float64)


def _checked(matrix: FloatArray, n_categories: int) -> FloatArray:
    if matrix.shape != (n_categories, n_categories):
        message = f"weights has shape {matrix.shape}; with {n_categories} categories {(n_categories,) * 2} is needed"
        raise ValueError(message)
    if not np.isfinite(matrix).all() or not np.allclose(np.diag(matrix), 1.0) or (matrix > 1 + 1e-12).any():
        message = "weights must be finite, 1 on the diagonal and nowhere above 1"
        raise ValueError(message)
    return matrix
