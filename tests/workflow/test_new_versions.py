"""A new ontology or new instructions: what they touch, what old readings say under them, and who reads what anew.

Planted once and seen to fail: pairs that keep the number they had under the classes before (the merge test: 0.5 stood), a
new class that old readings count as having left empty (the split test), a job that sends an item twice (the last but one).
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelhub.analytics.item_story import story_of
from labelhub.analytics.services import measure_project
from labelhub.annotations.models import Submission
from labelhub.assignments.models import Assignment
from labelhub.audit.models import Event
from labelhub.catalog.models import Item
from labelhub.consensus.models import Settlement
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.worker import run_pending
from labelhub.projects.lineage import Lineage, changes_between, checked_lineage, translation
from labelhub.projects.models import OntologyVersion
from labelhub.projects.ontology import LabelClass, Ontology, OntologyProblem
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.projects.selectors import current_ontology
from labelhub.projects.services import publish_guideline, publish_ontology
from labelhub.routing.models import Route
from labelhub.scoring.panel import measure
from labelhub.scoring.services import score_item
from labelhub.scoring.stored import annotation_set_of
from labelhub.workflow import lifecycle, rereading, revising
from labelhub.workflow.errors import StepRefused
from tests.cast import Cast
from tests.workflow.walking import add_item, new_annotator, next_for, set_policy, state, store

pytestmark = pytest.mark.django_db
SQUARE, ALIKE = (10, 10, 20), (11, 10, 20)


def classes(*keys: str) -> Ontology:
    return Ontology(tuple(LabelClass(key, key.title(), "#112233") for key in keys))


# --- what old readings say -----------------------------------------------------------------------------------------


def test_a_renamed_class_is_the_same_class():
    before = classes("a", "b")
    after = Ontology((LabelClass("a", "Other name", "#445566"), before.classes[1]))
    found = translation([(before, Lineage()), (after, Lineage())])
    assert found.is_identity
    assert found.asked(["a", "b"]) == ("a", "b")
    assert [(c.what, c.old) for c in changes_between(before, after, Lineage())] == [("renamed", "a")]


def test_a_merged_class_was_asked_where_all_that_it_covers_was():
    versions = [(classes("a", "b", "c"), Lineage()), (classes("a", "c"), Lineage(merged={"b": "a"}))]
    found = translation(versions)
    assert found.labels == {"a": "a", "b": "a", "c": "c"}
    assert found.asked(["a", "b"]) == ("a",)
    assert found.asked(["a", "c"]) == ("c",), "b was not asked, so a of now was not either"


def test_parts_of_a_split_and_added_classes_were_not_asked():
    found = translation(
        [(classes("a", "b"), Lineage()), (classes("b", "x", "y", "z"), Lineage(split={"a": ("x", "y")}))]
    )
    assert found.labels == {"b": "b"}
    assert found.asked(["a", "b"]) == ("b",)


def test_a_class_that_takes_in_what_a_reading_never_knew_was_not_wholly_asked():
    """B came in the second version and went into a in the third: a reading of the first knew nothing of b."""
    versions = [(classes("a"), Lineage()), (classes("a", "b"), Lineage()), (classes("a"), Lineage(merged={"b": "a"}))]
    assert translation(versions).asked(["a"]) == ()
    assert translation(versions[1:]).asked(["a", "b"]) == ("a",)
    assert translation(versions).labels == {"a": "a"}


@given(
    st.lists(st.sampled_from(["keep", "merge", "split", "add", "drop"]), max_size=6), st.randoms(use_true_random=False)
)
def test_steps_one_after_the_other_are_the_translation_of_all(steps, chance):
    """Against an obvious twin that follows each mark by itself, version by version."""
    versions, fresh = [(classes("a", "b", "c"), Lineage())], iter(range(1000))
    for step in steps:
        keys = [entry.key for entry in versions[-1][0].classes]
        lineage = Lineage()
        if step == "merge" and len(keys) > 1:
            old, into = chance.sample(keys, 2)
            keys, lineage = [key for key in keys if key != old], Lineage(merged={old: into})
        elif step == "split" and keys:
            old, parts = chance.choice(keys), [f"n{next(fresh)}" for _ in range(2)]
            keys, lineage = [*(key for key in keys if key != old), *parts], Lineage(split={old: tuple(parts)})
        elif step == "add":
            keys = [*keys, f"n{next(fresh)}"]
        elif step == "drop" and keys:
            keys.remove(chance.choice(keys))
        versions.append((classes(*keys), lineage))
    found = translation(versions)
    for key in ("a", "b", "c"):
        at: str | None = key
        for ontology, lineage in versions[1:]:
            at = None if at in lineage.split else lineage.merged.get(at, at)
            at = at if at in {entry.key for entry in ontology.classes} else None
            if at is None:
                break
        assert found.labels.get(key) == at
    for new, old in found.covers.items():
        assert {found.labels[key] for key in old} == {new}


@pytest.mark.parametrize(
    ("lineage", "words"),
    [
        (Lineage(merged={"z": "a"}), "not in the version before"), (Lineage(merged={"a": "c"}), "still there"),
        (Lineage(merged={"b": "q"}), "not among the classes"), (Lineage(split={"b": ("c",)}), "two or more"),
        (Lineage(split={"b": ("a", "c")}), "new in this version"),
        (Lineage(merged={"b": "a"}, split={"b": ("c", "d")}), "at once"),
    ],
)  # fmt: skip
def test_a_lineage_that_cannot_be_is_refused_by_name(lineage, words):
    with pytest.raises(OntologyProblem, match=words):
        checked_lineage(classes("a", "b"), classes("a", "c", "d"), lineage)


# --- numbers -----------------------------------------------------------------------------------------------------


def without(cast: Cast, key: str, *more: LabelClass) -> Ontology:
    _, now = current_ontology(cast.project)
    return Ontology((*(entry for entry in now.classes if entry.key != key), *more), now.questions)


def publish(cast: Cast, ontology: Ontology, **lineage) -> OntologyVersion:
    return publish_ontology(project=cast.project, ontology=ontology, by=cast.ada, lineage=Lineage(**lineage))


def agreement(cast: Cast, item: Item) -> float | None:
    score_item(item)
    found = story_of(item, cast.ada).agreement
    assert found is not None
    return found.value


def test_marks_of_merged_classes_are_compared_as_one(cast: Cast):
    set_policy(cast, readers=2)
    item = add_item(cast.project)
    store(cast, item, cast.ann, SQUARE, label="nucleus")
    store(cast, item, cast.ben, SQUARE, label="debris")
    assert agreement(cast, item) == 0.0
    publish(cast, without(cast, "debris"), merged={"debris": "nucleus"})
    assert agreement(cast, item) == 1.0


def test_a_split_class_is_in_no_number_until_it_is_read_anew(cast: Cast):
    set_policy(cast, readers=2)
    item = add_item(cast.project)
    for user, square in ((cast.ann, SQUARE), (cast.ben, (40, 40, 10))):
        store(cast, item, user, square, label="nucleus", answers={"quality": "good"})
    assert agreement(cast, item) == 0.5
    parts = (LabelClass("round", "Round", "#112233"), LabelClass("long", "Long", "#332211"))
    publish(cast, without(cast, "nucleus", *parts), split={"nucleus": ("round", "long")})
    assert agreement(cast, item) == 1.0, "the answers are equal, and nothing else was asked of both"
    asked = {reading.asked_labels for reading in annotation_set_of(cast.project).readings}
    assert asked == {("debris", "lesion")}


def test_a_chosen_reading_settles_under_the_present_classes_where_it_has_one_for_each_mark(cast: Cast):
    """Of a merged class it does; of a class that was split since it settles as it was made, under its own ontology."""
    set_policy(cast, readers=2)
    item = add_item(cast.project)
    submission = store(cast, item, cast.ann, SQUARE, label="debris")
    publish(cast, without(cast, "debris"), merged={"debris": "nucleus"})
    merged = lifecycle.settle(item=item, by=cast.rita, reason="Right.", submission=submission)
    assert (merged.ontology.number, [shape.label for shape in merged.shapes.all()]) == (2, ["nucleus"])
    assert merged.asked_labels == ["nucleus", "lesion"]
    parts = (LabelClass("round", "Round", "#112233"), LabelClass("long", "Long", "#332211"))
    publish(cast, without(cast, "nucleus", *parts), split={"nucleus": ("round", "long")})
    again = lifecycle.settle(item=item, by=cast.rita, reason="Right.", submission=submission)
    assert (again.ontology.number, [shape.label for shape in again.shapes.all()]) == (1, ["debris"])
    assert again.asked_labels == ["nucleus", "debris", "lesion"]


def test_a_renamed_class_computes_nothing_anew(cast: Cast):
    set_policy(cast, readers=2)
    item = add_item(cast.project)
    for user in (cast.ann, cast.ben):
        store(cast, item, user, SQUARE)
    before = story_of(item, cast.ada).scores
    _, now = current_ontology(cast.project)
    renamed = LabelClass("nucleus", "Cell nucleus", "#010203", now.classes[0].tool)
    publish(cast, Ontology((renamed, *now.classes[1:]), now.questions))
    score_item(item)
    assert [score.pk for score in story_of(item, cast.ada).scores] == [score.pk for score in before]


def test_numbers_that_pool_versions_are_marked_on_each_page(cast: Cast, client):
    """Of two items, one is read under both versions: its numbers, and those of the whole, are marked; the other's are not."""
    set_policy(cast, readers=2)
    mixed_item, plain = add_item(cast.project), add_item(cast.project)
    for user in (cast.ann, cast.ben):
        store(cast, plain, user, SQUARE)
    store(cast, mixed_item, cast.ann, SQUARE)
    publish_guideline(project=cast.project, text="Look twice.", by=cast.ada)
    store(cast, mixed_item, cast.ben, ALIKE)
    panel = measure(annotation_set_of(cast.project))
    both = ("ontology 1, instructions 1", "ontology 1, instructions 2")
    [overlap] = [row for row in panel.overlap if row.label == "nucleus"]
    assert overlap.dice.versions == both
    assert dict(panel.source.versions) == {both[0]: 3, both[1]: 1}
    assert any("2 versions of the rules stand together" in caution for caution in panel.cautions)
    [ann] = [row for row in panel.labelers if row.rater.endswith(str(_labeler(cast, cast.ann)))]
    assert all(number.versions == both for number in ann.agreement)
    assert story_of(mixed_item, cast.ada).versions == both
    assert story_of(plain, cast.ada).versions == ()
    measure_project(cast.project)
    client.force_login(cast.ada)
    for place, n in (
        (f"items/{mixed_item.code}/", 2), (f"items/{plain.code}/", 0), ("items/", 1),
        (f"labelers/{_labeler(cast, cast.ben)}/", 1),
    ):  # fmt: skip
        text = client.get(f"/manage/cells/{place}").content.decode()
        found = text.count('class="mixed"')
        assert found == n if n in (0, 2) else found >= n, (place, found)
    assert "stand together" in client.get("/manage/cells/").content.decode() or panel.cautions


