"""The sentences of a project's overview, written from its numbers, and only where the numbers bear them.

An alarm about a labeler is one of the panel's, which survive correction for how many were looked at; with none, the
sentence says that nothing is shown. Each sentence names what to open to see the evidence. Not here: addresses.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from labelhub.projects.models import Labeler
from labelhub.scoring.panel_pace import is_tiring
from labelhub.scoring.panel_plain_rows import CopyRow
from labelhub.scoring.panel_rows import Panel
from labelhub.scoring.panel_verdict import HIGH, LOW
from labelhub.scoring.panel_words import number_and_claim

MOST = 4
TargetKind = Literal["item", "items", "labeler", "labelers", "data", "people"]


@dataclass(frozen=True, slots=True)
class Target:
    """What to open: an item by code, a labeler by id, or a list; ``items`` are the codes behind the sentence.

    ``place`` is where on that page the evidence stands.
    """

    kind: TargetKind
    key: str = ""
    items: tuple[str, ...] = ()
    place: Literal["", "cases", "copies"] = ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One statement with its evidence; ``tone`` is "bad" for an alarm, "warn" for work, "good" or "" else."""

    text: str
    target: Target
    tone: Literal["bad", "warn", "good", ""] = ""


def sentences_of(
    panel: Panel | None, funnel: Mapping[str, int], labelers: Mapping[str, Labeler]
) -> tuple[Sentence, ...]:
    """At most four sentences, the gravest first."""
    if sum(funnel.values()) == 0:
        return (Sentence("There is nothing to label yet: bring images or readings in.", Target("data")),)
    if panel is None:
        return (Sentence("The readings are being measured; numbers follow in a moment.", Target("items")),)
    if panel.source.n_readings == 0:
        return (Sentence("No reading came in yet, so there is nothing to say about quality.", Target("people")),)
    found = [*_copies(panel, labelers), *_one_a_person(_alarms(panel, labelers))]
    if not found and panel.labelers:
        text = "No labeler is shown to differ from the others or to miss the target."
        found.append(Sentence(text, Target("labelers"), "good" if panel.gold is not None else ""))
    return (*found, *_agreement(panel), *_work(panel, funnel))[:MOST]


def sentences_of_team(
    panel: Panel | None, funnel: Mapping[str, int], labelers: Mapping[str, Labeler], inside: Collection[str]
) -> tuple[Sentence, ...]:
    """As :func:`sentences_of` for a team whose raters are ``inside`` and whose items make the funnel.

    How far readers agree is no matter of one team, so nothing is said of it.
    """
    if not inside:
        return (Sentence("Nobody of this team labels here yet.", Target("people")),)
    if sum(funnel.values()) == 0:
        return (Sentence("Nobody of this team read an item yet.", Target("people")),)
    if panel is None:
        return (Sentence("The readings are being measured; numbers follow in a moment.", Target("items")),)
    own = replace(
        panel,
        copies=tuple(row for row in panel.copies if row.first in inside or row.second in inside),
        alarms=tuple(row for row in panel.alarms if row.rater in inside),
    )
    found = [*_copies(own, labelers), *_one_a_person(_alarms(own, labelers))]
    if not found and any(row.rater in inside for row in panel.labelers):
        text = "No labeler of this team is shown to differ from the others or to miss the target."
        found.append(Sentence(text, Target("labelers"), "good" if panel.gold is not None else ""))
    return (*found, *_work(own, funnel))[:MOST]


def _copies(panel: Panel, labelers: Mapping[str, Labeler]) -> list[Sentence]:
    return [
        Sentence(
            f"{_name(row.first, labelers)} and {_name(row.second, labelers)} share {row.n_identical} of {row.n_compared} "
            "outlines exactly, to the last vertex or pixel: one copies the other.",
            _copies_target(row, labelers),
            "bad",
        )
        for row in panel.copies
        if row.is_suspicious
    ]


def _copies_target(row: CopyRow, labelers: Mapping[str, Labeler]) -> Target:
    """The page of one of the two, with the pairs side by side; the items alone where readers cannot be told apart."""
    if row.second not in labelers:
        return Target("items", items=row.items)
    return Target("labeler", str(labelers[row.second].pk), row.items, place="copies")


def _alarms(panel: Panel, labelers: Mapping[str, Labeler]) -> list[Sentence]:
    return [
        Sentence(
            f"{_name(row.rater, labelers)} {row.what}.",
            Target(
                "labeler",
                str(labelers[row.rater].pk) if row.rater in labelers else row.rater,
                row.measured.items,
                place="cases",
            ),
            "bad",
        )
        # Who tires is also less often right: the cause is said before the consequence.
        for row in sorted(panel.alarms, key=lambda row: not is_tiring(row.measured))
    ]


def _one_a_person(sentences: list[Sentence]) -> list[Sentence]:
    """The surest sentence about each labeler; the others stand on the labeler's page."""
    kept: dict[str, Sentence] = {}
    for sentence in sentences:
        kept.setdefault(sentence.target.key, sentence)
    return list(kept.values())


def _agreement(panel: Panel) -> list[Sentence]:
    """The label or question that readers clearly do not agree on, else that they do, else that it cannot be said."""
    numbers = [(f"whether there is a {row.label}", row.agreement) for row in panel.detection]
    numbers += [(row.question, row.alpha) for row in panel.questions]
    known = [(name, m) for name, m in numbers if not m.is_grey and math.isfinite(m.estimate.width)]
    if not panel.source.n_items_read_twice:
        return [Sentence(f"{panel.planning.cannot[0]} {panel.planning.sentence}", Target("items"), "warn")]
    independent = "" if panel.source.is_independent else f" ({panel.source.kind} reads)"
    if not known:
        return [Sentence("Too few items have two readers to say how far they agree.", Target("items"))]
    name, low = min(known, key=lambda entry: entry[1].estimate.high)
    if low.estimate.high < LOW:
        text = f"Readers do not agree on {name}: {number_and_claim(low)}{independent}."
        return [Sentence(text, Target("items", items=low.items), "warn")]
    name, least = min(known, key=lambda entry: entry[1].estimate.low)
    if least.estimate.low >= HIGH:
        text = f"Readers agree on everything asked; least on {name}: {number_and_claim(least)}{independent}."
        return [Sentence(text, Target("items", items=least.items), "good")]
    text = f"Agreement is least on {name}: {number_and_claim(least)}{independent}; too uncertain to call high or low."
    return [Sentence(text, Target("items", items=least.items))]


def _work(panel: Panel, funnel: Mapping[str, int]) -> list[Sentence]:
    waiting = funnel.get("review", 0)
    disputed = panel.disputed
    if waiting:
        noun = "item waits" if waiting == 1 else "items wait"
        return [Sentence(f"{waiting} {noun} for a reviewer.", Target("items", "review"), "warn")]
    if disputed and disputed[0].reason:
        top = disputed[0]
        text = f"Look first at {top.item}: {top.reason}."
        return [Sentence(text, Target("item", top.item, (top.item,)), "warn")]
    return []


def _name(rater: str, labelers: Mapping[str, Labeler]) -> str:
    return labelers[rater].name if rater in labelers else rater
