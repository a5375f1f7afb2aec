"""Registers the package with Django."""

from django.apps import AppConfig


class ConsensusApp(AppConfig):
    """The settled truth of an item: immutable, with inputs, method and confidence."""

    name = "labelhub.consensus"
    label = "consensus"

    def ready(self) -> None:
        """Declare who may see the rows."""
        from labelhub.consensus.models import AuditLot, AuditReading, SettledShape, Settlement
        from labelhub.projects.permissions import Secrecy, register

        register(Settlement, Secrecy.HIDDEN, "item__project")
        register(SettledShape, Secrecy.HIDDEN, "settlement__item__project")
        register(AuditLot, Secrecy.HIDDEN, "item__project")
        register(AuditReading, Secrecy.HIDDEN, "lot__item__project")
