"""The ASGI application: pages and REST by Django, sockets by Channels. Torch is never imported here."""

from __future__ import annotations

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
http = get_asgi_application()

from labelhub.live.routing import websocket_urlpatterns  # noqa: E402 - needs the applications loaded above

application = ProtocolTypeRouter({"http": http, "websocket": URLRouter(websocket_urlpatterns)})
