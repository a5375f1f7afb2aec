"""An image that Ann and Ben label together, for real transactions.

Each test has an event loop of its own, and so a channel layer of its own: one on Redis is bound to the loop that used it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from channels.layers import channel_layers

from labelhub.assignments.batches import make_batch
from labelhub.assignments.models import Assignment
from labelhub.projects.selectors import labeler_of
from labelhub.workflow import lifecycle, together
from tests.cast import Cast, make_cast
from tests.workflow.walking import add_item, set_policy


@pytest.fixture(autouse=True)
def _own_layer() -> Iterator[None]:
    channel_layers.backends.clear()
    yield
    channel_layers.backends.clear()


@pytest.fixture
def cast(transactional_db) -> Cast:
    return make_cast()


@pytest.fixture
def work(cast: Cast) -> Assignment:
    """An image that Ann and Ben label together."""
    set_policy(cast, readers=1)
    item = add_item(cast.project)
    make_batch(project=cast.project, name="Together", items=[item], by="test", is_shared=True)
    found = lifecycle.hand_out(labeler=labeler_of(cast.ann, cast.project))
    assert found is not None
    together.join(assignment=found, by=cast.ben)
    return found
