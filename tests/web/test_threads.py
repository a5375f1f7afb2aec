"""Comment threads: who reads and writes them, names, edits, resolving, and what an author may see of them.

Planted once and seen to fail: an author shown a reviewer's name; an annotator named in a comment and told; a thread resolved
over a newer comment; an edit that overwrites its row; an answer or new words of another panel member in the list of threads,
or found there by a search.
"""

from __future__ import annotations

import re
import uuid

import pytest
from django.utils import timezone

from labelhub.accounts.models import Notification
from labelhub.accounts.services import create_person
from labelhub.audit.models import Event
from labelhub.projects.models import Role, StaleEdit
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import labeler_of
from labelhub.projects.services import add_member, publish_policy
from labelhub.reviews import thread_list, threads
from labelhub.reviews.models import Comment, Thread
from labelhub.reviews.services import ReviewRefused
from labelhub.reviews.thread_list import Wanted
from labelhub.reviews.threads import Pin
from labelhub.reviews.writing import is_thread_resolved
from labelhub.workflow import lifecycle
from tests.web.world import add_item, read

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


def say(world, by, text="Look.", **given):
    return threads.open_thread(item=world.item, by=by, text=text, request_id=uuid.uuid4(), **given)


def answer(thread, by, text="Yes."):
    return threads.reply(thread=thread, by=by, text=text, request_id=uuid.uuid4())


def told(user):
    return list(Notification.objects.filter(user=user).order_by("pk").values_list("kind", "text"))


def let_authors_read(world):
    publish_policy(
        project=world.cast.project, policy=Policy(max_readers=2, authors_read_comments=True), by=world.cast.ada
    )


def test_reviewers_and_admins_read_and_write_and_nobody_else_does(world, cast):
    thread = say(world, cast.rita)
    answer(thread, cast.ada)
    assert [comment.text for comment in threads.threads_about(cast.ada, world.item)[0].said] == ["Look.", "Yes."]
    for user, refusal in (
        (cast.ann, (NotFound, NotAllowed)),
        (cast.ben, (NotFound, NotAllowed)),
        (cast.otto, NotFound),
    ):
        assert threads.threads_about(user, world.item) == []
        with pytest.raises(refusal):
            say(world, user)
        with pytest.raises(NotFound):
            answer(thread, user)
        with pytest.raises((NotFound, NotAllowed)):
            threads.turn(thread=thread, by=user, is_resolved=True, seen=10**9)
        with pytest.raises(NotFound):
            threads.thread_for(user, cast.project, thread.pk)
    assert Thread.objects.count() == 1
    assert Comment.objects.count() == 2


def test_a_retry_is_one_comment_and_one_event(world, cast):
    number = uuid.uuid4()
    first = threads.open_thread(item=world.item, by=cast.rita, text="Look.", request_id=number)
    assert threads.open_thread(item=world.item, by=cast.rita, text="Look.", request_id=number) == first
    with pytest.raises(ReviewRefused, match="another comment"):
        threads.open_thread(item=world.item, by=cast.ada, text="Mine.", request_id=number)
    assert Event.objects.filter(kind="thread.opened").count() == 1


def test_a_pin_is_of_the_item_or_refused(world, cast):
    shape = world.by_ann.annotations.get().shape_id
    pinned = say(world, cast.rita, pin=Pin(submission=world.by_ann, shape_id=shape, medium=0, x=4, y=5, z=0, radius=6))
    assert (pinned.submission, pinned.shape_id, pinned.x) == (world.by_ann, shape, 4)
    other = read(cast, add_item(cast, source_id="task-8"), cast.ann, box=(4, 4, 20, 20))
    for pin in (
        Pin(submission=other), Pin(shape_id=shape), Pin(submission=world.by_ann, shape_id="none"), Pin(medium=0, x=1, y=1),
        Pin(medium=9, x=1, y=1, z=0),
    ):  # fmt: skip
        with pytest.raises(ReviewRefused, match="none of this item"):
            say(world, cast.rita, pin=pin)
    for text, words in (("  ", "Write your comment"), ("x" * 4001, "at most 4000")):
        with pytest.raises(ReviewRefused, match=words):
            say(world, cast.rita, text)


