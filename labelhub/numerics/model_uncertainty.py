"""How unsure a model is that was asked several times (members of an ensemble, dropout, mirrored views), in bits.

The entropy of the mean answer splits into what the answers leave open each by itself (*aleatoric*: the picture does not
say) and what they disagree about (*epistemic*: the model does not know, and more labels would help). Not here: asking the
model, choosing what to label next.

References
----------
Houlsby N, Huszár F, Ghahramani Z, Lengyel M (2011) Bayesian active learning for classification and preference learning.
arXiv 1112.5745, eq. 1 (mutual information).
Kendall A, Gal Y (2017) What uncertainties do we need in Bayesian deep learning for computer vision? NeurIPS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import FloatArray

METHOD = "mutual information"
VERSION = "1"

_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class ModelUncertainty:
    """Entropies in bits, of the shape of the units; 0 is sure, the logarithm of the number of categories knows nothing.

    ``total`` is ``epistemic + aleatoric``; ``mean`` are the mean probabilities ``[k, ...]``; ``n`` is how often the model was
    asked (once: epistemic is 0, since there is nothing to disagree with).
    """

    mean: FloatArray
    total: FloatArray
    epistemic: FloatArray
    aleatoric: FloatArray
    n: int
    method: str = METHOD


@checked
def entropy(probabilities: ArrayLike) -> FloatArray:
    """The entropy of ``probabilities[k, ...]`` over the first axis, in bits; 0 log 0 is 0.

    Examples
    --------
    >>> entropy([0.5, 0.25, 0.25]).item()
    1.5
    """
    given = np.asarray(probabilities, dtype=np.float64)
    logs = np.log2(given, out=np.zeros_like(given), where=given > 0)
    return np.asarray(np.maximum(-(given * logs).sum(axis=0), 0.0))


@checked
def model_uncertainty(answers: ArrayLike) -> ModelUncertainty:
    """Split the uncertainty of ``answers[t, k, ...]``: ``t`` answers of ``k`` probabilities for each unit.

    I = H(mean of p_t) - mean of H(p_t), the mutual information between the answer and which model gave it.

    Raises
    ------
    ValueError
        Where there is no answer, or probabilities lie outside 0 to 1 or do not add up to 1.

    Examples
    --------
    Two members that are sure of opposite things know what the picture says, but not which of them is right; two that
    both say one half do not know it from the picture:

    >>> found = model_uncertainty([[[1.0], [0.0]], [[0.0], [1.0]]])
    >>> found.epistemic.item(), found.aleatoric.item()
    (1.0, 0.0)
    >>> found = model_uncertainty([[[0.5], [0.5]], [[0.5], [0.5]]])
    >>> found.epistemic.item(), found.aleatoric.item()
    (0.0, 1.0)
    """
    given = np.asarray(answers, dtype=np.float64)
    if given.ndim < 2 or not given.shape[0] or not given.shape[1]:
        message = f"answers has the shape {given.shape}; it is answers[t, k, ...] with at least one answer and category"
        raise ValueError(message)
    if ((given < 0) | (given > 1)).any() or (np.abs(given.sum(axis=1) - 1) > _SUM_TOLERANCE).any():
        message = "answers are probabilities from 0 to 1 that add up to 1 over the second axis"
        raise ValueError(message)
    mean = given.mean(axis=0)
    total = entropy(mean)
    # Rounding can take the mean of entropies above the entropy of the mean, which no concave function allows.
    aleatoric = np.minimum(entropy(np.moveaxis(given, 0, 1)).mean(axis=0), total)
    return ModelUncertainty(mean, total, total - aleatoric, aleatoric, n=given.shape[0])
