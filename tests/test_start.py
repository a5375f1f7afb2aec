"""The first seconds on a fresh machine: what is missing, where keys come from, what is refused."""

from __future__ import annotations

import gc
import os
import stat
import sys
from pathlib import Path

import pytest

from labelhub.config import bootstrap
from labelhub.config.environment import Environment, EnvironmentProblem, database_settings, is_loopback

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("pytest>=1", True),
        ("pytest>=1,<2", False),
        ("pytest[extra]>=1", True),
        ("no-such-package>=1", False),
        ("pytest==0.0.1", False),
    ],
)
def test_a_requirement_is_satisfied_by_what_is_installed_in_its_range(requirement, expected):
    assert bootstrap.is_satisfied(requirement) is expected


def test_every_requirement_says_why_it_is_there():
    inside = False
    for line in (ROOT / "pyproject.toml").read_text().splitlines():
        if line.strip().startswith("dependencies") or line.strip() in {"models = [", "test = [", "lint = ["}:
            inside = True
        elif line.strip() == "]":
            inside = False
        elif inside and line.strip().startswith('"'):
            assert "# " in line, line


def test_torch_is_not_part_of_what_must_be_there_before_the_first_page():
    assert not any(line.startswith(("torch", "monai")) for line in bootstrap.read_requirements(ROOT / "pyproject.toml"))


def test_nothing_is_done_where_everything_is_importable(monkeypatch, tmp_path):
    monkeypatch.setattr(bootstrap, "read_requirements", lambda *_: ["pytest>=1"])
    bootstrap.ensure_dependencies(tmp_path, ["manage.py", "demo"])
    assert list(tmp_path.iterdir()) == []


def test_an_old_python_is_told_so(monkeypatch, tmp_path):
    monkeypatch.setattr(bootstrap, "OLDEST_PYTHON", (99, 0))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11"):
        bootstrap.ensure_dependencies(tmp_path, ["manage.py"])


def test_a_python_without_venv_is_told_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(SystemExit, match="python3-venv"):
        bootstrap._make_venv(tmp_path / ".venv")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_installation_says_what_to_do_and_leaves_no_mark(tmp_path, capsys):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ERROR: no route to the package index'\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(SystemExit, match="Check the network"):
        bootstrap._install(python, ["django"], ["manage.py", "demo"])
    assert "no route" in capsys.readouterr().out


def test_keys_are_made_once_and_readable_by_the_owner_only(tmp_path):
    first = Environment.read({"LABELHUB_VAR": str(tmp_path)}, ROOT)
    again = Environment.read({"LABELHUB_VAR": str(tmp_path)}, ROOT)
    assert first.secret_key == again.secret_key
    assert first.audit_key != first.secret_key.encode()
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    other = Environment.read({"LABELHUB_VAR": str(tmp_path / "other")}, ROOT)
    assert other.secret_key != first.secret_key


def test_debug_is_refused_where_others_can_reach_the_server(tmp_path):
    with pytest.raises(EnvironmentProblem, match="reachable by others"):
        Environment.read(
            {"LABELHUB_VAR": str(tmp_path), "LABELHUB_DEBUG": "1", "LABELHUB_HOSTS": "labels.example"}, ROOT
        )


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", True), ("[::1]", True), ("0.0.0.0", False), ("example.org", False)]
)
def test_loopback_is_recognised(host, expected):
    assert is_loopback(host) is expected


def test_an_unknown_database_address_is_refused(tmp_path):
    with pytest.raises(EnvironmentProblem, match="postgres://"):
        database_settings("mysql://root@localhost/x", tmp_path)


def test_a_process_on_postgresql_has_a_connection_for_each_of_its_threads(tmp_path):
    """The pool's own default is 4; eight people at once then waited for half a minute and were refused."""
    assert database_settings("postgres://u@h/x", tmp_path)["OPTIONS"]["pool"]["max_size"] >= 16


def test_sqlite_keeps_acknowledged_commits_and_takes_the_write_lock_first(tmp_path):
    options = database_settings("", tmp_path)["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "synchronous=FULL" in options["init_command"]
    assert "journal_mode=WAL" in options["init_command"]


def test_what_python_compiles_is_kept_in_the_environment_where_it_may_not_stand_beside_the_sources(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    bootstrap._keep_what_python_compiles(tmp_path)
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ
    assert os.environ.pop("PYTHONPYCACHEPREFIX") == str(tmp_path / "compiled")
    bootstrap._keep_what_python_compiles(tmp_path)
    assert "PYTHONPYCACHEPREFIX" not in os.environ


def test_what_the_server_loaded_is_left_out_of_the_search_for_cycles():
    import labelhub.config.asgi  # noqa: F401 - loading it is what is tried

    assert gc.get_freeze_count() > 50_000
