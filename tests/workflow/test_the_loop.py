"""The loop, one path a test, read from top to bottom: who gets what, what they draw, where the item goes."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from labelhub.annotations.plain import reading_of
from labelhub.audit.services import chain_of, verify
from labelhub.catalog.blobs import read_blob
from labelhub.consensus.selectors import current_settlement, readings_of_settlements
from labelhub.exports import services as exports
from labelhub.exports.models import Release
from labelhub.exports.selectors import release_file
from labelhub.jobs.worker import run_pending
from labelhub.reviews.selectors import inbox, own_comments
from labelhub.scoring.models import Score
from labelhub.workflow import lifecycle
from tests.cast import Cast
from tests.workflow.walking import (
    add_item,
    draw,
    labeler,
    mask_reading,
    new_annotator,
    next_for,
    read,
    redraw,
    review,
    rule,
    set_policy,
    state,
    submit,
    take,
)

SQUARE, ALIKE, OTHER = (10, 10, 20), (11, 10, 20), (40, 40, 15)


@pytest.fixture(autouse=True)
def _no_hidden_gold(cast: Cast) -> None:
    set_policy(cast)


def test_two_readers_who_agree_settle_an_item(cast: Cast):
    item = add_item(cast.project)
    assert state(item) == "waiting"
    read(cast, cast.ann, SQUARE)
    assert (state(item), rule(item)) == ("reading", "too-few-readers")
    assert next_for(cast, cast.ann) is None, "nobody reads an item twice"
    read(cast, cast.ben, ALIKE)
    assert (state(item), rule(item)) == ("settled", "agreement")

    settlement = current_settlement(item)
    assert settlement is not None
    assert (settlement.number, settlement.inputs.count(), settlement.confidence) == (1, 2, 1.0)
    agreement = Score.objects.get(item=item, about="item", metric="agreement", replaced_at=None)
    assert agreement.value == pytest.approx(0.95)
    assert verify(chain_of(cast.project.pk)).broken_at is None


def test_two_readers_who_disagree_get_a_third_and_the_majority_settles(cast: Cast):
    set_policy(cast, max_rework_rounds=0, slip_agreement=0.0)
    item = add_item(cast.project)
    cleo = new_annotator(cast, "Cleo")
    read(cast, cast.ann, SQUARE)
    read(cast, cast.ben, OTHER)
    assert (state(item), rule(item)) == ("reading", "disagreement")
    third = take(cast, cleo)
    assert third.planned_blind is False, "a read that was bought because people disagreed is not counted as agreement"
    draw(third, cleo, ALIKE)
    submit(third, cleo)
    assert Score.objects.get(item=item, about="item", metric="agreement", replaced_at=None).n == 1
    assert Score.objects.get(item=item, about="item", metric="current-agreement", replaced_at=None).n == 3


def test_the_odd_reader_looks_again_and_then_all_agree(cast: Cast):
    set_policy(cast, readers=3)
    item = add_item(cast.project)
    cleo = new_annotator(cast, "Cleo")
    read(cast, cast.ann, SQUARE)
    read(cast, cast.ben, ALIKE)
    slip = read(cast, cleo, OTHER)
    assert (state(item), rule(item)) == ("rework", "own-slip")

    rework = take(cast, cleo)
    assert (rework.read_kind, rework.follows_id) == ("rework", slip.assignment_id)
    redraw(rework, cleo, SQUARE)
    fixed = submit(rework, cleo)
    assert fixed.version == 2
    assert (state(item), rule(item)) == ("settled", "agreement")
    assert [shape.regions for shape in reading_of(slip).shapes], "the first version is kept"
    counted = Score.objects.get(item=item, about="item", metric="agreement", replaced_at=None)
    assert counted.value == pytest.approx((0.95 + 0 + 0) / 3), "agreement rests on first versions"


def test_a_reviewer_rejects_the_author_mends_it_and_the_mask_leaves_as_it_was_drawn(cast: Cast):
    set_policy(cast, max_readers=2)
    item = add_item(cast.project)
    first = read(cast, cast.ann, SQUARE)
    read(cast, cast.ben, OTHER)
    assert (state(item), rule(item)) == ("review", "readers-exhausted")
    assert [row.item for row in inbox(cast.rita, cast.project).rows] == [item]

    review(first, cast.rita, "reject", "The lower edge is missed.", score=3)
    assert state(item) == "rework"
    assert [entry.comment for entry in own_comments(labeler(cast, cast.ann), item)] == ["The lower edge is missed."]
    assert not own_comments(labeler(cast, cast.ben), item)

    rework = take(cast, cast.ann)
    redraw(rework, cast.ann, (10, 10, 22))
    mended = submit(rework, cast.ann)
    assert (state(item), rule(item)) == ("review", "fixed-work")
    review(mended, cast.rita, "accept", score=9)
    assert state(item) == "settled"

    release = lifecycle.release(
        project=cast.project, formats=["png", "coco", "csv", "nifti"], note="first", by=cast.ada
    )
    run_pending(queues=["cpu"])
    release = Release.objects.get(pk=release.pk)
    assert release.finished_at is not None
    drawn = np.zeros((64, 64), dtype=bool)
    drawn[10:32, 10:32] = True
    with zipfile.ZipFile(io.BytesIO(read_blob(release_file(cast.project, 1, "png.zip").blob))) as archive:
        pictures = [name for name in archive.namelist() if name.endswith("nucleus.png")]
        masks = [np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in pictures]
    assert len(masks) == 1
    assert np.array_equal(masks[0] > 0, drawn)
    manifest = json.loads(read_blob(release_file(cast.project, 1, "manifest.json").blob))
    assert [entry["item"] for entry in manifest["settlements"]] == [item.code]
    hashes = {entry["name"]: entry["sha256"] for entry in manifest["files"]}
    assert exports.rebuild(release) == hashes, "a release is reproducible from its manifest"


def test_a_mask_that_readers_share_is_settled_between_theirs(cast: Cast):
    item = add_item(cast.project)
    small, large = np.zeros((64, 64), dtype=bool), np.zeros((64, 64), dtype=bool)
    small[20:40, 20:40] = True
    large[18:42, 18:42] = True
    for user, mask in ((cast.ann, small), (cast.ben, large)):
        lifecycle.record_reading(
            item=item, labeler=labeler(cast, user), reading=mask_reading(item, user.username, mask)
        )
    assert state(item) == "settled"
    settlement = current_settlement(item)
    assert settlement is not None
    between = readings_of_settlements([settlement])[0].shapes[0].mask
    assert between is not None
    assert small.sum() < between.voxels.sum() < large.sum()
