"""The sentences of a project's overview, written from its numbers, and only where the numbers bear them.

An alarm about a labeler is raised only if it survives Holm's correction over all labelers and numbers looked at; with
none, the sentence says that nothing is shown. Each sentence names what to open to see the evidence. Not here: addresses.

Holm S (1979) A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6:65-70.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.stats import norm

from labelhub.numerics.results import Estimate
from labelhub.projects.models import Labeler
from labelhub.projects.policy import Policy
from labelhub.scoring.panel_rows import Measured, Panel
from labelhub.scoring.panel_verdict import HIGH, LOW, number_in_words

LEVEL = 0.05
MOST = 4
TargetKind = Literal["item", "items", "labeler", "labelers", "data", "people"]


@dataclass(frozen=True, slots=True)
class Target:
    """What to open: an item by code, a labeler by id, or a list; ``items`` are the codes behind the sentence."""

    kind: TargetKind
    key: str = ""
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sentence:
    """One statement with its evidence; ``tone`` is "bad" for an alarm, "warn" for work, "good" or "" else."""

    text: str
    target: Target
    tone: Literal["bad", "warn", "good", ""] = ""


@dataclass(frozen=True, slots=True)
class _Alarm:
    """A number that may be out of bounds, with its chance of being so by accident."""

    p: float
    sentence: Sentence


def sentences_of(
    panel: Panel | None, funnel: Mapping[str, int], policy: Policy, labelers: Mapping[str, Labeler]
) -> tuple[Sentence, ...]:
    """At most four sentences, the gravest first."""
    if sum(funnel.values()) == 0:
        return (Sentence("There is nothing to label yet: bring images or readings in.", Target("data")),)
    if panel is None:
        return (Sentence("The readings are being measured; numbers follow in a moment.", Target("items")),)
    if panel.source.n_readings == 0:
        return (Sentence("No reading came in yet, so there is nothing to say about quality.", Target("people")),)
    found = [*_copies(panel, labelers), *_alarms(panel, policy, labelers)]
    if not found and panel.labelers:
        text = "No labeler is shown to differ from the others or to miss the target."
        found.append(Sentence(text, Target("labelers"), "good" if panel.gold is not None else ""))
    found = [*found[:2], *_agreement(panel), *found[2:]]
    work = _work(panel, funnel)
    return (*found[: MOST - len(work)], *work)


def _copies(panel: Panel, labelers: Mapping[str, Labeler]) -> list[Sentence]:
    return [
        Sentence(
            f"{_name(row.first, labelers)} and {_name(row.second, labelers)} share {row.n_identical} of {row.n_compared} "
            "outlines exactly, to the last vertex or pixel: one copies the other.",
            Target("items", items=row.items),
            "bad",
        )
        for row in panel.copies
        if row.is_suspicious
    ]


def _alarms(panel: Panel, policy: Policy, labelers: Mapping[str, Labeler]) -> list[Sentence]:
    """Labelers below the target on gold, or drawing larger or smaller than they should, after Holm's correction."""
    alarms: list[_Alarm] = []
    for row in panel.labelers:
        who = _name(row.rater, labelers)
        target = Target("labeler", str(labelers[row.rater].pk) if row.rater in labelers else row.rater)
        has_gold_size = any(_is_size(measured) for measured in row.gold)
        for measured in row.gold:
            if _is_size(measured):
                alarms += _size_alarm(measured, who, target, "gold")
            elif _is_share(measured):
                text = (
                    f"{who}: {measured.name} {number_in_words(measured)}, below the target of {policy.gold_target:g}."
                )
                alarms += _low_alarm(measured, policy.gold_target, text, target)
        if not has_gold_size:
            for measured in row.agreement:
                if _is_size(measured):
                    alarms += _size_alarm(measured, who, target, "the others")
    return [alarm.sentence for alarm in _surviving(alarms) if alarm.sentence.text]


def _low_alarm(measured: Measured, bound: float, text: str, target: Target) -> list[_Alarm]:
    if measured.is_grey:
        return []
    p = _chance_at_least(measured.estimate, bound)
    return [_Alarm(p, Sentence(text, Target(target.kind, target.key, measured.items), "bad"))]


def _size_alarm(measured: Measured, who: str, target: Target, against: str) -> list[_Alarm]:
    estimate = measured.estimate
    if measured.is_grey or not math.isfinite(estimate.width) or estimate.width <= 0:
        return []
    p = 2 * min(_chance_at_least(estimate, 0.0), 1 - _chance_at_least(estimate, 0.0))
    # 2(a-b)/(a+b) = d means a/b = (2+d)/(2-d): said as a share, which people can picture.
    share = (2 + estimate.value) / (2 - estimate.value) - 1 if abs(estimate.value) < 2 else math.inf
    word = "larger" if estimate.value > 0 else "smaller"
    text = f"{who} draws {abs(share):.0%} {word} than {against}: {number_in_words(measured)}."
    return [_Alarm(p, Sentence(text, Target(target.kind, target.key, measured.items), "bad"))]


def _surviving(alarms: Sequence[_Alarm]) -> list[_Alarm]:
    kept = []
    for place, alarm in enumerate(sorted(alarms, key=lambda alarm: alarm.p)):
        if alarm.p > LEVEL / (len(alarms) - place):
            break
        kept.append(alarm)
    return kept


def _chance_at_least(estimate: Estimate, bound: float) -> float:
    """How likely so low a value is where the truth is ``bound``: normal, with the standard error of the interval."""
    if not math.isfinite(estimate.width) or estimate.width <= 0:
        return 1.0
    error = estimate.width / (2 * float(norm.ppf(0.5 + estimate.level / 2)))
    return float(norm.cdf((estimate.value - bound) / error))


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
        text = f"Readers do not agree on {name}: {number_in_words(low)}{independent}."
        return [Sentence(text, Target("items", items=low.items), "warn")]
    name, least = min(known, key=lambda entry: entry[1].estimate.low)
    if least.estimate.low >= HIGH:
        text = f"Readers agree on everything asked; least on {name}: {number_in_words(least)}{independent}."
        return [Sentence(text, Target("items", items=least.items), "good")]
    text = f"Agreement is least on {name}: {number_in_words(least)}{independent}; too uncertain to call high or low."
    return [Sentence(text, Target("items", items=least.items))]


def _work(panel: Panel, funnel: Mapping[str, int]) -> list[Sentence]:
    waiting = funnel.get("review", 0)
    disputed = panel.disputed
    if waiting:
        noun = "item waits" if waiting == 1 else "items wait"
        return [Sentence(f"{waiting} {noun} for a reviewer.", Target("items", "review"), "warn")]
    if disputed:
        top = disputed[0]
        text = f"Look first at {top.item}: {top.reason}."
        return [Sentence(text, Target("item", top.item, (top.item,)), "warn")]
    return []


def _is_share(measured: Measured) -> bool:
    return measured.name in ("answers right", "gold objects found", "marks that are real", "class right")


def _is_size(measured: Measured) -> bool:
    return measured.name.startswith("size against")


def _name(rater: str, labelers: Mapping[str, Labeler]) -> str:
    return labelers[rater].name if rater in labelers else rater
