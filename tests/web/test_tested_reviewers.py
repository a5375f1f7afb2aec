"""A reviewer who is tested on an item receives what they would if it waited for them: on pages, in JSON, in lists.

Planted and seen to fail: the settled layer or its mask; the state of the item in a search, on its page, on its story; the first
reviewer's words; gold; one's own earlier decision on the page of one's reviewing; the open page of an item that is not a test;
one's own earlier score in the mean; an answer in the list of threads.
"""

from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.utils import timezone

from labelhub.accounts.services import create_person
from labelhub.catalog.models import Item
from labelhub.consensus.regions import forget_sittings
from labelhub.projects.models import Role
from labelhub.projects.policy import Policy
from labelhub.projects.services import add_member, publish_policy
from labelhub.reviews import threads
from labelhub.reviews.calibration_models import ReviewTest, ReviewTestResult
from labelhub.reviews.models import Thread
from labelhub.reviews.pseudonyms import veil_of
from labelhub.reviews.questions import keep_question
from labelhub.scoring.gold import make_gold
from labelhub.workflow import adjudicating, lifecycle
from tests.web.world import World, add_item, read

WORDS = "Plainly the left one."
# Of the way an item looks that was settled, nothing of it may be seen.
TELLING = (WORDS, "Settled label", "state is-good", "Rita", "Settled</span>", '"kind": "settled"', "settlement")


@pytest.fixture
def tested(cast, world: World):
    """Rita settled the item and wrote about it; Rolf is tested on that."""
    forget_sittings()
    policy = Policy(readers=2, max_readers=2, rereview_share=1.0, review_gold_share=0.2, audit_share=0.0, audit_least=0)
    publish_policy(project=cast.project, policy=policy, by=cast.ada)
    rolf = create_person(username="rolf", display_name="Rolf", actor="test")
    add_member(project=cast.project, user=rolf, role=Role.REVIEWER, actor="test")
    threads.open_thread(item=world.item, by=cast.rita, text=WORDS, request_id=uuid.uuid4())
    lifecycle.review(
        submission=world.by_ann, reviewer=cast.rita, verdict="accept", score=8, comment=WORDS, request_id=uuid.uuid4()
    )
    assert ReviewTest.objects.get().reviewer == rolf
    client = Client(raise_request_exception=False)
    client.force_login(rolf)
    return client


def received(client: Client, world: World) -> dict[str, str]:
    place = f"/review/cells/{world.item.code}/"
    ways = ["/review/", place, place + "layers/", place + "matters/", place + "errors/", place + "story/"]
    ways += ["/review/threads/?show=all", "/review/me/"]
    return {
        way: client.get(way).content.decode().partition("<main")[2] or client.get(way).content.decode() for way in ways
    }


def test_nothing_that_a_tested_reviewer_receives_tells_the_decision(tested: Client, world: World):
    told = received(tested, world)
    found = {(way, word) for way, text in told.items() for word in TELLING if word in text}
    assert found == set()
    place = f"/review/cells/{world.item.code}/"
    assert "In review" in told[place]
    assert "Its story is shown to you once you have judged it" in told[place + "story/"]
    assert world.item.code in told["/review/"]
    for way in ("layers/c1/0/0/", "layers/c1/solid/0/", "story/c1/"):
        assert tested.get(place + way).status_code == 404
    search = tested.get(f"/search/?q={world.item.code[:3]}", follow=True).content.decode()
    assert "Settled" not in search
    other = add_item(world.cast, source_id="task-8")
    read(world.cast, other, world.cast.ann, box=(4, 4, 20, 20))
    read(world.cast, other, world.cast.ben, box=(40, 40, 60, 60))
    assert "Its story is shown to you once" in tested.get(f"/review/cells/{other.code}/story/").content.decode()


def test_where_review_is_blind_so_is_the_test_although_the_item_is_settled(tested: Client, cast, world: World):
    for user, name in ((cast.ann, "Annabella"), (cast.ben, "Benvenuto")):
        cast.project.labelers.filter(user=user).update(name=name)
    policy = Policy(readers=2, max_readers=2, rereview_share=1.0, review_gold_share=0.2, review_blind=True)
    publish_policy(project=cast.project, policy=policy, by=cast.ada)
    told = received(tested, world)
    assert {(way, name) for way, text in told.items() for name in ("Annabella", "Benvenuto") if name in text} == set()
    assert "Reader A" in told[f"/review/cells/{world.item.code}/"]
    test = ReviewTest.objects.get()
    # Lists name it by its row, which is settled.
    assert veil_of(test.reviewer, Item.objects.get(pk=test.item_id)).is_drawn


