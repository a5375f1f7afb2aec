"""Registers the package with Django."""

from django.apps import AppConfig


class AccountsApp(AppConfig):
    """People, sign-in, tokens."""

    name = "labelhub.accounts"
    label = "accounts"
