"""Loaded before Django's settings are: gives each test process a data folder of its own, thrown away at the end."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

if "LABELHUB_VAR" not in os.environ:
    folder = tempfile.mkdtemp(prefix="labelhub-test-")
    os.environ["LABELHUB_VAR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
# Two processes on two cores: a second thread of linear algebra in each would spin for a core that the other one needs.
for _library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
# Processes that run tests side by side have rows of the same numbers, after which folders are named.
if side := os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ["LABELHUB_VAR"] = os.path.join(os.environ["LABELHUB_VAR"], side)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
# Playwright's event loop runs in the test thread; the ORM calls of fixtures beside it are meant.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
