"""A small world for the pages: one photograph that Ann and Ben read differently, which therefore waits for Rita."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelhub.annotations.models import Submission
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.formats.shapes import Reading, Region, Shape
from labelhub.projects.models import Labeler
from labelhub.projects.policy import Policy
from labelhub.projects.services import publish_policy
from labelhub.reviews import threads
from labelhub.reviews.models import Dispute, Question, Thread, UnreadableClaim
from labelhub.reviews.threads import Pin
from labelhub.workflow import lifecycle
from tests.cast import Cast


@dataclass(frozen=True)
class World:
    """The cast, the item, and what Ann and Ben said of it."""

    cast: Cast
    item: Item
    by_ann: Submission
    by_ben: Submission

    def question_of_ann(self) -> Question:
        """A question that Ann asked and nobody answered."""
        return self._waiting(Question) or lifecycle.ask(
            assignment=self.work_of_ann(), by=self.cast.ann, text="Is this debris?", is_waiting=False
        )

    def claim_of_ann(self) -> UnreadableClaim:
        """An item that Ann could not read and nobody decided about."""
        if self._waiting(UnreadableClaim) is None:
            lifecycle.cannot_read(assignment=self.work_of_ann(), by=self.cast.ann, reason="Black.")
        found = self._waiting(UnreadableClaim)
        assert found is not None
        return found

    def add(self) -> Item:
        """One more item that nobody has read."""
        return add_item(self.cast, source_id=f"task-{uuid.uuid4().hex[:6]}")

    def work_of_ann(self) -> Assignment:
        """Open work of Ann on an item of its own."""
        self.add()
        given = lifecycle.hand_out(labeler=Labeler.objects.get(project=self.cast.project, user=self.cast.ann))
        assert given is not None
        return given

    def returned_to_ann(self) -> Assignment:
        """Work of Ann that came back with Rita's words."""
        lifecycle.review(
            submission=self.by_ann, reviewer=self.cast.rita, verdict="reject", score=3, comment="Look again.",
            request_id=uuid.uuid4(),
        )  # fmt: skip
        return Assignment.objects.get(item=self.item, labeler__user=self.cast.ann, read_kind="rework")

    def thread_for_ann(self) -> Thread:
        """A thread about Ann's reading that Rita opened."""
        return Thread.objects.filter(item=self.item).first() or threads.open_thread(
            item=self.item,
            by=self.cast.rita,
            text="See here.",
            request_id=uuid.uuid4(),
            pin=Pin(submission=self.by_ann),
        )

    def dispute_of_ann(self) -> Dispute:
        """A dispute of Ann's about work that Rita returned."""
        earlier = Dispute.objects.filter(item=self.item).first()
        return earlier or lifecycle.dispute(assignment=self.returned_to_ann(), by=self.cast.ann, reason="It is.")

    def _waiting(self, model: Any) -> Any:
        missing = {Question: "reply", UnreadableClaim: "verdict"}[model]
        return model.objects.filter(item__project=self.cast.project, **{f"{missing}__isnull": True}).first()


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
