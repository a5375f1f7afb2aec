"""Answers in long form, one row an answer: the form that estimates of truth work on, however sparse the ratings are.

A matrix ``ratings[unit, rater]`` of a million units and a thousand raters is mostly gaps; its answers are a few million
rows. Every function of the truth-inference family takes either. Not here: any estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from labelhub.numerics.arguments import checked
from labelhub.numerics.ratings import category_codes, category_values, rating_matrix
from labelhub.numerics.results import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Who answered what: ``unit``, ``rater`` and ``given`` (position in ``categories``), one entry an answer.

    Rows are sorted by unit. Units and raters are numbered from 0; those without an answer count in ``n_units`` and
    ``n_raters`` all the same.
    """

    unit: IntArray
    rater: IntArray
    given: IntArray
    n_units: int
    n_raters: int
    categories: FloatArray

    @property
    def n_categories(self) -> int:
        """How many categories are possible."""
        return len(self.categories)

    @property
    def n_of_rater(self) -> IntArray:
        """How many answers each rater gave."""
        return np.bincount(self.rater, minlength=self.n_raters).astype(np.int64)

    @property
    def n_of_unit(self) -> IntArray:
        """How many answers each unit has."""
        return np.bincount(self.unit, minlength=self.n_units).astype(np.int64)

    def votes(self, weights: FloatArray | None = None) -> FloatArray:
        """The votes ``[unit, category]``, each answer counting 1 or the given weight (one an answer)."""
        q = self.n_categories
        flat = np.bincount(self.unit * q + self.given, weights=weights, minlength=self.n_units * q)
        return flat.reshape(self.n_units, q).astype(np.float64)

    def only(self, keep: BoolArray) -> Answers:
        """The answers marked in ``keep``; units, raters and categories stay as they are."""
        return Answers(
            self.unit[keep], self.rater[keep], self.given[keep], self.n_units, self.n_raters, self.categories
        )

    def by_unit(self) -> sparse.csr_array:
        """Which (rater, given) cells each unit's answers fall in: shape (unit, rater * n_categories), ones."""
        cell = (self.rater * self.n_categories + self.given).astype(np.int32)
        start = np.concatenate([[0], np.cumsum(self.n_of_unit)]).astype(np.int32)
        shape = (self.n_units, self.n_raters * self.n_categories)
        return sparse.csr_array((np.ones(len(cell)), cell, start), shape=shape)


@checked
def answers_of(
    ratings: ArrayLike | Answers, *, categories: Sequence[float] | None = None, raters: ArrayLike | None = None
) -> Answers:
    """The answers of a matrix ``ratings[unit, column]``; answers that are already in long form come back unchanged.

    Parameters
    ----------
    ratings : array of float, shape (unit, column), or Answers
        NaN where there is no answer.
    categories : sequence of float, optional
        The possible categories; those that occur by default.
    raters : array of int, shape (column,), optional
        Which rater answered each column (a rater who answered thrice has three); one a column by default.

    Raises
    ------
    ValueError
        For ratings outside the categories, a wrong number of raters, or ``categories``/``raters`` beside Answers.

    Examples
    --------
    >>> found = answers_of([[0, float("nan")], [1, 0]])
    >>> found.unit.tolist(), found.rater.tolist(), found.given.tolist()
    ([0, 1, 1], [0, 0, 1], [0, 1, 0])
    """
    if isinstance(ratings, Answers):
        if categories is not None or raters is not None:
            message = "categories and raters are part of Answers; pass them only with a matrix of ratings"
            raise ValueError(message)
        return ratings
    matrix = rating_matrix(ratings)
    values = category_values(matrix, categories)
    codes = category_codes(matrix, values)
    owner = np.arange(codes.shape[1]) if raters is None else np.asarray(raters, dtype=np.int64)
    if owner.shape != (codes.shape[1],) or (owner < 0).any():
        message = f"raters has shape {owner.shape}; each of {codes.shape[1]} columns needs a number from 0 on"
        raise ValueError(message)
    unit, column = np.nonzero(codes >= 0)
    n_raters = int(owner.max(initial=-1)) + 1
    return Answers(unit, owner[column], codes[unit, column], len(matrix), n_raters, values)


@checked
def answers_from_rows(
    unit: ArrayLike,
    rater: ArrayLike,
    rating: ArrayLike,
    *,
    n_units: int | None = None,
    n_raters: int | None = None,
    categories: Sequence[float] | None = None,
) -> Answers:
    """Answers from three columns of equal length; units and raters are numbers from 0 on, in any order.

    Parameters
    ----------
    unit, rater : array of int, shape (answer,)
        Who answered what, numbered from 0.
    rating : array of float, shape (answer,)
        The answer; finite.
    n_units, n_raters : int, optional
        How many there are, with those without an answer; the greatest number plus one by default.
    categories : sequence of float, optional
        The possible categories; those that occur by default.

    Raises
    ------
    ValueError
        Where the columns differ in length, a number is below 0 or beyond ``n_units`` or ``n_raters``, or a rating is
        not finite or none of the categories.

    Examples
    --------
    >>> found = answers_from_rows([1, 0, 0], [0, 0, 1], [5.0, 7.0, 5.0])
    >>> found.unit.tolist(), found.rater.tolist(), found.given.tolist(), found.categories.tolist()
    ([0, 0, 1], [0, 1, 0], [1, 0, 0], [5.0, 7.0])
    """
    units, raters = np.asarray(unit, dtype=np.int64), np.asarray(rater, dtype=np.int64)
    values = np.asarray(rating, dtype=np.float64)
    if not units.shape == raters.shape == values.shape or units.ndim != 1:
        message = (
            f"unit, rater and rating have shapes {units.shape}, {raters.shape}, {values.shape}; one length is needed"
        )
        raise ValueError(message)
    if not np.isfinite(values).all():
        message = "rating holds a value that is not finite; leave out answers that were not given"
        raise ValueError(message)
    most_unit, most_rater = int(units.max(initial=-1)), int(raters.max(initial=-1))
    total_units = most_unit + 1 if n_units is None else n_units
    total_raters = most_rater + 1 if n_raters is None else n_raters
    if (units < 0).any() or (raters < 0).any() or most_unit >= total_units or most_rater >= total_raters:
        message = f"unit or rater is outside 0 to {total_units - 1} or 0 to {total_raters - 1}"
        raise ValueError(message)
    possible = category_values(values, categories)
    order = np.argsort(units, kind="stable")
    codes = category_codes(values, possible)
    return Answers(units[order], raters[order], codes[order], total_units, total_raters, possible)
