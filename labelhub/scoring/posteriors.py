"""The provisional posterior of an item: how sure its label is before anyone settles it, kept for routing and pages.

Each submission renews the evidence of its item and judges it with the standing estimates of the raters; the estimates
themselves are renewed for the whole project by a job, at most once in :data:`FIT_EVERY` while readings come in. An item is
as sure as its least sure unit: the probability of the winning category, and of an object that stands the surface Dice
expected at the policy's tolerance. Not here: units (``evidence``), estimates (``truth_fit``), what follows (``routing``).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.formats.shapes import Reading
from labelhub.jobs.models import Job
from labelhub.jobs.registry import Running
from labelhub.jobs.services import enqueue
from labelhub.projects.models import Labeler, Project
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_ontology, current_policy
from labelhub.scoring import evidence, outline_offsets, truth_fit
from labelhub.scoring.audited import audited_units
from labelhub.scoring.evidence import FINDING, NOTHING, OBJECTS, Unit, units_of
from labelhub.scoring.loaded import Loaded
from labelhub.scoring.models import Posterior, Score, TruthFit
from labelhub.scoring.truth_fit import Belief, ShapeFit, TopicFit, belief, expected_surface_dice

METHOD = "least sure unit; truth inference over the project"
VERSION = f"{evidence.VERSION}.{truth_fit.VERSION}"
FIT_KIND = "scoring.fit_truth"
FIT_EVERY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class ItemPosterior:
    """How sure the item's label is. ``value`` is None with a ``reason`` where nothing can be said.

    It is calibrated where every topic that it rests on was corrected by at least ``policy.calibration_items`` items with a
    known answer, from gold or from a random audit; ``n_calibration`` is the least such number. ``worst_cluster`` names the unit
    that is least sure.
    """

    value: float | None
    is_calibrated: bool
    n_calibration: int
    worst_cluster: str
    method: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Fits:
    """The standing estimates of a project. ``offsets`` are raters' outline offsets by class, where gold tells them."""

    topics: Mapping[str, TopicFit] = field(default_factory=dict)
    shapes: ShapeFit = field(default_factory=ShapeFit)
    offsets: Mapping[str, outline_offsets.Offsets] = field(default_factory=dict)
    ids: tuple[int, ...] = ()

    def of(self, topic: str, categories: Sequence[str] = ()) -> TopicFit:
        """The estimate of the topic; the assumed one where there is none."""
        found = self.topics.get(topic)
        return found or truth_fit.assumed_fit(topic, categories, why="the project's raters were not estimated yet")


@dataclass(frozen=True, slots=True)
class Judged:
    """What the given readings of one item say, unit by unit, under the standing estimates."""

    units: tuple[Unit, ...]
    beliefs: tuple[Belief, ...]
    fits: Fits


def posterior_of(item: Item) -> ItemPosterior:
    """Return how sure the item's label is now."""
    row = Posterior.objects.filter(item=item).first()
    if row is None:
        return ItemPosterior(None, is_calibrated=False, n_calibration=0, worst_cluster="", method=METHOD,
                             reason="nobody has read the item yet")  # fmt: skip
    return _kept(row)


def _kept(row: Posterior) -> ItemPosterior:
    return ItemPosterior(row.value, row.is_calibrated, row.n_known, row.worst, row.method, row.reason)


def standing_fits(project_id: int) -> Fits:
    """Return the estimates that stand for the project, in one query."""
    topics: dict[str, TopicFit] = {}
    offsets: dict[str, outline_offsets.Offsets] = {}
    shapes, ids = ShapeFit(), []
    for row in TruthFit.objects.filter(project_id=project_id, replaced_at=None).order_by("pk"):
        ids.append(row.pk)
        if row.topic == truth_fit.SHAPES:
            shapes = ShapeFit(**row.parameters)
        elif row.topic.startswith(outline_offsets.TOPIC):
            offsets[row.topic.removeprefix(outline_offsets.TOPIC)] = outline_offsets.Offsets(**row.parameters)
        else:
            topics[row.topic] = TopicFit.from_document(row.parameters)
    return Fits(topics, shapes, offsets, tuple(ids))