def _labeler(cast: Cast, user) -> int:
    from labelhub.projects.selectors import labeler_of

    return labeler_of(user, cast.project).pk


def test_a_set_under_one_version_has_no_mark(cast: Cast):
    set_policy(cast, readers=2)
    item = add_item(cast.project)
    for user in (cast.ann, cast.ben):
        store(cast, item, user, SQUARE)
    panel = measure(annotation_set_of(cast.project))
    assert all(number.versions == () for number in panel.numbers())
    assert panel.source.versions == ()


# --- what is touched, and who reads anew ---------------------------------------------------------------------------


def settled(cast: Cast) -> Item:
    item = add_item(cast.project)
    for user in (cast.ann, cast.ben):
        store(cast, item, user, SQUARE, answers={"quality": "good"})
    assert state(item) == "settled"
    return Item.objects.get(pk=item.pk)


def test_what_a_change_touches_is_counted_and_listed_before_it_is_published(cast: Cast):
    set_policy(cast, readers=2)
    item, other = settled(cast), add_item(cast.project)
    store(cast, other, cast.ann, SQUARE, label="debris")
    impact = revising.impact_of_ontology(cast.project, without(cast, "debris"), Lineage(merged={"debris": "nucleus"}))
    assert (impact.renamed, impact.outside, impact.not_asked, impact.items) == (1, 0, 0, (other.pk,))
    assert impact.listed[0].what == ("debris: marks become nucleus",)
    impact = revising.impact_of_ontology(cast.project, without(cast, "nucleus"), Lineage())
    assert (impact.renamed, impact.outside, impact.items) == (0, 2, (item.pk,))
    assert "“Nucleus” is removed: 2 readings have marks of it" in impact.sentences[0]
    wider = without(cast, "", LabelClass("new", "New", "#112233"))
    impact = revising.impact_of_ontology(cast.project, wider, Lineage())
    assert (impact.not_asked, impact.items) == (3, (item.pk, other.pk))
    _, now = current_ontology(cast.project)
    renamed = LabelClass("nucleus", "Core", "#112233", now.classes[0].tool)
    impact = revising.impact_of_ontology(cast.project, Ontology((renamed, *now.classes[1:]), now.questions), Lineage())
    assert not impact.touches_readings
    assert impact.sentences
    assert revising.impact_of_guideline(cast.project).items == (item.pk, other.pk)
    assert OntologyVersion.objects.count() == 2, "one a project: looking publishes nothing"


