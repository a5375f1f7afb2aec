"""Builds the demo project through the same services that people's clicks go through: nothing is written past them.

Not here: what is planted (`plan`), the pictures (`pictures`, `cutting`), the readings (`readings`), the volumes (`volumes`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from django.db import transaction
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.accounts.services import create_person
from labelhub.analytics.services import measure_project
from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.config.demo import plan
from labelhub.config.demo.cutting import Cut, chosen_cuts
from labelhub.config.demo.pictures import parents
from labelhub.config.demo.readings import SECONDS_AN_ITEM, simulated_reading, simulated_readings, true_reading
from labelhub.projects.models import Project, Role
from labelhub.projects.ontology import read_ontology
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import labeler_of
from labelhub.projects.services import add_member, create_project, imported_labeler
from labelhub.workflow import gating, lifecycle

ACTOR = "demo"
DAYS_OF_WORK = 18

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class DemoItem:
    """A stored item with the cut that it came from, and who shall read it."""

    item: Item
    cut: Cut
    is_gold: bool
    readers: tuple[plan.Simulated, ...]


def demo_exists() -> bool:
    """Whether the demo project was built before."""
    return Project.objects.filter(name=plan.PROJECT_NAME).exists()


def build_demo(progress: Progress) -> Project:
    """Build people, project, items, gold, readings, reviews and a first release; the whole takes well under a minute."""
    rng = np.random.default_rng(plan.SEED)
    people = _people()
    project = _project(people)
    entries = _items(project, rng, progress)
    _readings(project, entries, people, rng, progress)
    _work_of_visitors(project, people, entries, progress)
    return project


def _people() -> dict[str, User]:
    people = {
        username: create_person(username=username, display_name=name, actor=ACTOR)
        for username, name, *_ in plan.VISITORS
    }
    for labeler in plan.LABELERS:
        people[labeler.username] = create_person(username=labeler.username, display_name=labeler.name, actor=ACTOR)
    return people


def _project(people: Mapping[str, User]) -> Project:
    project = create_project(
        name=plan.PROJECT_NAME,
        description="Small cuts of real pictures, labeled by simulated people whose faults are written down.",
        ontology=read_ontology(plan.ONTOLOGY),
        policy=Policy(readers=plan.READERS_AN_ITEM, use_model=True),
        guideline=plan.GUIDELINE,
        created_by=people["ada"],
    )
    for username, _, role, *_ in plan.VISITORS[1:]:
        add_member(project=project, user=people[username], role=role, actor=ACTOR)
    for labeler in plan.LABELERS:
        add_member(project=project, user=people[labeler.username], role=Role.ANNOTATOR, actor=ACTOR)
    return project


def _items(project: Project, rng: np.random.Generator, progress: Progress) -> list[DemoItem]:
    cuts = chosen_cuts(parents(), plan.ITEMS, rng)
    entries = []
    for number, cut in enumerate(cuts):
        identity = ItemIdentity(subject=cut.parent, subject_kind="image")
        item = add_photograph(
            project=project, pixels=cut.pixels, identity=identity, source_id=f"cut-{number:03d}", actor=ACTOR
        )
        is_gold = number < plan.GOLD_ITEMS
        readers = plan.LABELERS if is_gold else tuple(_drawn(plan.LABELERS, plan.READERS_AN_ITEM, rng))
        if number >= plan.ITEMS - plan.UNREAD_ITEMS:
            readers = ()
        entries.append(DemoItem(item, cut, is_gold, readers))
        progress(number + 1, len(cuts), "items cut from real pictures")
    return entries


def _readings(
    project: Project,
    entries: Sequence[DemoItem],
    people: Mapping[str, User],
    rng: np.random.Generator,
    progress: Progress,
) -> None:
    started_at = timezone.now().replace(microsecond=0) - timedelta(days=DAYS_OF_WORK)
    work = [(entry.cut, entry.item.code, entry.readers) for entry in entries]
    readings = simulated_readings(work, started_at=started_at, rng=rng)
    labelers = {labeler.username: labeler_of(people[labeler.username], project) for labeler in plan.LABELERS}
    expert = imported_labeler(project=project, source_key="expert-panel", name="Expert panel")
    for number, entry in enumerate(entries):
        # One commit an item: a thousand small ones would wait for the disk longer than they compute.
        with transaction.atomic():
            if entry.is_gold:
                truth = true_reading(entry.cut, item=entry.item.code, rater="expert-panel")
                lifecycle.record_reading(
                    item=entry.item, labeler=expert, reading=truth, at=started_at, is_gold=True, is_routed=False
                )
            for username, reading, at in readings.get(entry.item.code, ()):
                lifecycle.record_reading(
                    item=entry.item, labeler=labelers[username], reading=reading, at=at, active_s=SECONDS_AN_ITEM,
                    is_routed=False,
                )  # fmt: skip
            if entry.readers:
                lifecycle.score_and_route(item=entry.item, moves_gates=False)
        progress(number + 1, len(entries), "readings simulated, scored and routed")
    gating.reconsider_project(project)


def _work_of_visitors(
    project: Project, people: Mapping[str, User], entries: Sequence[DemoItem], progress: Progress
) -> None:
    """Give the annotator two items that came back, and the admin a release to look at."""
    ann = labeler_of(people["ann"], project)
    unread = [entry for entry in entries if not entry.readers][:2]
    sloppy = plan.Simulated("ann", "Ann Doyle", "outlines of two items are far too wide", offset_px=5.0)
    rng = np.random.default_rng(plan.SEED + 1)
    for entry in unread:
        reading = simulated_reading(entry.cut, sloppy, item=entry.item.code, place_in_session=0.0, rng=rng)
        submission = lifecycle.record_reading(
            item=entry.item, labeler=ann, reading=reading, at=timezone.now() - timedelta(hours=3)
        )
        lifecycle.review(
            submission=submission,
            reviewer=people["rita"],
            verdict="reject",
            score=4,
            comment="The outline lies well outside the edge all around. Please follow the half-way brightness.",
            request_id=uuid.uuid4(),
        )
    lifecycle.release(
        project=project, formats=["coco", "png", "csv"], note="First release of the demo", by=people["ada"]
    )
    measure_project(project)
    progress(1, 1, "two items returned to the annotator, first release started, project measured")


def _drawn(labelers: Sequence[plan.Simulated], count: int, rng: np.random.Generator) -> list[plan.Simulated]:
    return [labelers[index] for index in sorted(rng.choice(len(labelers), size=count, replace=False))]
