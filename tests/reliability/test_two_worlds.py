"""S2 (a, b): two databases that differ only in hidden labels send an annotator the same bytes, and no canary sings in them.

Planted and seen to fail: the item's state in the ``ETag`` of a thumbnail; a count of items in review in the queue; the item's
state in the document that the workspace loads.
"""

from __future__ import annotations

import pytest

from labelhub.config.soak.two_worlds import compare_worlds


@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_two_worlds_that_differ_in_what_is_hidden_send_an_annotator_the_same_bytes():
    outcome = compare_worlds(sittings=9, seed=20310106)
    assert outcome.do_worlds_differ, "the worlds must differ in what is hidden, or nothing is tried"
    assert outcome.difference is None, outcome.difference
    assert outcome.n_exchanges > 200
    assert outcome.n_canaries > 50
    assert outcome.sung == ()
