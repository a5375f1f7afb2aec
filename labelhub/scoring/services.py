"""Scoring an item: pairs of readings, readings against gold and against a model, and the item's agreement, kept as rows.

Submissions never change, so a comparison is made once; only pairs that are new, or were made by another method or under
other tolerances, are computed. A row that a newer one replaces keeps the date on which it was replaced. Not here: what follows
from the numbers (``routing``), and the project's statistics (``panel``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from django.db import transaction
from django.utils import timezone

from labelhub.annotations.models import Submission
from labelhub.audit.prepared import insert_many
from labelhub.catalog.models import Item
from labelhub.formats.shapes import Reading
from labelhub.numerics.overlap import compare_placed
from labelhub.predictions.models import SEEN_ARMS, Draft, Prediction
from labelhub.predictions.plain import pixel_maps
from labelhub.predictions.plain import reading_of as reading_of_prediction
from labelhub.predictions.selectors import newest_prediction
from labelhub.projects.models import Project
from labelhub.projects.ontology import Ontology
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_ontology, current_policy
from labelhub.scoring.accelerators import ComparesMasks
from labelhub.scoring.compare import METHOD, VERSION, Comparison, Terms, compare
from labelhub.scoring.loaded import Loaded
from labelhub.scoring.model_quality import QUALITY, beliefs, qualities, worst
from labelhub.scoring.models import GoldReference, Score
from labelhub.scoring.planted import HELPED
from labelhub.scoring.posteriors import ItemPosterior, Judged, renew
from labelhub.scoring.reads import Reads, reads_of
from labelhub.scoring.rows import (
    AGREEMENT,
    CURRENT_AGREEMENT,
    RIGHT,
    SIMILARITY,
    Between,
    method_of,
    quality_rows,
    rows_of,
)
from labelhub.scoring.versions import under

About = Score.About


@dataclass(frozen=True, slots=True)
class ItemScores:
    """The numbers about an item that routing needs. Similarities are by submission id, None where undefined.

    ``n_set_aside`` counts readers whose reading was set aside. ``pairs`` holds every pair of current readings, smaller id
    first; ``model`` the model's similarity with each current reading, ``model_silence`` why there is none, ``quality`` how
    believable each is to a model that kept its probabilities (of its worst class). ``gold`` says of
    each reading whether it is right against the item's gold, ``has_gold`` whether it has one now. ``loaded`` is what was read
    of the item, ``judged`` what truth inference says of the current readings (None where nothing changed since it was kept),
    ``posterior`` how sure the label is.
    """

    reads: Reads
    n_set_aside: int
    pairs: Mapping[tuple[int, int], float | None]
    model: Mapping[int, float | None]
    model_silence: str
    quality: Mapping[int, float | None]
    gold: Mapping[int, bool | None]
    loaded: Loaded
    judged: Judged | None
    has_gold: bool
    posterior: ItemPosterior


def terms_of(ontology: Ontology, policy: Policy) -> Terms:
    """Return what is compared in a project: its classes and questions, and the tolerances its policy fixed."""
    return Terms(
        labels=tuple(entry.key for entry in ontology.classes),
        questions=ontology.question_specs(),
        pooled=frozenset(entry.key for entry in ontology.classes if entry.tool == "brush"),
        match_iou=policy.match_iou,
        tolerance_mm=policy.tolerance_mm,
        tolerance_px=policy.tolerance_px,
    )


def terms_now(project: Project, policy: Policy) -> Terms:
    """Return what is compared in a project now, with the versions of its ontology for which that holds."""
    version, ontology = current_ontology(project)
    return under(terms_of(ontology, policy), project, version.number)


def score_item(item: Item, *, set_aside: Collection[int] = (), comparing: ComparesMasks = compare_placed) -> ItemScores:
    """Compute what is missing of the item's scores and return what routing needs. Runs in the caller's transaction.

    ``set_aside`` are ids of submissions that no longer speak for their author: routing does not hear them. ``comparing``
    measures masks; a job over a whole project may bring an accelerator's.
    """
    _, policy = current_policy(item.project)
    reads = reads_of(item, set_aside=set_aside)
    with transaction.atomic(savepoint=False):
        bench = _Bench(item, terms_now(item.project, policy), reads, comparing)
        bench.score_pairs()
        if reads.was_gold:
            bench.score_gold(policy)
        prediction, silence = heard_prediction(item, reads.current, policy)
        bench.score_model(prediction)
        quality = bench.score_quality(prediction)
        bench.write()
        posterior, judged = renew(
            bench.loaded, reads.current, policy, gold=bench.gold.submission if bench.gold else None
        )
        pairs = bench.similarities(About.PAIR)
        current = {_key(a, b): pairs.get(_key(a, b)) for a, b in combinations(reads.current, 2)}
        counted = {_key(a, b): pairs.get(_key(a, b)) for a, b in combinations(reads.counted, 2)}
        means = {
            AGREEMENT: _mean_of(counted, len(reads.counted)), CURRENT_AGREEMENT: _mean_of(current, len(reads.current)),
        }  # fmt: skip
        _keep_means(item, means, bench.method)
        return ItemScores(
            reads=reads,
            n_set_aside=reads.n_set_aside,
            pairs=current,
            model={
                first: value for (first, _), value in bench.similarities(About.MODEL, prediction=prediction).items()
            },
            model_silence=silence,
            quality=quality,
            gold=_gold_verdicts(item) if reads.was_gold else {},
            loaded=bench.loaded,
            judged=judged,
            has_gold=bench.gold is not None,
            posterior=posterior,
        )


def heard_prediction(item: Item, current: Sequence[Submission], policy: Policy) -> tuple[Prediction | None, str]:
    """Return the newest prediction that may be heard about the item, or None and why.

    A model that pre-labelled an item is silent about it: readers who started from its shapes would agree with it. So is a
    version that learned from the item; one of cross-validation speaks for it.
    """
    prediction = newest_prediction(item)
    if not policy.use_model:
        return None, "the policy uses no model"
    if prediction is None:
        return None, "no model has seen this item"
    if any(submission.read_kind == "assisted" for submission in current) or _was_shown(current):
        return None, "a model pre-labelled this item for a reader"
    drawn_by_model = Submission.objects.filter(
        pk__in=[submission.pk for submission in current], annotations__source__startswith="model"
    )
    if drawn_by_model.exists():
        return None, "a reading holds shapes that a model drew"
    return prediction, ""


def _was_shown(current: Sequence[Submission]) -> bool:
    """Whether a reading may rest on a draft of the item that a model drew: somebody was shown one, and not all read alone."""
    if not any(entry.read_kind in HELPED for entry in current):
        return False
    return Draft.objects.filter(assignment__item=current[0].assignment.item_id, arm__in=SEEN_ARMS).exists()


class _Bench:
    """The comparisons of one item: which are stored already, and the readings that new ones need, loaded once."""

    def __init__(self, item: Item, terms: Terms, reads: Reads, comparing: ComparesMasks) -> None:
        self.item, self.terms, self.reads, self.comparing = item, terms, reads, comparing
        self.loaded = Loaded(item, terms)
        self.gold: GoldReference | None = None
        self.method = method_of(METHOD, terms)
        self.stored = list(Score.objects.filter(item=item, metric=SIMILARITY, label="", replaced_at=None))
        self._new: list[Score] = []

    def score_pairs(self) -> None:
        """Compare each two counted readings and each two current ones."""
        pairs = {
            _key(a, b): (a, b)
            for group in (self.reads.counted, self.reads.current)
            for a, b in combinations(sorted(group, key=lambda submission: submission.pk), 2)
        }
        done = {(row.first_id, row.second_id) for row in self._valid(About.PAIR)}
        missing = [pair for key, pair in pairs.items() if key not in done]
        self.loaded.readings([submission for pair in missing for submission in pair])
        for first, second in missing:
            found = self._compare(*self.loaded.readings([first, second]))
            self._keep(found, Between(self.item, About.PAIR, first, second))

    def score_gold(self, policy: Policy) -> None:
        """Compare every reading with the item's current gold; right is a similarity of at least ``accept_agreement``."""
        gold = GoldReference.objects.filter(item=self.item, retired_at=None).select_related("submission").first()
        self.gold = gold
        if gold is None:
            return
        done = {row.first_id for row in self._valid(About.GOLD) if row.gold_id == gold.pk}
        missing = [s for s in self.reads.every if s.pk not in done and s.pk != gold.submission_id]
        self.loaded.readings([gold.submission, *missing] if missing else [])
        for submission in missing:
            found = self._compare(*self.loaded.readings([submission, gold.submission]), second_is_truth=True)
            between = Between(self.item, About.GOLD, submission, gold=gold)
            self._keep(found, between)
            self._new.append(_right(found, between, policy.accept_agreement))

    def score_model(self, prediction: Prediction | None) -> None:
        """Compare every current reading with what the model says, where it may be heard."""
        if prediction is None:
            return
        done = {row.first_id for row in self._valid(About.MODEL) if row.prediction_id == prediction.pk}
        missing = [submission for submission in self.reads.current if submission.pk not in done]
        if not missing:
            return
        seen = reading_of_prediction(prediction)
        for submission, reading in zip(missing, self.loaded.readings(missing), strict=True):
            found = self._compare(reading, seen)
            self._keep(found, Between(self.item, About.MODEL, submission, prediction=prediction))

    def score_quality(self, prediction: Prediction | None) -> dict[int, float | None]:
        """Return how believable each current reading is to the model, and keep what is new; nothing where it kept no maps."""
        if prediction is None or not prediction.maps:
            return {}
        rows = Score.objects.filter(
            item=self.item, about=About.MODEL, metric=QUALITY, label="", prediction=prediction, replaced_at=None
        )
        found = {row.first_id or 0: row.value for row in rows}
        missing = [submission for submission in self.reads.current if submission.pk not in found]
        if missing:
            maps = {medium: pixel_maps(prediction, medium=medium) for medium in range(len(self.loaded.grids))}
            for submission, reading in zip(missing, self.loaded.readings(missing), strict=True):
                classes = qualities(reading, maps, self.loaded.grids, self.loaded.extents)
                held = beliefs(reading, maps, self.loaded.grids, self.loaded.extents)
                self._new += quality_rows(
                    classes, held, Between(self.item, About.MODEL, submission, prediction=prediction)
                )
                found[submission.pk] = worst(classes)
        return {submission.pk: found.get(submission.pk) for submission in self.reads.current}

    def similarities(self, about: str, *, prediction: Prediction | None = None) -> dict[tuple[int, int], float | None]:
        """Return the similarities that stand now, by the ids of the two submissions (0 where the second is a model)."""
        rows = [row for row in self._valid(about) if about != About.MODEL or row.prediction == prediction]
        return {(row.first_id or 0, row.second_id or 0): row.value for row in rows}

    def _valid(self, about: str) -> list[Score]:
        return [
            row for row in self.stored
            if row.about == about and row.method == self.method and row.method_version == VERSION
        ]  # fmt: skip

    def _compare(self, first: Reading, second: Reading, *, second_is_truth: bool = False) -> Comparison:
        return compare(
            first, second, terms=self.terms, grids=self.loaded.grids, second_is_truth=second_is_truth,
            extents=self.loaded.extents, comparing=self.comparing,
        )  # fmt: skip

    def _keep(self, found: Comparison, between: Between) -> None:
        """Note the numbers of one comparison in place of those that stood; ``write`` stores them all at once."""
        if any(_is_same(row, between) for row in self.stored):
            Score.objects.filter(
                item=self.item, about=between.about, first=between.first, second=between.second, gold=between.gold,
                prediction=between.prediction, replaced_at=None,
            ).update(replaced_at=timezone.now())  # fmt: skip
        rows = rows_of(found, between, self.terms)
        self._new += rows
        self.stored = [row for row in self.stored if not _is_same(row, between)] + rows[:1]

    def write(self) -> None:
        """Store what was noted: seven readers are 21 comparisons of a dozen numbers each."""
        insert_many(self._new)
        self._new = []


