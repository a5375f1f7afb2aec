"""The routes of pixels: what they send, to whom, and what they never tell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from django.urls import reverse

from labelhub.assignments.models import Assignment
from labelhub.catalog import services
from labelhub.catalog.overviews import LONGEST_SIDE, MOST_VOXELS, steps_for
from labelhub.catalog.services import ItemIdentity, NewMedium
from labelhub.formats.shapes import Grid
from labelhub.projects.selectors import labeler_of
from labelhub.projects.services import remove_member

PIXELS = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


@pytest.fixture
def item(cast):
    grid = Grid(size=PIXELS.shape, spacing_mm=(2.0, 1.0, 1.0))
    return services.add_volume(
        project=cast.project, pixels=PIXELS, grid=grid,
        identity=ItemIdentity(subject="Doe^Jane", study="1.2.3"), source_id="task-77", name="doe_jane.dcm",
        window=(60, 120),
    )  # fmt: skip


@pytest.fixture
def work(cast, item):
    labeler = labeler_of(cast.ann, cast.project)
    return Assignment.objects.create(
        item=item, labeler=labeler, read_kind="independent", planned_blind=True, reason="gold"
    )


def _routes(item, work):
    """Each route with the people who may use it."""
    pk = item.media.get().pk
    staff, author = {"rita", "ada"}, {"ann"}
    return [
        (reverse("api-medium", args=[pk]), staff),
        (reverse("api-slice", args=[pk, "axial", 0]), staff),
        (reverse("api-thumbnail", args=[pk]), staff),
        (reverse("api-overview", args=[pk]), staff),
        (reverse("api-own-media", args=[work.pk]), author),
        (reverse("api-own-slice", args=[work.pk, 0, "axial", 0]), author),
        (reverse("api-own-thumbnail", args=[work.pk, 0]), author),
        (reverse("api-own-overview", args=[work.pk, 0]), author),
    ]


def test_each_route_answers_those_it_is_for_and_does_not_exist_for_the_others(cast, client, item, work):
    for address, allowed in _routes(item, work):
        client.logout()
        assert client.get(address).status_code == 403, address
        for name in ("ann", "ben", "rita", "ada", "otto"):
            client.force_login(getattr(cast, name))
            expected = 200 if name in allowed else 404
            assert client.get(address).status_code == expected, (name, address)
            assert client.post(address).status_code in {403, 405}


def test_a_removed_labeler_finds_nothing(cast, client, item, work):
    remove_member(project=cast.project, user=cast.ann, actor="test")
    cast.ann.refresh_from_db()
    client.force_login(cast.ann)
    assert client.get(reverse("api-own-slice", args=[work.pk, 0, "axial", 0])).status_code == 404


def test_a_slice_is_raw_little_endian_rows_that_the_browser_may_keep_for_its_person(cast, client, item, work):
    client.force_login(cast.ann)
    answer = client.get(reverse("api-own-slice", args=[work.pk, 0, "sagittal", 3]))
    assert answer["Content-Type"] == "application/octet-stream"
    assert (answer["X-Width"], answer["X-Height"], answer["X-Dtype"], answer["X-Channels"]) == ("5", "4", "int16", "1")
    assert np.array_equal(np.frombuffer(answer.content, "<i2").reshape(4, 5), PIXELS[:, :, 3])
    assert "immutable" in answer["Cache-Control"]
    assert "private" in answer["Cache-Control"]
    assert "Cookie" in answer["Vary"]


def test_the_reduced_copy_of_a_volume_says_which_voxels_it_holds(cast, client, item, work, monkeypatch):
    client.force_login(cast.ann)
    address = reverse("api-own-overview", args=[work.pk, 0])
    whole = client.get(address)
    assert (whole["X-Size"], whole["X-Steps"], whole["X-Dtype"]) == ("4,5,6", "1,1,1", "int16")
    assert np.array_equal(np.frombuffer(whole.content, "<i2").reshape(4, 5, 6), PIXELS)
    monkeypatch.setattr("labelhub.catalog.overviews.steps_for", lambda *args: (1, 2, 3))
    thin = client.get(address, headers={"If-None-Match": whole["ETag"]})
    assert (thin.status_code, thin["X-Size"], thin["X-Steps"]) == (200, "4,3,2", "1,2,3")
    assert np.array_equal(np.frombuffer(thin.content, "<i2").reshape(4, 3, 2), PIXELS[:, 0::2, 1::3])
    assert client.get(address, headers={"If-None-Match": thin["ETag"]}).status_code == 304


@pytest.mark.parametrize(
    ("size", "spacing", "steps"),
    [
        ((24, 96, 128), None, (1, 1, 1)),
        ((40, 512, 512), (5.0, 0.7, 0.7), (1, 2, 1)),
        ((400, 512, 512), (1.0, 0.7, 0.7), (2, 3, 3)),
        ((4000, 4, 4), (0.1, 1.0, 1.0), (8, 1, 1)),
        ((1500, 2048, 2048), (0.05, 0.05, 0.05), (9, 10, 9)),
    ],
)
def test_the_finest_axis_is_thinned_first_and_any_volume_fits(size, spacing, steps):
    assert steps_for(size, spacing) == steps
    left = [math.ceil(n / step) for n, step in zip(size, steps, strict=True)]
    assert math.prod(left) <= MOST_VOXELS
    assert max(left) <= LONGEST_SIDE


def test_a_known_slice_is_confirmed_without_being_read(cast, client, item, work, monkeypatch):
    client.force_login(cast.rita)
    address = reverse("api-slice", args=[item.media.get().pk, "axial", 1])
    etag = client.get(address)["ETag"]

    def not_again(*args):
        raise AssertionError("the pixels were read")

    monkeypatch.setattr("labelhub.catalog.selectors.read_slice", not_again)
    again = client.get(address, headers={"If-None-Match": f'"other", W/{etag}'})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)


def test_an_etag_never_opens_what_permissions_close(cast, client, item, work):
    address = reverse("api-slice", args=[item.media.get().pk, "axial", 1])
    client.force_login(cast.otto)
    assert client.get(address, headers={"If-None-Match": "*"}).status_code == 404


def test_nothing_a_labeler_gets_names_the_item_the_patient_or_the_file(cast, client, item, work):
    client.force_login(cast.ann)
    answers = [client.get(address) for address, allowed in _routes(item, work) if "ann" in allowed]
    text = b"".join(answer.content + str(answer.headers).encode() for answer in answers).lower()
    canaries = ("doe", "1.2.3", "task-77", item.subject.key, item.study.key, item.code.lower(), "gold")
    for canary in (*canaries, item.media.get().pixels_id):
        assert canary.encode() not in text, canary


def test_the_facts_suffice_to_draw_without_another_request(cast, client, item, work):
    client.force_login(cast.ann)
    facts = client.get(reverse("api-own-media", args=[work.pk])).json()["media"]
    assert facts[0]["planes"]["coronal"] == {"width": 6, "height": 4, "count": 5}
    assert facts[0]["window"] == [60, 120]
    assert facts[0]["spacing_mm"] == [2, 1, 1]


@pytest.mark.parametrize(
    "path", ["slice/axial/4", "slice/sideways/0", "slice/axial/99999999999999999999", "thumbnail", "slice/coronal/5"]
)
def test_what_is_outside_does_not_exist(cast, client, item, path):
    client.force_login(cast.rita)
    query = "?size=100000" if path == "thumbnail" else ""
    assert client.get(f"/api/v1/media/{item.media.get().pk}/{path}/{query}").status_code == 404


def test_an_item_without_pixels_says_so(cast, client):
    media = [NewMedium(kind="volume", grid=Grid(size=(2, 3, 4)))]
    medium = services.create_item(project=cast.project, media=media, identity=ItemIdentity()).media.get()
    client.force_login(cast.rita)
    answer = client.get(reverse("api-slice", args=[medium.pk, "axial", 0]))
    assert answer.status_code == 404
    assert answer.json()["code"] == "no-pixels"
    assert client.get(reverse("api-medium", args=[medium.pk])).json()["has_pixels"] is False


def test_a_thumbnail_is_confirmed_too(cast, client, item):
    client.force_login(cast.ada)
    address = reverse("api-thumbnail", args=[item.media.get().pk]) + "?size=64"
    first = client.get(address)
    assert first["Content-Type"] == "image/png"
    assert client.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 304
