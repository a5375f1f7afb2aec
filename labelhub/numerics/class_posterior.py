"""What every estimate of true classes comes back as: a posterior for each unit, and how far it may be believed.

Not here: any estimate. A posterior is a claim under a model; ``reliability`` checks it against gold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelhub.numerics.answers import Answers
from labelhub.numerics.results import NAN, BoolArray, FloatArray

_TIE = 1e-9


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ClassPosterior:
    """The probable category of each unit.

    ``posterior[unit, category]`` sums to 1 over ``categories`` and is NaN for units without answers.
    ``log_likelihood`` is of all answers under the model (NaN where the method has no likelihood).
    """

    posterior: FloatArray
    categories: FloatArray
    log_likelihood: float
    n_iterations: int
    is_converged: bool
    method: str
    warnings: tuple[str, ...] = ()
    version: str = "1"

    @property
    def winner(self) -> FloatArray:
        """The most probable category of each unit, NaN at a tie or without votes."""
        filled = np.nan_to_num(self.posterior, nan=0.0)
        most = filled.max(axis=1)
        is_single = (filled >= most[:, None] - _TIE).sum(axis=1) == 1
        return np.where(is_single & (most > 0), self.categories[filled.argmax(axis=1)], NAN)

    @property
    def confidence(self) -> FloatArray:
        """The posterior of the winner."""
        return np.asarray(self.posterior.max(axis=1), dtype=np.float64)

    def expected_correct(self, truth: FloatArray) -> FloatArray:
        """The chance that each unit is right if ties are broken at random; NaN without answers or truth."""
        filled = np.nan_to_num(self.posterior, nan=0.0)
        most = filled.max(axis=1)
        leaders = filled >= most[:, None] - _TIE
        right = (leaders & (self.categories[None, :] == truth[:, None])).sum(axis=1)
        return np.where((most > 0) & ~np.isnan(truth), right / leaders.sum(axis=1), NAN)


def checked_answers(answers: Answers) -> Answers:
    """The answers, or a ValueError where fewer than two categories are possible."""
    if answers.n_categories < 2:
        message = f"{answers.n_categories} categories are possible; at least 2 are needed (pass categories)"
        raise ValueError(message)
    return answers


def vote_shares(votes: FloatArray) -> FloatArray:
    """Each unit's shares of ``votes[unit, category]``, the usual start of an estimate; even for a unit without any."""
    total = votes @ np.ones(votes.shape[1])
    return np.where(total[:, None] > 0, votes / np.maximum(total, 1.0)[:, None], 1 / votes.shape[1])


def softmax_rows(joint: FloatArray) -> FloatArray:
    """Turns each row of log weights into shares that add up to 1, in place; the logarithms of the sums come back."""
    # Columns first: numpy reduces many short rows far slower than a few long columns, and a product with ones wakes the
    # threads of the library behind it.
    most = joint[:, 0].copy()
    for column in range(1, joint.shape[1]):
        np.maximum(most, joint[:, column], out=most)
    joint -= most[:, None]
    np.exp(joint, out=joint)
    total = joint[:, 0].copy()
    for column in range(1, joint.shape[1]):
        total += joint[:, column]
    joint /= total[:, None]
    return np.asarray(most + np.log(total), dtype=np.float64)


def without_unanswered(posterior: FloatArray, has_answers: BoolArray) -> FloatArray:
    """The posterior with NaN in place of units that nobody answered."""
    if has_answers.all():
        return posterior
    return np.where(has_answers[:, None], posterior, NAN)
