"""Drafts of a model: who is shown one, what it makes of their reading, and what becomes of planted errors.

Planted once and seen to fail: a read that stays independent; a draft that is drawn anew at each asking; an error that
stands and votes; a reviewer who accepts it; a release that carries it; a labeler who leans and gets drafts; a draft in
the exam; the model heard about what it pre-labelled; whoever saw a draft reading alone once their time ended; an error
that gets by in other hands, when work is taken back, or in an admin's reading.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labelhub.annotations import documents, log
from labelhub.annotations.errors import AnnotationRefused
from labelhub.annotations.models import Submission
from labelhub.assignments.batches import make_batch
from labelhub.assignments.models import Assignment
from labelhub.audit.models import Event
from labelhub.catalog.models import Item
from labelhub.consensus.models import Settlement
from labelhub.exports.services import ReleaseRefused, start_release
from labelhub.predictions import services
from labelhub.predictions.classical import NAME
from labelhub.predictions.models import Draft
from labelhub.projects.permissions import NotFound
from labelhub.projects.policy import PolicyProblem, read_policy
from labelhub.projects.selectors import current_policy
from labelhub.projects.services import remove_member
from labelhub.scoring.helped import AgainProblem, give_drafts_again, leaning_of
from labelhub.scoring.models import HelpedReading
from labelhub.scoring.reads import reads_of
from labelhub.scoring.services import score_item
from labelhub.workflow import distribution, lifecycle
from labelhub.workflow.drafting import DraftsOff, ask_draft
from labelhub.workflow.errors import StepRefused
from tests.cast import Cast, make_cast
from tests.workflow.walking import add_item, labeler, new_annotator, review, rule, set_policy, state, submit, take

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

# The bright square of the picture, as the model draws it too.
TRUTH = Draft(
    shapes=[{"medium": 0, "label": "debris", "regions": [{"kind": "box", "points": [[10, 10], [30, 30]], "z": 0}]}]
)
PARAMETERS = {"classes": {"debris": {"polarity": "bright", "sigma": 0.5, "min_size": 20}}}


@pytest.fixture
def cast() -> Cast:
    made = make_cast()
    policy(made)
    return made


def policy(cast: Cast, **values: Any) -> None:
    set_policy(
        cast, **({"readers": 1, "drafts": "asked", "draft_withheld_share": 0.0, "draft_seed_share": 0.0} | values)
    )


def seen_item(cast: Cast, **rest: Any) -> Item:
    """An item that a model has looked at: it draws a box around the bright square."""
    item = add_item(cast.project, **rest)
    model = services.register_model(project=cast.project, name="m", predictor=NAME, parameters=PARAMETERS, by="test")
    services.predict_item(model=model, item=item)
    return item


def accept(work: Assignment, user: Any, draft: Draft) -> None:
    """Take every shape of the draft into the working copy, as the page does."""
    operations = [
        {"op_id": str(uuid.uuid4()), "client_seq": number, "kind": "shape.add",
         "payload": {"shape_id": str(uuid.uuid4()), "medium": entry["medium"], "label": entry["label"],
                     "regions": entry["regions"]}}
        for number, entry in enumerate(draft.shapes, start=1)
    ]  # fmt: skip
    document = documents.document_of(assignment=work)
    done = log.append_operations(document=document, author=user, client_id=uuid.uuid4(), operations=operations)
    assert done.refused is None, done.refused


def test_whoever_is_shown_a_draft_reads_with_help_from_then_on(cast: Cast):
    seen_item(cast)
    work = take(cast, cast.ann)
    assert work.read_kind == "independent"
    draft = ask_draft(assignment=work, by=cast.ann)
    assert (draft.arm, [entry["label"] for entry in draft.shapes]) == ("shown", ["debris"])
    accept(work, cast.ann, draft)
    submission = submit(work, cast.ann)
    assert submission.read_kind == "assisted"
    reads = reads_of(work.item)
    assert (list(reads.counted), list(reads.current)) == ([], [submission]), "it votes, and agreement does not count it"
    assert Event.objects.filter(kind="draft.asked").count() == 1


def test_the_first_answer_holds_for_good(cast: Cast):
    seen_item(cast)
    work = take(cast, cast.ann)
    first = ask_draft(assignment=work, by=cast.ann)
    policy(cast, draft_withheld_share=0.9)
    assert ask_draft(assignment=work, by=cast.ann) == first
    assert Event.objects.filter(kind="draft.asked").count() == 1


def test_no_draft_is_shown_where_the_policy_shows_none_or_nobody_may_ask(cast: Cast):
    seen_item(cast)
    policy(cast, drafts="no")
    work = take(cast, cast.ann)
    with pytest.raises(DraftsOff):
        ask_draft(assignment=work, by=cast.ann)
    for stranger in (cast.ben, cast.otto):
        with pytest.raises(NotFound):
            ask_draft(assignment=work, by=stranger)
    assert not Draft.objects.exists()


def given(cast: Cast, item: Item, user: Any) -> Assignment:
    """Give the item to somebody, as planned work that nobody disturbs."""
    return Assignment.objects.create(
        item=item, labeler=labeler(cast, user), read_kind="independent", planned_blind=True,
        lease_until=timezone.now() + timedelta(hours=1),
    )  # fmt: skip


def test_a_withheld_draft_a_missing_one_and_one_in_the_exam_look_alike(cast: Cast):
    client = Client()
    client.force_login(cast.ann)
    arms = set()
    for values in ({"draft_withheld_share": 0.9}, {}, {"exam_items": 1}):
        policy(cast, **values)
        # Of a share of .9 each draw falls otherwise once in ten: some of five are withheld.
        for _ in range(5):
            work = given(cast, add_item(cast.project) if not values else seen_item(cast), cast.ann)
            answer = client.post(f"/api/v1/assignments/{work.pk}/draft/")
            draft = Draft.objects.get(assignment=work)
            work.refresh_from_db()
            if draft.arm != "shown":
                arms.add((draft.arm, draft.why))
                assert (answer.json(), work.read_kind) == ({"shapes": None}, "independent")
    assert arms == {("withheld", "compared"), ("none", ""), ("withheld", "exam")}


def test_the_share_that_gets_none_is_the_policys(cast: Cast):
    policy(cast, draft_withheld_share=0.5, draft_seed_share=0.5)
    people = [new_annotator(cast, f"P{n}") for n in range(40)]
    item = seen_item(cast)
    for user in people:
        ask_draft(assignment=given(cast, item, user), by=user)
    arms = list(Draft.objects.values_list("arm", flat=True))
    # Three standard deviations of a binomial draw of 40 at .5, and of what is left at .5.
    assert 10 <= arms.count("withheld") <= 30
    assert arms.count("planted") >= 2
    assert arms.count("shown") >= 2


def test_an_error_that_stands_has_no_vote_and_the_item_gets_another_reader(cast: Cast):
    policy(cast, draft_seed_share=0.5)
    submission = _planted_by_anyone(cast)
    item = submission.assignment.item
    answer = HelpedReading.objects.get(submission=submission)
    assert (answer.is_caught, round(answer.undone_share, 2), answer.is_unchanged) == (False, 0.0, True)
    assert (state(item), rule(item)) == ("reading", "error-stood")
    assert reads_of(item).current == ()
    with pytest.raises(StepRefused, match="planted in the model's draft"):
        review(submission, cast.rita, "accept")
    other = take(cast, cast.ben)
    assert other.item == item
    accept(other, cast.ben, TRUTH)
    submit(other, cast.ben)
    assert state(item) == "settled"
    settlement = Settlement.objects.get(item=item)
    assert submission not in settlement.inputs.all()


def planted_work(cast: Cast, user: Any) -> Assignment:
    """Work of a new item whose draft carries an error and was taken as it came; it is not submitted."""
    for _ in range(40):
        item = seen_item(cast)
        work = given(cast, item, user)
        Item.objects.filter(pk=item.pk).update(state="reading")
        draft = ask_draft(assignment=work, by=user)
        if draft.arm == "planted" and draft.shapes:
            accept(work, user, draft)
            return work
        accept(work, user, TRUTH)
        submit(work, user)
    raise AssertionError("nothing was planted in 40 drafts")


def stood(submission: Submission) -> bool:
    """Whether the reading is on record as one that let the error stand, and has no vote."""
    row = HelpedReading.objects.get(submission=submission)
    return row.is_caught is False and submission not in reads_of(submission.assignment.item).current


def test_an_error_does_not_get_by_in_other_hands_when_taken_back_or_sent_back(cast: Cast):
    policy(cast, draft_seed_share=0.5)
    handed = planted_work(cast, cast.ann)
    distribution.hand_over(chosen=[handed], to=labeler(cast, cast.ben), by=cast.ada, reason="Away.")
    again = Assignment.objects.get(continues=handed)
    later = submit(again, cast.ben)
    assert later.read_kind == "co-edited"
    assert stood(later)

    taken_back = planted_work(cast, cast.ann)
    first = submit(taken_back, cast.ann)
    second = submit(lifecycle.recall(assignment=taken_back, by=cast.ann), cast.ann)
    assert stood(first)
    assert stood(second)
    assert state(taken_back.item) == "review", "handed in twice with the error: a reviewer looks"
    rules = current_policy(cast.project)[1]
    answers = [row.submission for row in leaning_of(labeler(cast, cast.ann), rules).answers]
    assert first in answers
    assert second not in answers, "one draft is one answer, the first"


def test_who_sees_everybodys_labels_has_no_vote_for_an_error_either(cast: Cast):
    policy(cast, draft_seed_share=0.5)
    for _ in range(40):
        item = seen_item(cast)
        work = given(cast, item, cast.ada)
        Assignment.objects.filter(pk=work.pk).update(read_kind="unblinded", planned_blind=False)
        work.refresh_from_db()
        draft = ask_draft(assignment=work, by=cast.ada)
        accept(work, cast.ada, draft)
        submission = submit(work, cast.ada, no_finding=not draft.shapes)
        if draft.arm == "planted":
            assert submission.read_kind == "unblinded"
            assert stood(submission)
            return
    raise AssertionError("nothing was planted in 40 drafts")


def test_where_nobody_else_can_read_it_a_reviewer_decides(cast: Cast):
    policy(cast, draft_seed_share=0.5)
    for other in (cast.ben, cast.rita):
        remove_member(project=cast.project, user=other, actor="test")
    submission = _planted_by_anyone(cast)
    assert (state(submission.assignment.item), rule(submission.assignment.item)) == ("review", "error-stood")


def test_an_error_that_is_undone_counts_as_any_reading(cast: Cast):
    policy(cast, draft_seed_share=0.5)
    for _ in range(40):
        seen_item(cast)
        work = take(cast, cast.ann)
        draft = ask_draft(assignment=work, by=cast.ann)
        accept(work, cast.ann, TRUTH)
        submission = submit(work, cast.ann)
        if draft.arm == "planted":
            assert HelpedReading.objects.get(submission=submission).is_caught
            assert state(work.item) == "settled"
            return
    raise AssertionError("nothing was planted in 40 drafts")


def test_no_release_carries_a_label_that_rests_on_it(cast: Cast):
    policy(cast, draft_seed_share=0.5)
    submission = _planted_by_anyone(cast)
    item = submission.assignment.item
    other = take(cast, cast.ben)
    accept(other, cast.ben, TRUTH)
    submit(other, cast.ben)
    start_release(project=cast.project, formats=["csv"], note="", by=cast.ada)
    # Whatever way it may come about.
    Settlement.objects.get(item=item).inputs.add(submission)
    with pytest.raises(ReleaseRefused, match=item.code):
        start_release(project=cast.project, formats=["csv"], note="", by=cast.ada)


def test_who_lets_errors_stand_works_without_drafts_until_an_admin_says_otherwise(cast: Cast):
    policy(cast, draft_seed_share=0.5)
    rules = current_policy(cast.project)[1]
    ann = labeler(cast, cast.ann)
    for _ in range(60):
        if leaning_of(ann, rules).is_anchored:
            break
        _one_more(cast)
    leaning = leaning_of(ann, rules)
    assert leaning.is_anchored
    # ln((1-.10)/.05) / ln(.30/.10) = 2.63: three errors that stand are enough, and two are not.
    assert (leaning.n_tested, leaning.caught.n, leaning.caught.value) == (3, 3, 0.0)
    seen_item(cast)
    work = take(cast, cast.ann)
    draft = ask_draft(assignment=work, by=cast.ann)
    assert (draft.arm, draft.why) == ("withheld", "leans")
    submit(work, cast.ann, no_finding=True)
    with pytest.raises(AgainProblem):
        give_drafts_again(labeler=ann, by=cast.ada, reason=" ")
    give_drafts_again(labeler=ann, by=cast.ada, reason="We talked about it.")
    assert not leaning_of(ann, rules).is_anchored
    assert leaning_of(ann, rules).caught.n == 3, "what happened stays"
    assert Event.objects.filter(kind="drafts.given_again").count() == 1


def test_the_model_is_not_heard_about_what_it_pre_labelled_nor_about_its_mending(cast: Cast):
    item = seen_item(cast)
    work = take(cast, cast.ann)
    accept(work, cast.ann, ask_draft(assignment=work, by=cast.ann))
    submission = submit(work, cast.ann)
    assert score_item(item).model_silence == "a model pre-labelled this item for a reader"
    lifecycle.start_rework(submission=submission, reason="Look again.", by=cast.rita)
    again = take(cast, cast.ann)
    assert again.read_kind == "rework"
    submit(again, cast.ann)
    assert score_item(item).model_silence == "a model pre-labelled this item for a reader"


def test_whose_time_ended_goes_on_with_help_and_never_alone(cast: Cast):
    seen_item(cast)
    work = take(cast, cast.ann)
    ask_draft(assignment=work, by=cast.ann)
    later = timezone.now() + timedelta(hours=2)
    lifecycle.expire_leases(project=cast.project, now=later)
    again = take(cast, cast.ann)
    assert (again.pk, again.read_kind) == (work.pk, "assisted")


def test_together_nothing_is_planted_and_the_read_stays_what_it_is(cast: Cast):
    policy(cast, draft_seed_share=0.5)
    items = [seen_item(cast) for _ in range(6)]
    make_batch(project=cast.project, name="Together", items=items, by="test", is_shared=True)
    arms = set()
    for _ in items:
        work = take(cast, cast.ann)
        arms.add(ask_draft(assignment=work, by=cast.ann).arm)
        work.refresh_from_db()
        assert work.read_kind == "co-edited"
        submit(work, cast.ann, no_finding=True)
    assert arms == {"shown"}


def test_nothing_is_shown_of_work_that_is_over(cast: Cast):
    seen_item(cast)
    work = take(cast, cast.ann)
    submit(work, cast.ann, no_finding=True)
    with pytest.raises(AnnotationRefused):
        ask_draft(assignment=work, by=cast.ann)


def test_a_policy_that_cannot_tell_lookers_from_leaners_is_refused():
    with pytest.raises(PolicyProblem, match="draft_catch_poor"):
        read_policy({"draft_catch_poor": 0.9, "draft_catch_good": 0.9})


def _one_more(cast: Cast) -> Submission | None:
    """Let Ann take a new item and hand in the draft as it came; None where it had no planted error."""
    seen_item(cast)
    work = take(cast, cast.ann)
    draft = ask_draft(assignment=work, by=cast.ann)
    accept(work, cast.ann, draft)
    submission = submit(work, cast.ann, no_finding=not draft.shapes)
    return submission if draft.arm == "planted" else None


def _planted_by_anyone(cast: Cast) -> Submission:
    for _ in range(40):
        submission = _one_more(cast)
        if submission is not None:
            return submission
    raise AssertionError("nothing was planted in 40 drafts")
