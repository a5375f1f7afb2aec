"""R7: two people who change the same version at the same moment: one is stored, the other is refused with 409 and kept."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

import numpy as np

from labelhub.catalog.models import Item
from labelhub.config.soak.at_once import at_once
from labelhub.config.soak.report import Progress, Trial, silent
from labelhub.config.soak.world import SoakWorld, add_item, make_world, square_reading
from labelhub.projects.errors import DomainError
from labelhub.projects.models import StaleEdit
from labelhub.projects.ontology import read_ontology
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import (
    current_guideline,
    current_ontology,
    current_policy,
    guideline_versions,
    ontology_versions,
    policy_versions,
)
from labelhub.projects.services import publish_guideline, publish_ontology, publish_policy
from labelhub.reviews.models import Decision
from labelhub.reviews.questions import open_questions
from labelhub.scoring.reads import reads_of
from labelhub.workflow import lifecycle, steps

Run = Callable[..., Sequence[object]]
JUDGED_EVERY = 5


def try_pairs(*, n: int, seed: int, run: Run = at_once, progress: Progress = silent) -> Trial:
    """Try ``n`` pairs, of policies, ontologies, instructions, answers and judgements in turn.

    ``run`` carries both acts of a pair out: at the same moment, or one after the other where only one connection is there.
    """
    trial, rng = Trial("no silent overwrite", seed), np.random.default_rng(seed)
    world = make_world(n_annotators=2, readers=2, max_readers=2, use_model=False)
    kinds = (_policies, _ontologies, _guidelines, _answers, _judgements)
    with trial.while_there_is_time():
        for number in range(n):
            n_kept = StaleEdit.objects.filter(project=world.project).count()
            kind = kinds[number % len(kinds)]
            acts, n_stored = kind(world, rng, number)
            before = n_stored()
            found = run(*acts)
            refused = [one for one in found if isinstance(one, DomainError) and one.status == 409]
            broken = [one for one in found if isinstance(one, Exception) and one not in refused]
            kept = StaleEdit.objects.filter(project=world.project).count() - n_kept
            trial.n += 1
            told = f"pair {number} ({kind.__name__[1:]}): "
            trial.check(not broken, f"{told}{broken!r}")
            trial.check(len(refused) == 1, f"{told}{len(refused)} of 2 refused")
            trial.check(n_stored() - before == 1, f"{told}{n_stored() - before} stored")
            trial.check(kept == 1, f"{told}{kept} kept")
            progress(trial.n, n)
    trial.facts["kept"] = StaleEdit.objects.filter(project=world.project).count()
    return trial


def one_after_the_other(*acts: Callable[[], object]) -> Sequence[object]:
    """Run the acts in turn; return what each returned or raised."""
    found: list[object] = []
    for act in acts:
        try:
            found.append(act())
        except DomainError as error:
            found.append(error)
    return found


Pair = tuple[tuple[Callable[[], object], Callable[[], object]], Callable[[], int]]


def _policies(world: SoakWorld, rng: np.random.Generator, number: int) -> Pair:
    seen = current_policy(world.project)[0].number
    first, second = (
        Policy(readers=2, max_readers=2, gold_share=0.0, use_model=False, lease_s=600 + number * 2 + k) for k in (0, 1)
    )

    def act(policy: Policy, place: int) -> Callable[[], object]:
        return lambda: publish_policy(project=world.project, policy=policy, by=world.admins[place], seen=seen)

    return (act(first, 0), act(second, 1)), lambda: len(policy_versions(world.project))


def _ontologies(world: SoakWorld, rng: np.random.Generator, number: int) -> Pair:
    version, current = current_ontology(world.project)
    document = current.to_document()

    def act(place: int) -> Callable[[], object]:
        named = [dict(entry) | {"name": f"Nucleus {number} {place}"} for entry in document["classes"]]
        asked = read_ontology(dict(document) | {"classes": named})
        return lambda: publish_ontology(
            project=world.project, ontology=asked, by=world.admins[place], seen=version.number
        )

    return (act(0), act(1)), lambda: len(ontology_versions(world.project))


def _guidelines(world: SoakWorld, rng: np.random.Generator, number: int) -> Pair:
    seen = current_guideline(world.project).number

    def act(place: int) -> Callable[[], object]:
        return lambda: publish_guideline(
            project=world.project, text=f"Text {number} {place}", by=world.admins[place], seen=seen
        )

    return (act(0), act(1)), lambda: len(guideline_versions(world.project))


def _answers(world: SoakWorld, rng: np.random.Generator, number: int) -> Pair:
    from labelhub.projects.services import acknowledge_guideline

    add_item(world, rng)
    asker = world.labeler(world.annotators[0])
    acknowledge_guideline(labeler=asker, guideline=current_guideline(world.project))
    assignment = lifecycle.hand_out(labeler=asker)
    assert assignment is not None
    question = lifecycle.ask(assignment=assignment, by=world.annotators[0], text=f"Which, {number}?", is_waiting=False)
    lifecycle.skip(assignment=assignment, reason="asked")
    n_open = open_questions(world.reviewers[0], world.project)

    def act(place: int) -> Callable[[], object]:
        return lambda: lifecycle.answer(
            question=question, by=world.reviewers[place], text=f"This, {place}.", is_general=False
        )

    return (act(0), act(1)), lambda: -n_open.count()


def _judgements(world: SoakWorld, rng: np.random.Generator, number: int) -> Pair:
    item = _in_review(world, rng)
    seen = steps.versions_of([item])[item.pk]
    readings = reads_of(item).current

    def act(place: int) -> Callable[[], object]:
        return lambda: lifecycle.review(
            submission=readings[place], reviewer=world.reviewers[place], verdict="accept", score=None, comment="",
            request_id=uuid.uuid4(), seen=seen,
        )  # fmt: skip

    return (act(0), act(1)), lambda: Decision.objects.filter(item=item).count()


def _in_review(world: SoakWorld, rng: np.random.Generator) -> Item:
    item = add_item(world, rng)
    for user, x in zip(world.annotators, (2.0, 20.0), strict=True):
        labeler = world.labeler(user)
        reading = square_reading(item, f"labeler-{labeler.pk}", x)
        lifecycle.record_reading(item=item, labeler=labeler, reading=reading, is_routed=x > 2)
    return item
