"""Collected files are answered for by the event loop as Django would answer, and all else is asked of Django.

Planted once and seen to fail: a file served over plain HTTP where HTTPS is demanded; an answer without "nosniff"; headers of
a request that are not looked at.
"""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.handlers.wsgi import WSGIRequest
from django.middleware.security import SecurityMiddleware
from django.test import RequestFactory, override_settings
from whitenoise.middleware import WhiteNoiseMiddleware

from labelhub.config.static_serving import StaticFirst

SCRIPT = b"export const one = 1;\n" * 40


@pytest.fixture
def collected(tmp_path: Path) -> Any:
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "one.js").write_bytes(SCRIPT)
    (tmp_path / "js" / "one.js.gz").write_bytes(gzip.compress(SCRIPT))
    plain = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    with override_settings(STATIC_ROOT=tmp_path, WHITENOISE_USE_FINDERS=False, STORAGES=plain):
        yield tmp_path


async def _elsewhere(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"Django"})


def asked(path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of an answer."""
    names = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": names}

    async def ask() -> tuple[int, dict[str, str], bytes]:
        served = ApplicationCommunicator(StaticFirst(_elsewhere), scope)
        start, body, has_more = await served.receive_output(), b"", True
        while has_more:
            part = await served.receive_output()
            body, has_more = body + part["body"], part.get("more_body", False)
        return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body

    return asyncio.run(ask())


def of_django(path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Return what Django's own chain answers for a file."""
    meta = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    request: WSGIRequest = RequestFactory().generic(method, path, **meta)
    response = SecurityMiddleware(WhiteNoiseMiddleware(None))(request)
    return response.status_code, {name.lower(): value for name, value in response.items()}, b"".join(response)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {}), ("GET", {"accept_encoding": "gzip"}), ("HEAD", {}), ("POST", {}), ("GET", {"range": "bytes=3-9"}),
        ("GET", {"range": "bytes=9000-"}),
    ],
)  # fmt: skip
def test_a_file_is_answered_for_as_django_would(collected, method, headers):
    assert asked("/static/js/one.js", method, **headers) == of_django("/static/js/one.js", method, **headers)


def test_what_the_browser_has_is_not_sent_again(collected):
    _, headers, body = asked("/static/js/one.js")
    assert body == SCRIPT
    status, again, nothing = asked("/static/js/one.js", if_none_match=headers["etag"])
    assert (status, nothing) == (304, b"")
    assert again["etag"] == headers["etag"]


@pytest.mark.parametrize(
    "path", ["/static/js/none.js", "/static/../secret", "/static/js/one.js.gz", "/", "/static/js/"]
)
def test_all_else_is_asked_of_django(collected, path):
    (collected.parent / "secret").write_text("no")
    assert asked(path)[0] == 418


def test_where_https_is_demanded_nothing_is_served_without(collected):
    with override_settings(SECURE_SSL_REDIRECT=True, SECURE_HSTS_SECONDS=60):
        assert asked("/static/js/one.js")[0] == 418
        status, headers, _ = asked("/static/js/one.js", x_forwarded_proto="https")
    assert (status, headers["strict-transport-security"]) == (200, "max-age=60")


def test_while_files_change_django_looks_for_them(collected):
    with override_settings(DEBUG=True):
        assert asked("/static/js/one.js")[0] == 418
