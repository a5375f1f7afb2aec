"""A changed policy is tried on the past; what is predicted is what it then does on the same history.

The proof: a project's readings are recorded once under the present policy. The trial predicts every
decision of another policy; then a copy of the project under that policy gets the same readings in the same order through the
steps of the life of an item, and its stored routes are compared one by one. Every preset is tried, and what hangs on more than
the readings: a share of overlap, a share of reviews, known answers from which a probability counts, rules on gold.

Planted once and seen to fail: readings replayed in another order than they came; rounds that are not counted; ``readers`` where
the item's part of the overlap counts; the draw of reviews left out; a probability that counts as under the present policy; ties
of a vote not looked at; rules on gold not heard.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from labelhub.accounts.models import User
from labelhub.annotations.plain import reading_of
from labelhub.catalog.models import Item
from labelhub.jobs.models import Job
from labelhub.jobs.worker import run_pending
from labelhub.projects.models import Project
from labelhub.projects.policy import Policy
from labelhub.projects.presets import PRESETS, with_preset
from labelhub.projects.routing_rules import Condition, Rule
from labelhub.projects.selectors import current_policy, labeler_of, labelers
from labelhub.projects.services import add_member, create_project
from labelhub.routing.models import Route
from labelhub.scoring.evidence import OBJECTS
from labelhub.scoring.gold import current_gold
from labelhub.scoring.models import TruthFit
from labelhub.scoring.reads import reads_of
from labelhub.scoring.truth_fit import TopicFit
from labelhub.workflow import auditing, lifecycle, trying
from tests.cast import Cast
from tests.workflow.walking import add_item, new_annotator, set_policy, store

pytestmark = [pytest.mark.django_db, pytest.mark.once]
# How far to the right each reader drew each item's square, of 20 pixels: alike, one elsewhere, two against two, each a little
# apart; the last item is gold.
DRAWN = ((0, 1, 0, 1), (0, 1, 2, 25), (0, 25, 1, 25), (0, 1, 2, 2), (1, 25, 0, 1))
N_ITEMS = len(DRAWN)
SQUARE = (10, 10, 20)
UNCHANGED = {"gold_share": 0.0, "audit_share": 0.0, "audit_least": 0, "calibration_items": 100_000}
PRESENT = Policy(readers=4, max_readers=4, **UNCHANGED)
FAILED_GOLD = Rule("failed-gold", "gold", (Condition("gold_failed", "at-least", 1),), "reviewer")
ASKED = {name: replace(with_preset(PRESENT, name), **UNCHANGED) for name in PRESETS} | {
    "stricter": replace(PRESENT, readers=2, max_readers=4, accept_agreement=0.93),
    "no-rework": replace(PRESENT, readers=3, max_rework_rounds=0),
    "some-overlap": replace(PRESENT, readers=3, overlap_share=0.5),
    "some-reviews": replace(PRESENT, readers=2, max_readers=2, review_share=0.5, accept_agreement=0.0),
    "calibrated": replace(with_preset(PRESENT, "dynamic"), **UNCHANGED | {"calibration_items": 100}, posterior=0.98),
    "on-gold": replace(PRESENT, readers=2, max_readers=2, rules=(FAILED_GOLD, *PRESENT.rules)),
}
STATES = {
    "accept": "settled", "reviewer": "review", "maybe-ambiguous": "review", "returned": "rework", "asks": "reading",
}  # fmt: skip


@pytest.fixture
def past(cast: Cast, monkeypatch) -> Project:
    """What four readers said of the items, in this order."""
    # Drawn for the copy of an item as for the item itself.
    monkeypatch.setattr(auditing, "secret_draw", lambda _, __, pk: 1 - Item.objects.get(pk=pk).overlap_draw)
    set_policy(cast, readers=4, max_readers=4, calibration_items=100_000)
    people = [cast.ann, cast.ben, cast.rita, new_annotator(cast, "Cleo")]
    know(cast.project, people)
    for number, offsets in enumerate(DRAWN):
        item = add_item(cast.project)
        Item.objects.filter(pk=item.pk).update(overlap_draw=(number % 4) / 4)
        if number == N_ITEMS - 1:
            store(cast, item, cast.ada, SQUARE, is_gold=True)
        for user, offset in zip(people, offsets, strict=True):
            store(cast, item, user, (10 + offset, 10, 20))
    return cast.project


def know(project: Project, people: list[User]) -> None:
    """Let an estimate of the crowd stand that 200 known answers correct."""
    row = {"": (0.9, 0.1), "nucleus": (0.15, 0.85)}
    names = ("", "nucleus", "debris", "lesion")
    table = [[*row["nucleus" if name else ""], 0.0, 0.0] for name in names]
    table = [[0.97 * value + 0.0075 for value in shares] for shares in table]
    confusion = {str(labeler_of(user, project).pk): table for user in people}
    fit = TopicFit(OBJECTS, names, (0.4, 0.4, 0.1, 0.1), table, confusion, chosen="hierarchical Dawid–Skene", why="planted",
                   n_units=12, n_answers=24, n_known=200)  # fmt: skip
    TruthFit.objects.create(
        project=project, topic=OBJECTS, parameters=fit.to_document(), chosen=fit.chosen, why=fit.why, n_units=12, n_answers=24,
        n_known=200, method="planted", method_version="1",
    )  # fmt: skip


def lived(item: Item, copy: Project) -> Item:
    """The item once more, in another project, with the same readings in the same order."""
    twin = add_item(copy)
    Item.objects.filter(pk=twin.pk).update(overlap_draw=item.overlap_draw)
    gold = current_gold(item)
    for submission in sorted(reads_of(item).every, key=lambda entry: entry.pk):
        labeler, is_gold = labeler_of(submission.assignment.labeler.user, copy), gold and gold.submission == submission
        lifecycle.record_reading(item=twin, labeler=labeler, reading=reading_of(submission), is_gold=bool(is_gold))
    twin.refresh_from_db()
    return twin


def test_a_trial_predicts_what_each_policy_then_does(cast: Cast, past: Project):
    people = [labeler.user for labeler in labelers(past)]
    unlike = dict.fromkeys(ASKED, 0)
    for name, asked in ASKED.items():
        copy = create_project(name=f"Copy {name}", ontology=cast.ontology, policy=asked, created_by=cast.ada)
        for user in people:
            add_member(project=copy, user=user, role="admin" if user == cast.ada else "annotator", actor="test")
        know(copy, people)
        for item in Item.objects.filter(project=past).order_by("pk"):
            present, predicted = trying.replayed(item, PRESENT, asked)
            twin = lived(item, copy)
            done = tuple(Route.objects.filter(item=twin).order_by("pk").values_list("rule", "outcome"))
            assert (predicted.routes, STATES[predicted.ending]) == (done, twin.state), (name, item.pk)
            unlike[name] += present.routes != predicted.routes
    assert all(unlike.values()), "a policy that changes nothing proves nothing"


def test_the_present_policy_replayed_is_what_happened(past: Project):
    _, policy = current_policy(past)
    for item in Item.objects.filter(project=past):
        (predicted,) = trying.replayed(item, policy)
        assert predicted is not None
        assert predicted.routes == tuple(Route.objects.filter(item=item).order_by("pk").values_list("rule", "outcome"))


def test_a_trial_counts_lists_says_what_it_cannot_tell_and_changes_nothing(past: Project):
    before = (Route.objects.count(), list(Item.objects.values_list("state", flat=True).order_by("pk")))
    same = trying.try_policy(past, current_policy(past)[1])
    assert (same["n_changed"], same["now"]) == (0, same["then"])
    single = trying.try_policy(past, ASKED["single"])
    assert single["then"]["accept"] == single["items"] == N_ITEMS
    assert single["then"]["reads"] == N_ITEMS < single["now"]["reads"]
    assert single["n_changed"] == len(single["changed"])
    more = trying.try_policy(past, replace(PRESENT, readers=6, max_readers=7))
    assert more["then"]["asks"] == N_ITEMS, "reads that nobody made have no known outcome"
    assert before == (Route.objects.count(), list(Item.objects.values_list("state", flat=True).order_by("pk")))
    assert "match iou" in trying.try_policy(past, replace(current_policy(past)[1], match_iou=0.6))["caveats"][0]
    job = trying.start_trial(project=past, asked=ASKED["stricter"], asked_by="user:1")
    assert trying.start_trial(project=past, asked=ASKED["stricter"], asked_by="user:1").pk == job.pk
    run_pending(queues=["cpu"])
    done = Job.objects.get(pk=job.pk)
    assert (done.state, done.total_units) == ("done", N_ITEMS)
    assert done.result == trying.try_policy(past, ASKED["stricter"]), "a job finds the same"
