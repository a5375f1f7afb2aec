"""The sockets' addresses. Each will have a declared policy; until co-editing is here there are none."""

from __future__ import annotations

from typing import Any

websocket_urlpatterns: list[Any] = []
