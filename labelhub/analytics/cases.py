"""What stands out about one labeler, and the items that show it most clearly: each with whom it is compared and one fact.

What stands out is the panel's, which corrects for how much was looked at; here only its best examples are picked, from as
many of its items as a page can read at once. Not here: drawing them (``web.case_pictures``), addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from labelhub.analytics.case_readings import Compared, compared, places_in_session, size_differences
from labelhub.annotations.plain import rater_key
from labelhub.projects.models import Labeler, Project
from labelhub.projects.ontology import Ontology
from labelhub.projects.selectors import current_ontology, labelers
from labelhub.scoring.panel_pace import ENDING, is_tiring
from labelhub.scoring.panel_plain_rows import CopyRow
from labelhub.scoring.panel_rows import AlarmRow, Panel

MOST = 8
# Of so many items the clearest are taken: masks of volumes are large, and a page must not read hundreds of them.
LOOKED_AT = 24

# Says how clearly a comparison shows it, and the fact; None where it does not show it at all.
Finding = tuple[float, str]
Judge = Callable[[Compared], Finding | None]


@dataclass(frozen=True, slots=True)
class Case:
    """One item that shows it: the layers to draw (this labeler's, and what they are compared with), and the fact."""

    item: str
    own: str
    others: tuple[str, ...]
    against: str
    fact: str

    @property
    def layers(self) -> tuple[str, ...]:
        """The keys of the layers that it shows."""
        return (self.own, *self.others)


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that stands out: ``what`` goes on after the labeler's name; ``items`` are all behind it.

    ``cases`` are the clearest of them, worst first. ``other`` is set for a copy only: whose outlines are the same.
    """

    what: str
    items: tuple[str, ...]
    cases: tuple[Case, ...]
    other: Labeler | None = None


def stand_out(panel: Panel) -> frozenset[str]:
    """The keys of the labelers about whom anything stands out."""
    copies = (key for row in panel.copies if row.is_suspicious for key in (row.first, row.second))
    return frozenset([*(row.rater for row in panel.alarms), *copies])


def concerns_of(project: Project, labeler: Labeler, panel: Panel) -> tuple[Concern, ...]:
    """What stands out about the labeler, alarms before copies, the surest first."""
    key = rater_key(labeler)
    _, ontology = current_ontology(project)
    people = {rater_key(other): other for other in labelers(project)}
    alarms = [_of_alarm(project, labeler, row, panel, ontology) for row in panel.alarms if row.rater == key]
    copies = [
        _of_copies(project, labeler, people[other], row)
        for row in panel.copies
        if row.is_suspicious and key in (row.first, row.second)
        if (other := row.second if row.first == key else row.first) in people
    ]
    return (*alarms, *copies)


@dataclass(frozen=True, slots=True)
class CopyingPair:
    """Two labelers whose outlines are the same to the last vertex more often than chance has it, and the items."""

    first: Labeler
    second: Labeler
    n_identical: int
    n_compared: int
    items: tuple[str, ...]

    @property
    def evidence(self) -> str:
        """Return the numbers in words."""
        return (
            f"{self.n_identical} of {self.n_compared} outlines on {len(self.items)} items the same to the last vertex"
        )


def copying_pairs(project: Project, panel: Panel) -> tuple[CopyingPair, ...]:
    """Return the pairs found copying, those with most identical outlines first; imported raters, who get no work, left out."""
    people = {rater_key(labeler): labeler for labeler in labelers(project) if labeler.user_id is not None}
    return tuple(
        CopyingPair(
            people[row.first], people[row.second], row.n_identical, row.n_compared, row.items,
        )
        for row in panel.copies if row.is_suspicious and row.first in people and row.second in people
    )  # fmt: skip


def _of_alarm(project: Project, labeler: Labeler, row: AlarmRow, panel: Panel, ontology: Ontology) -> Concern:
    measured = row.measured
    is_late, is_size = is_tiring(measured), measured.name.startswith("size against")
    places = places_in_session(project, labeler) if is_late else {}
    sign = 1 if measured.estimate.value > 0 else -1
    order = list(measured.items)
    if is_late:
        order.sort(key=lambda code: -places.get(code, 0))
    elif is_size:
        differences = size_differences(project, labeler, order)
        order.sort(key=lambda code: -sign * differences.get(code, 0.0))
    found = compared(project, labeler, order[:LOOKED_AT], match_iou=panel.settings.match_iou)
    judge = _judge_of(measured.name.removesuffix(ENDING), sign, ontology)
    cases = _clearest(found, _late(judge, places) if is_late else judge)
    return Concern(row.what, measured.items, cases)


def _of_copies(project: Project, labeler: Labeler, other: Labeler, row: CopyRow) -> Concern:
    what = (
        f"shares {row.n_identical} of {row.n_compared} outlines with {other.name} exactly, to the last vertex or pixel: "
        "these are not independent reads"
    )
    found = compared(project, labeler, row.items[:LOOKED_AT], with_labeler=other)
    return Concern(what, row.items, _clearest(found, _same), other)


def _clearest(found: Iterable[Compared], judge: Judge) -> tuple[Case, ...]:
    judged = [(finding, case) for case in found if (finding := judge(case)) is not None]
    judged.sort(key=lambda entry: (-entry[0][0], entry[1].own.item))
    return tuple(
        Case(case.own.item, case.own_key, case.other_keys, case.against, fact) for (_, fact), case in judged[:MOST]
    )


def _judge_of(name: str, sign: int, ontology: Ontology) -> Judge:
    if name.startswith("size against"):
        return lambda case: _size(case, sign)
    judges: dict[str, Judge] = {
        "class right": lambda case: _class(case, ontology),
        "answers right": lambda case: _answers(case, ontology),
        "gold objects found": _missed,
        "marks that are real": _added,
    }
    return judges.get(name, _overlap)


def _late(judge: Judge, places: dict[str, int]) -> Judge:
    """The same fact with the place in the session before it, the latest first."""

    def judged(case: Compared) -> Finding | None:
        finding = judge(case)
        place = places.get(case.own.item)
        if finding is None or place is None:
            return None
        return float(place), f"Position {place} in the session: {finding[1]}"

    return judged


def _size(case: Compared, sign: int) -> Finding | None:
    share = case.size_ratio - 1
    if not share * sign > 0:
        return None
    return abs(share), f"{abs(share):.0%} {'larger' if sign > 0 else 'smaller'}, Dice {case.dice:.2f}"


def _class(case: Compared, ontology: Ontology) -> Finding | None:
    swaps = [(alike, true, given) for alike, true, given in case.matched if true != given]
    if not swaps:
        return None
    names = {entry.key: entry.name for entry in ontology.classes}
    words = [f"{names.get(true, true)} taken for {names.get(given, given)}" for _, true, given in swaps[:2]]
    # The more alike the outlines, the surer it is the same object under another name.
    return max(alike for alike, *_ in swaps), "; ".join(words)


def _answers(case: Compared, ontology: Ontology) -> Finding | None:
    differing = []
    for question, true in case.other.answers.items():
        given = case.own.answers.get(question)
        if given is not None and given != true:
            asked = ontology.question(question)
            differing.append(f"{asked.text if asked else question} {_said(given)}, {case.against}: {_said(true)}")
    return (float(len(differing)), "; ".join(differing[:2])) if differing else None


def _missed(case: Compared) -> Finding | None:
    n = case.n_missed
    return (float(n), f"{n} of {len(case.other.shapes)} not marked") if n else None


def _added(case: Compared) -> Finding | None:
    n = case.n_added
    return (float(n), f"{n} of {len(case.own.shapes)} marks with nothing there") if n else None


def _overlap(case: Compared) -> Finding | None:
    return 1 - case.dice, f"Dice {case.dice:.2f}"


def _same(case: Compared) -> Finding | None:
    n, unit = case.n_equal_points
    if not n:
        return None
    return float(n), f"{n} {unit}, all the same{_apart(case)}"


def _apart(case: Compared) -> str:
    first, second = case.own.submitted_at, case.other.submitted_at
    if first is None or second is None:
        return ""
    apart_s = (first - second).total_seconds()
    if abs(apart_s) < 60:
        return ""
    length = f"{abs(apart_s) / 3600:.0f} h" if abs(apart_s) >= 5400 else f"{abs(apart_s) / 60:.0f} min"
    return f"; handed in {length} {'after' if apart_s > 0 else 'before'} {case.against}"


def _said(value: object) -> str:
    shown = ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
    return f"“{shown}”"
