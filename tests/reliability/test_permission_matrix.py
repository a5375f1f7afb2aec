"""S1: every route × method × principal × own, other, foreign and deleted object, enumerated from the URLconf and the sockets.

A principal is nobody, an outsider, an annotator, another annotator, a reviewer or an admin. A *leak* is an answer with content,
or a sign that the thing exists, where the route's declaration refuses that person.

Planted once and seen to fail: somebody who is no member let into a project; a member's role not asked; work opened to others
than its labeler; another job shown in place of one that is not there.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from labelhub.assignments.models import Assignment
from labelhub.live.routing import websocket_urlpatterns
from labelhub.web.access import Access
from tests.cast import Cast, make_cast
from tests.web.test_access import API, PAGES, ROLE_OF, access_of, address, expected_of
from tests.web.world import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at"), pytest.mark.once]

METHODS = ("GET", "POST", "PUT", "DELETE")
PRINCIPALS = (None, "otto", "ann", "ben", "rita", "ada")
MISSING = {
    "code": "XXXX-XXXX",
    "assignment": uuid.UUID(int=7),
    "pk": 2**40,
    "number": 10**9,
    "guideline_id": 10**9,
    "key": "0" * 32,
}


@dataclass(frozen=True)
class Target:
    """An object that a route may be asked for, and whose it is."""

    whose: str
    place: str


@pytest.fixture(scope="module")
def worlds(django_db_setup, django_db_blocker) -> Iterator[tuple[World, Cast]]:
    """The cast's world, and the project of the outsider with an item and work of its own; made once, thrown away at the end."""
    from django.db import transaction

    with django_db_blocker.unblock(), transaction.atomic():
        made = make_world(make_cast())
        made.question_of_ann()
        made.claim_of_ann()
        made.work_of_ann()
        yield made, made.cast
        transaction.set_rollback(True)


def targets(entry: URLPattern, world: World) -> list[Target]:
    """The route with an object of Ann's, with one that was never there, and with a project of others."""
    found = [Target("own", address(entry, world))]
    wanted = entry.pattern.converters
    if set(wanted) & set(MISSING):
        kwargs = dict(_kwargs(entry, world)) | {name: MISSING[name] for name in wanted if name in MISSING}
        found.append(Target("deleted", reverse(entry.name, kwargs=kwargs)))
    if "slug" in wanted:
        kwargs = dict(_kwargs(entry, world)) | {"slug": world.cast.other_project.slug}
        found.append(Target("foreign", reverse(entry.name, kwargs=kwargs)))
    return found


def _kwargs(entry: URLPattern, world: World) -> dict[str, Any]:
    from django.urls import resolve

    return dict(resolve(address(entry, world)).kwargs)


def client_of(world: World, name: str | None) -> Client:
    client = Client(raise_request_exception=False)
    if name is not None:
        client.force_login(getattr(world.cast, name))
    return client


def status_of(client: Client, method: str, place: str) -> int:
    from django.db import transaction

    with transaction.atomic():
        status = client.generic(method, place, b"", content_type="application/x-www-form-urlencoded").status_code
        transaction.set_rollback(True)
    return status


def test_no_route_and_no_socket_is_undeclared():
    assert [entry.name for entry in PAGES if not isinstance(access_of(entry), Access)] == []
    assert all(getattr(entry.callback, "cls", None) is not None for entry in API)
    undeclared = [route for route in websocket_urlpatterns if not hasattr(route.callback, "access")]
    assert undeclared == []


@pytest.mark.parametrize("entry", PAGES, ids=lambda entry: entry.name)
def test_each_page_refuses_everybody_it_is_not_declared_for(entry: URLPattern, worlds):
    world, _ = worlds
    access = access_of(entry)
    assert access is not None
    tried = 0
    for name in PRINCIPALS:
        for target in targets(entry, world):
            client = client_of(world, name)
            for method in METHODS:
                status = status_of(client, method, target.place)
                allowed = allowed_statuses(access, entry, name, method, target.whose)
                assert status in allowed, f"{entry.name} {method} {target.whose} as {name}: {status} not in {allowed}"
                tried += 1
    assert tried >= len(PRINCIPALS) * len(METHODS)


def allowed_statuses(access: Access, entry: URLPattern, name: str | None, method: str, whose: str) -> set[int]:
    asked = "GET" if method == "HEAD" else method
    if whose == "own" or access.audience == "anyone" or asked not in access.methods or name is None:
        return expected_of(access, entry, name, asked)
    if whose == "foreign":
        # Otto is the admin of the other project; to all others it does not exist.
        return {200, 204, 302, 304, 400, 404, 409, 422} if name == "otto" else {404}
    refused = expected_of(access, entry, name, asked) & {403, 404}
    is_refused = bool(refused) and not expected_of(access, entry, name, asked) & {200}
    # What was never there opens for nobody; a list may move on instead.
    return refused if is_refused else {302, 400, 404, 409, 410, 422}


@pytest.mark.parametrize("entry", API, ids=lambda entry: entry.name)
def test_each_rest_address_opens_for_its_owner_and_reviewers_alone(entry: URLPattern, worlds):
    world, _ = worlds
    for name in PRINCIPALS:
        for target in targets(entry, world):
            for method in METHODS:
                status = status_of(client_of(world, name), method, target.place)
                told = f"{entry.name} {method} {target.whose} as {name}: {status}"
                assert status < 500, told
                if status < 300:
                    assert method == "OPTIONS" or may_open(entry, name, target.whose), told


def may_open(entry: URLPattern, name: str | None, whose: str) -> bool:
    if name is None:
        return False
    if whose == "foreign":
        return name == "otto"
    if whose == "deleted":
        return False
    if "assignment" in entry.pattern.converters:
        return name == "ann"
    if str(entry.name).startswith(("api-medium", "api-slice", "api-thumbnail")):
        return ROLE_OF.get(name) in {"reviewer", "admin"}
    return name != "otto"


def test_the_work_of_others_is_not_there_for_anybody(worlds):
    world, cast = worlds
    mine = Assignment.objects.filter(labeler__user=cast.ann).latest("created_at")
    for entry in (*PAGES, *API):
        if set(entry.pattern.converters) == {"assignment"}:
            for name in ("ben", "rita", "ada", "otto"):
                place = reverse(entry.name, args=[mine.pk])
                for method in ("GET", "POST"):
                    assert status_of(client_of(world, name), method, place) in {403, 404, 405}, (
                        entry.name,
                        name,
                        method,
                    )