def test_a_settled_item_goes_to_a_reader_who_never_had_it_and_is_settled_anew(cast: Cast):
    set_policy(cast, readers=2)
    item = settled(cast)
    cleo = new_annotator(cast, "Cleo")
    publish_guideline(project=cast.project, text="", by=cast.ada)
    sent = lifecycle.send_back(item=item, by=cast.ada, reason="Edges are drawn otherwise now.")
    assert (sent.outcome, state(item)) == ("readers", "reading")
    route = Route.objects.filter(item=item).latest("pk")
    assert (route.rule, route.outcome) == ("new-version", "more-readers")
    assert "Edges are drawn otherwise now." in route.reason
    assert route.alternatives
    event = Event.objects.get(kind="item.sent_again")
    assert event.facts["version"] == "ontology 1, instructions 2"
    for user in (cast.ann, cast.ben):
        assert next_for(cast, user) is None, "nobody reads it blind twice"
    given = next_for(cast, cleo)
    assert given is not None
    assert (given.item_id, given.read_kind) == (item.pk, "independent")
    assert Settlement.objects.filter(item=item).count() == 1, "the label that stood stays on record"
    from tests.workflow.walking import draw, submit

    draw(given, cleo, ALIKE)
    submit(given, cleo)
    assert state(item) == "settled"
    assert list(Settlement.objects.filter(item=item).order_by("number").values_list("number", flat=True)) == [1, 2]
    assert Submission.objects.filter(assignment__item=item).count() == 3


