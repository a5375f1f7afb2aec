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
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, resolve, reverse

from labelhub.assignments.models import Assignment
from labelhub.live.routing import websocket_urlpatterns
from labelhub.web.access import Access
from tests.cast import make_cast
from tests.web.test_access import API, PAGES, ROLE_OF, SIGN_IN, access_of, address, expected_of
from tests.web.world import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at"), pytest.mark.once]

METHODS = ("GET", "POST", "PUT", "DELETE")
PRINCIPALS = (None, "otto", "ann", "ben", "rita", "ada")
MISSING = {
    "code": "XXXX-XXXX",
    "assignment": uuid.UUID(int=7),
    "pk": 2**40,
    "moment": 2**40,
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
def worlds(django_db_setup, django_db_blocker) -> Iterator[tuple[World, dict[str, str]]]:
    """The cast's world and each one's session; made once, thrown away at the end."""
    with django_db_blocker.unblock(), transaction.atomic():
        made = make_world(make_cast())
        made.question_of_ann()
        made.claim_of_ann()
        made.work_of_ann()
        signed_in = {}
        for name in filter(None, PRINCIPALS):
            client = Client()
            client.force_login(getattr(made.cast, name))
            signed_in[name] = client.cookies[settings.SESSION_COOKIE_NAME].value
        yield made, signed_in
        transaction.set_rollback(True)


def targets(entry: URLPattern, world: World) -> list[Target]:
    """The route with an object of Ann's, with one that was never there, and with a project of others."""
    own = address(entry, world)
    found = [Target("own", own)]
    wanted = entry.pattern.converters
    if set(wanted) & set(MISSING):
        kwargs = dict(resolve(own).kwargs) | {name: MISSING[name] for name in wanted if name in MISSING}
        found.append(Target("deleted", reverse(entry.name, kwargs=kwargs)))
    if "slug" in wanted:
        kwargs = dict(resolve(own).kwargs) | {"slug": world.cast.other_project.slug}
        found.append(Target("foreign", reverse(entry.name, kwargs=kwargs)))
    return found


def client_of(signed_in: dict[str, str], name: str | None) -> Client:
    """A browser of its own for each request: an answer may take its cookie away."""
    client = Client(raise_request_exception=False)
    if name is not None:
        client.cookies[settings.SESSION_COOKIE_NAME] = signed_in[name]
    return client


def answer_of(client: Client, method: str, place: str) -> Any:
    """Ask, and undo whatever was done."""
    with transaction.atomic():
        answer = client.generic(method, place, b"", content_type="application/x-www-form-urlencoded")
        transaction.set_rollback(True)
    return answer


def test_no_route_and_no_socket_is_undeclared():
    assert [entry.name for entry in PAGES if not isinstance(access_of(entry), Access)] == []
    assert all(getattr(entry.callback, "cls", None) is not None for entry in API)
    undeclared = [route for route in websocket_urlpatterns if not hasattr(route.callback, "access")]
    assert undeclared == []


@pytest.mark.parametrize("entry", PAGES, ids=lambda entry: entry.name)
def test_each_page_refuses_everybody_it_is_not_declared_for(entry: URLPattern, worlds):
    world, signed_in = worlds
    access = access_of(entry)
    assert access is not None
    tried = 0
    asked_for = targets(entry, world)
    for name in PRINCIPALS:
        for target in asked_for:
            for method in METHODS:
                answer = answer_of(client_of(signed_in, name), method, target.place)
                status = answer.status_code
                allowed = allowed_statuses(access, entry, name, method, target.whose)
                assert status in allowed, f"{entry.name} {method} {target.whose} as {name}: {status} not in {allowed}"
                if name is None and access.audience != "anyone" and status == 302:
                    assert answer["Location"].startswith(SIGN_IN)
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
    world, signed_in = worlds
    asked_for = targets(entry, world)
    for name in PRINCIPALS:
        for target in asked_for:
            for method in METHODS:
                status = answer_of(client_of(signed_in, name), method, target.place).status_code
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
    world, signed_in = worlds
    mine = Assignment.objects.filter(labeler__user=world.cast.ann).latest("created_at")
    for entry in (*PAGES, *API):
        if set(entry.pattern.converters) == {"assignment"}:
            for name in ("ben", "rita", "ada", "otto"):
                place = reverse(entry.name, args=[mine.pk])
                for method in ("GET", "POST"):
                    assert answer_of(client_of(signed_in, name), method, place).status_code in {403, 404, 405}, (
                        entry.name,
                        name,
                        method,
                    )
