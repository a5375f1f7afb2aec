"""Examples in the instructions: decoded apart from the server, seen by members alone, and never a picture that tests somebody.

Planted once and seen to fail: gold that may be shown; another picture of its patient; what is shown made gold; an example seen
after it was taken out; the file itself kept in place of its picture.
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

from labelhub.audit.models import Event
from labelhub.catalog import examples
from labelhub.catalog.errors import CatalogProblem
from labelhub.catalog.models import Example
from labelhub.catalog.services import ItemIdentity, add_volume
from labelhub.formats.shapes import Grid
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.scoring.gold import GoldProblem, make_gold, retire_gold
from labelhub.workflow.errors import StepRefused
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


def test_an_admin_adds_a_picture_and_every_member_sees_it_and_nobody_else(cast: Cast):
    from PIL.PngImagePlugin import PngInfo

    words = PngInfo()
    words.add_text("Comment", "Patient Smith")
    sent = SimpleUploadedFile("a.png", png(pnginfo=words), content_type="image/png")
    assert b"is in the instructions now" in send(cast, cast.ada, picture=sent).content
    (example,) = examples.examples_of(cast.project)
    place = reverse("label-example", args=[cast.project.slug, example.pk])
    for user in (cast.ann, cast.rita, cast.ada):
        answer = signed_in(user).get(place)
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
        assert shown(answer.content).getpixel((5, 5)) == (200, 30, 30)
    # Only the picture is kept.
    assert b"Smith" not in answer.content
    assert signed_in(cast.otto).get(place).status_code == 404
    assert Client().get(place).status_code == 302
    add_item(cast.project)
    page = signed_in(cast.ann).get(f"/label/{take(cast, cast.ann).pk}/").content
    assert all(part in page for part in (place.encode(), b"The edge", b"Like this"))
    out = reverse("manage-example-remove", args=[cast.project.slug, example.pk])
    for user in (cast.ann, cast.rita, cast.otto):
        assert signed_in(user).post(out).status_code in (403, 404)
        assert send(cast, user, picture=SimpleUploadedFile("b.png", png(41))).status_code in (403, 404)
    assert signed_in(cast.ada).post(out).status_code == 302
    assert signed_in(cast.ann).get(place).status_code == 404
    kinds = Event.objects.filter(kind__startswith="example").order_by("seq").values_list("kind", flat=True)
    assert list(kinds) == ["example.added", "example.removed"]


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