def test_where_everybody_had_the_item_a_reviewer_looks_at_it(cast: Cast):
    from labelhub.projects.services import remove_member

    set_policy(cast, readers=2)
    item = settled(cast)
    remove_member(project=cast.project, user=cast.rita, actor="test")
    sent = lifecycle.send_back(item=item, by=cast.ada, reason="New rules.")
    assert (sent.outcome, state(item)) == ("reviewer", "review")
    assert Route.objects.filter(item=item).latest("pk").outcome == "reviewer"


def test_twice_under_one_version_is_once_and_a_new_version_is_another(cast: Cast):
    set_policy(cast, readers=2)
    item = settled(cast)
    new_annotator(cast, "Cleo")
    assert lifecycle.send_back(item=item, by=cast.ada, reason="x").outcome == "readers"
    again = lifecycle.send_back(item=item, by=cast.ada, reason="x")
    assert (again.outcome, "already" in again.why) == ("left", True)
    assert Event.objects.filter(kind="item.sent_again").count() == 1
    publish_guideline(project=cast.project, text="", by=cast.ada)
    assert lifecycle.send_back(item=item, by=cast.ada, reason="x").outcome == "readers"


def test_only_an_admin_sends_items_back_and_says_why(cast: Cast):
    set_policy(cast, readers=2)
    item = settled(cast)
    for user, refusal in ((cast.rita, NotAllowed), (cast.ann, NotFound), (cast.otto, NotFound)):
        with pytest.raises((refusal, NotAllowed)):
            lifecycle.send_back(item=item, by=user, reason="x")
    with pytest.raises(StepRefused):
        lifecycle.send_back(item=item, by=cast.ada, reason="  ")
    assert state(item) == "settled"


def test_gold_and_what_nobody_read_stay_where_they_are(cast: Cast):
    from labelhub.scoring.gold import make_gold
    from labelhub.scoring.reads import reads_of

    set_policy(cast, readers=2)
    gold, waiting = settled(cast), add_item(cast.project)
    make_gold(item=gold, submission=reads_of(gold).current[0], by="test")
    for item, was in ((gold, "settled"), (waiting, "waiting")):
        assert lifecycle.send_back(item=item, by=cast.ada, reason="x").outcome == "left"
        assert state(item) == was
    assert not Event.objects.filter(kind="item.sent_again").exists()


