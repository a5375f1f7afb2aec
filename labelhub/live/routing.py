"""The sockets' addresses. Each consumer declares for whom it is (``access``); a test checks it."""

from __future__ import annotations

from typing import Any

from django.urls import path

from labelhub.live.documents import DocumentConsumer
from labelhub.live.notifications import NotificationConsumer


def _socket(consumer: Any) -> Any:
    """The application of a consumer, with its declaration."""
    application = consumer.as_asgi()
    application.access = consumer.access
    return application


websocket_urlpatterns: list[Any] = [
    path("ws/notifications/", _socket(NotificationConsumer), name="ws-notifications"),
    path("ws/documents/<uuid:assignment>/", _socket(DocumentConsumer), name="ws-document"),
]
