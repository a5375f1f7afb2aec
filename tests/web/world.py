"""A small world for the pages: one photograph that Ann and Ben read differently, which therefore waits for Rita."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.formats.shapes import Reading, Region, Shape
from labelhub.projects.models import Labeler
from labelhub.projects.policy import Policy
from labelhub.projects.services import publish_policy
from labelhub.workflow import lifecycle
from tests.cast import Cast


@dataclass(frozen=True)
class World:
    """The cast, the item, and what Ann and Ben said of it."""

    cast: Cast
    item: Item
    by_ann: Submission
    by_ben: Submission


def make_world(cast: Cast) -> World:
    """Make the item and its two readings through the steps that the pages use."""
    publish_policy(project=cast.project, policy=Policy(readers=2, max_readers=2), by=cast.ada)
    item = add_item(cast)
    by_ann = read(cast, item, cast.ann, box=(4, 4, 20, 20))
    by_ben = read(cast, item, cast.ben, box=(40, 40, 60, 60))
    item.refresh_from_db()
    return World(cast, item, by_ann, by_ben)


def add_item(cast: Cast, *, source_id: str = "task-7") -> Item:
    """Add a photograph with a gradient, so that a slice has something to show."""
    rng = np.random.default_rng(7)
    pixels = rng.integers(0, 255, size=(64, 80), dtype=np.uint8)
    identity = ItemIdentity(subject=None, subject_kind="image", study=None)
    return add_photograph(project=cast.project, pixels=pixels, identity=identity, source_id=source_id, name="scan.png")


def read(cast: Cast, item: Item, user, *, box: tuple[int, int, int, int], **options) -> Submission:
    """Store a reading of one box of class debris."""
    labeler = Labeler.objects.get(project=cast.project, user=user)
    x0, y0, x1, y1 = box
    region = Region("polygon", np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64))
    shape = Shape("s1", "nucleus", (region,))
    reading = Reading(
        item.code, f"labeler-{labeler.pk}", (shape,), {"quality": "good"}, read_kind="independent", planned_blind=True
    )
    return lifecycle.record_reading(item=item, labeler=labeler, reading=reading, **options)
