"""Makes the first command on a fresh machine work: a virtual environment, the dependencies, and the command again inside it.

Standard library only, because it runs before anything is installed. Not here: what the commands do.
Nothing is done where the dependencies are importable already, as in a container.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

OLDEST_PYTHON = (3, 11)
# Commands that need more than the core, and the extra of pyproject.toml that brings it.
EXTRAS_OF_COMMAND = {"test": ("test", "models"), "lint": ("test", "lint")}
INSIDE = "LABELHUB_INSIDE_VENV"


def ensure_dependencies(root: Path, argv: Sequence[str]) -> None:
    """Return where everything is importable; else install into ``root/.venv`` and run ``argv`` again in there.

    Exits with a sentence that says what to do where Python is too old, ``venv`` is missing or the network cannot be reached.
    """
    if sys.version_info < OLDEST_PYTHON:
        _stop(f"LabelHub needs Python 3.11 or later; this is {sys.version.split()[0]}. Run it with a newer python3.")
    extras = EXTRAS_OF_COMMAND.get(argv[1] if len(argv) > 1 else "", ())
    requirements = read_requirements(root / "pyproject.toml", extras)
    if all(map(is_satisfied, requirements)):
        return
    if os.environ.get(INSIDE):
        _stop(f"{sys.prefix} still lacks packages after their installation. Delete .venv and run the command again.")
    venv = root / ".venv"
    with _one_at_a_time(root / ".venv.lock"):
        python = _python_of(venv)
        if not python.exists():
            _make_venv(venv)
        wanted = _fingerprint(requirements)
        if wanted not in _installed_marks(venv):
            _install(python, requirements, argv)
            _mark_installed(venv, wanted)
    os.environ[INSIDE] = "1"
    _keep_what_python_compiles(venv)
    os.execv(str(python), [str(python), *argv])  # noqa: S606 - our own interpreter, no shell


def read_requirements(pyproject: Path, extras: Sequence[str] = ()) -> list[str]:
    """Return the requirement lines of the core and of the named extras."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    lines: list[str] = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return lines


def is_satisfied(requirement: str) -> bool:
    """Whether an installed package of that name is in the range of ``requirement`` (``name[extra]>=1,<2``)."""
    match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*])?(.*)", requirement)
    if match is None:
        return False
    name, ranges = match.groups()
    try:
        installed = _version(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False
    return all(_is_in_range(installed, part.strip()) for part in ranges.split(",") if part.strip())


def _is_in_range(installed: tuple[int, ...], part: str) -> bool:
    match = re.match(r"(>=|<=|==|<|>)(.+)", part)
    if match is None:
        return False
    sign, bound = match.group(1), _version(match.group(2))
    width = max(len(installed), len(bound))
    a, b = (version + (0,) * (width - len(version)) for version in (installed, bound))
    return {">=": a >= b, "<=": a <= b, "==": a == b, "<": a < b, ">": a > b}[sign]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text.split("+")[0].split("rc")[0]))


def _python_of(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _make_venv(venv: Path) -> None:
    print(f"Making a virtual environment in {venv.name}/ …", flush=True)
    try:
        import ensurepip  # noqa: F401 - Debian's python3 without python3-venv lacks it
        import venv as venv_module
    except ImportError:
        _stop(
            "This Python cannot make virtual environments. Nothing was changed. "
            "On Debian or Ubuntu: apt install python3-venv; then run the command again."
        )
    venv_module.create(venv, with_pip=True)


def _install(python: Path, requirements: Sequence[str], argv: Sequence[str]) -> None:
    print(f"Installing {len(requirements)} packages and what they need (once; a few hundred MB) …", flush=True)
    started = time.monotonic()
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        # Python compiles what is imported when it first is, which is less than half of what is installed.
        "--no-compile",
        "--progress-bar",
        "off",
    ]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
        [*command, *requirements], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    tail: list[str] = []
    for line in process.stdout or ():
        tail = [*tail[-30:], line]
        _show(line, started)
    if process.wait() != 0:
        print("".join(tail))
        _stop(
            "The packages could not be installed; the lines above say why. Nothing outside .venv was changed. "
            f"Check the network (or the package index set for pip), then run again: python3 {' '.join(argv)}"
        )
    print(f"\r{'Packages installed':<100} {time.monotonic() - started:5.0f} s", flush=True)


def _show(line: str, started: float) -> None:
    match = re.match(r"(Collecting|Downloading|Installing collected packages|Building wheel)[^A-Za-z0-9]*(\S+)?", line)
    if match is None:
        return
    what = f"{match.group(1)} {match.group(2) or ''}"[:98]
    end = "" if sys.stdout.isatty() else "\n"
    lead = "\r" if sys.stdout.isatty() else ""
    if sys.stdout.isatty() or match.group(1).startswith("Installing"):
        print(f"{lead}  {what:<98} {time.monotonic() - started:5.0f} s", end=end, flush=True)


def _keep_what_python_compiles(venv: Path) -> None:
    """Where Python was told to write no compiled files, have it write them into the environment, not beside the sources.

    Nothing was compiled at installation, so that every start would compile all packages again: 10 s in place of 2.
    """
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(venv / "compiled"))


def _fingerprint(requirements: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(sorted(requirements)).encode()).hexdigest()[:16]


def _installed_marks(venv: Path) -> set[str]:
    marks = venv / "labelhub-installed"
    return set(marks.read_text().split()) if marks.exists() else set()


def _mark_installed(venv: Path, mark: str) -> None:
    with (venv / "labelhub-installed").open("a") as file:
        file.write(mark + "\n")


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    """Two first commands at once must not install into one folder."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system: the risk is the user's two terminals
        yield
        return
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _stop(sentence: str) -> None:
    raise SystemExit(f"LabelHub: {sentence}")
