"""The hanging protocol of a project: what admins may state, and that it reaches the editor of every item.

Planted and seen to fail: an emptied protocol that still reaches the editor.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from labelhub.assignments.models import Assignment
from labelhub.audit.models import Event
from labelhub.catalog.models import Medium
from labelhub.catalog.services import ItemIdentity, NewMedium, create_item
from labelhub.formats.shapes import Grid
from labelhub.projects.hanging import HangingProblem, PaneRule, Protocol, read_protocol
from labelhub.projects.models import HangingVersion, StaleEdit
from labelhub.projects.selectors import current_hanging, labeler_of
from labelhub.projects.services import publish_hanging

pytestmark = pytest.mark.django_db

FORM = {
    "version": "0", "layout": "two", "series-1": "flair", "plane-1": "axial", "centre-1": "400", "width-1": "900",
    "series-2": "#2", "plane-2": "sagittal", "centre-2": "", "width-2": "", "series-3": "", "plane-3": "axial",
}  # fmt: skip
STATED = Protocol("two", (PaneRule("flair", "axial", (400.0, 900.0)), PaneRule("#2", "sagittal")))


@pytest.fixture
def work(cast) -> Assignment:
    grid = Grid(size=(2, 3, 4))
    media = [
        NewMedium(kind="volume", grid=grid, metadata={"series_description": "AX FLAIR"}),
        NewMedium(kind="volume", grid=grid),
    ]
    item = create_item(project=cast.project, media=media, identity=ItemIdentity())
    return Assignment.objects.create(
        item=item, labeler=labeler_of(cast.ann, cast.project), read_kind="independent", planned_blind=True
    )


def send(client: Any, cast: Any, **changes: str) -> Any:
    return client.post(reverse("manage-hanging", args=[cast.project.slug]), FORM | changes)


def test_an_admin_states_it_the_editor_gets_it_and_the_log_keeps_it(cast, client, work):
    client.force_login(cast.ann)
    assert client.get(reverse("api-document", args=[work.pk])).json()["hanging"] is None
    client.force_login(cast.ada)
    page = client.get(reverse("manage-hanging", args=[cast.project.slug])).content.decode()
    assert "AX FLAIR" in page
    assert send(client, cast).status_code == 302
    assert current_hanging(cast.project) == (1, STATED)
    event = Event.objects.get(kind="hanging.published", subject=f"project:{cast.project.pk}")
    assert event.actor == f"user:{cast.ada.pk}"
    page = client.get(reverse("manage-hanging", args=[cast.project.slug])).content.decode()
    assert 'value="flair"' in page
    assert 'value="900"' in page
    client.force_login(cast.ann)
    assert client.get(reverse("api-document", args=[work.pk])).json()["hanging"] == STATED.to_document()


def test_two_panes_stand_side_by_side_or_one_above_the_other(cast, client):
    client.force_login(cast.ada)
    assert "one above the other" in client.get(reverse("manage-hanging", args=[cast.project.slug])).content.decode()
    assert send(client, cast, layout="stacked").status_code == 302
    assert current_hanging(cast.project)[1].layout == "stacked"


def test_the_same_again_makes_no_version_and_an_older_form_is_refused_and_kept(cast, client):
    client.force_login(cast.ada)
    send(client, cast)
    send(client, cast, version="1")
    assert HangingVersion.objects.count() == 1
    late = send(client, cast, layout="four")
    assert late.status_code == 409
    assert StaleEdit.objects.get().content["content"]["layout"] == "four"
    assert HangingVersion.objects.count() == 1
    # Its page offers what was typed under the newest number, so that sending it again publishes it.
    assert 'name="version" value="1"' in late.content.decode()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layout": "nine"}, "would not be seen"),
        ({"layout": "one"}, "pane 2 would not be seen"),
        ({"plane-1": "oblique"}, "Pane 1: the plane is one of"),
        ({"centre-1": ""}, "Pane 1: a window is two numbers"),
        ({"width-1": "-3"}, "above 0, not -3"),
        ({"width-1": "inf"}, "a window is two numbers"),
        ({"series-2": "FLAIR", "plane-2": "axial"}, "the same series on the same plane"),
        ({"series-1": "x" * 81}, "at most 80 characters"),
    ],
)
def test_what_no_pane_can_show_is_refused_with_what_was_typed(cast, client, changes, words):
    client.force_login(cast.ada)
    answer = send(client, cast, **changes)
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert 'value="#2"' in answer.content.decode() or changes.get("series-2", "#2") != "#2"
    assert not HangingVersion.objects.exists()


def test_an_emptied_form_leaves_it_to_the_editor_again(cast, client, work):
    publish_hanging(project=cast.project, protocol=STATED, by=cast.ada)
    client.force_login(cast.ada)
    assert send(client, cast, version="1", **{"series-1": "", "series-2": ""}).status_code == 302
    client.force_login(cast.ann)
    assert client.get(reverse("api-document", args=[work.pk])).json()["hanging"] is None


@pytest.mark.parametrize(
    "document", [{}, {"layout": "two", "panes": "no"}, {"layout": "one", "panes": [{"series": " "}]}]
)
def test_a_document_that_is_none_is_refused(document):
    with pytest.raises(HangingProblem):
        read_protocol(document)


def test_series_of_unlike_frames_of_reference_share_no_place_unless_the_project_says_so(cast, client):
    grid = Grid(size=(2, 3, 4))
    frames = ("1.2.840.1", "1.2.840.2", "1.2.840.1", None)
    works = []
    for _ in range(2):
        media = [NewMedium(kind="volume", grid=grid, frame=frame) for frame in frames]
        item = create_item(project=cast.project, media=media, identity=ItemIdentity())
        works.append(Assignment.objects.create(
            item=item, labeler=labeler_of(cast.ann, cast.project), read_kind="independent", planned_blind=True
        ))  # fmt: skip

    def spaces(name: str) -> list[list[int]]:
        client.force_login(cast.ann)
        answers = [client.get(reverse(name, args=[work.pk])) for work in works]
        # Nothing tells that both items lie in one frame of reference, so are of one patient.
        assert all(frame not in answer.content.decode() for answer in answers for frame in ("1.2.840", *keys))
        return [[medium["space"] for medium in answer.json()["media"]] for answer in answers]

    keys = set(Medium.objects.exclude(frame_key="").values_list("frame_key", flat=True))
    assert len(keys) == 2, "the same frame has the same key in all items of a project"
    for name in ("api-document", "api-own-media"):
        assert spaces(name) == [[0, 1, 0, 2]] * 2
    client.force_login(cast.ada)
    send(client, cast, is_one_space="yes")
    assert current_hanging(cast.project)[1].is_one_space
    for name in ("api-document", "api-own-media"):
        assert spaces(name) == [[0, 0, 0, 0]] * 2
