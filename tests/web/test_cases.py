"""What stands out about a labeler is shown by pictures: the clearest cases, worst first, each with one fact."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from django.urls import reverse
from PIL import Image

from labelhub.analytics.cases import Concern, concerns_of
from labelhub.analytics.layers import layers_of
from labelhub.analytics.selectors import standing_of
from labelhub.annotations.plain import rater_key
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import media_of
from labelhub.catalog.services import ItemIdentity, NewMedium, add_volume, create_item
from labelhub.formats.shapes import Grid, MaskRegion, Reading, Region, Shape
from labelhub.projects.models import Labeler
from labelhub.web.case_pictures import OTHER, OWN, SIDE_PX, case_png
from labelhub.workflow import lifecycle

N_ITEMS = 9


def ring(x: float, y: float, radius: float) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return np.column_stack([x + radius * np.cos(turn), y + radius * np.sin(turn)])


def store(item: Item, labeler: Labeler, points: np.ndarray, *, label: str = "nucleus", **options: bool) -> None:
    shape = Shape("s1", label, (Region("polygon", points),))
    kind = "adjudication" if options else "independent"
    reading = Reading(
        item.code, rater_key(labeler), (shape,), {"quality": "good"}, read_kind=kind, planned_blind=not options
    )
    lifecycle.record_reading(item=item, labeler=labeler, reading=reading, is_routed=False, **options)
    if not options:
        lifecycle.score_and_route(item=item)


def concerns(project, labeler: Labeler) -> tuple[Concern, ...]:
    standing = standing_of(project)
    assert standing is not None
    return concerns_of(project, labeler, standing.panel)


def test_the_picture_has_both_lines_and_is_asked_for_once(world, as_):
    place = reverse(
        "manage-case-picture", args=["cells", world.item.code, f"s{world.by_ann.pk}", f"s{world.by_ben.pk}"]
    )
    answer = as_("ada").get(place)
    picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).reshape(-1, 3)
    for colour in (OWN, OTHER):
        assert (np.abs(picture.astype(int) - colour).max(axis=1) < 12).sum() > 100
    assert as_("ada").get(place, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    assert as_("ada").get(place, {"pair": "1"})["ETag"] != answer["ETag"]


def test_who_is_no_admin_of_the_project_gets_no_picture(world, as_):
    place = reverse(
        "manage-case-picture", args=["cells", world.item.code, f"s{world.by_ann.pk}", f"s{world.by_ben.pk}"]
    )
    assert as_("otto").get(place).status_code == 404
    assert as_("ann").get(place).status_code == 403
    assert as_("ada").get(place.replace(f"s{world.by_ben.pk}", "s0")).status_code == 404


def test_a_volume_is_drawn_on_the_plane_where_the_two_differ_most(cast):
    grid = Grid((6, 40, 30), spacing_mm=(3.0, 1.0, 2.0))
    identity = ItemIdentity(subject=None, subject_kind="image", study=None)
    item = add_volume(
        project=cast.project, pixels=np.zeros(grid.size, dtype=np.int16), grid=grid, value_meaning="arbitrary",
        window=(0.0, 1.0), identity=identity, source_id="v",
    )  # fmt: skip
    same, wide = np.zeros((6, 40, 30), dtype=bool), np.zeros((6, 40, 30), dtype=bool)
    same[1:5, 5:15, 5:10] = True
    wide[1:5, 5:15, 5:10] = True
    wide[4, 5:30, 5:25] = True
    layers = drawn(cast, item, MaskRegion(same), MaskRegion(wide))
    picture = np.asarray(Image.open(io.BytesIO(case_png(media_of(item), layers[0], layers[1:], is_pair=False))))
    assert picture.shape == (SIDE_PX, SIDE_PX, 3)
    orange = np.argwhere(np.abs(picture.astype(int) - OWN).max(axis=2) < 12)
    blue = np.argwhere(np.abs(picture.astype(int) - OTHER).max(axis=2) < 12)
    # Only plane 4 holds the wide part: 40 mm across against 10, twice the pixels across for a pixel that is 2 mm wide.
    assert np.ptp(blue[:, 1]) > 3 * np.ptp(orange[:, 1])


def test_an_item_without_pixels_is_drawn_on_black(cast):
    identity = ItemIdentity(subject=None, subject_kind="image", study=None)
    medium = NewMedium(kind="photograph", grid=Grid((1, 64, 80)), channels=1, dtype="uint8", pixels=None)
    item = create_item(project=cast.project, media=[medium], identity=identity, source_id="no-pixels")
    first, second = np.zeros((1, 64, 80), dtype=bool), np.zeros((1, 64, 80), dtype=bool)
    first[0, 10:20, 10:20] = True
    second[0, 10:20, 12:22] = True
    layers = drawn(cast, item, MaskRegion(first), MaskRegion(second))
    picture = Image.open(io.BytesIO(case_png(media_of(item), layers[0], layers[1:], is_pair=True))).convert("RGB")
    assert picture.getpixel((2, 2)) == (0, 0, 0)
    assert picture.width > 2 * SIDE_PX


def test_an_earlier_version_stays_a_layer_of_the_item(world):
    later = Reading(world.item.code, "", (), {"quality": "good"}, is_empty_read=True, read_kind="rework", version=2)
    labeler = world.by_ann.assignment.labeler
    lifecycle.record_reading(item=world.item, labeler=labeler, reading=replace(later, rater=rater_key(labeler)))
    kinds = {layer.key: layer.kind for layer in layers_of(world.item)}
    assert kinds[f"s{world.by_ann.pk}"] == "earlier"
    assert kinds[f"s{world.by_ben.pk}"] == "reader"


def drawn(cast, item: Item, *masks: MaskRegion):
    for user, mask in zip((cast.ann, cast.ben), masks, strict=True):
        labeler = Labeler.objects.get(project=cast.project, user=user)
        shape = Shape("s1", "nucleus", (), mask)
        reading = Reading(
            item.code, rater_key(labeler), (shape,), {"quality": "good"}, read_kind="independent", planned_blind=True
        )
        lifecycle.record_reading(item=item, labeler=labeler, reading=reading)
    return [layer for layer in layers_of(item) if layer.kind == "reader"]
