"""Truth inference over a whole set: rater parameters from every unit's answers, and what they say of one unit.

``fit_topic`` estimates one topic by the project's default, ``numerics.consensus.class_consensus`` (hierarchical Dawid-Skene;
one-coin where it foretells held-out answers better; the vote where gold says so); ``belief`` applies the estimate to the
answers of one unit, so that a new reading is judged at once, without a new fit. Known answers, from gold or from the random
audit of accepted items, correct the beliefs by one temperature a topic. ``fit_shapes`` learns from gold by how much outlines
are further from the truth than their spread tells, and ``expected_surface_dice`` what then to expect of a merged outline.

Pure. Not here: which units there are (``evidence``), keeping estimates (``posteriors``).

References
----------
Paun S et al. (2018) Comparing Bayesian models of annotation. TACL 6:571-585.
Guo C et al. (2017) On calibration of modern neural networks. ICML (temperature).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import erf

from labelhub.numerics.answers import answers_from_rows
from labelhub.numerics.class_posterior import ClassPosterior
from labelhub.numerics.consensus import METHOD as CONSENSUS_METHOD
from labelhub.numerics.consensus import ClassConsensus, class_consensus
from labelhub.numerics.dawid_skene import DawidSkene
from labelhub.numerics.one_coin import OneCoin
from labelhub.numerics.reliability import calibrated
from labelhub.numerics.results import FloatArray, IntArray

METHOD = CONSENSUS_METHOD
VERSION = "2"
SHAPES = "shapes"
BY_VOTE = "majority vote"
ASSUMED = "assumed raters"

# Fewer units than these tell raters apart by chance alone.
LEAST_UNITS = 10
LEAST_SHAPES = 5
ASSUMED_ACCURACY = 0.8
_UNDECIDED = 1e-9
_LEAST_LOG = math.log(1e-12)
_SCALES = (-2.0, 6.0)


@dataclass(frozen=True, slots=True)
class TopicFit:
    """The estimate of one topic. ``confusion[rater][truth][given]``; ``pooled`` is that of a rater nobody knows.

    ``chosen`` is the method that ``why`` chose; at :data:`BY_VOTE` a belief is the shares of votes, at :data:`ASSUMED` all
    raters are taken to be right with :data:`ASSUMED_ACCURACY`. ``temperature`` corrects beliefs by ``n_known`` items with a
    known answer, ``n_audited`` of them known from an auditor and not from gold. ``warnings`` name what looks degenerate.
    """

    topic: str
    categories: tuple[str, ...]
    prevalence: tuple[float, ...]
    pooled: tuple[tuple[float, ...], ...]
    confusion: Mapping[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict)
    chosen: str = ASSUMED
    why: str = ""
    temperature: float = 1.0
    n_units: int = 0
    n_answers: int = 0
    n_known: int = 0
    warnings: tuple[str, ...] = ()
    n_audited: int = 0

    @property
    def is_estimated(self) -> bool:
        """Whether raters were told apart by their answers."""
        return self.chosen not in (ASSUMED, BY_VOTE)

    def to_document(self) -> dict[str, Any]:
        """As a JSON-ready dictionary."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> TopicFit:
        """The fit that :meth:`to_document` wrote."""
        matrices = {rater: _tuples(rows) for rater, rows in document["confusion"].items()}
        return cls(
            **{
                **document,
                "categories": tuple(document["categories"]),
                "prevalence": tuple(document["prevalence"]),
                "pooled": _tuples(document["pooled"]),
                "confusion": matrices,
                "warnings": tuple(document["warnings"]),
            }
        )


@dataclass(frozen=True, slots=True)
class ShapeFit:
    """By what factor merged outlines are further from gold than the spread of readers tells: 1 without gold.

    ``typical`` is the median spread, in shares of the tolerance; what a single reader's outline is taken to have. NaN
    (None in a document) where no object was drawn by two. ``claimed`` and ``seen`` are mean surface Dice on gold.
    """

    scale: float = 1.0
    typical: float | None = None
    n_shapes: int = 0
    n_known: int = 0
    claimed: float | None = None
    seen: float | None = None


@dataclass(frozen=True, slots=True)
class Audited:
    """One unit of an accepted item that an auditor read blind: what its readers said, and as ``truth`` what the auditor did.

    ``weight`` is the inverse of the chance with which the item was drawn, in shares of the mean, so that the audited items
    stand for all accepted ones (Horvitz and Thompson 1952).
    """

    unit: Mapping[str, Any]
    item: int
    weight: float


@dataclass(frozen=True, slots=True)
class Belief:
    """What one unit's answers say: the probability of each category. ``winner`` is None at a tie."""

    probability: Mapping[str, float]
    winner: str | None
    confidence: float


