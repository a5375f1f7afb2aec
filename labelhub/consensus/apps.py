"""Registers the package with Django."""

from django.apps import AppConfig


class ConsensusApp(AppConfig):
    """The settled truth of an item: immutable, with inputs, method and confidence."""

    name = "labelhub.consensus"
    label = "consensus"
