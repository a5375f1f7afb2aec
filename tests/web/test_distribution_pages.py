"""The pages of activity, batches, teams and gold: what they show, what their forms do, and what they refuse.

Planted once and seen to fail: the training check left out of ``scoring.training`` (hidden gold tells its score).
"""

from __future__ import annotations

import uuid

import pytest
from django.urls import reverse

from labelhub.annotations.extent import whole_extent
from labelhub.assignments.models import Assignment, Batch
from labelhub.catalog.models import Item
from labelhub.projects import teams
from labelhub.projects.models import KeptApart, Labeler
from labelhub.scoring import gold_health
from labelhub.scoring.gold import make_gold, retire_gold
from labelhub.scoring.models import ExamRuling, GoldReference
from labelhub.scoring.training import own_training
from labelhub.workflow import distribution, golding, lifecycle
from tests.cast import Cast, make_cast
from tests.workflow.walking import (
    add_item,
    draw,
    labeler,
    new_annotator,
    read,
    review,
    set_policy,
    state,
    store,
    submit,
    take,
)

SQUARE, OTHER = (10, 10, 20), (40, 40, 15)


@pytest.fixture
def cast(db) -> Cast:
    """A project of which nothing was read yet."""
    return make_cast()


def at(cast: Cast, name: str, *rest) -> str:
    return reverse(name, args=[cast.project.slug, *rest])


def test_activity_lists_filters_sorts_and_exports(cast: Cast, as_):
    set_policy(cast, readers=2)
    item = add_item(cast.project)
    read(cast, cast.ann, SQUARE)
    team = teams.make_team(project=cast.project, name="Site North", kind="site", by="test")
    teams.set_teams(labeler=labeler(cast, cast.ann), teams=[team], by="test")
    take(cast, cast.ben)
    ada = as_("ada")
    page = ada.get(at(cast, "manage-activity")).content.decode()
    for shown in (item.code, "Site North", "First reader of 2."):
        assert shown in page
    only = ada.get(at(cast, "manage-activity"), {"team": team.pk}).context["page"].rows
    assert [row.assignment.labeler.user for row in only] == [cast.ann]
    for filters, n in (({"state": "open"}, 1), ({"labeler": labeler(cast, cast.ben).pk}, 1), ({"kind": "rework"}, 0)):
        assert ada.get(at(cast, "manage-activity"), filters).context["page"].n_total == n
    lines = b"".join(ada.get(at(cast, "manage-activity"), {"format": "csv"}).streaming_content).decode().splitlines()
    assert len(lines) == 3
    assert "Site North" in lines[2]
    for bad in ({"sort": "mood"}, {"state": "asleep"}, {"after": "x"}, {"labeler": "two"}):
        assert ada.get(at(cast, "manage-activity"), bad).status_code == 400


def test_pages_of_the_activity_table_hold_every_row_once(cast: Cast, as_):
    set_policy(cast, readers=1)
    item = add_item(cast.project)
    Assignment.objects.bulk_create(
        Assignment(item=item, labeler=labeler(cast, cast.ann), state="expired", read_kind="independent")
        for _ in range(120)
    )
    for sort in ("-given", "given", "-closed", "due"):
        seen, after = [], ""
        while True:
            page = as_("ada").get(at(cast, "manage-activity"), {"sort": sort, "after": after}).context["page"]
            seen += [row.assignment.pk for row in page.rows]
            if not page.after:
                break
            after = page.after
        assert len(seen) == len(set(seen)) == 120


def test_rows_are_queued_again_and_handed_over_from_the_table(cast: Cast, as_):
    set_policy(cast, readers=1)
    add_item(cast.project)
    mine = take(cast, cast.ann)
    ada = as_("ada")
    act = at(cast, "manage-activity-act")
    assert ada.post(act, {"act": "requeue", "reason": "x"}).status_code == 400, "nothing chosen"
    assert ada.post(act, {"act": "requeue", "chosen": mine.pk, "reason": " "}).status_code == 400
    foreign = {"act": "requeue", "chosen": mine.pk, "reason": "x"}
    place = reverse("manage-activity-act", args=[cast.other_project.slug])
    assert as_("otto").post(place, foreign).status_code == 400, "rows of another project do not exist there"
    to = labeler(cast, cast.ben).pk
    back = ada.post(act, {"act": "hand-over", "chosen": mine.pk, "to": to, "reason": "ill", "filters": "state=open"})
    assert back.url.endswith("?state=open")
    mine.refresh_from_db()
    assert mine.state == "expired"
    theirs = Assignment.objects.get(labeler=to)
    assert ada.post(act, {"act": "requeue", "chosen": theirs.pk, "reason": "left"}).status_code == 302
    assert Item.objects.get().state == "waiting"
    for name in ("ann", "rita"):
        assert as_(name).post(act, foreign).status_code == 403


