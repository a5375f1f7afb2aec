"""Tiles of large pictures: together they are the picture, each level is the mean of the one below, and they are made once."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from django.urls import reverse

from labelhub.assignments.models import Assignment
from labelhub.catalog import selectors, tiles
from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import labeler_of

HEIGHT, WIDTH = 2050, 2601


@pytest.fixture
def picture():
    return np.random.default_rng(8).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.fixture
def medium(cast, picture):
    return add_photograph(project=cast.project, pixels=picture, identity=ItemIdentity()).media.get()


def _level(medium, level):
    width, height = tiles.level_size(medium, level)
    whole = np.zeros((height, width, 3), dtype=np.uint8)
    for row in range(-(-height // 512)):
        for column in range(-(-width // 512)):
            tile = tiles.read_tile(medium, level, column, row)
            piece = np.frombuffer(tile.content, np.uint8).reshape(tile.height, tile.width, 3)
            whole[row * 512 : row * 512 + tile.height, column * 512 : column * 512 + tile.width] = piece
    return whole


def test_the_tiles_of_level_0_are_the_picture_and_the_coarsest_level_is_one_tile(medium, picture):
    assert tiles.level_count(medium) == 4
    np.testing.assert_array_equal(_level(medium, 0), picture)
    assert max(tiles.level_size(medium, 3)) <= 512


def test_each_level_is_the_rounded_mean_of_the_one_below_also_at_odd_borders(medium):
    for level in range(1, 4):
        below = _level(medium, level - 1).astype(np.int64)
        padded = np.pad(below, [(0, below.shape[0] % 2), (0, below.shape[1] % 2), (0, 0)], mode="edge")
        height, width = (side // 2 for side in padded.shape[:2])
        mean = (padded.reshape(height, 2, width, 2, 3).sum(axis=(1, 3)) + 2) // 4
        np.testing.assert_array_equal(_level(medium, level), mean)


def test_half_of_a_picture_keeps_type_and_channels():
    odd = np.array([[1, 2, 250]], dtype=np.uint8)
    np.testing.assert_array_equal(tiles.halved(odd), [[2, 250]])
    assert tiles.halved(np.zeros((3, 5), dtype=np.float32)).dtype == np.float32
    assert tiles.halved(np.full((2, 2, 4), 65535, dtype=np.uint16)).tolist() == [[[65535] * 4]]
    tall = np.arange(2100, dtype=np.uint16).reshape(2100, 1)
    assert tiles.halved(tall)[600, 0] == (1200 + 1201 + 1) // 2


def test_small_pictures_and_volumes_have_no_tiles(cast, volume_medium, monkeypatch):
    small = add_photograph(
        project=cast.project, pixels=np.zeros((10, 10, 3), dtype=np.uint8), identity=ItemIdentity()
    ).media.get()
    assert tiles.level_count(small) == 0
    with pytest.raises(NotFound):
        tiles.read_tile(small, 0, 0, 0)
    monkeypatch.setattr(tiles, "LARGE_PIXELS", 1)
    assert tiles.level_count(volume_medium) == 0, "slices of a volume are sent whole, however large they are"


@pytest.fixture
def volume_medium(cast):
    from labelhub.catalog.services import add_volume
    from labelhub.formats.shapes import Grid

    pixels = np.zeros((3, 4, 5), dtype=np.int16)
    return add_volume(
        project=cast.project, pixels=pixels, grid=Grid((3, 4, 5), (1, 1, 1)), identity=ItemIdentity()
    ).media.get()


def test_the_pyramid_is_made_once_and_again_after_it_was_deleted(medium, picture, monkeypatch):
    tiles.read_tile(medium, 0, 0, 0)
    reading = selectors.read_slice_rows
    calls = []

    def counting(one):
        calls.append(one)
        return reading(one)

    monkeypatch.setattr(tiles, "read_slice_rows", counting)
    tiles.read_tile(medium, 3, 0, 0)
    assert calls == []
    shutil.rmtree(tiles._root())
    tile = tiles.read_tile(medium, 0, 5, 4)
    assert len(calls) == 1
    assert (tile.width, tile.height) == (WIDTH - 5 * 512, HEIGHT - 4 * 512)
    assert not list(tiles._root().rglob(".partial-*"))


def test_tiles_are_sent_to_those_who_may_see_the_picture_and_confirmed_without_being_read(
    cast, client, medium, monkeypatch
):
    work = Assignment.objects.create(
        item=medium.item, labeler=labeler_of(cast.ann, cast.project), read_kind="independent", planned_blind=True
    )
    own = reverse("api-own-tile", args=[work.pk, 0, 2, 0, 0])
    by_number = reverse("api-tile", args=[medium.pk, 2, 0, 0])
    for address, allowed in ((own, {"ann"}), (by_number, {"rita", "ada"})):
        client.logout()
        assert client.get(address).status_code == 403
        for name in ("ann", "ben", "rita", "ada", "otto"):
            client.force_login(getattr(cast, name))
            assert client.get(address).status_code == (200 if name in allowed else 404), (name, address)
    client.force_login(cast.ann)
    answer = client.get(own)
    assert (answer["X-Width"], answer["X-Height"], answer["X-Channels"]) == ("512", "512", "3")
    assert client.get(reverse("api-own-tile", args=[work.pk, 0, 2, 9, 0])).status_code == 404
    assert client.get(reverse("api-own-tile", args=[work.pk, 0, 9, 0, 0])).status_code == 404

    def not_again(*args):
        raise AssertionError("the pixels were read")

    monkeypatch.setattr(tiles, "read_tile", not_again)
    again = client.get(own, headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    facts = client.get(reverse("api-own-media", args=[work.pk])).json()["media"][0]
    assert facts["tiles"] == {"size": 512, "levels": 4}
