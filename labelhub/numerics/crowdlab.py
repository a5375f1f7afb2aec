"""Consensus of raters and a model: every rater and the model vote with a probability and a weight (CROWDLAB).

The model helps most where units have few answers. Its probabilities must be out of sample (cross-validated): a model asked
about what it was trained on repeats the raters and counts twice. Not here: training a model.

References
----------
Goh HW, Tkachenko U, Mueller J (2022) CROWDLAB: supervised learning to infer consensus labels and quality scores for data
with multiple annotators. NeurIPS Human in the Loop Learning Workshop, arXiv 2210.06812, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.answers import Answers, answers_of
from labelhub.numerics.arguments import checked
from labelhub.numerics.class_posterior import ClassPosterior, checked_answers
from labelhub.numerics.results import NAN, FloatArray

METHOD = "CROWDLAB"
VERSION = "1"

# As in the authors' cleanlab.
_LEAST_WEIGHT = 1e-6


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Crowdlab(ClassPosterior):
    """Consensus of raters and a model; ``confidence`` is the paper's consensus quality score.

    ``rater_weight[rater]`` and ``model_weight``; ``agreement[rater]`` with other raters on shared units (NaN without);
    ``model_accuracy`` against the vote and ``label_trust`` P, both over units with two or more answers.
    """

    rater_weight: FloatArray
    model_weight: float
    agreement: FloatArray
    model_accuracy: float
    label_trust: float


@checked
def crowdlab(
    ratings: ArrayLike | Answers,
    probabilities: ArrayLike,
    *,
    categories: Sequence[float] | None = None,
    raters: ArrayLike | None = None,
) -> Crowdlab:
    """The settled category of each unit from raters' answers and a model's out-of-sample probabilities.

    All weights are judged against the majority vote, whose ties the model breaks. (cleanlab's default "best_quality" judges
    them once more against its own consensus; with its ``consensus_method="majority_vote"`` both give the same numbers.)

    Parameters
    ----------
    ratings, categories, raters
        As for :func:`labelhub.numerics.dawid_skene.dawid_skene`. Pass ``categories`` so that they are the columns of
        ``probabilities``. A unit without answers gets the model's probabilities.
    probabilities : array of float, shape (unit, category)
        Rows add up to 1.

    Returns
    -------
    Crowdlab
        With a warning where no unit has two answers: nobody can then be weighed, and all count alike.

    Raises
    ------
    ValueError
        Where a row of probabilities is no distribution, or their shape does not fit the answers.

    Examples
    --------
    >>> sure = [[0.9, 0.1], [0.1, 0.9], [0.9, 0.1]]
    >>> crowdlab([[0, 0], [1, 1], [0, 1]], sure, categories=[0, 1]).winner.tolist()
    [0.0, 1.0, 0.0]
    """
    answers = checked_answers(answers_of(ratings, categories=categories, raters=raters))
    table = _checked_probabilities(probabilities, answers)
    q, votes, n_of_unit = answers.n_categories, answers.votes(), answers.n_of_unit
    is_shared = n_of_unit >= 2
    # The model breaks the vote's ties, as the paper does: its probabilities are below one vote.
    leader = (votes + table * (1 - 1e-9)).argmax(axis=1)
    shared_answers = is_shared[answers.unit]
    agreement = _agreement_with_others(answers, votes, shared_answers)
    if is_shared.any():
        same = answers.given == leader[answers.unit]
        shares = np.bincount(answers.unit[shared_answers], same[shared_answers], minlength=len(votes))
        trust = float(np.mean(shares[is_shared] / n_of_unit[is_shared]))
        model_accuracy = float(np.mean(table[is_shared].argmax(axis=1) == leader[is_shared]))
        commonest = float(np.bincount(leader[is_shared], minlength=q).max() / is_shared.sum())
    else:
        trust, model_accuracy, commonest = 1 - 1 / q, NAN, 1 / q
    rater_weight = np.nan_to_num(_weight(agreement, commonest), nan=_typical(_weight(agreement, commonest)))
    mean_labels = float(n_of_unit[n_of_unit > 0].mean()) if len(answers.unit) else 1.0
    model_weight = float(np.nan_to_num(_weight(np.array(model_accuracy), commonest), nan=1.0)) * np.sqrt(mean_labels)
    wrong = (1 - trust) / (q - 1)
    weight = rater_weight[answers.rater]
    total = np.bincount(answers.unit, weight, minlength=len(votes))
    mixed = model_weight * table + answers.votes(weight * (trust - wrong)) + wrong * total[:, None]
    return Crowdlab(
        posterior=mixed / (model_weight + total)[:, None],
        categories=answers.categories,
        log_likelihood=NAN,
        n_iterations=1,
        is_converged=True,
        method=METHOD,
        warnings=() if is_shared.any() else ("no unit has two answers: raters and model could not be weighed",),
        version=VERSION,
        rater_weight=rater_weight,
        model_weight=model_weight,
        agreement=agreement,
        model_accuracy=model_accuracy,
        label_trust=trust,
    )


def _checked_probabilities(probabilities: ArrayLike, answers: Answers) -> FloatArray:
    table = np.asarray(probabilities, dtype=np.float64)
    if table.shape != (answers.n_units, answers.n_categories):
        message = f"probabilities has shape {table.shape}; {(answers.n_units, answers.n_categories)} is needed"
        raise ValueError(message)
    if not (np.isfinite(table).all() and (table >= 0).all() and np.allclose(table.sum(axis=1), 1.0, atol=1e-3)):
        sums = table.sum(axis=1)
        message = (
            f"probabilities has rows that add up to {sums.min():g} up to {sums.max():g} and a least entry of "
            f"{table.min():g}; it must hold distributions: at least 0, adding up to 1"
        )
        raise ValueError(message)
    return table


def _agreement_with_others(answers: Answers, votes: FloatArray, is_shared: np.ndarray) -> FloatArray:
    same = votes[answers.unit, answers.given] - 1
    others = answers.n_of_unit[answers.unit] - 1
    agreed = np.bincount(answers.rater[is_shared], same[is_shared], minlength=answers.n_raters)
    met = np.bincount(answers.rater[is_shared], others[is_shared], minlength=answers.n_raters)
    return np.where(met > 0, agreed / np.maximum(met, 1), NAN)


def _weight(accuracy: FloatArray, commonest: float) -> FloatArray:
    """How far above "always the commonest category" on a scale up to 1; never below a trace."""
    return np.asarray(np.maximum(1 - (1 - accuracy) / max(1 - commonest, _LEAST_WEIGHT), _LEAST_WEIGHT))


def _typical(weights: FloatArray) -> float:
    known = weights[~np.isnan(weights)]
    return float(known.mean()) if len(known) else 1.0