def fit_topic(
    topic: str,
    units: Sequence[Mapping[str, Any]],
    *,
    items: Sequence[int],
    categories: Sequence[str] = (),
    anonymous: Collection[str] = (),
    audited: Sequence[Audited] = (),
) -> TopicFit:
    """Estimate one topic from its units (``evidence.Unit.to_document``). Deterministic.

    ``items[unit]`` is the item of each unit: known answers are counted by items. ``audited`` units tell nothing of raters
    (their items are among the units already); beside gold they correct how sure a belief is, against an auditor. ``anonymous``
    raters, whose name means nothing across items, are one rater of pooled behaviour. Where there is too little to tell raters
    apart, the estimate is :func:`assumed_fit`, and says why.
    """
    said = [given for unit in units for given in unit["given"].values()]
    checked = [entry for entry in audited if entry.unit["truth"] is not None and entry.unit["given"]]
    known = [unit["truth"] for unit in [*units, *(entry.unit for entry in checked)] if unit["truth"] is not None]
    names = tuple(dict.fromkeys([*categories, *sorted({*said, *known})]))
    raters = sorted({rater for unit in units for rater in unit["given"] if rater not in anonymous})
    with_gold = {item for unit, item in zip(units, items, strict=True) if unit["truth"] is not None}
    by_audit = {entry.item for entry in checked} - with_gold
    counts = {
        "n_units": len(units), "n_answers": len(said), "n_known": len(with_gold | by_audit), "n_audited": len(by_audit),
    }  # fmt: skip
    if len(names) < 2 or len(units) < LEAST_UNITS or len(raters) + bool(anonymous) < 2:
        why = f"{len(units)} units, {len(raters)} raters, {len(names)} categories; at least {LEAST_UNITS}, 2 and 2 are needed"
        return _corrected(assumed_fit(topic, names, why=why, **counts), units, checked)
    place = {rater: index for index, rater in enumerate(raters)}
    code = {name: index for index, name in enumerate(names)}
    rows = [
        (number, place.get(rater, len(raters)), code[given])
        for number, unit in enumerate(units)
        for rater, given in unit["given"].items()
    ]
    unit, rater, rating = np.array(rows, dtype=np.int64).T
    answers = answers_from_rows(
        unit, rater, rating.astype(np.float64), n_units=len(units), n_raters=len(raters) + 1,
        categories=[float(index) for index in range(len(names))],
    )  # fmt: skip
    truth = np.array([np.nan if entry["truth"] is None else code[entry["truth"]] for entry in units])
    found = class_consensus(answers, gold=truth)
    return _corrected(_topic_fit(topic, names, raters, found, answers.n_of_rater, counts), units, checked)


def assumed_fit(
    topic: str, categories: Sequence[str], *, why: str, n_units: int = 0, n_answers: int = 0, n_known: int = 0,
    n_audited: int = 0,
) -> TopicFit:  # fmt: skip
    """Every rater right with the same chance, every category alike: what stands until there is more to go by."""
    q = max(len(categories), 1)
    wrong = (1 - ASSUMED_ACCURACY) / max(q - 1, 1)
    pooled = tuple(tuple(ASSUMED_ACCURACY if k == j else wrong for j in range(q)) for k in range(q))
    return TopicFit(
        topic, tuple(categories), (1 / q,) * len(categories), pooled, why=why, n_units=n_units, n_answers=n_answers,
        n_known=n_known, n_audited=n_audited,
    )  # fmt: skip


def belief(fit: TopicFit, given: Mapping[str, str]) -> Belief:
    """What the answers ``given[rater]`` to one unit say under the estimate. Answers it does not know are new categories."""
    names = tuple(dict.fromkeys([*fit.categories, *given.values()]))
    if not given or not names:
        return Belief({}, None, math.nan)
    if len(names) > len(fit.categories):
        # An answer that nobody gave before: the estimate knows nothing of it.
        fit = assumed_fit(fit.topic, names, why="an answer that was never given before")
    votes = np.array([sum(said == name for said in given.values()) for name in names], dtype=np.float64)
    logs = np.log(np.maximum(votes / votes.sum(), 1e-12)) if fit.chosen == BY_VOTE else _log_joint(fit, names, given)
    # The floor is the one under which the temperature was fitted.
    logs = np.maximum(logs - logs.max(), _LEAST_LOG) / fit.temperature
    table = np.exp(logs)
    table /= table.sum()
    order = np.argsort(-table, kind="stable")
    is_tie = len(order) > 1 and table[order[0]] - table[order[1]] < _UNDECIDED
    probability = {name: float(value) for name, value in zip(names, table, strict=True)}
    return Belief(probability, None if is_tie else names[order[0]], float(table[order[0]]))


