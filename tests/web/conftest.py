"""Clients of the cast, signed in as a browser would be."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest
from django.core.cache import cache
from django.test import Client

from tests.cast import Cast, make_cast
from tests.kept import Storages, made_once
from tests.web.world import World, make_world


@pytest.fixture(autouse=True)
def _no_earlier_failures():
    """Counts of failed sign-ins live in the cache; each test starts without any."""
    cache.clear()


@pytest.fixture(scope="module")
def kept(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[tuple[World, Storages]]:
    """The world and where its pictures lie, made once in a transaction around those of a module's tests."""
    yield from made_once(
        lambda: make_world(make_cast()), blocker=django_db_blocker, folder=tmp_path_factory.mktemp("world")
    )


@pytest.fixture
def world(kept, db, settings) -> World:
    """The world as it was made; what a test changes, its rows and its objects, is its own."""
    settings.STORAGES = kept[1]
    return copy.deepcopy(kept[0])


@pytest.fixture
def cast(world) -> Cast:
    return world.cast


@pytest.fixture
def as_(cast) -> Callable[[str | None], Client]:
    """Return a client signed in as somebody of the cast; None: not signed in."""

    def sign_in(name: str | None) -> Client:
        client = Client(raise_request_exception=False)
        if name is not None:
            client.force_login(getattr(cast, name))
        return client

    return sign_in
