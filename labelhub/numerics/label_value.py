"""What one more answer is worth: how far it lowers the expected loss of settling a unit now, and when to stop asking.

Not here: what an answer costs and who is free (routing).

References
----------
Raiffa H, Schlaifer R (1961) Applied Statistical Decision Theory (expected value of sample information).
Sheng VS, Provost F, Ipeirotis PG (2008) Get another label? KDD, 614-622.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import FloatArray

METHOD = "expected value of an answer"
VERSION = "1"

Step: TypeAlias = Literal["stop", "ask", "review"]


def settling_loss(posterior: ArrayLike, *, losses: ArrayLike | None = None) -> FloatArray:
    """The expected loss of settling each unit now in the best way, shape (unit,): 1 - the largest posterior by default.

    Parameters
    ----------
    posterior : array of float, shape (unit, category)
    losses : array of float, shape (truth, settled), optional
        What it costs to settle for ``settled`` where ``truth`` holds; at least 0. 1 for every error by default.

    Examples
    --------
    Missing a lesion (class 1) costs ten: at .2 it is settled as one.

    >>> settling_loss([[0.8, 0.2]]).round(2).tolist(), settling_loss([[0.8, 0.2]], losses=[[0, 1], [10, 0]]).tolist()
    ([0.2], [0.8])
    """
    table = _shares(posterior, "posterior")
    return np.asarray((table @ _losses(losses, table.shape[1])).min(axis=1), dtype=np.float64)


@checked
def value_of_answers(
    posterior: ArrayLike, confusions: Sequence[ArrayLike], *, losses: ArrayLike | None = None
) -> FloatArray:
    """How far the expected loss of each unit falls if these raters answer, one after the other: shape (unit,), at least 0.

    With one rater it is the myopic value, blind where no single answer can change what is settled (two against two); look
    two steps ahead there by passing two raters, and compare with the cost of two answers.

    Parameters
    ----------
    posterior : array of float, shape (unit, category)
    confusions : sequence of array of float, each of shape (truth, given)
        The raters to be asked; at most four. Their errors are taken as independent given the truth.
    losses : array of float, shape (truth, settled), optional
        As for :func:`settling_loss`.

    Raises
    ------
    ValueError
        Where a row does not add up to 1, a confusion matrix does not fit, or there are not 1 to 4 raters.

    Examples
    --------
    One answer of a rater of .8 cannot overturn .9; two can.

    >>> rater = [[0.8, 0.2], [0.2, 0.8]]
    >>> one, two = value_of_answers([[0.9, 0.1]], [rater]), value_of_answers([[0.9, 0.1]], [rater] * 2)
    >>> one.round(4).tolist(), two.round(4).tolist()
    ([0.0], [0.028])
    """
    table = _shares(posterior, "posterior")
    q = table.shape[1]
    cost = _losses(losses, q)
    if not 1 <= len(confusions) <= 4:
        message = f"confusions holds {len(confusions)} raters; 1 to 4 are allowed"
        raise ValueError(message)
    # Unnormalised beliefs after each possible row of answers: their losses add up to the expected loss.
    beliefs = table[:, None, :]
    for confusion in confusions:
        rows = _shares(confusion, "confusions")
        if rows.shape != (q, q):
            message = f"confusions holds shape {rows.shape}; {(q, q)} is needed"
            raise ValueError(message)
        beliefs = (beliefs[:, :, None, :] * rows.T[None, None, :, :]).reshape(len(table), -1, q)
    after = (beliefs @ cost).min(axis=2).sum(axis=1)
    return np.asarray(np.maximum((table @ cost).min(axis=1) - after, 0.0), dtype=np.float64)


@checked
def values_by_rater(posterior: ArrayLike, confusion: ArrayLike, *, losses: ArrayLike | None = None) -> FloatArray:
    """The myopic value of one answer of every rater for every unit: shape (unit, rater).

    Parameters
    ----------
    posterior : array of float, shape (unit, category)
    confusion : array of float, shape (rater, truth, given)
    losses : array of float, shape (truth, settled), optional

    Raises
    ------
    ValueError
        Where a row does not add up to 1, or a confusion matrix does not fit.

    Examples
    --------
    >>> raters = [[[0.9, 0.1], [0.1, 0.9]], [[0.5, 0.5], [0.5, 0.5]]]
    >>> values_by_rater([[0.5, 0.5]], raters).round(2).tolist()
    [[0.4, 0.0]]
    """
    tables = np.asarray(confusion, dtype=np.float64)
    if tables.ndim != 3:
        message = f"confusion has shape {tables.shape}; (rater, truth, given) is needed"
        raise ValueError(message)
    n_units = len(_shares(posterior, "posterior"))
    columns = [value_of_answers(posterior, [table], losses=losses) for table in tables]
    return np.stack(columns, axis=1) if columns else np.empty((n_units, 0))


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """Ask until one category has this posterior: ``least`` answers at least, ``most`` at most, then a reviewer decides."""

    confidence: float = 0.95
    least: int = 2
    most: int = 7

    def __post_init__(self) -> None:
        """Refuse a rule that cannot stop."""
        if not (0 < self.confidence < 1 and 1 <= self.least <= self.most):
            message = (
                f"confidence is {self.confidence}, least {self.least}, most {self.most}; 0 to 1, 1 <= least <= most"
            )
            raise ValueError(message)


@checked
def next_steps(posterior: ArrayLike, n_answers: ArrayLike, rule: StoppingRule | None = None) -> NDArray[np.str_]:
    """For each unit "stop" (it is settled), "ask" for one more answer, or "review" (enough was asked).

    Parameters
    ----------
    posterior : array of float, shape (unit, category)
        A row of NaN (no answers yet) asks.
    n_answers : array of int, shape (unit,)
    rule : StoppingRule, optional
        .95, at least 2 and at most 7 answers.

    Raises
    ------
    ValueError
        Where there is not one count of at least 0 a unit.

    Examples
    --------
    >>> next_steps([[0.99, 0.01], [0.7, 0.3], [0.7, 0.3]], [2, 3, 7]).tolist()
    ['stop', 'ask', 'review']
    """
    used = StoppingRule() if rule is None else rule
    table, n = np.asarray(posterior, dtype=np.float64), np.asarray(n_answers, dtype=np.int64)
    if table.ndim != 2 or n.shape != (len(table),) or (n < 0).any():
        message = (
            f"posterior has shape {table.shape} and n_answers {n.shape}; (unit, category) and counts a unit are needed"
        )
        raise ValueError(message)
    most = np.nan_to_num(table, nan=0.0).max(axis=1, initial=0.0)
    is_settled = (most >= used.confidence) & (n >= used.least)
    return np.where(is_settled, "stop", np.where(n >= used.most, "review", "ask"))


def _shares(values: ArrayLike, name: str) -> FloatArray:
    table = np.asarray(values, dtype=np.float64)
    is_sound = table.ndim == 2 and table.shape[1] >= 2 and np.isfinite(table).all() and (table >= 0).all()
    if not is_sound or not np.allclose(table.sum(axis=1), 1.0, atol=1e-6):
        message = f"{name} has shape {table.shape}; rows of two or more shares that add up to 1 are needed"
        raise ValueError(message)
    return table


def _losses(losses: ArrayLike | None, q: int) -> FloatArray:
    if losses is None:
        return np.asarray(1 - np.eye(q), dtype=np.float64)
    table = np.asarray(losses, dtype=np.float64)
    if table.shape[:1] != (q,) or table.ndim != 2 or not (np.isfinite(table).all() and (table >= 0).all()):
        message = f"losses has shape {table.shape}; {q} rows (truth) of finite losses, at least 0, are needed"
        raise ValueError(message)
    return table
