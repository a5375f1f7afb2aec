"""The picture on a card of the inbox: of many slices and pictures the one with most dispute, and the card says so.

Planted and seen to fail: the middle slice; the first picture; the disagreement of all planes laid over one; no word on the
card.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from labelhub.catalog.models import Item, Medium
from labelhub.catalog.services import ItemIdentity, NewMedium, create_item, store_pixels
from labelhub.formats.shapes import Grid, MaskRegion, Reading, Shape
from labelhub.projects.models import Labeler
from labelhub.web.review import shown_words
from labelhub.workflow import lifecycle

# Each plane has a grey of its own, so that the picture tells which one it is.
GREYS = np.array([10, 50, 90, 130, 170, 210], dtype=np.uint8)
SIZES = ((6, 40, 80), (6, 64, 64))


def stack(size: tuple[int, int, int]) -> NewMedium:
    pixels = np.broadcast_to(GREYS[: size[0], None, None], size).copy()
    return NewMedium(
        kind=Medium.Kind.VOLUME,
        grid=Grid(size),
        dtype="uint8",
        window=(127.5, 255.0),
        pixels=store_pixels(pixels=pixels),
    )


@pytest.fixture
def item(cast) -> Item:
    """On the first picture all agree; on the second Ben adds a little on plane 1 and much on plane 4."""
    media = [stack(size) for size in SIZES]
    row = create_item(project=cast.project, media=media, identity=ItemIdentity(subject="p"), source_id="two")
    for user in (cast.ann, cast.ben):
        voxels = np.zeros(SIZES[1], dtype=bool)
        voxels[0:6, 2:8, 2:8] = True
        alike = MaskRegion(voxels[:, :40, :64].copy(), (0, 0, 0))
        if user == cast.ben:
            voxels[1, 20:24, 20:24] = True
            voxels[4, 40:60, 30:60] = True
        shapes = (
            Shape("a", "lesion", mask=alike, medium=0),
            Shape("b", "lesion", mask=MaskRegion(voxels, (0, 0, 0)), medium=1),
        )
        reading = Reading(row.code, user.username, shapes, read_kind="independent", planned_blind=True)
        labeler = Labeler.objects.get(project=cast.project, user=user)
        lifecycle.record_reading(item=row, labeler=labeler, reading=reading)
    row.refresh_from_db()
    assert row.state == Item.State.REVIEW
    return row


def picture(client, item: Item) -> np.ndarray:
    answer = client.get(f"/review/cells/{item.code}/thumbnail/")
    assert answer.status_code == 200
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_the_picture_is_the_plane_of_the_medium_on_which_readers_differ_most(as_, item):
    found = picture(as_("rita"), item)
    assert found.shape[0] == found.shape[1], "the second picture is square, the first is not"
    scale = found.shape[0] / 64
    outside = found[int(10 * scale), int(50 * scale)]
    assert np.allclose(outside, GREYS[4], atol=3), "plane 4"
    assert found[int(50 * scale), int(45 * scale), 0] > outside[0] + 10, "what Ben adds there is lit"
    assert np.allclose(found[int(22 * scale), int(22 * scale)], outside, atol=3), "what he adds on plane 1 is not"


def test_the_card_says_what_of_the_item_is_shown(as_, cast, item, world):
    told = " ".join(as_("rita").get("/review/").content.decode().split())
    assert told.count("shown: ") == 1, "a single photograph needs no word"
    assert "shown: of 2 pictures the one and its slice with most dispute" in told


@pytest.mark.parametrize(
    ("n_media", "depth", "words"),
    [
        (1, 1, ""),
        (1, 6, "shown: of 6 slices the one with most dispute"),
        (4, 1, "shown: of 4 pictures the one with most dispute"),
    ],
)
def test_what_is_shown_is_said_of_slices_and_of_pictures(n_media, depth, words):
    assert shown_words(n_media, depth) == words
