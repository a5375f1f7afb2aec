"""The ASGI application: pages and REST by Django, sockets by Channels. Torch is never imported here."""

from __future__ import annotations

import os
import warnings

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
# In DEBUG, static files come from a synchronous middleware.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
http = get_asgi_application()

from labelhub.config import process_memory, urls  # noqa: E402, F401 - pages are loaded now, not when first asked for
from labelhub.config.static_serving import StaticFirst  # noqa: E402
from labelhub.live.origins import OwnOrigin  # noqa: E402 - needs the applications loaded above
from labelhub.live.routing import websocket_urlpatterns  # noqa: E402

# A page of another site may not open a socket with the cookies of ours.
sockets = OwnOrigin(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
application = ProtocolTypeRouter({"http": StaticFirst(http), "websocket": sockets})
process_memory.set_aside_what_is_loaded()
