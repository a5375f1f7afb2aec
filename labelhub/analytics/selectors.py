"""What the pages show of a project: overview, disputed items, and the kept panel behind them.

A panel that is behind the newest submission is never shown as if it were not: a small project is measured at once, a
large one shows what was measured last, says how far it is behind, and a worker measures it anew. Sentences are written
by ``sentences``. Not here: addresses of pages; a target names what to open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.db.models import Count

from labelhub.analytics.models import Rollup
from labelhub.analytics.panel_store import from_bytes
from labelhub.analytics.sentences import Sentence, sentences_of
from labelhub.analytics.services import (
    ask_for_measure,
    fingerprint_of,
    kept_and_current,
    measure_project,
    n_submissions_in,
)
from labelhub.annotations.models import Submission
from labelhub.annotations.plain import rater_key
from labelhub.assignments.models import HELD, Assignment
from labelhub.catalog.models import Item
from labelhub.projects.models import Project
from labelhub.projects.selectors import labelers
from labelhub.scoring.panel_rows import GoldRow, ItemRow, Measured, Panel

# Up to so many submissions a page measures by itself, which takes about a second; more go to a worker.
MEASURED_AT_ONCE = 150


@dataclass(frozen=True, slots=True)
class Standing:
    """A panel, when it was made, and how many submissions came since (0: it is of this moment)."""

    panel: Panel
    made_at: datetime
    is_current: bool
    n_since: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The overview of a project: at most four sentences, each with what to open, and the numbers behind them.

    ``funnel`` are items by state. ``standing`` is ``None`` where nothing was measured yet.
    """

    sentences: tuple[Sentence, ...]
    funnel: Mapping[str, int]
    n_items: int
    n_submissions: int
    n_labelers: int
    n_open_assignments: int
    agreement: tuple[Measured, ...]
    gold: GoldRow | None
    standing: Standing | None


def standing_of(project: Project) -> Standing | None:
    """The newest panel that can be shown now; ``None`` where none was made yet and a worker was asked for it."""
    return _standing(project, fingerprint_of(project))


def _standing(project: Project, fingerprint: str) -> Standing | None:
    rollup = Rollup.objects.filter(project=project).first()
    if rollup is not None and rollup.fingerprint == fingerprint:
        panel = _panel_in(rollup)
        if panel is not None:
            return Standing(panel, rollup.made_at, is_current=True, n_since=0)
    n_now = n_submissions_in(fingerprint)
    if n_now <= MEASURED_AT_ONCE:
        panel = measure_project(project)
        made_at = Rollup.objects.values_list("made_at", flat=True).get(project=project)
        return Standing(panel, made_at, is_current=True, n_since=0)
    ask_for_measure(project)
    earlier = _panel_in(rollup) if rollup is not None else None
    if rollup is None or earlier is None:
        return None
    n_since = max(n_now - n_submissions_in(rollup.fingerprint), 0)
    return Standing(earlier, rollup.made_at, is_current=False, n_since=n_since)


def kept_standing(project: Project) -> Standing | None:
    """As :func:`standing_of`, with the panel kept in memory while it is the current one: one query then."""
    kept, fingerprint = kept_and_current(project)
    if kept is None or kept[1] != fingerprint:
        return _standing(project, fingerprint)
    try:
        return Standing(_remembered(*kept), kept[2], is_current=True, n_since=0)
    except ValueError:
        return _standing(project, fingerprint)


@lru_cache(maxsize=4)
def _remembered(rollup_id: int, fingerprint: str, made_at: datetime) -> Panel:
    """The panel of a rollup as it was made then: it never changes, and reading a large one takes longer than a page may."""
    content = Rollup.objects.filter(pk=rollup_id, fingerprint=fingerprint, made_at=made_at).values_list(
        "content", flat=True
    )
    found = content.first()
    if found is None:
        raise ValueError("This panel was replaced meanwhile.")
    return from_bytes(bytes(found))


def project_overview(project: Project) -> Overview:
    """What the overview page says."""
    standing = standing_of(project)
    panel = standing.panel if standing is not None else None
    funnel = _funnel(project)
    names = {rater_key(labeler): labeler for labeler in labelers(project)}
    submissions = Submission.objects.filter(assignment__item__project=project)
    return Overview(
        sentences=sentences_of(panel, funnel, names),
        funnel=funnel,
        n_items=sum(funnel.values()),
        n_submissions=submissions.count(),
        n_labelers=submissions.values("assignment__labeler").distinct().count(),
        n_open_assignments=Assignment.objects.filter(item__project=project, state__in=HELD).count(),
        agreement=headline_numbers(panel) if panel is not None else (),
        gold=panel.gold if panel is not None else None,
        standing=standing,
    )


def disputed_items(project: Project, limit: int = 20) -> tuple[ItemRow, ...]:
    """The items readers disagree on most, most disputed first; ``item`` is the item's code."""
    standing = standing_of(project)
    return standing.panel.disputed[:limit] if standing is not None else ()


def headline_numbers(panel: Panel) -> tuple[Measured, ...]:
    """The numbers an overview shows: detection and overlap by label, class, and every question's alpha."""
    numbers = [row.agreement for row in panel.detection]
    numbers += [row.dice for row in panel.overlap if row.dice.estimate.is_defined]
    if panel.classes is not None:
        numbers.append(panel.classes.raw)
    return (*numbers, *(row.alpha for row in panel.questions))


def _panel_in(rollup: Rollup) -> Panel | None:
    """The panel of a rollup; ``None`` where another version wrote it, which is as if there were none."""
    try:
        return from_bytes(bytes(rollup.content))
    except ValueError:
        return None


def _funnel(project: Project) -> dict[str, int]:
    rows = Item.objects.filter(project=project).values("state").annotate(n=Count("pk")).order_by()
    found = {row["state"]: row["n"] for row in rows}
    return {str(state): found.get(state, 0) for state in Item.State.values}