def test_who_is_named_and_may_read_it_is_told_and_nobody_else(world, cast):
    thread = say(world, cast.rita, "What do you say, @ada? And @ann, @otto, @rita, mail@ada.org.")
    names = {mention.user for mention in thread.comments.get().mentions.all()}
    assert names == {cast.ada}
    assert told(cast.ada) == [("mention", f"Rita names you in a comment on {world.item.code}.")]
    assert told(cast.ann) == told(cast.otto) == told(cast.rita) == []
    answer(thread, cast.ada)
    assert told(cast.rita) == [("comment", f"Ada answered in a thread on {world.item.code}.")]


def test_an_edit_is_a_further_row_and_of_two_the_later_is_refused_and_kept(world, cast):
    thread = say(world, cast.rita, "Frist.")
    comment = thread.comments.get()
    mended = threads.edit(comment=comment, by=cast.rita, text="First.", request_id=uuid.uuid4())
    assert [entry.text for entry in threads.threads_about(cast.ada, world.item)[0].said] == ["First."]
    assert Comment.objects.get(pk=comment.pk).text == "Frist."
    with pytest.raises(ReviewRefused, match="another window"):
        threads.edit(comment=comment, by=cast.rita, text="Second.", request_id=uuid.uuid4())
    assert StaleEdit.objects.get().content == {"text": "Second."}
    with pytest.raises(NotFound):
        threads.edit(comment=mended, by=cast.ada, text="Mine.", request_id=uuid.uuid4())


def test_resolving_over_something_newer_is_refused(world, cast):
    thread = say(world, cast.rita)
    seen = thread.comments.get().pk
    answer(thread, cast.ada)
    with pytest.raises(ReviewRefused, match="Somebody wrote"):
        threads.turn(thread=thread, by=cast.rita, is_resolved=True, seen=seen)
    assert not is_thread_resolved(thread)
    newest = thread.comments.latest("pk").pk
    assert threads.turn(thread=thread, by=cast.rita, is_resolved=True, seen=newest) is not None
    assert threads.turn(thread=thread, by=cast.rita, is_resolved=True, seen=newest) is None, "twice is once"
    threads.turn(thread=thread, by=cast.ada, is_resolved=False, seen=newest)
    kinds = Event.objects.filter(kind__startswith="thread.").order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["thread.opened", "thread.resolved", "thread.reopened"]


def test_ones_own_newer_word_is_no_reason_to_read_again(world, cast):
    thread = say(world, cast.rita)
    seen = thread.comments.get().pk
    answer(thread, cast.rita, "Done.")
    assert threads.turn(thread=thread, by=cast.rita, is_resolved=True, seen=seen) is not None
    assert is_thread_resolved(thread)


def test_who_takes_part_is_told_once_of_a_word_and_not_of_its_edit(world, cast):
    """Catches a second notification for who is named, and one for each mending of a typing error."""
    thread = say(world, cast.ada)
    said = answer(thread, cast.rita, "So it is, @ada.")
    assert [kind for kind, _ in told(cast.ada)] == ["mention"]
    threads.edit(comment=said, by=cast.rita, text="So it is.", request_id=uuid.uuid4())
    assert [kind for kind, _ in told(cast.ada)] == ["mention"]
    answer(thread, cast.rita, "Look again.")
    assert [kind for kind, _ in told(cast.ada)] == ["mention", "comment"]


