"""Clients of the cast, signed in as a browser would be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.test import Client

from tests.web.world import World, make_world


@pytest.fixture(autouse=True)
def _no_earlier_failures():
    """Counts of failed sign-ins live in the cache; each test starts without any."""
    cache.clear()


@pytest.fixture
def world(cast) -> World:
    return make_world(cast)


@pytest.fixture
def as_(cast) -> Callable[[str | None], Client]:
    """Return a client signed in as somebody of the cast; None: not signed in."""

    def sign_in(name: str | None) -> Client:
        client = Client(raise_request_exception=False)
        if name is not None:
            client.force_login(getattr(cast, name))
        return client

    return sign_in