def test_items_are_given_and_put_into_batches_by_their_codes(cast: Cast, as_):
    set_policy(cast, readers=1)
    first, second = add_item(cast.project), add_item(cast.project)
    ada = as_("ada")
    give = {"codes": f"{first.code}, nothing", "to": labeler(cast, cast.ann).pk, "due": "2030-01-31"}
    assert ada.post(at(cast, "manage-activity-assign"), give).status_code == 302
    row = Assignment.objects.get()
    assert (row.item, row.due_at.isoformat()[:10], row.assigned_by) == (first, "2030-01-31", cast.ada)
    assert "due 31 Jan" in as_("ann").get("/label/").content.decode()
    assert ada.post(at(cast, "manage-activity-assign"), give | {"codes": "nothing"}).status_code == 400
    new = {"name": "Urgent", "codes": second.code, "priority": "9", "qualification": "", "due": ""}
    assert ada.post(at(cast, "manage-batches-add"), new).status_code == 302
    batch = Batch.objects.get()
    assert Item.objects.get(pk=second.pk).priority == 9
    edit = at(cast, "manage-batch-edit", batch.pk)
    assert ada.post(edit, {"priority": "2", "due": "2030-02-01", "qualification": "MRI"}).status_code == 302
    assert "MRI" in ada.get(at(cast, "manage-batches")).content.decode()
    for bad in ({"priority": "many"}, {"priority": "1", "due": "soon"}):
        assert ada.post(edit, bad).status_code == 400
    assert ada.post(at(cast, "manage-batches-add"), new).status_code == 409


def test_teams_qualifications_and_pairs_are_kept(cast: Cast, as_):
    ada, ann = as_("ada"), labeler(cast, cast.ann)
    assert ada.post(at(cast, "manage-teams-add"), {"name": "Vendor A", "kind": "vendor"}).status_code == 302
    assert ada.post(at(cast, "manage-teams-add"), {"name": "", "kind": "vendor"}).status_code == 400
    team = teams.teams_of(cast.project).get()
    place = at(cast, "manage-teams-place", ann.pk)
    assert ada.post(place, {"team": team.pk, "qualifications": "MRI, CT"}).status_code == 302
    assert teams.holds(ann, "CT")
    assert not teams.holds(ann, "PET")
    pages = ("people", "labelers", "teams", "items", "pairs", "gold", "audit")
    for name in (f"manage-{page}" for page in pages):
        assert ada.get(at(cast, name), {"team": team.pk}).status_code == 200
        if name != "manage-items":
            assert ada.get(at(cast, name), {"team": "99999"}).status_code == 400
    people = ada.get(at(cast, "manage-people"), {"team": team.pk}).context["rows"]
    assert [member.user for member, _ in people] == [cast.ann]
    set_policy(cast, exam_items=1)
    sitting = ada.get(at(cast, "manage-gold"), {"team": team.pk}).context["standings"]
    assert [row.labeler for row in sitting] == [ann]
    item = add_item(cast.project)
    for reader in (cast.ann, cast.ben):
        store(cast, item, reader, SQUARE)
    acts = {"team": team.pk, "kind": "submission.stored"}
    assert [line.who for line, *_ in ada.get(at(cast, "manage-audit"), acts).context["lines"]] == ["Ann"]
    apart = {"first": ann.pk, "second": labeler(cast, cast.ben).pk, "reason": "same outlines"}
    assert ada.post(at(cast, "manage-teams-apart"), apart).status_code == 302
    assert ada.post(at(cast, "manage-teams-together", KeptApart.objects.get().pk)).status_code == 302
    assert not teams.pairs_apart(cast.project).exists()
    stranger = Labeler.objects.get(user=cast.otto)
    assert ada.post(at(cast, "manage-teams-apart"), apart | {"second": stranger.pk}).status_code == 404


