"""Invitations and sign-in links: shown once, and never a way into projects that the inviter does not manage."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from labelhub.accounts.models import OneTimeLink, User
from labelhub.projects.models import Membership, Role
from labelhub.projects.permissions import may_vouch_for, role_in
from labelhub.projects.services import add_member

ADD = "/manage/cells/people/add/"


def test_somebody_new_gets_a_link_that_signs_them_in_and_is_shown_once(cast, as_):
    client = as_("ada")
    shown = client.post(ADD, {"username": "nina", "display_name": "Nina", "role": "reviewer"}).content.decode()
    place = re.search(r"/account/link/[\w-]+/", shown).group()
    assert place not in client.get("/manage/cells/people/").content.decode()
    nina = Client()
    assert nina.post(place).status_code == 302
    assert nina.get("/", follow=True).redirect_chain[-1][0] == "/review/"
    assert not User.objects.get(username="nina").has_usable_password()


def test_somebody_known_becomes_a_member_without_any_link(cast, as_):
    as_("ada").post(ADD, {"username": "otto", "display_name": "ignored", "role": "annotator"})
    assert role_in(cast.otto, cast.project) == "annotator"
    assert not OneTimeLink.objects.exists()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"username": "two words", "role": "annotator"}, "no name for signing in"),
        ({"username": "", "role": "annotator"}, "no name for signing in"),
        ({"username": "nina", "role": "owner"}, "Choose one of the roles"),
        ({"username": "ada", "role": "annotator"}, "last admin"),
    ],
)
def test_a_wrong_invitation_stores_nothing_and_says_why(cast, as_, form, words):
    before = Membership.objects.count(), User.objects.count()
    answer = as_("ada").post(ADD, form)
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert (Membership.objects.count(), User.objects.count()) == before


def test_an_admin_makes_no_link_for_who_belongs_to_projects_of_others(cast, as_):
    assert may_vouch_for(cast.ada, cast.ann)
    add_member(project=cast.other_project, user=cast.ann, role=Role.ANNOTATOR, actor="test")
    assert not may_vouch_for(cast.ada, cast.ann)
    assert as_("ada").post(f"/manage/cells/people/{cast.ann.pk}/link/").status_code == 403
    assert not OneTimeLink.objects.exists()


def test_an_admin_of_a_project_makes_no_link_for_an_admin_of_the_site(cast, as_):
    User.objects.filter(pk=cast.ann.pk).update(site_role="admin")
    assert as_("ada").post(f"/manage/cells/people/{cast.ann.pk}/link/").status_code == 403


def test_a_person_of_another_project_cannot_be_touched(cast, as_):
    for action in ("link", "role", "remove"):
        assert (
            as_("ada").post(f"/manage/cells/people/{cast.otto.pk}/{action}/", {"role": "annotator"}).status_code == 404
        )


def test_the_last_admin_stays_and_is_told_why(cast, as_):
    answer = as_("ada").post(f"/manage/cells/people/{cast.ada.pk}/remove/")
    assert answer.status_code == 409
    assert b"last admin" in answer.content


def test_a_project_is_made_with_classes_rules_and_people_in_one_go(cast, as_):
    form = {
        "title": "Knee", "key": ["", ""], "name": ["Femur", ""], "colour": ["#e69f00", "#56b4e9"],
        "tool": ["brush", "polygon"], "shortcut": ["1", ""], "attributes": ["Margin: sharp | blurred", ""],
        "questions": "Motion *: none < slight < strong\nRemark (text)", "readers": "6",
        "people": "nina, Nina Berg, reviewer\nann",
    }  # fmt: skip
    answer = as_("ada").post("/manage/new/", form)
    assert answer.status_code == 200
    assert len(re.findall(r"/account/link/", answer.content.decode())) == 2
    page = as_("ada").get("/manage/knee/ontology/").content.decode()
    assert "Margin: sharp | blurred" in page
    assert "Motion *: none &lt; slight &lt; strong" in page
    assert re.search(
        r'name="readers"\s+type="number"', (policy := as_("ada").get("/manage/knee/policy/").content.decode())
    )
    assert 'value="6"' in policy
    assert role_in(cast.ann, Membership.objects.get(user__username="nina").project) == "annotator"


def test_a_wrong_line_undoes_the_whole_project_and_keeps_what_was_typed(cast, as_):
    answer = as_("ada").post(
        "/manage/new/", {"title": "Knee", "people": "nina\nbad name", "questions": "Remark (text)"}
    )
    assert answer.status_code == 400
    assert "Remark (text)" in answer.content.decode()
    assert as_("ada").get("/manage/knee/").status_code == 404
    assert not User.objects.filter(username="nina").exists()


def test_a_project_called_new_does_not_hide_the_page_that_makes_projects(cast, as_):
    as_("ada").post("/manage/new/", {"title": "New"})
    assert as_("ada").get("/manage/new-2/").status_code == 200


def test_classes_are_read_out_of_a_coco_file(cast, as_):
    from django.core.files.uploadedfile import SimpleUploadedFile

    coco = b"""{"images": [{"id": 1, "file_name": "a.png", "width": 9, "height": 9}],
        "categories": [{"id": 1, "name": "cell"}, {"id": 2, "name": "box"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 2, "bbox": [1, 1, 3, 3]}]}"""
    answer = as_("ada").post("/manage/new/guess/", {"file": SimpleUploadedFile("labels.json", coco)})
    assert '"cell"' in answer.headers["HX-Trigger"]
    assert '"tool": "box"' in answer.headers["HX-Trigger"]
    nonsense = as_("ada").post("/manage/new/guess/", {"file": SimpleUploadedFile("a.json", b"[1, 2")})
    assert "HX-Trigger" not in nonsense.headers
    assert b"is-error" in nonsense.content
