"""The panel in words: three sentences, the cautions before them, the work list, and what cannot be concluded.

Words follow the intervals: a number counts as high or low only where its whole interval does. The bounds .80 and .667
are Krippendorff's customary ones for alpha (Krippendorff 2004, Human Communication Research 30:411-433), used here as a
reference and printed with the sentence; the word beside a coefficient is claimed by its probability (``panel_words``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelhub.numerics.proportions import units_for_proportion
from labelhub.scoring.gather import Gathered, plural
from labelhub.scoring.panel_plain_rows import CopyRow
from labelhub.scoring.panel_questions import HALF_WIDTH
from labelhub.scoring.panel_rows import (
    AlarmRow,
    DetectionRow,
    GoldRow,
    ItemRow,
    OverlapRow,
    Planning,
    QuestionRow,
    WorkRow,
    number_in_words,
)
from labelhub.scoring.panel_words import number_and_claim

HIGH, LOW = 0.8, 0.667
# Below this an item counts as settled by its readers, and no further look is proposed.
LEAST_DISAGREEMENT = 0.1
_NOTHING_HIGH = f"nothing is agreed on beyond doubt (no whole interval ≥ {HIGH:g}{{best}})"
_NOTHING_LOW = f"none is clearly below {LOW:g}"


def cautions(gathered: Gathered, copies: Sequence[CopyRow]) -> tuple[str, ...]:
    """What must be known before any number is read."""
    found = []
    if not gathered.is_independent:
        found.append(_why_not_independent(gathered))
    if not gathered.are_raters_known:
        found.append(
            f"Readers cannot be told apart across {gathered.unit}: the source's reader numbers mean nothing from one "
            "to the next, so no table by reader is shown."
        )
    others = [tally for tally in gathered.tallies if not tally.is_measured]
    if others:
        listed = ", ".join(f"{tally.n_readings} {tally.kind}" for tally in others)
        found.append(f"Left out of every number, because reads of different kinds are never mixed: {listed} reads.")
    if gathered.n_later_versions:
        found.append(f"{gathered.n_later_versions} later versions are left out: only first versions are measured.")
    if gathered.n_not_read:
        found.append(f"{gathered.n_not_read} entries say nothing and count as not read.")
    for row in copies:
        if not row.is_suspicious:
            continue
        who = f"{row.first} and {row.second}" if gathered.are_raters_known else "Two readers of the same item"
        found.append(
            f"{who} share {row.n_identical} of {row.n_compared} outlines exactly, to the last vertex or pixel: they are "
            "not independent reads."
        )
    return tuple(found)


def verdict(
    gathered: Gathered,
    detection: Sequence[DetectionRow],
    overlap: Sequence[OverlapRow],
    questions: Sequence[QuestionRow],
    gold: GoldRow | None,
    disputed: Sequence[ItemRow],
    planning: Planning,
    alarms: Sequence[AlarmRow],
    copies: Sequence[CopyRow],
) -> tuple[str, str, str]:
    """What was read, which labels to trust and who differs, what to look at first."""
    first = _what_was_read(gathered)
    if not gathered.items_read_twice:
        cannot = planning.cannot[0] if planning.cannot else "Nothing can be concluded about agreement."
        return first, _gold_words(gold) or cannot, planning.sentence
    trust = _what_to_trust(detection, overlap, questions, gold)
    return first, trust.removesuffix(".") + _who_differs(alarms, copies), _what_first(gathered, disputed)


def work_rows(gathered: Gathered, items: Sequence[ItemRow]) -> tuple[WorkRow, ...]:
    """What to do next, the largest expected gain first."""
    twice = [row for row in items if row.n_readers >= 2]
    typical = float(np.mean([row.expected_gain for row in twice])) if twice else float("nan")
    rows = [_next_step(gathered, row, typical) for row in items]
    return tuple(sorted((row for row in rows if row is not None), key=_urgency))


def planning_of(gathered: Gathered, questions: Sequence[QuestionRow]) -> Planning:
    """What the set cannot tell, and how many second reads would tell it."""
    worst, high = units_for_proportion(0.5, HALF_WIDTH).n, units_for_proportion(0.9, HALF_WIDTH).n
    cannot = []
    n_once = len(gathered.items) - len(gathered.items_read_twice)
    if not gathered.items_read_twice:
        cannot.append(
            f"No {_singular(gathered.unit)} has two readers, so nothing can be concluded about agreement, about any "
            "reader, or about which labels are wrong."
        )
        sentence = (
            f"A second read of {worst} {gathered.unit} would give agreement within ±{HALF_WIDTH:g} whatever it is; "
            f"{high} suffice if it is near 0.9."
        )
        return Planning(tuple(cannot), worst, high, sentence)
    if n_once:
        cannot.append(f"{n_once} of {len(gathered.items)} {gathered.unit} were read once: nothing is known about them.")
    undefined = [row for row in questions if not row.alpha.estimate.is_defined]
    cannot += [f"{row.question}: {row.alpha.estimate.reason}." for row in undefined]
    needed = sorted((n, row.question) for row in questions if (n := row.reads_for_half_width) is not None)
    sentence = f"{worst} {gathered.unit} read twice give a share within ±{HALF_WIDTH:g} whatever it is."
    if needed:
        sentence = (
            f"Alpha within ±{HALF_WIDTH:g} would need about {needed[0][0]} {gathered.group_unit} read by two or more "
            f"({needed[0][1]})"
            + (f" to {needed[-1][0]} ({needed[-1][1]})" if len(needed) > 1 else "")
            + f"; here are {len(np.unique(gathered.groups))}."
        )
    return Planning(tuple(cannot), worst, high, sentence)


def _why_not_independent(gathered: Gathered) -> str:
    what = f"The reads measured here are {gathered.kind}"
    if gathered.kind == "unblinded":
        return (
            f"{what}: the source says that each reader had seen the marks of the others. The numbers say how far "
            "readers agree after that, not how far independent readers would."
        )
    if gathered.kind == "unknown":
        return (
            f"{what} in kind: the source does not say whether readers worked without seeing each other's labels. "
            "If they did not, agreement is overstated."
        )
    return f"{what}, not planned independent reads: agreement may be over- or understated."


def _what_was_read(gathered: Gathered) -> str:
    n_items, n_twice = len(gathered.items), len(gathered.items_read_twice)
    per_item = sorted({len(raters) for raters in gathered.by_item.values()})
    each = (
        f"{per_item[0]} each" if len(per_item) == 1 else f"{per_item[0]} to {per_item[-1]} each" if per_item else "none"
    )
    who = f" by {_count(len(gathered.raters), 'reader')}" if gathered.are_raters_known else ""
    reads = f"{gathered.n_readings} {gathered.kind} reads"
    if gathered.kind == "unknown":
        reads = f"{gathered.n_readings} reads of unstated kind"
    twice = f"; {n_twice} of them have two readers or more" if n_twice else "; none of them has two readers"
    twice = "" if n_twice == n_items else twice
    apart = (
        ""
        if gathered.are_raters_known
        else f", by readers who cannot be told apart from one {_singular(gathered.unit)} to the next"
    )
    warning = "" if gathered.is_independent else ": this is not agreement between independent readers"
    if gathered.kind == "unknown":
        warning = ": whether readers saw each other's labels is not known"
    items = _count(n_items, _singular(gathered.unit))
    return f"{items} with {reads}{who} ({each}){twice}{apart}{warning}."


def _what_to_trust(
    detection: Sequence[DetectionRow],
    overlap: Sequence[OverlapRow],
    questions: Sequence[QuestionRow],
    gold: GoldRow | None,
) -> str:
    numbers = [(f"detection of {row.label}", row.agreement) for row in detection]
    numbers += [(f"outlines of {row.label} (Dice)", row.dice) for row in overlap if row.dice.estimate.is_defined]
    numbers += [(f"{row.question} (alpha)", row.alpha) for row in questions]
    known = [(name, row) for name, row in numbers if row.estimate.is_defined and np.isfinite(row.estimate.width)]
    accuracy = _gold_words(gold)
    if not known:
        return accuracy or "No number here has an interval, so no label can be called trusted or not."
    high = [f"{name} {number_and_claim(row)}" for name, row in known if row.estimate.low >= HIGH]
    low = sorted((entry for entry in known if entry[1].estimate.high < LOW), key=lambda entry: entry[1].estimate.value)
    weakest = [f"{name} {number_and_claim(row)}" for name, row in low]
    best, row = max(known, key=lambda entry: entry[1].estimate.low)
    trusted = (
        f"readers agree (whole interval ≥ {HIGH:g}) on {_listed(high)}"
        if high
        else _NOTHING_HIGH.format(
            best=f"; the best is {best} {number_and_claim(row)}" if row.estimate.high >= LOW else ""
        )
    )
    doubtful = f"clearly not agreed on (whole interval < {LOW:g}): {_listed(weakest)}" if weakest else _NOTHING_LOW
    undecided = len(known) - len(high) - len(low)
    rest = f"; {undecided} of {len(known)} numbers lie between or are too wide to say" if undecided else ""
    text = f"{trusted}; {doubtful}{rest}."
    return (accuracy[:-1] + "; " if accuracy else "") + (text if accuracy else text[0].upper() + text[1:])


def _who_differs(alarms: Sequence[AlarmRow], copies: Sequence[CopyRow]) -> str:
    """The readers who clearly differ, as the end of the second sentence."""
    found = [
        f"{row.first} and {row.second} share {row.n_identical} outlines exactly" for row in copies if row.is_suspicious
    ]
    found += [f"{row.rater} {row.what}" for row in alarms]
    return f"; who differs: {_listed(found)}." if found else "."


def _gold_words(gold: GoldRow | None) -> str:
    if gold is None or not gold.numbers:
        return ""
    listed = ", ".join(f"{row.name} {number_in_words(row)}" for row in gold.numbers[:2])
    return f"Against gold on {gold.n_items} items: {listed}."


def _what_first(gathered: Gathered, disputed: Sequence[ItemRow]) -> str:
    if not disputed:
        return "No item is disputed: there is nothing to look at first."
    ranked = sorted(disputed, key=lambda row: -row.expected_gain)
    gains = np.cumsum([row.expected_gain for row in ranked])
    half = int(np.searchsorted(gains, gains[-1] / 2)) + 1
    top = ranked[0]
    return (
        f"Look first at {top.source_id} ({top.reason}); {half} of {len(gathered.items)} {gathered.unit} hold half of "
        "what a further look is expected to gain."
    )


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _next_step(gathered: Gathered, row: ItemRow, typical: float) -> WorkRow | None:
    if row.n_readers < 2:
        reason = "read once: nothing is known about how far others would agree"
        return WorkRow(row.item, row.source_id, reason, "second read", "another reader", typical)
    if row.disagreement < LEAST_DISAGREEMENT or row.expected_gain <= 0:
        return None
    if row.odd_reader:
        return WorkRow(row.item, row.source_id, row.reason, "back to its author", row.odd_reader, row.expected_gain)
    if row.n_readers == 2:
        readers = sorted({name for first, second, _ in row.pairs for name in (first, second)})
        whom = f"a reader other than {' and '.join(readers)}" if gathered.are_raters_known else "another reader"
        return WorkRow(row.item, row.source_id, row.reason, "one more read", whom, row.expected_gain)
    return WorkRow(row.item, row.source_id, row.reason, "review", "a reviewer", row.expected_gain)


def _urgency(row: WorkRow) -> tuple[bool, float, str]:
    return (row.action == "second read", -row.expected_gain if np.isfinite(row.expected_gain) else 0.0, row.source_id)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun if n == 1 else plural(noun)}"


def _singular(unit: str) -> str:
    return unit[:-3] + "y" if unit.endswith("ies") else unit.removesuffix("s")
