"""Which readers clearly miss the target on gold, do clearly worse than the others, draw too large or small, or tire.

An alarm is raised only where it survives Holm's correction over all readers and numbers looked at, and never on a number
that is grey. Not here: copying (``panel_copies``), and pausing anyone (a sequential test's work).

Holm S (1979) A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6:65-70.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.stats import norm

from labelhub.numerics.results import Estimate
from labelhub.scoring.panel_gold import SHARES
from labelhub.scoring.panel_pace import is_tiring
from labelhub.scoring.panel_rows import AlarmRow, LabelerRow, Measured, number_in_words

LEVEL = 0.05
# What a reader does right, by the name of the share.
DOES = {
    "answers right": "gives the gold answer",
    "gold objects found": "finds what gold has",
    "marks that are real": "marks what is real",
    "class right": "names the right class",
}
# A share this much below the others' is worth a sentence; less is not, however many answers prove it.
LEAST_GAP = 0.05


def alarm_rows(labelers: Sequence[LabelerRow], gold_target: float) -> tuple[AlarmRow, ...]:
    """The alarms that survive, the surest first; one a reader and number."""
    found: list[tuple[float, AlarmRow]] = []
    for row in labelers:
        sizes = [(m, "gold") for m in row.gold if _is_size(m)]
        sizes = sizes or [(m, "the others") for m in row.agreement if _is_size(m)]
        found += [_size(row.rater, measured, against) for measured, against in sizes if _bears_weight(measured)]
        shares = [measured for measured in row.gold if measured.name in SHARES and _bears_weight(measured)]
        found += [_share(row.rater, measured, gold_target) for measured in shares]
        found += [_below_others(row.rater, measured, labelers) for measured in shares]
        found += [
            _tires(row.rater, measured) for measured in row.gold if is_tiring(measured) and _bears_weight(measured)
        ]
    kept: dict[tuple[str, str], AlarmRow] = {}
    for place, (p, alarm) in enumerate(sorted(found, key=lambda entry: entry[0])):
        if p > LEVEL / (len(found) - place):
            break
        kept.setdefault((alarm.rater, alarm.measured.name), alarm)
    return tuple(kept.values())


def _share(rater: str, measured: Measured, target: float) -> tuple[float, AlarmRow]:
    return _chance_so_low(measured.estimate, target), _often(rater, measured, f"below the target of {target:.0%}")


def _below_others(rater: str, measured: Measured, labelers: Sequence[LabelerRow]) -> tuple[float, AlarmRow]:
    """Against all other readers' share on gold, pooled; differences under ``LEAST_GAP`` are no alarm however sure."""
    others = [m.estimate for row in labelers if row.rater != rater for m in row.gold if m.name == measured.name]
    n = sum(estimate.n for estimate in others)
    share = sum(estimate.value * estimate.n for estimate in others) / n if n else math.nan
    alarm = _often(rater, measured, f"the others {share:.0%}")
    if not share - measured.estimate.value >= LEAST_GAP:
        return 1.0, alarm
    spread = math.hypot(_error(measured.estimate), math.sqrt(max(share * (1 - share), 1 / n) / n))
    return float(norm.cdf((measured.estimate.value - share) / spread)), alarm


def _often(rater: str, measured: Measured, against: str) -> AlarmRow:
    return AlarmRow(
        rater, f"{DOES.get(measured.name, measured.name)} {number_in_words(measured)} of the time, {against}", measured
    )


def _tires(rater: str, measured: Measured) -> tuple[float, AlarmRow]:
    loss = f"{-100 * measured.estimate.value:.0f} percentage points every ten items"
    what = f"tires: loses {loss} of a session ({number_in_words(measured)})"
    return _chance_so_low(measured.estimate, 0.0), AlarmRow(rater, what, measured)


def _size(rater: str, measured: Measured, against: str) -> tuple[float, AlarmRow]:
    low = _chance_so_low(measured.estimate, 0.0)
    estimate = measured.estimate
    word = "larger" if estimate.value > 0 else "smaller"
    low_share, share, high_share = sorted(abs(_as_share(d)) for d in (estimate.low, estimate.value, estimate.high))
    size = f"{share:.0%} [{100 * low_share:.0f}–{100 * high_share:.0f}]"
    return 2 * min(low, 1 - low), AlarmRow(rater, f"draws {size} {word} than {against}, n={estimate.n}", measured)


def _as_share(difference: float) -> float:
    """2(a-b)/(a+b) = d means a/b = (2+d)/(2-d): said as a share of b, which people can picture."""
    return (2 + difference) / (2 - difference) - 1 if difference < 2 else math.inf


def _bears_weight(measured: Measured) -> bool:
    return not measured.is_grey and measured.estimate.width > 0


def _is_size(measured: Measured) -> bool:
    return measured.name.startswith("size against")


def _chance_so_low(estimate: Estimate, bound: float) -> float:
    """How likely so low a value is where the truth is ``bound``: normal, with the standard error of the interval."""
    return float(norm.cdf((estimate.value - bound) / _error(estimate)))


def _error(estimate: Estimate) -> float:
    return estimate.width / (2 * float(norm.ppf(0.5 + estimate.level / 2)))