def judge(
    loaded: Loaded, submissions: Sequence[Submission], *, gold: Submission | None = None, fits: Fits | None = None,
    measures_spread: bool = True,
) -> Judged:  # fmt: skip
    """Judge the given readings of one item; nothing is stored. ``gold`` is noted beside each unit and decides nothing.

    Without ``measures_spread`` the units do not tell how far outlines spread, which no belief rests on.
    """
    readings = loaded.readings([*submissions, gold] if gold is not None else submissions)
    truth: Reading | None = readings.pop() if gold is not None else None
    units = units_of(
        readings, terms=loaded.terms, grids=loaded.grids, extents=loaded.extents, gold=truth,
        surface_dice=_surface_dice(loaded, submissions) if measures_spread else None, measures_spread=measures_spread,
    )  # fmt: skip
    known = fits if fits is not None else standing_fits(loaded.item.project_id)
    raters = [submission.assignment.labeler_id for submission in submissions]
    beliefs = tuple(_belief(unit.to_document(raters), known, loaded.terms.labels) for unit in units)
    return Judged(units, beliefs, known)


def renew(
    loaded: Loaded, submissions: Sequence[Submission], policy: Policy, *, gold: Submission | None
) -> tuple[ItemPosterior, Judged | None]:
    """Renew the item's posterior where readings, gold or rules changed; return it, alone where it is as it was.

    Runs in the caller's transaction, with the item locked. Asks a worker for new estimates of the project's raters.
    """
    item = loaded.item
    row = Posterior.objects.filter(item=item).first()
    fingerprint = _fingerprint(loaded, submissions, gold)
    if row is not None and row.fingerprint == fingerprint and row.method_version == VERSION:
        return _kept(row), None
    judged = judge(loaded, submissions, gold=gold)
    raters = [submission.assignment.labeler_id for submission in submissions]
    documents = [unit.to_document(raters) for unit in judged.units]
    found = summarised(documents, judged.beliefs, judged.fits, policy)
    values = {
        "value": found.value, "reason": found.reason, "worst": found.worst_cluster[:120],
        "is_calibrated": found.is_calibrated, "n_known": found.n_calibration, "units": documents,
        "fingerprint": fingerprint, "method": METHOD, "method_version": VERSION, "computed_at": timezone.now(),
    }  # fmt: skip
    # The item is locked, so nobody else makes its row meanwhile.
    if row is None:
        Posterior.objects.create(item=item, **values)
    else:
        Posterior.objects.filter(pk=row.pk).update(**values)
    ask_for_fit(item.project_id)
    return found, judged


def summarised(
    units: Sequence[Mapping[str, Any]], beliefs: Sequence[Belief], fits: Fits, policy: Policy
) -> ItemPosterior:
    """Return what the units say together: the item is as sure as the least sure of them."""
    has_objects = any(unit["topic"] == OBJECTS for unit in units)
    parts: list[tuple[float, str, int]] = []
    for unit, believed in zip(units, beliefs, strict=True):
        if unit["topic"] == FINDING and has_objects:
            continue
        known = fits.topics[unit["topic"]].n_known if unit["topic"] in fits.topics else 0
        if believed.winner is not None or believed.probability:
            parts.append((believed.confidence, unit["name"], known))
        fit_of_outline = expected_fit(unit, believed, fits.shapes)
        if fit_of_outline is not None:
            parts.append((fit_of_outline, f"{unit['name']} (outline)", fits.shapes.n_known))
    if not parts:
        return ItemPosterior(None, is_calibrated=False, n_calibration=0, worst_cluster="", method=METHOD,
                             reason="the readings say nothing that could be true or false")  # fmt: skip
    value, worst, _ = min(parts)
    n_known = min(known for _, _, known in parts)
    return ItemPosterior(value, n_known >= policy.calibration_items, n_known, worst, METHOD)


