"""Examples in the instructions: decoded apart from the server, seen by members alone, and never a picture that tests somebody.
A version that was published keeps what it showed.

Planted once and seen to fail: gold that may be shown; another picture of its patient; what is shown made gold; the file itself
kept in place of its picture; a draft that labelers see; a caption that changes in a published version; a picture seen after it
was withdrawn; a caption over a newer one; work handed out before instructions of examples alone were confirmed.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from labelhub.assignments.models import Assignment
from labelhub.audit.models import Event
from labelhub.catalog import examples
from labelhub.catalog.errors import CatalogProblem
from labelhub.catalog.models import Example
from labelhub.catalog.published_examples import earlier_examples, examples_in, is_ahead
from labelhub.catalog.services import ItemIdentity, add_volume
from labelhub.formats.shapes import Grid
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.projects.selectors import current_guideline, labeler_of
from labelhub.projects.services import acknowledge_guideline
from labelhub.scoring.gold import GoldProblem, make_gold, retire_gold
from labelhub.workflow import lifecycle
from labelhub.workflow.errors import GuidelineUnread, StepRefused
from labelhub.workflow.examples import show_item
from tests.cast import Cast, make_cast
from tests.workflow.walking import add_item, read, set_policy, take

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def cast() -> Cast:
    made = make_cast()
    set_policy(made, readers=1)
    return made


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def png(side: int = 40, **rest: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), (200, 30, 30), dtype=np.uint8)).save(out, format="PNG", **rest)
    return out.getvalue()


def shown(content: bytes) -> Any:
    return Image.open(io.BytesIO(content))


def send(cast: Cast, user: Any, **form: Any) -> Any:
    place = reverse("manage-example-add", args=[cast.project.slug])
    return signed_in(user).post(place, {"caption": "The edge", "marker": "good"} | form, follow=True)


def add(cast: Cast, caption: str) -> None:
    examples.add_from_file(project=cast.project, content=png(), name="a.png", caption=caption, marker="", by="user:1")


def publish(cast: Cast, text: str = "") -> Any:
    return lifecycle.publish_guideline(project=cast.project, text=text, by=cast.ada)


def confirm(cast: Cast, user: Any) -> None:
    acknowledge_guideline(labeler=labeler_of(user, cast.project), guideline=current_guideline(cast.project))


def test_an_admin_adds_a_picture_and_every_member_sees_it_and_nobody_else(cast: Cast):
    from PIL.PngImagePlugin import PngInfo

    words = PngInfo()
    words.add_text("Comment", "Patient Smith")
    sent = SimpleUploadedFile("a.png", png(pnginfo=words), content_type="image/png")
    assert b"is in the draft" in send(cast, cast.ada, picture=sent).content
    (example,) = examples.examples_of(cast.project)
    place = reverse("label-example", args=[cast.project.slug, example.pk])
    assert [signed_in(user).get(place).status_code for user in (cast.ann, cast.rita, cast.ada)] == [404, 404, 200]
    publish(cast)
    for user in (cast.ann, cast.rita, cast.ada):
        answer = signed_in(user).get(place)
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
        assert shown(answer.content).getpixel((5, 5)) == (200, 30, 30)
    # Only the picture is kept.
    assert b"Smith" not in answer.content
    assert signed_in(cast.otto).get(place).status_code == 404
    assert Client().get(place).status_code == 302
    add_item(cast.project)
    confirm(cast, cast.ann)
    page = signed_in(cast.ann).get(f"/label/{take(cast, cast.ann).pk}/").content
    assert all(part in page for part in (place.encode(), b"The edge", b"Like this"))
    out = reverse("manage-example-remove", args=[cast.project.slug, example.pk])
    for user in (cast.ann, cast.rita, cast.otto):
        assert signed_in(user).post(out).status_code in (403, 404)
        assert send(cast, user, picture=SimpleUploadedFile("b.png", png(41))).status_code in (403, 404)
    assert signed_in(cast.ada).post(out).status_code == 302
    assert signed_in(cast.ann).get(place).status_code == 200, "the version that was published keeps it"
    gone = reverse("manage-example-withdraw", args=[cast.project.slug, example.pk])
    for user in (cast.ann, cast.rita, cast.otto):
        assert signed_in(user).post(gone).status_code in (403, 404)
    assert signed_in(cast.ada).post(gone).status_code == 302
    assert [signed_in(user).get(place).status_code for user in (cast.ann, cast.ada)] == [404, 404]
    assert b"This picture was withdrawn" in signed_in(cast.ann).get(f"/label/{take(cast, cast.ann).pk}/").content
    kinds = Event.objects.filter(kind__startswith="example").order_by("seq").values_list("kind", flat=True)
    assert list(kinds) == ["example.added", "example.removed", "example.withdrawn"]


def test_a_published_version_keeps_its_examples_and_their_captions(cast: Cast):
    for caption in ("First", "Second"):
        add(cast, caption)
    one, two = examples.examples_of(cast.project)
    before = publish(cast, "Outline nuclei.")
    examples.recaption(example=one, caption="The first", marker="bad", seen=("First", ""), by=cast.ada)
    examples.remove(example=two, by="user:1")
    add(cast, "Third")
    assert [(row.caption, row.marker) for row in examples_in(before)] == [("First", ""), ("Second", "")]
    assert is_ahead(cast.project, before)
    after = publish(cast, "Outline nuclei.")
    assert [(row.caption, row.marker) for row in examples_in(after)] == [("The first", "bad"), ("Third", "")]
    assert [(row.caption, row.marker) for row in examples_in(before)] == [("First", ""), ("Second", "")]
    assert not is_ahead(cast.project, after)
    assert list(earlier_examples(cast.project, after)) == [two]
    seals = [event.facts["examples"] for event in Event.objects.filter(kind="guideline.published", facts__number__gt=1)]
    assert len(set(seals)) == 2


def test_work_shows_the_examples_of_the_version_that_it_was_begun_under(cast: Cast):
    add(cast, "Of the first version")
    publish(cast)
    confirm(cast, cast.ann)
    add_item(cast.project)
    work = take(cast, cast.ann)
    signed_in(cast.ann).get(f"/label/{work.pk}/")
    add(cast, "Of the second version")
    publish(cast)
    page = signed_in(cast.ann).get(f"/label/{work.pk}/").content
    assert b"Of the first version" in page
    assert b"Of the second version" not in page
    # Before the next item the new version is read, with its examples; it need have no text.
    queue = signed_in(cast.ann).get("/label/").content
    assert b"Of the second version" in queue
    assert b"I have read this" in queue


def test_instructions_of_examples_alone_are_confirmed_before_the_first_item(cast: Cast):
    add_item(cast.project)
    add(cast, "The edge")
    publish(cast)
    ann, queue = signed_in(cast.ann), reverse("label-queue")
    with pytest.raises(GuidelineUnread):
        take(cast, cast.ann)
    ann.post(reverse("label-next"), {"project": cast.project.slug})
    assert not Assignment.objects.exists()
    page = ann.get(queue).content
    assert all(part in page for part in (b"The edge", b"I have read this"))
    assert b"no written instructions" not in page, "what is shown is what there is to read"
    assert b"start-button" not in page
    ann.post(reverse("label-acknowledge", args=[current_guideline(cast.project).pk]))
    assert b"start-button" in ann.get(queue).content
    assert b"no written instructions" not in ann.get(f"/label/{take(cast, cast.ann).pk}/").content
    # Without words and pictures there is nothing to confirm.
    examples.remove(example=examples.examples_of(cast.project)[0], by="user:1")
    publish(cast)
    add_item(cast.project, seed=1)
    read(cast, cast.ann, (10, 10, 20))
    assert take(cast, cast.ann)


def test_a_caption_is_changed_in_the_draft_and_never_over_a_newer_one(cast: Cast):
    add(cast, "Old")
    (example,) = examples.examples_of(cast.project)
    place = reverse("manage-example-caption", args=[cast.project.slug, example.pk])
    form = {"caption": "New", "marker": "good", "seen_caption": "Old", "seen_marker": ""}
    for user in (cast.ann, cast.rita, cast.otto):
        assert signed_in(user).post(place, form).status_code in (403, 404)
    assert b"Kept in the draft" in signed_in(cast.ada).post(place, form, follow=True).content
    example.refresh_from_db()
    assert (example.caption, example.marker) == ("New", "good")
    answer = signed_in(cast.ada).post(place, form | {"caption": "Mine"}, follow=True).content
    assert b"Somebody changed this example meanwhile" in answer
    assert b"Mine" in answer, "what was typed is kept"
    assert b"at most 300" in signed_in(cast.ada).post(place, form | {"caption": "x" * 301}, follow=True).content
    example.refresh_from_db()
    assert example.caption == "New"
    assert Event.objects.filter(kind="example.captioned").count() == 1


def test_the_page_publishes_examples_alone_and_says_when_there_is_nothing_new(cast: Cast):
    add(cast, "New")
    page = signed_in(cast.ada).get(f"/manage/{cast.project.slug}/ontology/").content
    assert b"These examples differ from version 1" in page
    place = reverse("manage-guideline", args=[cast.project.slug])
    assert b"Instructions version 2" in signed_in(cast.ada).post(place, {"text": "", "version": 1}, follow=True).content
    again = signed_in(cast.ada).post(place, {"text": "", "version": 2}, follow=True).content
    assert b"are the same, so no new version was made" in again
    assert b"These examples differ" not in again


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>", png()[:60]], ids=len
)
def test_what_is_no_picture_is_refused_in_words(cast: Cast, content: bytes):
    answer = send(cast, cast.ada, picture=SimpleUploadedFile("x.png", content))
    assert answer.status_code == 200
    assert b"notice is-error" in answer.content or b"is-error" in answer.content
    assert not Example.objects.exists()


def test_a_large_picture_is_made_smaller_and_the_same_twice_is_once(cast: Cast):
    for _ in range(2):
        examples.add_from_file(
            project=cast.project, content=png(2000), name="big.png", caption="", marker="", by="user:1"
        )
    (example,) = examples.examples_of(cast.project)
    assert shown(examples.png_of(example)).size == (examples.LONGEST_SIDE, examples.LONGEST_SIDE)


def test_a_slice_of_a_volume_is_shown_under_its_window(cast: Cast):
    pixels = np.zeros((3, 8, 10), dtype=np.int16)
    pixels[2] = 1000
    item = add_volume(
        project=cast.project, pixels=pixels, grid=Grid((3, 8, 10), (1.0, 1.0, 1.0), None), window=(500, 1000),
        identity=ItemIdentity(),
    )  # fmt: skip
    values = []
    for z in (1, 2):
        example = show_item(item=item, z=z, caption=f"slice {z}", marker="bad", by=cast.ada)
        values.append(shown(examples.png_of(example)).getpixel((0, 0)))
    assert values == [0, 255]
    with pytest.raises(CatalogProblem, match="slices 1 to 3"):
        show_item(item=item, z=3, caption="", marker="", by=cast.ada)
    for user, refusal in ((cast.rita, NotAllowed), (cast.ann, NotAllowed), (cast.otto, NotFound)):
        with pytest.raises(refusal):
            show_item(item=item, z=0, caption="", marker="", by=user)


def test_gold_is_never_shown_and_what_is_shown_never_becomes_gold(cast: Cast):
    item = add_item(cast.project, subject="patient-1")
    other = add_item(cast.project, subject="patient-1", seed=1)
    submission = read(cast, cast.ann, (10, 10, 20))
    gold = make_gold(item=submission.assignment.item, submission=submission, by="test")
    for one in (item, other):
        with pytest.raises(StepRefused, match="is or was gold"):
            show_item(item=one, z=None, caption="", marker="", by=cast.ada)
    assert b"is or was gold" in send(cast, cast.ada, item=gold.item.code).content
    retire_gold(gold=gold, reason="too easy", by="test")
    with pytest.raises(StepRefused, match="is or was gold"):
        show_item(item=gold.item, z=None, caption="", marker="", by=cast.ada)
    assert not Example.objects.exists()
    free = add_item(cast.project, seed=2)
    show_item(item=free, z=None, caption="", marker="", by=cast.ada)
    while (work := read(cast, cast.ann, (10, 10, 20))).assignment.item != free:
        pass
    with pytest.raises(GoldProblem, match="show this item to every labeler"):
        make_gold(item=free, submission=work, by="test")
