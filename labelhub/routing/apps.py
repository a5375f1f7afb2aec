"""Registers the package with Django."""

from django.apps import AppConfig


class RoutingApp(AppConfig):
    """Pure policy, plus the recorded Route and Gate."""

    name = "labelhub.routing"
    label = "routing"

    def ready(self) -> None:
        """Declare who may see the rows."""
        from labelhub.projects.permissions import Secrecy, register
        from labelhub.routing.models import Gate, Route

        register(Route, Secrecy.HIDDEN, "item__project")
        register(Gate, Secrecy.ADMIN, "labeler__project")