def expected_fit(unit: Mapping[str, Any], believed: Belief, shapes: ShapeFit) -> float | None:
    """The surface Dice to expect of the unit's merged outline; None where it has none or nobody knows how outlines vary."""
    if unit["topic"] != OBJECTS or not unit["n"] or believed.winner in (None, NOTHING):
        return None
    spread = unit["spread"]
    if spread is None:
        # One reader alone: what outlines of this project are like. Marks without area have no outline in either case.
        if unit["n"] > 1 or shapes.typical is None or not unit["tolerance"]:
            return None
        spread = shapes.typical * unit["tolerance"]
    value = expected_surface_dice(spread, unit["n"], unit["tolerance"], scale=shapes.scale)
    return None if math.isnan(value) else value


def ask_for_fit(project_id: int) -> None:
    """Have a worker estimate the project's raters anew, soon after the last time, unless one is about to."""
    key = f"{FIT_KIND}:{project_id}"
    if Job.objects.filter(dedupe_key=key, state__in=[Job.State.QUEUED, Job.State.RUNNING]).exists():
        return
    newest = (
        TruthFit.objects.filter(project_id=project_id).order_by("-pk").values_list("computed_at", flat=True).first()
    )
    enqueue(
        kind=FIT_KIND, arguments={"project": project_id}, dedupe_key=key, project_id=project_id, asked_by="system",
        not_before=None if newest is None else newest + FIT_EVERY,
    )  # fmt: skip


def run_fit(running: Running) -> Mapping[str, Any]:
    """The job: estimate the raters of one project. Stopped or dead, it starts anew, and nothing is half done."""
    project = Project.objects.get(pk=running.arguments["project"])
    return fit_project(project, running=running)


def fit_project(project: Project, *, running: Running | None = None) -> Mapping[str, Any]:
    """Estimate the project's raters topic by topic from the evidence that is kept, then judge every item anew."""
    rows = list(Posterior.objects.filter(item__project=project).exclude(item__state=Item.State.EXCLUDED).order_by("pk"))
    _, ontology = current_ontology(project)
    labels = [entry.key for entry in ontology.classes]
    anonymous = {
        str(pk) for pk in Labeler.objects.filter(project=project, is_identifiable=False).values_list("pk", flat=True)
    }
    by_topic: dict[str, list[tuple[Mapping[str, Any], int]]] = {}
    for row in rows:
        for unit in row.units:
            by_topic.setdefault(unit["topic"], []).append((unit, row.item_id))
    audited = audited_units(project)
    total = len(by_topic) + 2 * len(rows)
    for done, (topic, pairs) in enumerate(sorted(by_topic.items())):
        _tell(running, done, total, f"Estimating {topic}")
        units, items = [unit for unit, _ in pairs], [item for _, item in pairs]
        categories = _categories(topic, labels)
        fit = truth_fit.fit_topic(
            topic, units, items=items, categories=categories, anonymous=anonymous, audited=audited.get(topic, ())
        )
        _keep_fit(
            project,
            topic,
            fit.to_document(),
            chosen=fit.chosen,
            why=fit.why,
            counts=(fit.n_units, fit.n_answers, fit.n_known),
        )
    pairs = by_topic.get(OBJECTS, [])
    shapes = truth_fit.fit_shapes(
        [unit for unit, _ in pairs], items=[item for _, item in pairs], audited=audited.get(OBJECTS, ())
    )
    _keep_shapes(project, shapes)
    for label, offsets in outline_offsets.offsets_of(project):
        _tell(running, len(by_topic), total, f"Measuring outlines of {label} on gold")
        _keep_fit(project, f"{outline_offsets.TOPIC}{label}", offsets.to_document(), chosen=offsets.chosen, why=offsets.why,
                  counts=(offsets.n_masks, offsets.n_masks, offsets.n_patients))  # fmt: skip
    n_changed = _judge_again(project, rows, labels, running, len(by_topic) + len(rows), total)
    _tell(running, total, total, "Done")
    return {"topics": len(by_topic), "items": len(rows), "changed": n_changed}


