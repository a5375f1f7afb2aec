"""Static files from the event loop: a page of many small modules would else go through the whole of Django once for each.

What a file's answer says (type, encoding, age, ranges, "not modified") is WhiteNoise's, which also serves them behind Django's
own servers. Not here: names and hashes (``static_files``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from django.conf import settings
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]

PART: Final = 256 * 1024


class StaticFirst:
    """Answers for a collected file itself, and asks ``application`` for all else."""

    def __init__(self, application: Callable[[Any, Receive, Send], Awaitable[None]]) -> None:
        self.application = application
        # None in DEBUG, where they are looked for anew with each request: Django does that.
        self.files: dict[str, StaticFile] = WhiteNoiseMiddleware(lambda request: None).files

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        file = self.files.get(scope["path"]) if scope["type"] == "http" else None
        asked = {} if file is None else _as_meta(scope["headers"])
        # What did not come over HTTPS is sent there by Django.
        if file is None or (settings.SECURE_SSL_REDIRECT and asked.get("HTTP_X_FORWARDED_PROTO") != "https"):
            await self.application(scope, receive, send)
            return
        answer = file.get_response(scope["method"], asked)
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": int(answer.status), "headers": headers + _common()})
        if answer.file is not None:
            with answer.file as content:
                while part := content.read(PART):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _as_meta(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return a request's headers by the names that WhiteNoise knows them by."""
    return {
        f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}": value.decode("latin-1") for name, value in headers
    }


def _common() -> list[tuple[bytes, bytes]]:
    """Return what Django's own middleware would add."""
    found = [
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", str(settings.SECURE_REFERRER_POLICY).encode()),
        (b"cross-origin-opener-policy", str(settings.SECURE_CROSS_ORIGIN_OPENER_POLICY).encode()),
    ]
    if settings.SECURE_HSTS_SECONDS:
        found.append((b"strict-transport-security", f"max-age={settings.SECURE_HSTS_SECONDS}".encode()))
    return found
