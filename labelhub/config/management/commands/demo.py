"""`manage.py demo`: the whole of LabelHub on this machine, with a project to look at. Safe to run twice; Ctrl-C ends it all."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections, transaction
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from labelhub.accounts.models import User
from labelhub.accounts.services import make_sign_in_link
from labelhub.config import processes
from labelhub.config.demo import plan, running

START_PATIENCE_S = 40.0
LOOK_EVERY_S = 0.5


class Command(BaseCommand):
    """Prepares the database, builds the demo project once, starts server and worker, prints sign-in links."""

    help = "Run LabelHub with a demo project on this machine (127.0.0.1 only)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--port", type=int, default=8000, help="port on 127.0.0.1 (default 8000)")
        parser.add_argument("--fresh", action="store_true", help="delete the embedded database and start anew")
        parser.add_argument("--without-models", action="store_true", help="do not install torch and monai afterwards")
        parser.add_argument("--without-assist", action="store_true", help="start no process that answers clicks")
        parser.add_argument("--only-build", action="store_true", help="build the demo project and stop; start nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until Ctrl-C."""
        self.console = Console()
        self.port: int = options["port"]
        var: Path = settings.ENVIRONMENT.var
        running.end_on_signals()
        already = running.running_demo(var)
        if already is not None and not options["only_build"]:
            self._already_running(already, wants_fresh=options["fresh"])
            return
        if not options["only_build"]:
            try:
                running.require_free_port(self.port)
            except running.PortTaken as error:
                raise CommandError(f"{error} Try: python3 manage.py demo --port {self.port + 1}") from error
        if options["fresh"]:
            self._delete_embedded_data(var)
        self._prepare(var)
        if options["only_build"]:
            self._build()
        else:
            self._serve(var, with_models=not options["without_models"], with_assist=not options["without_assist"])

    def _already_running(self, port: int, *, wants_fresh: bool) -> None:
        if wants_fresh:
            raise CommandError(f"A demo is running on port {port}. Nothing was deleted. Stop it with Ctrl-C first.")
        self.console.print(f"The demo is running already, on port {port}. Fresh sign-in links:")
        self.port = port
        self._print_links()

    def _delete_embedded_data(self, var: Path) -> None:
        if settings.DATABASES["default"]["ENGINE"] != "django.db.backends.sqlite3":
            raise CommandError(
                "--fresh deletes the embedded database only; DATABASE_URL names a server. Nothing was deleted."
            )
        connections.close_all()
        database = Path(str(settings.DATABASES["default"]["NAME"]))
        for path in (database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))):
            path.unlink(missing_ok=True)
        shutil.rmtree(var / "blobs", ignore_errors=True)
        self.console.print("The embedded database and its blobs were deleted.")

    def _prepare(self, var: Path) -> None:
        with self._timed("Database"):
            call_command("migrate", verbosity=0, interactive=False)
        with self._timed("Static files"):
            _collect_static(settings.BASE_DIR / "static", var / "static.fingerprint")

    def _build(self) -> None:
        from labelhub.config.demo.building import build_demo, demo_exists
        from labelhub.config.demo.volumes import build_volumes

        if demo_exists():
            return
        # All or nothing: a build that is interrupted leaves no half project behind for the next start to find.
        with self._timed("Demo project"), self._progress() as progress, transaction.atomic():
            build_demo(progress)
            build_volumes(progress)

    def _serve(self, var: Path, *, with_models: bool, with_assist: bool) -> None:
        started = processes.Processes(settings.BASE_DIR)
        note = running.note_running(var, self.port)
        connections.close_all()
        try:
            with self._timed("Server"):
                server = started.start("server", processes.server_command(self.port))
                if not processes.wait_until_served(self.port, patience_s=START_PATIENCE_S, is_alive=[server]):
                    raise CommandError("The server did not start; the lines above say why. Your data is safe.")
            # A page is served while the project is being built. The worker begins after it: the build holds the one writer's
            # lock, and on a busy machine for longer than a worker waits.
            self._build()
            started.start("worker", processes.worker_command())
            if with_assist:
                started.start("assist", processes.assist_command(), log=var / "assist.log")
            self._print_links()
            if with_models:
                started.start("models", processes.models_command(), log=var / "install_models.log")
                started.start("networks", processes.worker_command("gpu"), log=var / "networks.log")
                self.console.print(
                    "torch and monai are being installed in the background (once, large; log: install_models.log in the "
                    "data folder). Everything shown today works without them.",
                    style="dim",
                )
            self._watch(started)
        except KeyboardInterrupt:
            self.console.print("\nStopping …")
        finally:
            started.stop()
            note.unlink(missing_ok=True)
            self.console.print("Stopped. Your data is kept; the same command starts it again.")

    def _watch(self, started: processes.Processes) -> None:
        while True:
            ended = started.first_ended(["server", "worker"])
            if ended is not None:
                raise CommandError(
                    f"The {ended} ended by itself; the lines above say why. Your data is safe. Start again."
                )
            time.sleep(LOOK_EVERY_S)

    def _print_links(self) -> None:
        from labelhub.config.demo.volumes import shared_page

        served = f"http://{processes.HOST}:{self.port}/"
        self.console.print(f"\nLabelHub is served at [bold]{served}[/bold]   (Ctrl-C ends it)\n")
        self.console.print("Sign-in links; each works once, for a day:\n")
        for username, name, role, does, page in plan.VISITORS:
            self._print_link(served, username, f"[bold]{role:<10}[/bold] {name} {does}", page)
        if page := shared_page():
            self.console.print(
                "\nTwo people at one volume, live; open the two in two browsers, or one in a private window:\n"
            )
            for username in plan.TOGETHER:
                self._print_link(served, username, f"[bold]together  [/bold] {username.capitalize()}", page)
        self.console.print("")

    def _print_link(self, served: str, username: str, words: str, page: str) -> None:
        token = make_sign_in_link(user=User.objects.get(username=username), actor="demo")
        # Never wrapped nor cut: a link that is broken over two lines cannot be clicked or copied.
        self.console.print(f"  {words}", soft_wrap=True)
        self.console.print(
            f"             {served}account/link/{token}/?next={quote(page)}", soft_wrap=True, highlight=False
        )

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.console.print(f"  {what:<28}{time.monotonic() - started:6.1f} s", style="dim")

    @contextmanager
    def _progress(self) -> Iterator[Callable[[int, int, str], None]]:
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console) as bars:
            tasks: dict[str, Any] = {}

            def show(done: int, total: int, what: str) -> None:
                if what not in tasks:
                    tasks[what] = bars.add_task(what, total=total)
                bars.update(tasks[what], completed=done, total=total)

            yield show


def _collect_static(source: Path, note: Path) -> None:
    """Collect static files when any of them changed since the last time; hashing names takes seconds."""
    stamps = sorted(
        f"{path.relative_to(source)} {path.stat().st_mtime_ns}" for path in source.rglob("*") if path.is_file()
    )
    fingerprint = hashlib.sha256("\n".join(stamps).encode()).hexdigest()
    if note.exists() and note.read_text() == fingerprint and Path(settings.STATIC_ROOT, "staticfiles.json").exists():
        return
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    note.write_text(fingerprint)