def test_a_question_about_a_tested_item_names_nobody_where_the_day_is_full(tested: Client, cast, world: World):
    """The card is not offered any more today, but what labelers ask is listed all the same."""
    cast.project.labelers.filter(user=cast.ann).update(name="Annabella")
    policy = Policy(readers=2, max_readers=2, rereview_share=1.0, review_blind=True, reviews_a_day=1)
    publish_policy(project=cast.project, policy=policy, by=cast.ada)
    other = add_item(cast, source_id="task-8")
    by_ann = read(cast, other, cast.ann, box=(4, 4, 20, 20))
    read(cast, other, cast.ben, box=(40, 40, 60, 60))
    lifecycle.review(
        submission=by_ann, reviewer=ReviewTest.objects.get().reviewer, verdict="reject", score=None, comment="No.",
        request_id=uuid.uuid4(),
    )  # fmt: skip
    keep_question(assignment=world.by_ann.assignment, text="Is this debris?")
    page = tested.get("/review/").content.decode()
    assert "data-list-row>" not in page
    assert "Is this debris?" in page
    assert "Reader " in page
    assert "Annabella" not in page


def test_a_tested_reviewer_decides_and_goes_on_as_ever_and_a_form_sent_twice_acts_on_nothing(
    tested: Client, world: World
):
    place = f"/review/cells/{world.item.code}/"
    version = tested.get(place).content.decode().partition('name="version" value="')[2].partition('"')[0]
    form = {
        "submission": world.by_ann.pk, "verdict": "reject", "comment": "No.", "version": version,
        "request_id": str(uuid.uuid4()),
    }  # fmt: skip
    answer = tested.post(place + "decide/", form, follow=True)
    assert f"Returned. Item {world.item.code}: rework." in answer.content.decode()
    assert ReviewTestResult.objects.get().held is False
    assert tested.post(place + "decide/", form).status_code == 409
    world.item.refresh_from_db()
    assert world.item.state == "review", "for a third one"


def test_gold_stays_hidden_on_every_way(cast, world: World, tested: Client):
    gold = add_item(cast, source_id="task-9")
    answer = read(cast, gold, cast.ada, box=(4, 4, 20, 20), is_routed=False)
    make_gold(item=gold, submission=answer, by="test", kind="hidden")
    read(cast, gold, cast.ann, box=(4, 4, 20, 20))
    read(cast, gold, cast.ben, box=(40, 40, 60, 60))
    gold.refresh_from_db()
    assert gold.state == "settled"
    test = ReviewTest.objects.get()
    ReviewTest.objects.create(
        item=gold, reviewer=test.reviewer, kind="gold", hides_from=gold.created_at, reason="They differ.",
        due_from=timezone.now(),
    )  # fmt: skip
    told = received(tested, World(cast, gold, world.by_ann, world.by_ben))
    found = {(way, word) for way, text in told.items() for word in (*TELLING, "gold", "Gold", "Ada") if word in text}
    assert {entry for entry in found if "/me/" not in entry[0]} == set()
    assert "They differ." in told[f"/review/cells/{gold.code}/"]


def test_where_a_panel_votes_a_test_is_answered_as_a_vote(cast, as_):
    policy = Policy(readers=2, max_readers=2, review_gold_share=0.2, panel_reviewers=3)
    publish_policy(project=cast.project, policy=policy, by=cast.ada)
    gold = add_item(cast, source_id="task-9")
    answer = read(cast, gold, cast.ada, box=(4, 4, 20, 20), is_routed=False)
    make_gold(item=gold, submission=answer, by="test", kind="hidden")
    by_ann = read(cast, gold, cast.ann, box=(4, 4, 20, 20))
    read(cast, gold, cast.ben, box=(40, 40, 60, 60))
    ReviewTest.objects.create(
        item=gold, reviewer=cast.rita, kind="gold", hides_from=gold.created_at, reason="They differ.",
        due_from=timezone.now(),
    )  # fmt: skip
    form = {"submission": by_ann.pk, "verdict": "accept", "request_id": str(uuid.uuid4())}
    page = as_("rita").post(f"/review/cells/{gold.code}/decide/", form, follow=True).content.decode()
    assert f"Your vote is kept; the panel decides. Item {gold.code}: review." in page
    assert ReviewTestResult.objects.get().held is True


