"""Where a model that kept its probabilities doubts the labels: the least believable readings, and classes given for others.

The confident joint counts a drawn class as another where the model holds it to be that one as surely as it holds others that
are given it. Only out-of-sample words are scored at all. Not here: the quality itself (``scoring.model_quality``).

References
----------
Northcutt CG, Jiang L, Chuang IL (2021) Confident learning. JAIR 70:1373-1411.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from labelhub.numerics.label_quality import confident_joint
from labelhub.numerics.proportions import proportion
from labelhub.numerics.results import Estimate
from labelhub.projects.models import Project, Team
from labelhub.projects.ontology import Ontology
from labelhub.projects.teams import labelers_in
from labelhub.scoring.model_quality import HELD_TO_BE, OBJECTED, QUALITY
from labelhub.scoring.models import Score

# From here on a reading is rather believed than not.
BELIEVED_FROM = 0.5
UNIT = "classes drawn in a reading"


@dataclass(frozen=True, slots=True)
class DoubtedReading:
    """A reading that a model hardly believes: the item, who read it, how believable it is, and what the model objects to."""

    code: str
    labeler_id: int
    labeler: str
    quality: float
    objected: tuple[tuple[str, float, str], ...]


@dataclass(frozen=True, slots=True)
class GivenFor:
    """One class that is given where the model is as sure of another: how often, in what share, and on which items.

    ``held`` is empty for background: nothing that is drawn here is there.
    """

    given: str
    held: str
    share: Estimate
    items: tuple[str, ...]


def doubted_readings(project: Project, *, most: int = 12, team: Team | None = None) -> list[DoubtedReading]:
    """Return the readings that a model believes least, the least believable first; of a ``team`` its people's."""
    rows = Score.objects.filter(
        item__project=project, about=Score.About.MODEL, metric=QUALITY, label="", replaced_at=None, value__lt=BELIEVED_FROM,
    ).exclude(item__state="excluded")  # fmt: skip
    if team is not None:
        rows = rows.filter(first__assignment__labeler__in=labelers_in(team))
    worst = list(rows.select_related("item", "first__assignment__labeler").order_by("value", "pk")[:most])
    objected: dict[int, list[tuple[str, float, str]]] = {}
    for row in Score.objects.filter(
        about=Score.About.MODEL,
        metric=OBJECTED,
        replaced_at=None,
        value__gt=0,
        first__in=[one.first_id for one in worst],
    ).order_by("-value"):
        objected.setdefault(row.first_id or 0, []).append((row.label, float(row.value or 0.0), row.unit))
    return [
        DoubtedReading(
            row.item.code, row.first.assignment.labeler_id, row.first.assignment.labeler.name, float(row.value or 0.0),
            tuple(objected.get(row.first_id or 0, ())),
        )
        for row in worst
        if row.first is not None
    ]  # fmt: skip


def given_for(project: Project, ontology: Ontology) -> list[GivenFor]:
    """Return which classes are given for which, the most frequent first; empty where no model kept its probabilities."""
    names = [entry.key for entry in ontology.classes]
    columns = {name: at for at, name in enumerate([*names, ""])}
    table: dict[tuple[int, str], np.ndarray] = {}
    codes: dict[tuple[int, str], str] = {}
    rows = Score.objects.filter(
        item__project=project, about=Score.About.MODEL, metric=HELD_TO_BE, replaced_at=None, value__isnull=False
    ).exclude(item__state="excluded")
    for first, label, value, code in rows.values_list("first", "label", "value", "item__code").order_by("pk"):
        given, _, held = label.partition(">")
        if given in columns and held in columns:
            table.setdefault((first or 0, given), np.zeros(len(columns)))[columns[held]] = float(value or 0.0)
            codes[first or 0, given] = code
    keys = [key for key, own in table.items() if own.sum() > 0]
    if not keys:
        return []
    found = confident_joint(
        [columns[given] for _, given in keys], np.stack([table[key] / table[key].sum() for key in keys])
    )
    behind: dict[tuple[str, str], list[str]] = {}
    for at in np.flatnonzero(found.is_suspect).tolist():
        behind.setdefault((keys[at][1], [*names, ""][int(found.counted_as[at])]), []).append(codes[keys[at]])
    n_given = Counter(given for _, given in keys)
    pairs = [
        GivenFor(
            given, held, proportion(len(items), n_given[given], unit=UNIT, method="confident joint"),
            tuple(dict.fromkeys(items)),
        )
        for (given, held), items in behind.items()
    ]  # fmt: skip
    return sorted(pairs, key=lambda pair: (-len(pair.items), pair.given, pair.held))