def _judge_again(
    project: Project, rows: Sequence[Posterior], labels: Sequence[str], running: Running | None, done: int, total: int
) -> int:
    fits, changed = standing_fits(project.pk), 0
    _, policy = current_policy(project)
    for number, row in enumerate(rows):
        _tell(running, done + number, total, f"Judging item {number + 1} of {len(rows)}")
        found = summarised(row.units, [_belief(unit, fits, labels) for unit in row.units], fits, policy)
        now = (found.value, found.worst_cluster[:120], found.is_calibrated, found.n_calibration, found.reason)
        if now == (row.value, row.worst, row.is_calibrated, row.n_known, row.reason):
            continue
        # A reading that came in meanwhile has judged the item already: its row has another fingerprint.
        changed += Posterior.objects.filter(pk=row.pk, fingerprint=row.fingerprint).update(
            value=found.value, worst=found.worst_cluster[:120], is_calibrated=found.is_calibrated,
            n_known=found.n_calibration, reason=found.reason, computed_at=timezone.now(),
        )  # fmt: skip
    return changed


def _belief(unit: Mapping[str, Any], fits: Fits, labels: Sequence[str]) -> Belief:
    return belief(fits.of(unit["topic"], _categories(unit["topic"], labels)), unit["given"])


def _categories(topic: str, labels: Sequence[str]) -> tuple[str, ...]:
    if topic == OBJECTS:
        return (NOTHING, *labels)
    return (evidence.NONE, evidence.SOME) if topic == FINDING else ()


def _keep_shapes(project: Project, shapes: ShapeFit) -> None:
    document = {name: getattr(shapes, name) for name in ShapeFit.__dataclass_fields__}
    why = (
        f"gold and audits of {shapes.n_known} items"
        if shapes.claimed is not None
        else "no gold or audit tells more than the readers' spread"
    )
    _keep_fit(project, truth_fit.SHAPES, document, chosen="normal errors along the outline", why=why,
              counts=(shapes.n_shapes, shapes.n_shapes, shapes.n_known))  # fmt: skip


def _keep_fit(
    project: Project, topic: str, document: Mapping[str, Any], *, chosen: str, why: str, counts: tuple[int, int, int]
) -> None:
    """Keep an estimate in place of the one that stood; its date is new even where nothing changed."""
    with transaction.atomic():
        TruthFit.objects.filter(project=project, topic=topic, replaced_at=None).update(replaced_at=timezone.now())
        TruthFit.objects.create(
            project=project, topic=topic, parameters=document, chosen=chosen[:60], why=why[:300], n_units=counts[0],
            n_answers=counts[1], n_known=counts[2], method=truth_fit.METHOD, method_version=VERSION,
        )  # fmt: skip


def _surface_dice(loaded: Loaded, submissions: Collection[Submission]) -> dict[str, float]:
    """The mean over pairs of these readings for each pooled class, as stored."""
    if not loaded.terms.pooled:
        return {}
    ids = [submission.pk for submission in submissions]
    rows = Score.objects.filter(
        item=loaded.item, about=Score.About.PAIR, metric="surface-dice", label__in=loaded.terms.pooled, replaced_at=None,
        first__in=ids, second__in=ids, value__isnull=False,
    ).values_list("label", "value")  # fmt: skip
    found: dict[str, list[float]] = {}
    for label, value in rows:
        found.setdefault(label, []).append(float(value or 0.0))
    return {label: sum(values) / len(values) for label, values in found.items()}


def _fingerprint(loaded: Loaded, submissions: Collection[Submission], gold: Submission | None) -> str:
    terms = loaded.terms
    ids = "-".join(str(submission.pk) for submission in submissions)
    named = hashlib.sha256("\n".join(terms.labels).encode()).hexdigest()[:12]
    limits = f"{terms.match_iou:g}/{terms.tolerance_mm:g}/{terms.tolerance_px:g}/{named}"
    return f"{ids}|{gold.pk if gold else 0}|{limits}"[:200]


def _tell(running: Running | None, done: int, total: int, message: str) -> None:
    if running is not None:
        running.progress(done, total, message)