def test_an_author_reads_what_was_written_to_them_and_no_name(world, cast, as_):
    let_authors_read(world)
    mine, other = labeler_of(cast.ann, cast.project), labeler_of(cast.ben, cast.project)
    say(world, cast.rita, "Among us only.", pin=Pin(submission=world.by_ann))
    thread = say(world, cast.rita, "Ask @ada if you like.", pin=Pin(submission=world.by_ann), is_for_author=True)
    own = threads.own_threads(mine, world.item)
    assert [remark.text for entry in own for remark in entry.remarks] == ["Ask @a reviewer if you like."]
    assert threads.own_threads(other, world.item) == ()
    assert told(cast.ann) == [("comment", f"A reviewer wrote to you about your reading of {world.item.code}.")]
    work = world.by_ann.assignment_id
    page = as_("ann").get(f"/label/{work}/").content.decode()
    assert "Ask @a reviewer if you like." in page
    # Whole words: a random token may hold three letters.
    assert not re.search(r"\b(Rita|Ada|Ben|Among us)\b", page)
    form = {"text": "Which edge?", "request_id": str(uuid.uuid4())}
    assert as_("ann").post(f"/label/{work}/threads/{thread.pk}/reply/", form).status_code == 302
    assert thread.comments.count() == 2
    assert told(cast.rita)[-1] == ("comment", f"Its author answered in a thread on {world.item.code}.")
    for name in ("ben", "otto", "rita"):
        refused = as_(name).post(f"/label/{work}/threads/{thread.pk}/reply/", form | {"request_id": str(uuid.uuid4())})
        assert refused.status_code in (403, 404), name


def test_without_the_policy_no_author_reads_or_is_written_to(world, cast):
    with pytest.raises(ReviewRefused, match="Authors read no comments"):
        say(world, cast.rita, pin=Pin(submission=world.by_ann), is_for_author=True)
    let_authors_read(world)
    thread = say(world, cast.rita, pin=Pin(submission=world.by_ann), is_for_author=True)
    publish_policy(project=cast.project, policy=Policy(max_readers=2), by=cast.ada)
    assert threads.own_threads(labeler_of(cast.ann, cast.project), world.item) == ()
    with pytest.raises(NotFound):
        answer(thread, cast.ann)


def test_a_panel_member_reads_what_others_write_only_after_their_vote(world, cast):
    publish_policy(project=cast.project, policy=Policy(max_readers=2, panel_reviewers=2), by=cast.ada)
    say(world, cast.ada, "I take Ann's.")
    assert threads.threads_about(cast.rita, world.item) == []
    assert thread_list.page_of(cast.rita, [cast.project], Wanted()).rows == ()
    lifecycle.review(
        submission=world.by_ann, reviewer=cast.rita, verdict="accept", score=None, comment="", request_id=uuid.uuid4()
    )
    assert len(threads.threads_about(cast.rita, world.item)) == 1


def test_the_list_leaves_out_what_others_answered_and_mended_while_a_panel_votes(world, cast):
    """Catches a word of another member that stands in a thread which one opened oneself, or which is older than the sitting."""
    mine, older = say(world, cast.rita, "Which one?"), say(world, cast.ada, "Blurred.")
    publish_policy(project=cast.project, policy=Policy(max_readers=2, panel_reviewers=2), by=cast.ada)
    type(world.item).objects.filter(pk=world.item.pk).update(state_changed_at=timezone.now())
    answer(mine, cast.ada, "I take Ann's.")
    answer(say(world, cast.ada, "Not Ben's."), cast.rita, "Why?")
    threads.edit(comment=older.comments.get(), by=cast.ada, text="Ann's.", request_id=uuid.uuid4())
    listed = {row.thread: [entry.text for entry in row.said] for row in list_of(cast.rita, cast)}
    assert listed == {mine: ["Which one?"]}
    assert list_of(cast.rita, cast, "i take") == (), "a search does not tell that the hidden word stands there"
    assert [row.thread for row in list_of(cast.rita, cast, "WHICH")] == [mine]
    assert [row.thread for row in list_of(cast.rita, cast, world.item.code[:3].lower())] == [mine]
    assert [len(row.said) for row in list_of(cast.ada, cast)] == [1, 1, 2], (
        "an admin has a vote too, and sees their own"
    )
    lifecycle.review(
        submission=world.by_ann, reviewer=cast.rita, verdict="accept", score=None, comment="", request_id=uuid.uuid4()
    )
    assert {row.last.text for row in list_of(cast.rita, cast)} == {"I take Ann's.", "Why?", "Ann's."}


def list_of(user, cast, text=""):
    return thread_list.page_of(user, [cast.project], Wanted(text=text)).rows