def fit_shapes(
    units: Sequence[Mapping[str, Any]], *, items: Sequence[int], audited: Sequence[Audited] = ()
) -> ShapeFit:
    """Learn from gold how far merged outlines lie from the truth, against what the spread of readers claims.

    An auditor's outline is no truth but one more reader's: merged and audited outline differ by the errors of both, so that n
    readers are compared with it as n / (n + 1) would be with the truth.
    """
    relative = [unit["spread"] / unit["tolerance"] for unit in units if unit["spread"] is not None and unit["n"] > 1]
    typical = float(np.median(relative)) if relative else None
    told = [*((unit, item, 1.0, False) for unit, item in zip(units, items, strict=True)),
            *((entry.unit, entry.item, entry.weight, True) for entry in audited)]  # fmt: skip
    pairs = [entry for entry in told if entry[0]["seen"] is not None and entry[0]["spread"] is not None]
    n_known = len({item for _, item, _, _ in pairs})
    if len(pairs) < LEAST_SHAPES:
        return ShapeFit(typical=typical, n_shapes=len(relative), n_known=n_known)
    seen = np.array([unit["seen"] for unit, _, _, _ in pairs])
    weights = np.array([weight for _, _, weight, _ in pairs])
    share = weights / weights.sum()

    def claims(log_scale: float) -> FloatArray:
        scale = math.exp(log_scale)
        return np.array(
            [
                expected_surface_dice(
                    unit["spread"],
                    unit["n"] / (unit["n"] + 1) if by_auditor else unit["n"],
                    unit["tolerance"],
                    scale=scale,
                )
                for unit, _, _, by_auditor in pairs
            ]
        )

    best = minimize_scalar(lambda at: float(share @ (claims(at) - seen) ** 2), bounds=_SCALES, method="bounded")
    return ShapeFit(
        math.exp(float(best.x)),
        typical,
        len(relative),
        n_known,
        float(share @ claims(float(best.x))),
        float(share @ seen),
    )


def expected_surface_dice(spread: float, n_readers: float, tolerance: float, *, scale: float = 1.0) -> float:
    """The share of a merged outline expected within the tolerance of the truth: P(|e| <= tau), e of spread sigma / sqrt(n).

    >>> round(expected_surface_dice(1.0, 4, 1.0), 3)
    0.954
    """
    if spread <= 0:
        return 1.0
    return float(erf(tolerance * math.sqrt(n_readers) / (scale * spread * math.sqrt(2))))


def _log_joint(fit: TopicFit, names: Sequence[str], given: Mapping[str, str]) -> FloatArray:
    code = {name: index for index, name in enumerate(names)}
    logs = np.log(np.maximum(np.array(fit.prevalence, dtype=np.float64), 1e-12))
    for rater, said in given.items():
        table = np.array(fit.confusion.get(rater, fit.pooled), dtype=np.float64)
        logs = logs + np.log(np.maximum(table[:, code[said]], 1e-12))
    return np.asarray(logs, dtype=np.float64)


def _topic_fit(
    topic: str, names: tuple[str, ...], raters: Sequence[str], found: ClassConsensus, n_of_rater: IntArray,
    counts: Mapping[str, int],
) -> TopicFit:  # fmt: skip
    best = next((entry for entry in found.candidates if entry.name == found.chosen), found.candidates[0])
    degenerate = tuple(entry for entry in found.warnings if not entry.startswith("not converged"))
    confusion, prevalence = _tables(best.estimate)
    weights = n_of_rater / max(n_of_rater.sum(), 1)
    pooled = np.tensordot(weights, confusion, axes=1)
    by_vote = bool(degenerate) or found.chosen == found.vote.method
    why = f"majority vote, because {degenerate[0]}" if degenerate else found.why
    return TopicFit(
        topic, names, tuple(float(p) for p in prevalence), _tuples(pooled.tolist()),
        {rater: _tuples(confusion[index].tolist()) for index, rater in enumerate(raters)},
        chosen=BY_VOTE if by_vote else found.chosen, why=why, warnings=found.warnings, **counts,
    )  # fmt: skip


def _tables(estimate: ClassPosterior) -> tuple[FloatArray, FloatArray]:
    if isinstance(estimate, DawidSkene):
        return estimate.confusion, estimate.prevalence
    assert isinstance(estimate, OneCoin)
    q = len(estimate.categories)
    right = estimate.accuracy[:, None, None]
    return np.where(np.eye(q, dtype=bool)[None], right, (1 - right) / (q - 1)), estimate.prevalence


def _corrected(fit: TopicFit, units: Sequence[Mapping[str, Any]], audited: Sequence[Audited]) -> TopicFit:
    """The fit with the temperature that fits its beliefs on units whose answer is known."""
    by_gold = [unit for unit in units if unit["truth"] is not None and unit["given"]]
    known = [*by_gold, *(entry.unit for entry in audited)]
    weights = [1.0] * len(by_gold) + [entry.weight for entry in audited]
    if not known or len(fit.categories) < 2:
        return fit
    code = {name: float(index) for index, name in enumerate(fit.categories)}
    claims = np.array([[belief(fit, unit["given"]).probability.get(name, 0.0) for name in code] for unit in known])
    found = calibrated(claims, [code[unit["truth"]] for unit in known], list(code.values()), weights=weights)
    return TopicFit(**{**_fields(fit), "temperature": found.temperature})


def _fields(fit: TopicFit) -> dict[str, Any]:
    return {name: getattr(fit, name) for name in TopicFit.__dataclass_fields__}


def _tuples(rows: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in rows)
