"""Builds the demo project through the same services that people's clicks go through: nothing is written past them.

Not here: what is planted (`plan`), the pictures (`pictures`, `cutting`), the readings (`readings`), what waits for the
visitors (`visitors`), the volumes (`volumes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from django.db import transaction
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.accounts.services import create_person
from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.config.demo import plan
from labelhub.config.demo.cutting import chosen_cuts
from labelhub.config.demo.entries import ACTOR, DemoItem, Progress
from labelhub.config.demo.pictures import parents
from labelhub.config.demo.readings import SECONDS_AN_ITEM, simulated_readings, true_reading
from labelhub.config.demo.visitors import set_visitors_work
from labelhub.projects import teams
from labelhub.projects.models import Labeler, Project, Role
from labelhub.projects.ontology import read_ontology
from labelhub.projects.selectors import labeler_of
from labelhub.projects.services import add_member, create_project, imported_labeler
from labelhub.scoring import exams
from labelhub.scoring.gold import make_gold
from labelhub.scoring.models import GoldReference
from labelhub.workflow import gating, lifecycle, steps

DAYS_OF_WORK = 18


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
    set_visitors_work(project, people, entries, progress)
    return project


def _people() -> dict[str, User]:
    people = {
        username: create_person(username=username, display_name=name, actor=ACTOR)
        for username, name, *_ in (*plan.VISITORS, plan.NEWCOMER)
    }
    for labeler in plan.LABELERS:
        people[labeler.username] = create_person(username=labeler.username, display_name=labeler.name, actor=ACTOR)
    return people


def _project(people: Mapping[str, User]) -> Project:
    project = create_project(
        name=plan.PROJECT_NAME,
        description="Small cuts of real pictures, labeled by simulated people whose faults are written down.",
        ontology=read_ontology(plan.ONTOLOGY),
        policy=plan.POLICY,
        guideline=plan.GUIDELINE,
        created_by=people["ada"],
    )
    for username, _, role, *_ in plan.VISITORS[1:]:
        add_member(project=project, user=people[username], role=role, actor=ACTOR)
    for labeler in plan.LABELERS:
        add_member(project=project, user=people[labeler.username], role=Role.ANNOTATOR, actor=ACTOR)
    add_member(project=project, user=people[plan.NEWCOMER[0]], role=Role.ANNOTATOR, actor=ACTOR)
    for username in ("ann", *(labeler.username for labeler in plan.LABELERS)):
        exams.rule(
            labeler=labeler_of(people[username], project), verdict=exams.Verdict.ADMITTED, by=f"user:{people['ada'].pk}",
            reason="Labeled here before the exam was introduced.",
        )  # fmt: skip
    for name, usernames in plan.TEAMS:
        team = teams.make_team(project=project, name=name, kind="site", by=ACTOR)
        for username in usernames:
            teams.set_teams(labeler=labeler_of(people[username], project), teams=[team], by=ACTOR)
    return project


def _items(project: Project, rng: np.random.Generator, progress: Progress) -> list[DemoItem]:
    cuts = chosen_cuts(parents(), plan.ITEMS, rng)
    entries = []
    for number, cut in enumerate(cuts):
        identity = ItemIdentity(subject=cut.parent, subject_kind="image")
        item = add_photograph(
            project=project, pixels=cut.pixels, identity=identity, source_id=f"cut-{number:03d}", actor=ACTOR
        )
        gold = _gold_kind(number)
        readers = plan.LABELERS if gold else tuple(_drawn(plan.LABELERS, plan.READERS_AN_ITEM, rng))
        if number >= plan.ITEMS - plan.UNREAD_ITEMS:
            readers = ()
        entries.append(DemoItem(item, cut, gold, readers))
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
            if entry.gold:
                _make_gold(entry, expert, started_at)
            for username, reading, at in readings.get(entry.item.code, ()):
                lifecycle.record_reading(
                    item=entry.item, labeler=labelers[username], reading=reading, at=at, active_s=SECONDS_AN_ITEM,
                    is_routed=False,
                )  # fmt: skip
            if entry.readers:
                lifecycle.score_and_route(item=entry.item, moves_gates=False)
        progress(number + 1, len(entries), "readings simulated, scored and routed")
    gating.reconsider_project(project)


def _gold_kind(number: int) -> str:
    """Which gold the item is: the first are of a picture each, so that exam and training gold take one picture each."""
    if number >= plan.GOLD_ITEMS:
        return ""
    if number < plan.EXAM_GOLD:
        return GoldReference.Kind.EXAM
    return GoldReference.Kind.TRAINING if number >= plan.GOLD_ITEMS - plan.TRAINING_GOLD else GoldReference.Kind.HIDDEN


def _make_gold(entry: DemoItem, expert: Labeler, at: datetime) -> None:
    """Store what is true of the item as the expert panel's reading, which votes on nothing, and make it gold."""
    truth = replace(
        true_reading(entry.cut, item=entry.item.code, rater="expert-panel"),
        read_kind="adjudication",
        planned_blind=False,
    )
    submission = steps.store(entry.item, expert, truth, at=at, is_gold=False, active_s=None)
    make_gold(item=entry.item, submission=submission, by=ACTOR, kind=entry.gold, drawn="random")


def _drawn(labelers: Sequence[plan.Simulated], count: int, rng: np.random.Generator) -> list[plan.Simulated]:
    return [labelers[index] for index in sorted(rng.choice(len(labelers), size=count, replace=False))]
