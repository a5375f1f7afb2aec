"""Readers' shares against gold pulled towards what readers of this set usually reach, and who is probably better.

A reader with five right of five is not perfect. The beta-binomial model (``numerics.rater_models``) stands beside the plain
share, never in its place; two readers are compared by the probability that the one's true share is above the other's, and
no ranking is made. Units of one patient are taken as independent here, and a row says so where they are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np

from labelhub.numerics.rater_models import METHOD, VERSION, Shrinkage, shrunken_shares
from labelhub.numerics.results import NAN, Estimate
from labelhub.scoring.panel_rows import GREY_WIDTH, Bench, Measured, PairRow

# Of more readers the pairs would be in the thousands and say nothing to a person.
MOST_RATERS_IN_PAIRS = 30

Told = Mapping[str, tuple[Sequence[float], Sequence[int]]]


def shrunken_rows(
    bench: Bench, tallies: Mapping[int, Told]
) -> tuple[dict[int, tuple[Measured, ...]], tuple[PairRow, ...]]:
    """Each reader's shrunken share of each aspect (values of 0 or 1, and their items), and P(first better) of every two."""
    by_rater: dict[int, list[Measured]] = {}
    pairs: list[PairRow] = []
    for aspect in dict.fromkeys(name for told in tallies.values() for name in told):
        raters = [rater for rater, told in sorted(tallies.items()) if aspect in told]
        right = [int(np.sum(tallies[rater][aspect][0])) for rater in raters]
        found = shrunken_shares(right, [len(tallies[rater][aspect][0]) for rater in raters])
        for place, rater in enumerate(raters):
            values, items = tallies[rater][aspect]
            by_rater.setdefault(rater, []).append(_share(bench, found, place, rater, aspect, values, items))
        if 2 <= len(raters) <= MOST_RATERS_IN_PAIRS and bench.gathered.are_raters_known:
            pairs += [_better(bench, found, a, b, raters, aspect) for a, b in permutations(range(len(raters)), 2)]
    return {rater: tuple(rows) for rater, rows in by_rater.items()}, tuple(pairs)


def _share(
    bench: Bench, found: Shrinkage, place: int, rater: int, aspect: str, values: Sequence[float], items: Sequence[int]
) -> Measured:
    estimate = found.estimate(place, unit="gold units")
    groups = bench.gathered.groups[np.array(items, dtype=np.int64)]
    if len(np.unique(groups)) < len(groups):
        estimate = estimate.with_warnings(f"units of one {bench.gathered.group_unit} are taken as independent")
    wrong = [item for item, value in zip(items, values, strict=True) if value < 1]
    key = f"gold.{bench.gathered.raters[rater]}.{aspect}.shrunken"
    name = f"{aspect}, pulled towards all readers"
    return bench.measured(key, name, estimate, wrong, minimum=bench.settings.min_gold, widest=GREY_WIDTH)


def _better(bench: Bench, found: Shrinkage, a: int, b: int, raters: Sequence[int], aspect: str) -> PairRow:
    first, second = bench.gathered.raters[raters[a]], bench.gathered.raters[raters[b]]
    about = f"{aspect} on gold: probability that the first is better"
    estimate = Estimate(
        found.probability_better(a, b), NAN, NAN, n=int(found.n[a] + found.n[b]), unit="gold units", method=METHOD,
        version=VERSION, interval_reason="a probability of the model has no interval of its own",
    )  # fmt: skip
    return PairRow(first, second, about, bench.measured(f"pair.{first}.{second}.{about}", about, estimate, ()))
