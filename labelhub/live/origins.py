"""From which pages a socket may be opened: this server's own, to the port, or one that the settings trust.

A page of another site, or of another program on this machine (cookies do not tell ports apart), would otherwise speak with the
cookies of whoever is signed in. Not here: who they are and what they may (``sessions``, the consumers).
"""

from __future__ import annotations

from typing import Any

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

MOST_ORIGIN = 300


class OwnOrigin:
    """Passes a socket on to ``application`` where its page is ours, and denies it otherwise."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        """Look at the origin, then pass on or deny."""
        is_own = is_own_origin(scope.get("headers", ()))
        return await (self.application if is_own else WebsocketDenier())(scope, receive, send)


def is_own_origin(headers: Any) -> bool:
    """Whether exactly one ``Origin`` is given, and it is ``scheme://host:port`` of the ``Host`` asked or a trusted one."""
    origins = [value for name, value in headers if name == b"origin"]
    hosts = [value for name, value in headers if name == b"host"]
    if len(origins) != 1 or len(hosts) != 1 or len(origins[0]) > MOST_ORIGIN:
        return False
    try:
        origin, host = origins[0].decode("ascii").lower(), hosts[0].decode("ascii").lower()
    except UnicodeDecodeError:
        return False
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    scheme, separator, place = origin.partition("://")
    wanted = ("https",) if settings.SESSION_COOKIE_SECURE else ("http", "https")
    allowed = settings.ALLOWED_HOSTS or ["localhost", "127.0.0.1", "[::1]"]
    is_allowed = validate_host(split_domain_port(host)[0], allowed)
    return bool(separator) and scheme in wanted and is_allowed and place == host