def test_ones_own_earlier_decision_is_not_shown_while_one_is_tested_on_it(cast, world: World, as_):
    policy = Policy(readers=2, max_readers=2, rereview_share=1.0, audit_share=0.0, audit_least=0)
    publish_policy(project=cast.project, policy=policy, by=cast.ada)
    rita = as_("rita")
    lifecycle.review(
        submission=world.by_ann, reviewer=cast.rita, verdict="accept", score=8, comment=WORDS, request_id=uuid.uuid4()
    )
    assert WORDS in rita.get("/review/me/").content.decode()
    ReviewTest.objects.update(due_from=timezone.now())
    page = rita.get("/review/me/").content.decode()
    assert WORDS not in page
    assert world.item.code not in page
    assert WORDS not in rita.get(f"/review/cells/{world.item.code}/").content.decode()


def test_a_score_that_one_gave_to_an_item_that_is_before_one_again_is_not_in_ones_mean(cast, world: World, as_):
    policy = Policy(readers=2, max_readers=2, rereview_share=1.0, audit_share=0.0, audit_least=0)
    publish_policy(project=cast.project, policy=policy, by=cast.ada)
    other = add_item(cast, source_id="task-8")
    lifecycle.review(
        submission=read(cast, other, cast.ann, box=(4, 4, 20, 20)), reviewer=cast.rita, verdict="reject", score=None,
        comment="No.", request_id=uuid.uuid4(),
    )  # fmt: skip
    rita = as_("rita")
    for matter in adjudicating.desk_of(world.item, cast.rita).sitting.found.matters:
        adjudicating.answer_matter(
            item=world.item, by=cast.rita, key=matter.key, choice="ambiguous", request_id=uuid.uuid4()
        )
    said = {world.by_ben.pk: adjudicating.Said(7, WORDS)}
    adjudicating.settle_regions(item=world.item, by=cast.rita, said=said)
    assert mean_on(rita) == "7.0"
    ReviewTest.objects.update(due_from=timezone.now())
    assert mean_on(rita) == "–"
    page = rita.get(f"/review/cells/{world.item.code}/").content.decode()
    assert WORDS not in page
    assert "Score 7 of 10" not in page


def mean_on(client: Client) -> str:
    page = client.get("/review/me/").content.decode()
    return page.partition("Mean score")[2].partition("<dd")[2].partition(">")[2].partition("<")[0].strip()


def test_what_is_said_in_a_thread_from_before_is_listed_without_what_came_after(tested: Client, cast, world: World):
    """Catches an answer, or new words for old ones, that tell the first decision in the list of threads."""
    before = Thread.objects.get()
    mine = threads.open_thread(
        item=world.item, by=ReviewTest.objects.get().reviewer, text="What is it?", request_id=uuid.uuid4()
    )
    threads.reply(thread=mine, by=cast.rita, text="I settled it.", request_id=uuid.uuid4())
    at = Item.objects.get(pk=world.item.pk).created_at
    Thread.objects.filter(pk=before.pk).update(at=at)
    before.comments.update(at=at)
    assert WORDS in tested.get("/review/threads/").content.decode(), "from before the item came to review"
    threads.edit(comment=before.comments.get(), by=cast.rita, text="It was the left.", request_id=uuid.uuid4())
    threads.reply(thread=before, by=cast.ada, text="And is settled.", request_id=uuid.uuid4())
    page = tested.get("/review/threads/").content.decode()
    assert "What is it?" in page
    assert {words for words in ("I settled it.", "It was the left.", "And is settled.") if words in page} == set()


def test_the_numbers_stand_on_the_reviewers_own_page_and_the_admins_with_n_and_interval(cast, world, tested, as_):
    place = f"/review/cells/{world.item.code}/"
    tested.post(
        place + "decide/", {"submission": world.by_ben.pk, "verdict": "accept", "request_id": str(uuid.uuid4())}
    )
    page = as_("rita").get("/review/me/").content.decode()
    assert "another reviewer, blind" in page
    assert "n=1" in page.partition("Overturned when judged again")[2][:900]
    people = as_("ada").get("/manage/cells/people/").content.decode()
    assert "Like themselves, later" in people
    assert world.item.code in people
