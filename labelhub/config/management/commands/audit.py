"""`manage.py audit verify` walks every audit chain and says whether it is as it was written.

`manage.py audit export` also keeps their heads outside the database, so that a cut at the end is found later.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.audit import services
from labelhub.audit.heads import export_heads


class Command(BaseCommand):
    """Verifies the audit chains; exits with 1 where one is broken."""

    help = "Verify the audit chains; with export, also keep their heads outside the database."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the one word that says what to do."""
        parser.add_argument("action", choices=["verify", "export"])
        parser.add_argument("--chain", help="one chain, for example project:1; default: all")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line a chain."""
        chains = [options["chain"]] if options["chain"] else services.chains()
        verdicts = [services.verify(chain) for chain in chains]
        for verdict in verdicts:
            self.stdout.write(f"{verdict.chain}: {verdict.explanation} {verdict.head_hash[:16]}")
        broken = [verdict.chain for verdict in verdicts if verdict.broken_at is not None]
        if broken:
            raise CommandError(
                f"Not as written: {', '.join(broken)}. Compare with a backup before anything else is done."
            )
        if options["action"] == "export":
            for head in export_heads(chains):
                self.stdout.write(f"{head.chain} {head.seq} {head.hash}")
