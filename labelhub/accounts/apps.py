"""Registers the package with Django."""

from django.apps import AppConfig


class AccountsApp(AppConfig):
    """People, sign-in, tokens."""

    name = "labelhub.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Say who runs the mail digest."""
        from labelhub.accounts.digests import JOB_KIND, run_digests
        from labelhub.jobs.registry import register

        register(JOB_KIND, run_digests)