def _is_same(row: Score, between: Between) -> bool:
    def pk(entity: Submission | GoldReference | Prediction | None) -> int | None:
        return None if entity is None else entity.pk

    return (row.about, row.first_id, row.second_id, row.gold_id, row.prediction_id) == (
        between.about, pk(between.first), pk(between.second), pk(between.gold), pk(between.prediction),
    )  # fmt: skip


def _right(found: Comparison, between: Between, threshold: float) -> Score:
    is_defined = not np.isnan(found.similarity)
    return Score(
        item=between.item, about=About.GOLD, first=between.first, gold=between.gold, metric=RIGHT,
        value=float(found.similarity >= threshold) if is_defined else None, n=1 if is_defined else 0,
        reason=found.reason[:200], method=f"right at a similarity with gold of at least {threshold:g}", method_version=VERSION,
    )  # fmt: skip


def _gold_verdicts(item: Item) -> dict[int, bool | None]:
    rows = Score.objects.filter(item=item, about=About.GOLD, metric=RIGHT, replaced_at=None)
    return {row.first_id or 0: None if row.value is None else row.value == 1.0 for row in rows}


def _mean_of(pairs: Mapping[tuple[int, int], float | None], n_reads: int) -> tuple[float | None, int, str]:
    """The mean over pairs, over how many, and why there is none."""
    values = [value for value in pairs.values() if value is not None]
    if values:
        return float(np.mean(values)), len(values), ""
    return None, 0, f"{n_reads} of at least 2 readings are in" if n_reads < 2 else "no two readings answer the same"


def _keep_means(item: Item, means: Mapping[str, tuple[float | None, int, str]], method: str) -> None:
    """Keep each metric's mean in place of the one that stood; a value that did not change writes nothing."""
    rows = Score.objects.filter(item=item, about=About.ITEM, metric__in=means, label="", replaced_at=None)
    name = f"mean of pairs; {method}"[:80]
    standing = {row.metric: row for row in rows}
    changed = [
        metric for metric, (mean, n, _) in means.items()
        if (row := standing.get(metric)) is None or (row.value, row.n, row.method) != (mean, n, name)
    ]  # fmt: skip
    if old := [standing[metric].pk for metric in changed if metric in standing]:
        Score.objects.filter(pk__in=old).update(replaced_at=timezone.now())
    insert_many([
        Score(
            item=item, about=About.ITEM, metric=metric, value=means[metric][0], n=means[metric][1], unit="pairs",
            reason=means[metric][2], method=name, method_version=VERSION,
        )
        for metric in changed
    ])  # fmt: skip


def _key(a: Submission, b: Submission) -> tuple[int, int]:
    return (a.pk, b.pk) if a.pk < b.pk else (b.pk, a.pk)
