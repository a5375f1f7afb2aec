"""S1: every route of the URLconf declares who may open it, and for whom each part of the site is.

Planted once: a view without its decorator fails the first test, `project_page(Role.REVIEWER)` on the items table the
second. That each answers as declared: `tests/reliability/test_permission_matrix.py`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from labelhub.assignments.models import Assignment
from labelhub.consensus.regions import sitting_of
from labelhub.projects.models import GuidelineVersion
from labelhub.web.access import ROLE_ORDER, Access
from labelhub.workflow.steps import current_reads
from tests.web.world import World

pytestmark = pytest.mark.once

PRINCIPALS = (None, "otto", "ann", "ben", "rita", "ada")
ROLE_OF = {"ann": "annotator", "ben": "annotator", "rita": "reviewer", "ada": "admin"}
SIGN_IN = "/account/sign-in/"
# What a person who may open a page can get from it with an empty form: it worked, it moved on, or it was refused in words.
WELL = {200, 204, 302, 304, 400, 404, 409, 410, 422, 429}


def routes(patterns: list[Any] | None = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(entry, URLResolver):
            yield from routes(entry.url_patterns, prefix + str(entry.pattern))
        else:
            yield prefix + str(entry.pattern), entry


ROUTES = list(routes())
PAGES = [entry for place, entry in ROUTES if not place.startswith("api/")]
API = [entry for place, entry in ROUTES if place.startswith("api/")]


def access_of(entry: URLPattern) -> Access | None:
    return getattr(entry.callback, "access", None)


def address(entry: URLPattern, world: World) -> str:
    """An address whose objects are all of the cast's project, and Ann's where they have an owner."""
    values: dict[str, Any] = {
        "slug": world.cast.project.slug, "code": world.item.code, "token": "nobody", "number": 0, "z": 0, "ordinal": 0,
        "level": 0, "column": 0, "row": 0, "moment": 0,
        "layer": f"s{world.by_ann.pk}", "others": f"s{world.by_ben.pk}",
        "name": "coco.json", "plane": "axial", "index": 0, "sha256": "0" * 64, "pin": uuid.uuid4(),
    }  # fmt: skip
    looked_up: dict[str, Callable[[], Any]] = {
        "assignment": lambda: Assignment.objects.filter(labeler__user=world.cast.ann).latest("created_at").pk,
        "guideline_id": lambda: GuidelineVersion.objects.filter(project=world.cast.project).latest("number").pk,
        "pk": lambda: key_of(entry, world, world.item.media.get().pk),
        "key": lambda: matter_of(world),
    }
    wanted = entry.pattern.converters
    unknown = set(wanted) - {*values, *looked_up}
    assert not unknown, f"{entry.name} has parameters that this test cannot fill: {unknown}"
    return reverse(entry.name, kwargs={name: values[name] if name in values else looked_up[name]() for name in wanted})


def matter_of(world: World) -> str:
    """The first thing that the item's readers do not say alike; one that never was where they all do."""
    matters = sitting_of(world.item, current_reads(world.item)).found.matters
    return matters[0].key if matters else "0" * 32


def key_of(entry: URLPattern, world: World, medium: int) -> int:
    """The key of something that the address may name: Ann's question and claim, made where there is none yet."""
    if entry.name == "review-answer":
        return world.question_of_ann().pk
    if entry.name == "review-claim":
        return world.claim_of_ann().pk
    if str(entry.name).startswith(("review-thread", "label-thread")):
        return world.thread_for_ann().pk
    if entry.name == "review-comment-edit":
        return world.thread_for_ann().comments.get().pk
    if entry.name == "review-dispute-take":
        return world.dispute_of_ann().pk
    return medium if str(entry.name).startswith("api-") else world.cast.ann.pk


def test_every_page_declares_who_may_open_it():
    undeclared = [entry.name for entry in PAGES if not isinstance(access_of(entry), Access)]
    assert undeclared == []
    assert len(PAGES) > 50


AUDIENCE_OF_PART = {"manage": "admin", "review": "reviewer", "label": "annotator", "account": "signed-in"}
FOR_ANYONE = {"sign-in", "sign-in-link", "sign-out"}


