"""Who is given what, in which order, and what is never given: the queue's rules one by one.

Planted once and seen to fail: ``is_with_partner`` left out under the lock, ``met_by`` without the skipped ones, the share of
``overlap_draw`` turned around. (The labeler's row not locked is seen by ``test_contention``, in its last test.)
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from labelhub.assignments.batches import change_batch, make_batch
from labelhub.assignments.errors import AssignmentProblem
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.projects import teams
from labelhub.projects.selectors import current_policy
from labelhub.routing.models import Gate
from labelhub.scoring import exams
from labelhub.scoring.gold import make_gold, retire_gold
from labelhub.scoring.models import ExamRuling, GoldReference
from labelhub.workflow import handing_out, lifecycle, placement, queue, satisfied
from labelhub.workflow.desk import desk_of
from labelhub.workflow.errors import EnoughForToday, ExamFailed, ExamTooShort, SkipForbidden
from tests.cast import Cast
from tests.workflow.walking import (
    add_item,
    draw,
    labeler,
    near,
    new_annotator,
    next_for,
    read,
    review,
    set_policy,
    state,
    store,
    submit,
    take,
)

SQUARE, OTHER = (10, 10, 20), (40, 40, 15)


def with_gold(cast: Cast, n: int, kind: str = "hidden") -> list[Item]:
    items = [add_item(cast.project, subject=f"{kind} {number}") for number in range(n)]
    for item in items:
        gold = store(cast, item, cast.rita, SQUARE, is_gold=True)
        make_gold(item=item, submission=gold, by="test", kind=kind)
    return items


def test_each_reader_has_an_order_of_their_own(cast: Cast):
    set_policy(cast, readers=2)
    for number in range(12):
        add_item(cast.project, seed=number)
    orders = [[read(cast, user, SQUARE).assignment.item_id for _ in range(11)] for user in (cast.ann, cast.ben)]
    assert orders[0] != sorted(orders[0]), "1 of 40 million by chance"
    assert orders[0] != orders[1]


def test_the_reason_of_each_hand_out_is_kept_and_names_the_disagreement(cast: Cast):
    set_policy(cast, readers=2, max_readers=3)
    item = add_item(cast.project)
    read(cast, cast.ann, SQUARE)
    read(cast, cast.ben, OTHER)
    take(cast, new_annotator(cast, "Cleo"))
    reasons = list(Assignment.objects.filter(item=item).order_by("created_at").values_list("reason", flat=True))
    assert reasons == ["First reader of 2.", "Second reader of 2.", "Third reader, disagreement 1.00."]
    assert list(Assignment.objects.filter(item=item).order_by("created_at").values_list("planned_blind", flat=True)) == [
        True, True, False,
    ]  # fmt: skip


def test_overlap_on_a_share_of_the_items_may_change_at_any_time(cast: Cast):
    items = [add_item(cast.project, seed=number) for number in range(4)]
    for number, item in enumerate(items):
        Item.objects.filter(pk=item.pk).update(overlap_draw=number / 4 + 0.1)
    set_policy(cast, readers=2, overlap_share=0.5)
    for _ in items:
        read(cast, cast.ann, SQUARE)
    assert [state(item) for item in items] == ["reading", "reading", "settled", "settled"]
    set_policy(cast, readers=2, overlap_share=0.25)
    assert take(cast, cast.ben).item == items[0]
    assert next_for(cast, new_annotator(cast, "Cleo")) is None, "the second item no longer wants a second reader"
    assert satisfied.decide_satisfied(project=cast.project) == 1
    assert [state(item) for item in items[:2]] == ["reading", "settled"]
    set_policy(cast, readers=2, overlap_share=1.0)
    assert next_for(cast, new_annotator(cast, "Dan")) is None, "what is settled stays settled"


def test_skipped_work_comes_back_last_where_the_policy_says_so(cast: Cast):
    set_policy(cast, readers=1, skip_rule="later")
    first, second = add_item(cast.project), add_item(cast.project)
    skipped = take(cast, cast.ann)
    lifecycle.skip(assignment=skipped, reason="too dark")
    other = take(cast, cast.ann)
    assert {skipped.item, other.item} == {first, second}
    submit(other, cast.ann, no_finding=True)
    again = take(cast, cast.ann)
    assert (again.item, again.pk == skipped.pk) == (skipped.item, False)
    submit(again, cast.ann, no_finding=True)
    assert next_for(cast, cast.ann) is None


def test_skipping_may_be_forbidden(cast: Cast):
    set_policy(cast, skip_rule="forbidden")
    add_item(cast.project)
    mine = take(cast, cast.ann)
    with pytest.raises(SkipForbidden):
        lifecycle.skip(assignment=mine, reason="no")
    mine.refresh_from_db()
    assert mine.state == "open"


def test_a_day_has_an_end(cast: Cast):
    set_policy(cast, readers=1, max_items_a_day=2)
    for number in range(3):
        add_item(cast.project, seed=number)
    for _ in range(2):
        read(cast, cast.ann, SQUARE)
    with pytest.raises(EnoughForToday):
        take(cast, cast.ann)
    tomorrow = timezone.now() + timedelta(days=1)
    assert lifecycle.hand_out(labeler=labeler(cast, cast.ann), now=tomorrow) is not None


def test_a_pair_that_copies_never_reads_the_same_item(cast: Cast):
    set_policy(cast, readers=2)
    item = add_item(cast.project)
    pair = teams.keep_apart(
        first=labeler(cast, cast.ben), second=labeler(cast, cast.ann), reason="same outlines", by="test"
    )
    read(cast, cast.ann, SQUARE)
    assert next_for(cast, cast.ben) is None
    assert take(cast, new_annotator(cast, "Cleo")).item == item
    teams.let_together(pair=pair, by="test")
    set_policy(cast, readers=3)
    assert take(cast, cast.ben).item == item
    with pytest.raises(teams.TeamProblem):
        teams.keep_apart(first=labeler(cast, cast.ben), second=labeler(cast, cast.ben), reason="x", by="test")


def test_a_pair_stays_apart_where_the_partner_took_the_item_between_looking_and_locking(cast: Cast, monkeypatch):
    set_policy(cast, readers=2)
    item = add_item(cast.project)
    teams.keep_apart(first=labeler(cast, cast.ben), second=labeler(cast, cast.ann), reason="same outlines", by="test")
    real = handing_out.instances
    taken: list[Assignment | None] = []

    def slow_lock(*statement):
        if not taken:
            # Marked before, because the partner looks and locks too.
            taken.append(True)
            assert take(cast, cast.ben).item == item
        return real(*statement)

    monkeypatch.setattr(handing_out, "instances", slow_lock)
    assert next_for(cast, cast.ann) is None


@pytest.mark.parametrize("rule", ["same", "different"])
def test_items_of_one_subject_go_to_the_same_or_to_different_readers(cast: Cast, rule):
    set_policy(cast, readers=1, same_subject=rule)
    for _ in range(3):
        add_item(cast.project, subject="one patient")
    read(cast, cast.ann, SQUARE)
    by_ben, by_ann = next_for(cast, cast.ben), next_for(cast, cast.ann)
    assert (by_ann is not None, by_ben is not None) == ((True, False) if rule == "same" else (False, True))


def test_batches_come_by_priority_and_open_to_the_qualified_only(cast: Cast):
    set_policy(cast, readers=1)
    plain, special = add_item(cast.project), add_item(cast.project)
    batch = make_batch(
        project=cast.project, name="Hard ones", items=[special], by="test", priority=5, qualification="radiologist"
    )
    assert take(cast, cast.ann).item == plain
    teams.set_qualifications(labeler=labeler(cast, cast.ben), names=["radiologist"], by="test")
    assert take(cast, cast.ben).item == special
    change_batch(batch=batch, priority=1, due_at=None, qualification="", by="test")
    assert Item.objects.get(pk=special.pk).priority == 1
    with pytest.raises(AssignmentProblem):
        make_batch(project=cast.project, name="Hard ones", items=[plain], by="test")


def test_what_is_labeled_together_is_no_independent_read(cast: Cast):
    item = add_item(cast.project)
    make_batch(project=cast.project, name="Together", items=[item], by="test", is_shared=True)
    mine = take(cast, cast.ann)
    assert (mine.read_kind, mine.planned_blind) == ("co-edited", False)
    with pytest.raises(AssignmentProblem, match="read alone"):
        make_batch(project=cast.project, name="Again", items=[item], by="test", is_shared=True)


# Gold ----------------------------------------------------------------------------------------------------------------


def test_gold_comes_more_often_until_the_gate_decided(cast: Cast):
    set_policy(cast, gold_share=0.05, gold_share_undecided=0.2)
    desk = desk_of(labeler(cast, cast.ann))
    due = []
    for n_handed in range(4000):
        desk.labeler.n_handed = n_handed
        due.append(placement.is_gold_due(desk))
    # Binomial(4000, 0.2): 5 standard deviations are 0.032.
    assert abs(sum(due) / len(due) - 0.2) < 0.032
    gaps = Counter(len(run) for run in "".join("1" if each else "0" for each in due).split("1"))
    assert len(gaps) > 10, "no fixed distance"
    Gate.objects.create(
        labeler=desk.labeler, kind=Gate.Kind.CLEARED, test=1, reason="Cleared.", by="system",
        policy=current_policy(cast.project)[0], method_version="1",
    )  # fmt: skip
    assert placement.gold_share(desk_of(desk.labeler)) == 0.05


def test_gold_rests_after_so_many_labelers_and_its_scores_stay(cast: Cast, monkeypatch):
    monkeypatch.setattr(placement, "is_gold_due", lambda _: True)
    set_policy(cast, gold_share=0.5, gold_max_exposures=2)
    [item] = with_gold(cast, 1)
    for name in ("Cleo", "Dan"):
        assert read(cast, new_annotator(cast, name), SQUARE).assignment.item == item
    gold = GoldReference.objects.get(item=item, retired_at=None)
    assert (gold.n_exposures, gold.rested_at is not None) == (2, True)
    assert next_for(cast, new_annotator(cast, "Eve")) is None
    assert exams.Score.objects.filter(gold=gold, metric="right", value=1, replaced_at=None).count() == 2


def test_the_exam_comes_before_work_and_looks_like_it(cast: Cast):
    set_policy(cast, readers=1, exam_items=3, exam_pass_share=0.6)
    exam = {item.pk for item in with_gold(cast, 3, "exam")}
    production = add_item(cast.project)
    for number in range(3):
        mine = read(cast, cast.ann, OTHER if number == 0 else SQUARE).assignment
        assert mine.item_id in exam
        assert (mine.read_kind, mine.planned_blind) == ("independent", True)
    assert take(cast, cast.ann).item == production
    assert ExamRuling.objects.get().verdict == "admitted"
    for gold in GoldReference.objects.filter(retired_at=None):
        retire_gold(gold=gold, reason="wrong", by="test")
    assert placement.exam_of(desk_of(labeler(cast, cast.ann))) is None, "a pass stays a pass"


def test_a_failed_exam_is_told_and_an_admin_decides(cast: Cast):
    set_policy(cast, readers=1, exam_items=2)
    with_gold(cast, 4, "exam")
    add_item(cast.project)
    for _ in range(2):
        read(cast, cast.ann, OTHER)
    with pytest.raises(ExamFailed):
        take(cast, cast.ann)
    exams.rule(labeler=labeler(cast, cast.ann), verdict="again", reason="a bad day", by="user:1")
    for _ in range(2):
        read(cast, cast.ann, SQUARE)
    assert take(cast, cast.ann).reason == "First reader of 1."
    with pytest.raises(exams.RulingProblem):
        exams.rule(labeler=labeler(cast, cast.ann), verdict="perhaps", reason="x", by="user:1")


def test_an_exam_that_is_too_short_says_so(cast: Cast):
    set_policy(cast, exam_items=5)
    add_item(cast.project)
    with pytest.raises(ExamTooShort):
        take(cast, cast.ann)


def test_training_comes_first_and_votes_on_nothing(cast: Cast):
    set_policy(cast, readers=1)
    [item] = with_gold(cast, 1, "training")
    mine = take(cast, cast.ann)
    assert (mine.item, mine.read_kind, mine.planned_blind) == (item, "training", False)
    draw(mine, cast.ann, SQUARE)
    submit(mine, cast.ann)
    assert state(item) == "waiting"
    assert next_for(cast, cast.ann) is None


def test_a_repeat_is_read_anew_and_never_after_a_judgement_was_told(cast: Cast):
    set_policy(cast, readers=1)
    items = [add_item(cast.project, seed=number) for number in range(2)]
    first = [read(cast, cast.ann, SQUARE) for _ in items]
    set_policy(cast, readers=1, repeat_share=0.5, repeat_after_days=7)
    review(first[0], cast.rita, "accept")
    later = timezone.now() + timedelta(days=8)
    desk = desk_of(labeler(cast, cast.ann))
    drawn = set()
    for n_handed in range(40):
        desk.labeler.n_handed = n_handed
        again = placement.next_repeat(desk, later)
        drawn.add(None if again is None else again.pk)
    assert drawn == {None, first[1].assignment.item_id}


def test_random_items_get_their_share_of_extra_reads(cast: Cast, monkeypatch):
    set_policy(cast, readers=1, max_readers=1, random_extra_share=1.0)
    settled = add_item(cast.project)
    read(cast, cast.ann, SQUARE)
    disputed = add_item(cast.project)
    read(cast, cast.ann, SQUARE)
    Item.objects.filter(pk=disputed.pk).update(state="reading", wanted_reads=2)
    extra = take(cast, cast.ben)
    assert (extra.item, extra.reason, extra.planned_blind) == (settled, "Random extra read.", True)
    draw(extra, cast.ben, SQUARE)
    submit(extra, cast.ben)
    assert state(settled) == "settled"
    assert take(cast, cast.ben).item == disputed, "the dispute waits for its next reader"


def test_the_near_window_and_the_search_of_everything_agree_on_what_may_be_read(cast: Cast):
    set_policy(cast, readers=2)
    for number in range(8):
        add_item(cast.project, seed=number)
    for _ in range(3):
        read(cast, cast.ann, SQUARE)
    desk = desk_of(labeler(cast, cast.ann))
    assert set(near(desk, timezone.now())) == set(queue.everywhere(desk, timezone.now()))
    assert handing_out.has_work(desk.labeler)
