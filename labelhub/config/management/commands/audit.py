"""`manage.py audit verify` walks every audit chain and says whether it is as it was written.

`manage.py audit verify FILE` checks the exported story of an item, and names the first thing in it that does not hold. On
the installation that made it everything is checked; elsewhere everything that needs no key, and what was left out is said.
`manage.py audit export` also keeps the chains' heads outside the database, so that a cut at the end is found later.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.audit import services
from labelhub.audit.heads import export_heads
from labelhub.audit.proofs import check_here

# The exit status where everything that could be checked holds, but who made the file could not be checked.
PARTLY = 2


class Command(BaseCommand):
    """Verifies the audit chains or an exported story; exits with 1 where something does not hold."""

    help = (
        "Verify the audit chains, or one exported story; with export, also keep the chains' heads outside the database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the word that says what to do, and perhaps a file."""
        parser.add_argument("action", choices=["verify", "export"])
        parser.add_argument("file", nargs="?", type=Path, help="verify: an exported story, in place of the chains")
        parser.add_argument("--chain", help="one chain, for example project:1; default: all")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line a chain, or what was found of the file."""
        if options["file"] is not None:
            if options["action"] != "verify":
                raise CommandError("Only verify takes a file. Nothing was done.")
            self._check(options["file"])
            return
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

    def _check(self, file: Path) -> None:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}. Nothing was checked.") from error
        checked = check_here(data)
        for line in checked.held:
            self.stdout.write(line)
        if checked.broken is not None:
            raise CommandError(f"Does not hold: {checked.broken} Ask whoever made it for the file again.")
        if checked.unchecked:
            raise CommandError(" ".join(checked.unchecked), returncode=PARTLY)
        self.stdout.write("Everything in the file holds.")