@pytest.mark.parametrize(
    ("place", "entry"), [(place, entry) for place, entry in ROUTES if not place.startswith("api/")]
)
def test_each_part_of_the_site_is_declared_for_its_people_alone(place, entry):
    """Stated here once more, so that a declaration that is loosened by mistake is seen."""
    access = access_of(entry)
    assert access is not None
    stated = "anyone" if entry.name in FOR_ANYONE else AUDIENCE_OF_PART.get(place.partition("/")[0], "signed-in")
    assert access.audience == stated
    assert access.in_project == ("slug" in entry.pattern.converters)


def test_every_rest_address_asks_who_is_there():
    views = {entry.name: getattr(entry.callback, "cls", None) for entry in API}
    assert all(view is not None and view.permission_classes for view in views.values()), views


def expected_of(access: Access, entry: URLPattern, name: str | None, method: str) -> set[int]:
    if method not in access.methods:
        return {405}
    if access.audience == "anyone":
        return WELL
    if name is None:
        return {302}
    if access.in_project:
        return in_project(access.audience, name)
    needs_role = access.audience in ROLE_ORDER and name in ROLE_OF
    if needs_role and ROLE_ORDER.index(ROLE_OF[name]) < ROLE_ORDER.index(access.audience):
        return {403}
    if "assignment" in entry.pattern.converters and name != "ann":
        return {404}
    return WELL


def in_project(role: str, name: str) -> set[int]:
    if name == "otto":
        return {404}
    return WELL if ROLE_ORDER.index(ROLE_OF[name]) >= ROLE_ORDER.index(role) else {403}


@pytest.mark.parametrize("entry", API, ids=lambda entry: entry.name)
def test_every_rest_address_refuses_strangers(entry, world, as_):
    for method in ("GET", "POST"):
        anonymous, _ = ask(as_(None), method, address(entry, world))
        assert anonymous in {401, 403, 405}, (entry.name, method, anonymous)
        outsider, _ = ask(as_("otto"), method, address(entry, world))
        assert outsider in {404, 405}, (entry.name, method, outsider)
    if "assignment" in entry.pattern.converters:
        assert ask(as_("ben"), "GET", address(entry, world))[0] in {404, 405}
    if str(entry.name).startswith(("api-medium", "api-slice", "api-thumbnail")):
        assert ask(as_("ann"), "GET", address(entry, world))[0] in {403, 404}
        assert ask(as_("rita"), "GET", address(entry, world))[0] == 200


def test_unsafe_routes_refuse_a_form_without_its_token(world, as_, cast):
    """S3: no unsafe page route accepts a request that lacks the token."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(cast.ada)
    for entry in PAGES:
        access = access_of(entry)
        if access is not None and "POST" in access.methods:
            assert client.post(address(entry, world)).status_code == 403, entry.name


def test_what_is_not_there_and_what_is_foreign_look_alike(world, as_):
    """The outsider cannot tell a project of others from one that never was."""
    client = as_("otto")
    foreign = client.get(reverse("manage-overview", args=[world.cast.project.slug]))
    missing = client.get(reverse("manage-overview", args=["never-was"]))
    assert foreign.status_code == missing.status_code == 404
    assert world.cast.project.name.encode() not in foreign.content


def test_an_annotator_gets_nothing_of_others_by_search(world, as_):
    assert world.item.code.encode() not in as_("ann").get("/search/", {"q": "task-7"}).content
    assert as_("rita").get("/search/", {"q": "task-7"}).status_code == 302


def test_a_page_sends_a_stranger_to_sign_in_and_back(world, as_, cast):
    place = reverse("manage-items", args=[cast.project.slug]) + "?state=review"
    answer = as_(None).get(place)
    assert answer.status_code == 302
    assert answer.url == f"{SIGN_IN}?next=/manage/cells/items/%3Fstate%3Dreview"


def ask(client: Client, method: str, place: str) -> tuple[int, str]:
    data = {"request_id": str(uuid.uuid4())} if method == "POST" else None
    answer = getattr(client, method.lower())(place, data)
    return answer.status_code, answer.headers.get("Location", "")
