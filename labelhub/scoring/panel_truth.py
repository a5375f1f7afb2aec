"""Which labels to trust: truth inference over the whole set, with the vote beside it and how often its claims are right.

The method is the project's default (``numerics.consensus.class_consensus``): over each closed question, and over the objects
that readers marked, where "not marked" is a category. Readers without a name are one reader of pooled behaviour. Beliefs are
corrected by gold where enough answers to a question are known; gold of objects is compared in ``panel_gold``. Not here: what
the server settles (``consensus``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelhub.formats.shapes import AnnotationSet
from labelhub.numerics.answers import answers_of
from labelhub.numerics.consensus import ClassConsensus, class_consensus
from labelhub.numerics.proportions import proportion_interval
from labelhub.numerics.reliability import ReliabilityCurve
from labelhub.numerics.results import BoolArray
from labelhub.scoring.gather import FloatArray, IntArray, coding_of
from labelhub.scoring.gather_objects import Objects
from labelhub.scoring.panel_gold import gold_readings
from labelhub.scoring.panel_plain_rows import DoubtRow, TruthRow
from labelhub.scoring.panel_questions import AskedRatings
from labelhub.scoring.panel_rows import Bench

# Fewer units tell nothing of raters.
LEAST_UNITS = 10
MOST_DOUBTS = 50
SURE = 0.95
_NOT_THERE = "not there"


def truth_rows(
    bench: Bench, objects: Objects, asked: Sequence[AskedRatings], gold: AnnotationSet | None
) -> tuple[TruthRow, ...]:
    """One row a question and one for objects; left out where there are too few units or readers."""
    rows = []
    truth = gold_readings(bench.gathered, gold)[0] if gold is not None else {}
    for question in asked:
        spec = question.spec
        if spec.measure in ("interval", "ratio") or spec.on_shapes:
            continue
        known = np.full(len(question.table.item), np.nan)
        coding = coding_of(spec, [reading.answers.get(spec.key) for reading in truth.values()])
        named = {name: code for code, name in enumerate(question.table.names)}
        for place, item in enumerate(question.table.item.tolist()):
            answer = truth[item].answers.get(spec.key) if item in truth else None
            code = coding.code(answer)
            if not np.isnan(code) and coding.names:
                known[place] = named.get(coding.names[int(code)], np.nan)
        rows.append(_row(bench, f"answers to {spec.key}", question.table.ratings, question.table.item,
                         question.table.names, known))  # fmt: skip
    table, item, names = _objects_table(objects)
    rows.append(_row(bench, "objects", table, item, names, np.full(len(item), np.nan)))
    return tuple(row for row in rows if row is not None)


def _objects_table(objects: Objects) -> tuple[FloatArray, IntArray, tuple[str, ...]]:
    """Category of each object for each reader, the last one being that nothing is there."""
    if objects.mixed is not None:
        return objects.mixed.category, objects.mixed.item, (*objects.mixed.labels, _NOT_THERE)
    single = next(iter(objects.by_label.values()), None)
    if single is None:
        return np.empty((0, 0)), np.empty(0, dtype=np.int64), (_NOT_THERE,)
    return 1 - single.found, single.item, (single.label, _NOT_THERE)


def _row(
    bench: Bench, about: str, table: FloatArray, item: IntArray, names: Sequence[str], known: FloatArray
) -> TruthRow | None:
    answered: BoolArray = np.asarray(~np.isnan(table).all(axis=1) if len(table) else np.zeros(0, dtype=np.bool_))
    n_raters = int((~np.isnan(table)).any(axis=0).sum()) if len(table) else 0
    if int(answered.sum()) < LEAST_UNITS or n_raters < 2 or len(names) < 2:
        return None
    raters = None if bench.gathered.are_raters_known else np.zeros(table.shape[1], dtype=np.int64)
    answers = answers_of(table, categories=[float(code) for code in range(len(names))], raters=raters)
    found = class_consensus(answers, gold=known)
    right, low, n = _right_when_sure(found.reliability)
    return TruthRow(
        about=about, chosen=found.chosen, why=found.why, n_units=int(answered.sum()), n_raters=n_raters,
        n_sure=int((found.confidence[answered] >= SURE).sum()), n_differs=int(found.differs.sum()),
        n_vote_ties=found.vote.n_ties, judged_by=found.reliability.judged_by, sure_right=right, sure_right_low=low,
        sure_n=n, is_corrected=found.calibration.reason is None, n_known=found.calibration.n, warnings=found.warnings,
        doubts=_doubts(bench, found, item, names, answered),
    )  # fmt: skip


def _right_when_sure(curve: ReliabilityCurve) -> tuple[float, float, int]:
    """Share right of all claims of at least .95, its lower limit and their number, over the curve's bins."""
    at = (curve.edges[:-1] >= SURE - 1e-9) & (curve.n > 0)
    n = int(curve.n[at].sum())
    if not n:
        return float("nan"), float("nan"), 0
    right = float(curve.right[at] @ curve.n[at])
    return right / n, proportion_interval(right, float(n)).low, n


def _doubts(
    bench: Bench, found: ClassConsensus, item: IntArray, names: Sequence[str], answered: BoolArray
) -> tuple[DoubtRow, ...]:
    """The units that are least sure, and those of which the vote says otherwise first."""
    confidence = np.where(answered, found.confidence, np.inf)
    order = np.lexsort((confidence, ~found.differs))
    rows = []
    for unit in order[:MOST_DOUBTS].tolist():
        if not answered[unit] or (confidence[unit] >= SURE and not found.differs[unit]):
            continue
        record = bench.gathered.items[int(item[unit])]
        rows.append(
            DoubtRow(
                record.key, record.source_id, _name(found.winner[unit], names), float(found.confidence[unit]),
                _name(found.vote.winner[unit], names),
            )
        )  # fmt: skip
    return tuple(rows)


def _name(code: float, names: Sequence[str]) -> str:
    return "tied" if np.isnan(code) else names[int(code)]