def test_the_list_shows_what_waits_filters_and_pages(world, cast, as_):
    first, second = say(world, cast.rita, "One, @ada."), say(world, cast.rita, "Two.")
    answer(second, cast.ada)
    waiting = thread_list.page_of(cast.rita, [cast.project], Wanted(show="waiting")).rows
    assert [row.thread for row in waiting] == [second]
    assert [row.thread for row in thread_list.page_of(cast.ada, [cast.project], Wanted(show="waiting")).rows] == [first]
    page = as_("rita").get("/review/threads/").content.decode()
    assert page.index("Two.") < page.index("One, @ada.")
    assert "One, @ada." not in as_("rita").get("/review/threads/?q=Two").content.decode()
    assert "No thread matches" in as_("rita").get("/review/threads/?q=nothing").content.decode()
    assert as_("rita").get("/review/threads/?show=wrong").status_code == 400
    assert as_("rita").get("/review/threads/?before=x").status_code == 400
    # So that no thread has the number of its turn.
    for is_resolved in (True, False):
        threads.turn(thread=second, by=cast.rita, is_resolved=is_resolved, seen=10**9)
    threads.turn(thread=first, by=cast.rita, is_resolved=True, seen=10**9)
    assert "One, @ada." not in as_("rita").get("/review/threads/").content.decode()
    assert "One, @ada." in as_("rita").get("/review/threads/?show=resolved").content.decode()
    assert as_("ann").get("/review/threads/").status_code == 403


def test_a_dispute_is_taken_by_another_reviewer_than_who_returned_the_reading(world, cast, as_):
    cleo = create_person(username="cleo", display_name="Cleo", actor="test")
    add_member(project=cast.project, user=cleo, role=Role.ANNOTATOR, actor="test")
    world.dispute_of_ann()
    own, others = (as_(name).get("/review/threads/").content.decode() for name in ("rita", "ada"))
    told = ("You returned this reading, so another reviewer decides.", "Take it to a reviewer now")
    assert [words in own for words in told] == [True, False]
    assert [words in others for words in told] == [False, True]


def test_a_reviewer_of_two_projects_sees_no_third(world, cast, as_):
    zoe = create_person(username="zoe", display_name="Zoe", actor="test")
    add_member(project=cast.other_project, user=zoe, role=Role.REVIEWER, actor="test")
    say(world, cast.rita, "Here.")
    assert thread_list.page_of(zoe, [cast.project, cast.other_project], Wanted()).rows == ()
    from django.test import Client

    client = Client()
    client.force_login(zoe)
    assert "Here." not in client.get("/review/threads/").content.decode()
    assert client.get("/review/threads/?project=cells").status_code == 404


def test_names_are_completed_from_those_who_may_read(world, cast, as_):
    found = as_("rita").get("/review/cells/people/?q=a").json()["people"]
    assert [person["username"] for person in found] == ["ada"]
    assert as_("ann").get("/review/cells/people/").status_code == 403
    assert as_("otto").get("/review/cells/people/").status_code == 404


def test_the_forms_of_the_item_page_write_what_they_say(world, cast, as_):
    place = f"/review/cells/{world.item.code}/"
    form = {"text": "Here.", "request_id": str(uuid.uuid4()), "medium": "0", "x": "5", "y": "6", "z": "0"}
    client = as_("rita")
    assert client.post(place + "threads/", form).status_code == 302
    thread = Thread.objects.get()
    assert (thread.medium, thread.x, thread.y, thread.z) == (0, 5.0, 6.0, 0)
    page = client.get(place).content.decode()
    assert f'id="thread-{thread.pk}"' in page
    assert client.post(place + "threads/", form | {"x": "nan", "request_id": str(uuid.uuid4())}).status_code == 400
    assert client.post(place + "threads/", form | {"request_id": ""}).status_code == 400
    assert (
        client.post(place + "threads/", form | {"submission": "99", "request_id": str(uuid.uuid4())}).status_code == 404
    )
    seen = str(thread.comments.get().pk)
    client.post(f"/review/cells/threads/{thread.pk}/turn/", {"resolved": "1", "seen": seen})
    assert is_thread_resolved(thread)