def test_the_people_page_asks_as_much_for_many_as_for_few(cast: Cast, as_, django_assert_max_num_queries):
    for number in range(12):
        new_annotator(cast, f"Worker {number}")
    ada = as_("ada")
    # The first page of a day writes down that its session goes on.
    ada.get(at(cast, "manage-people"))
    with django_assert_max_num_queries(11):
        assert ada.get(at(cast, "manage-people")).status_code == 200


def decided(cast: Cast, n: int) -> list[Item]:
    """Items that Rita decided after a dispute, one a patient."""
    set_policy(cast, readers=2, max_readers=2)
    items = [add_item(cast.project, subject=f"patient {number}", seed=number) for number in range(n)]
    for item in items:
        first = store(cast, item, cast.ann, SQUARE)
        store(cast, item, cast.ben, OTHER)
        review(first, cast.rita, "accept")
    return items


def test_gold_is_drawn_from_what_reviewers_decided_and_taken_out_with_a_reason(cast: Cast, as_):
    decided(cast, 3)
    ada = as_("ada")
    assert "3 items that a reviewer decided" in ada.get(at(cast, "manage-gold")).content.decode()
    assert ada.post(at(cast, "manage-gold-draw"), {"n": "2", "kind": "exam", "how": "stratified"}).status_code == 302
    rows = GoldReference.objects.all()
    assert {(row.kind, row.drawn, row.submission.read_kind) for row in rows} == {("exam", "stratified", "adjudication")}
    assert len(golding.promotable(cast.project)) == 1
    page = ada.get(at(cast, "manage-gold"), {"kind": "exam"})
    # Ann was found right and Ben wrong: each gold was answered by both.
    assert [(row.passed.value, row.passed.n) for row in page.context["rows"]] == [(0.5, 2)] * 2
    gold = rows.first()
    place = at(cast, "manage-gold-exclude", gold.pk)
    assert ada.post(place, {"reason": " "}).status_code == 400
    assert ada.post(place, {"reason": "the rim is missing"}).status_code == 302
    gold.refresh_from_db()
    assert gold.retired_reason == "the rim is missing"
    assert gold_health.gold_counts(cast.project).n_retired == 1
    for bad in ({"n": "0", "kind": "exam"}, {"n": "1", "kind": "silver"}):
        assert ada.post(at(cast, "manage-gold-draw"), bad).status_code in (400, 409)
    assert b"item,kind" in b"".join(ada.get(at(cast, "manage-gold"), {"format": "csv"}).streaming_content)


def test_gold_that_good_labelers_fail_is_listed_and_sent_to_experts(cast: Cast, as_):
    set_policy(cast, readers=1)
    people = [new_annotator(cast, f"Good {number}") for number in range(3)]
    items = [add_item(cast.project, seed=number) for number in range(12)]
    for number, item in enumerate(items):
        truth = OTHER if number == 0 else SQUARE
        gold = store(cast, item, cast.rita, truth, is_gold=True)
        make_gold(item=item, submission=gold, by="test")
        for user in people:
            store(cast, item, user, SQUARE)
    [row] = gold_health.gold_audit(cast.project)
    assert (row.gold.item, row.n_failed, row.n_good) == (items[0], 3, 3)
    assert items[0].code in as_("ada").get(at(cast, "manage-gold")).content.decode()
    assert as_("ada").post(at(cast, "manage-gold-doubt", row.gold.pk)).status_code == 302
    assert state(items[0]) == "review"
    page = as_("ada").get(at(cast, "manage-gold")).content.decode()
    assert "sent to the reviewers" in page
    assert at(cast, "manage-gold-doubt", row.gold.pk) not in page, "it is there already"


def test_an_admin_rules_about_an_exam(cast: Cast, as_):
    set_policy(cast, exam_items=2)
    ada, ann = as_("ada"), labeler(cast, cast.ann)
    page = ada.get(at(cast, "manage-gold")).content.decode()
    assert "fewer exam items in use" in page
    place = at(cast, "manage-exam-rule", ann.pk)
    assert ada.post(place, {"verdict": "admitted", "reason": ""}).status_code == 400
    assert ada.post(place, {"verdict": "admitted", "reason": "known expert"}).status_code == 302
    assert ExamRuling.objects.get().labeler == ann
    assert ada.post(at(cast, "manage-exam-rule", 10**9)).status_code == 404


