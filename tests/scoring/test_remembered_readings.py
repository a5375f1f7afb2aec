"""Readings are remembered between steps; what a client sends never makes one stand for another.

Planted and seen to fail: remembered by the request's id alone, which is the client's and may be sent for several images.
"""

from __future__ import annotations

import uuid

import pytest

from labelhub.annotations.models import Submission
from labelhub.projects.selectors import current_ontology, current_policy
from labelhub.scoring.loaded import Loaded
from labelhub.scoring.services import terms_of
from tests.cast import Cast
from tests.workflow.walking import add_item, draw, set_policy, submit, take

pytestmark = pytest.mark.django_db


def test_one_request_id_for_two_images_keeps_their_drawings_apart(cast: Cast):
    set_policy(cast, readers=2)
    request_id = uuid.uuid4()
    drawn = {}
    for number, square in enumerate(((5, 5, 10), (30, 30, 25))):
        add_item(cast.project, seed=number)
        assignment = take(cast, cast.ann)
        draw(assignment, cast.ann, square)
        drawn[submit(assignment, cast.ann, request_id=request_id).pk] = square
    terms = terms_of(current_ontology(cast.project)[1], current_policy(cast.project)[1])
    for entry in Submission.objects.select_related("assignment__item"):
        [reading] = Loaded(entry.assignment.item, terms).readings([entry])
        assert tuple(reading.shapes[0].regions[0].points[0]) == drawn[entry.pk][:2]
