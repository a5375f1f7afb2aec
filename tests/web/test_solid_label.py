"""A label of a volume as the 3-D view takes it: numbers in a reduced grid, and nothing of what is hidden on the page.

Planted and seen to fail: a block of which one voxel is marked left out; a mask that begins within a block shifted by it;
classes numbered in the order of the shapes; the gold of an item that waits.
"""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_volume
from labelhub.formats.shapes import Grid, MaskRegion, Reading, Region, Shape
from labelhub.projects.models import Labeler
from labelhub.scoring.gold import make_gold
from labelhub.web.solid_label import label_map
from labelhub.workflow import lifecycle
from tests.cast import Cast

SIZE = (5, 9, 11)


@pytest.mark.parametrize("steps", [(1, 1, 1), (1, 2, 2), (2, 3, 4)])
def test_a_block_has_the_last_class_that_any_of_its_voxels_has(steps):
    rng = np.random.default_rng(3)
    boxes = [((0, 0, 0), SIZE), ((1, 2, 3), (3, 5, 6)), ((4, 8, 10), (1, 1, 1)), ((2, 1, 5), (2, 7, 5))]
    shapes = [
        Shape(f"m{n}", label, mask=MaskRegion(rng.random(shape) < 0.15, origin))
        for n, ((origin, shape), label) in enumerate(zip(boxes, ("b", "a", "b", "a"), strict=True))
    ]
    found = label_map(shapes, ["a", "b"], SIZE, steps)
    wanted = np.zeros([-(-n // step) for n, step in zip(SIZE, steps, strict=True)], dtype=np.uint8)
    for number, label in enumerate(("a", "b"), start=1):
        for shape in (entry for entry in shapes if entry.label == label):
            assert shape.mask is not None
            for voxel in np.argwhere(shape.mask.voxels) + shape.mask.origin:
                wanted[tuple(voxel // steps)] = number
    assert np.array_equal(found, wanted)
    assert set(found.flat) == {0, 1, 2}


def test_an_outline_counts_as_what_it_encloses():
    square = Region("polygon", np.array([[2.0, 2], [6, 2], [6, 6], [2, 6]]), z=3)
    found = label_map([Shape("s", "a", (square,))], ["a"], SIZE, (1, 2, 2))
    assert [tuple(at) for at in np.argwhere(found)] == [(3, y, x) for y in (1, 2) for x in (1, 2)]


@pytest.fixture
def volume(cast: Cast) -> Item:
    row = add_volume(
        project=cast.project, pixels=np.zeros(SIZE, dtype=np.int16), grid=Grid(SIZE, (1.0, 1.0, 1.0)),
        identity=ItemIdentity(subject="p"),
    )  # fmt: skip
    for user, n in ((cast.ann, 3), (cast.ben, 5)):
        read(cast, row, user, n)
    Item.objects.filter(pk=row.pk).update(state=Item.State.REVIEW)
    return row


def read(cast: Cast, item: Item, user, n: int, **given):
    voxels = np.zeros(SIZE, dtype=bool)
    voxels[1, :n, :n] = True
    shape = Shape("m", "lesion", mask=MaskRegion(voxels))
    given = {"read_kind": "independent", "planned_blind": True} | given
    reading = Reading(item.code, user.username, (shape,), **given)
    labeler = Labeler.objects.get(project=cast.project, user=user)
    return lifecycle.record_reading(item=item, labeler=labeler, reading=reading, is_routed=False)


def test_each_reader_and_the_label_as_decided_come_with_the_colours_of_their_classes(cast, as_, volume):
    place = f"/review/cells/{volume.code}/"
    layers = as_("rita").get(f"{place}layers/").json()["layers"]
    counts = []
    for way in [*(f"layers/{layer['key']}" for layer in layers), "matters/result"]:
        answer = as_("rita").get(f"{place}{way}/solid/0/")
        assert (answer["X-Size"], answer["X-Colours"]) == ("5,9,11", "#ffc914")
        counts.append(np.count_nonzero(np.frombuffer(gzip.decompress(answer.content), dtype=np.uint8)))
    assert counts[:2] == [9, 25]
    assert 9 <= counts[2] <= 25
    for way in ("layers/s999/solid/0/", "layers/x/solid/0/", "matters/result/solid/4/"):
        assert as_("rita").get(place + way).status_code == 404


def test_gold_is_hidden_while_the_item_waits(cast, as_, volume):
    gold = read(cast, volume, cast.ada, 7, read_kind="adjudication", planned_blind=False)
    make_gold(item=volume, submission=gold, by="test", kind="hidden")
    way = f"/review/cells/{volume.code}/layers/s{gold.pk}/solid/0/"
    assert as_("rita").get(way).status_code == 404
    assert as_("ada").get(way).status_code == 200
    Item.objects.filter(pk=volume.pk).update(state=Item.State.SETTLED)
    assert as_("rita").get(way).status_code == 200


def test_a_photograph_has_no_third_dimension(as_, world):
    assert as_("rita").get(f"/review/cells/{world.item.code}/matters/result/solid/0/").status_code == 404
