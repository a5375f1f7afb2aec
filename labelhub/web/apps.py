"""Registers the package with Django."""

from django.apps import AppConfig


class WebApp(AppConfig):
    """Pages, cut by user group."""

    name = "labelhub.web"
    label = "web"