def test_only_training_gold_gives_feedback_and_only_to_its_labeler(cast: Cast, as_):
    set_policy(cast, readers=1)
    item = add_item(cast.project)
    gold = store(cast, item, cast.rita, SQUARE, is_gold=True)
    make_gold(item=item, submission=gold, by="test", kind="training")
    mine = take(cast, cast.ann)
    place = reverse("label-feedback", args=[mine.pk])
    assert as_("ann").get(place).status_code == 404, "not before it is submitted"
    draw(mine, cast.ann, SQUARE)
    given = {"request_id": str(uuid.uuid4()), "extent": whole_extent(list(item.media.all()))}
    answer = as_("ann").post(reverse("label-submit", args=[mine.pk]), given, "application/json")
    assert answer.json()["next"] == place
    assert "1.00" in as_("ann").get(place).content.decode()
    for name in ("ben", "otto", "rita"):
        assert as_(name).get(place).status_code in (403, 404)
    hidden = add_item(cast.project)
    truth = store(cast, hidden, cast.rita, SQUARE, is_gold=True)
    make_gold(item=hidden, submission=truth, by="test", kind="hidden")
    theirs = take(cast, cast.ann)
    assert theirs.item == hidden
    draw(theirs, cast.ann, SQUARE)
    submit(theirs, cast.ann)
    assert as_("ann").get(reverse("label-feedback", args=[theirs.pk])).status_code == 404


def test_ones_own_training_stands_on_the_page_of_ones_own_work_and_hidden_gold_does_not(cast: Cast, as_):
    """Catches training that tells of hidden gold or of other people, a number without n, and training on others' pages."""
    set_policy(cast, readers=1)
    page = as_("ann").get(reverse("label-me")).content.decode()
    assert "My training" not in page
    for number, (kind, seen) in enumerate(
        [("training", SQUARE), ("training", (0, 40, 8)), ("training", SQUARE), ("hidden", (0, 40, 8))]
    ):
        item = add_item(cast.project, subject=f"p{number}")
        truth = store(cast, item, cast.rita, SQUARE, is_gold=True)
        make_gold(item=item, submission=truth, by="test", kind=kind)
        work = take(cast, cast.ann)
        assert work.item == item
        draw(work, cast.ann, seen)
        submit(work, cast.ann)
    found = own_training(labeler(cast, cast.ann))
    assert [(image.number, image.is_right) for image in found.images] == [(1, True), (2, False), (3, True)]
    assert (found.whole.right.value, found.whole.right.n) == (2 / 3, 3)
    assert found.whole.similarity.n == 3
    assert found.whole.similarity.low < found.whole.similarity.value
    page = as_("ann").get(reverse("label-me")).content.decode()
    assert "3 training images" in page
    assert page.count("not near enough</title>") == 1
    assert reverse("label-feedback", args=[found.images[1].assignment_id]) in page
    assert "My training" not in as_("ben").get(reverse("label-me")).content.decode()
    retire_gold(gold=GoldReference.objects.filter(kind="training").first(), reason="bad", by="test")
    assert len(own_training(labeler(cast, cast.ann)).images) == 2


def test_who_is_refused_work_is_told_why_on_the_queue(cast: Cast, as_):
    set_policy(cast, readers=1, exam_items=3)
    add_item(cast.project)
    answer = as_("ann").post(reverse("label-next"), {"project": cast.project.slug}, follow=True)
    assert "entry exam of this project has 3 images" in answer.content.decode()
    with pytest.raises(lifecycle.StepRefused):
        take(cast, cast.ann)


def test_an_item_s_page_and_story_say_who_began_a_draft_and_who_went_on(cast: Cast, as_):
    add_item(cast.project)
    mine = take(cast, cast.ann)
    item = mine.item
    draw(mine, cast.ann, (10, 10, 20))
    distribution.hand_over(chosen=[mine], to=labeler(cast, cast.ben), by=cast.ada, reason="Ann is ill")
    submit(take(cast, cast.ben), cast.ben)
    html = as_("ada").get(reverse("manage-item", args=["cells", item.code])).content.decode()
    assert "Begun by Ann, continued by Ben" in html
    told = as_("ada").get(reverse("review-story", args=["cells", item.code])).content.decode()
    assert "Ann, then Ben" in told