def test_many_items_go_back_by_a_job_that_can_be_stopped_and_goes_on(cast: Cast, monkeypatch):
    set_policy(cast, readers=2)
    items = [settled(cast) for _ in range(4)]
    new_annotator(cast, "Cleo")
    job = rereading.start_sending(project=cast.project, items=[i.pk for i in items], by=cast.ada, reason="New rules.")
    asked = Event.objects.get(kind="items.sending_again")
    assert asked.facts == {"job": job.pk, "items": 4, "reason": "New rules."}
    n_sent = iter(range(10))
    send = rereading._send

    def stopped(*args):
        if next(n_sent) == 1:
            jobs.cancel_by(job=job, actor=f"user:{cast.ada.pk}")
        return send(*args)

    monkeypatch.setattr(rereading, "_send", stopped)
    monkeypatch.setattr("labelhub.jobs.registry.WRITE_EVERY_S", 0.0)
    run_pending(queues=["cpu"])
    assert Job.objects.get(pk=job.pk).state == "cancelled"
    assert sorted(state(item) for item in items) == ["reading", "reading", "settled", "settled"]
    monkeypatch.setattr(rereading, "_send", send)
    again = rereading.start_sending(project=cast.project, items=[i.pk for i in items], by=cast.ada, reason="New rules.")
    run_pending(queues=["cpu"])
    assert Job.objects.get(pk=again.pk).result == {"readers": 2, "reviewer": 0, "left": 2}
    assert {state(item) for item in items} == {"reading"}
    assert Event.objects.filter(kind="item.sent_again").count() == 4
    assert not Assignment.objects.filter(item__in=items, state="open").exists()


def test_the_page_shows_what_is_touched_then_publishes_and_sends_the_chosen_back(cast: Cast, client):
    set_policy(cast, readers=2)
    first, second = settled(cast), settled(cast)
    new_annotator(cast, "Cleo")
    client.force_login(cast.ada)
    form = {
        "key": ["debris", "lesion"], "name": ["Debris", "Lesion"], "colour": ["#17bebb", "#ffc914"],
        "tool": ["box", "brush"], "shortcut": ["2", "3"], "attributes": ["", ""],
        "questions": "Image quality: poor < fair < good", "version": "1",
    }  # fmt: skip
    shown = client.post("/manage/cells/ontology/", form)
    text = shown.content.decode()
    assert shown.status_code == 200
    assert "Nothing is published yet" in text
    assert first.code in text
    assert second.code in text
    assert "What becomes of the classes that are no more" in text
    assert current_ontology(cast.project)[0].number == 1
    looked = client.post("/manage/cells/ontology/", form | {"fate-nucleus": "merge:debris", "confirmed": "0"})
    assert "goes into “debris”" in looked.content.decode()
    answer = client.post(
        "/manage/cells/ontology/",
        form
        | {"fate-nucleus": "merge:debris", "confirmed": "1", "send": "chosen"}
        | {"chosen": [second.code], "reason": "One class now."},
        follow=True,
    )  # fmt: skip
    assert "1 item goes back for a new read." in answer.content.decode()
    version = current_ontology(cast.project)[0]
    assert (version.number, version.lineage["merged"]) == (2, {"nucleus": "debris"})
    run_pending(queues=["cpu"])
    assert (state(first), state(second)) == ("settled", "reading")
    assert "Sending items back for a new read" in client.get("/manage/cells/ontology/").content.decode()


def test_the_page_shows_what_new_instructions_touch(cast: Cast, client):
    set_policy(cast, readers=2)
    item = settled(cast)
    client.force_login(cast.ada)
    shown = client.post("/manage/cells/guideline/", {"text": "Look twice.", "version": "1"}).content.decode()
    assert "stand under earlier instructions" in shown
    assert item.code in shown
    client.post("/manage/cells/guideline/", {"text": "Look twice.", "version": "1", "confirmed": "1", "send": "all"})
    run_pending(queues=["cpu"])
    assert state(item) == "reading", "Rita never had it"
    assert Route.objects.filter(item=item).latest("pk").reason.startswith("Read anew under ontology 1, instructions 2")
