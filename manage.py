#!/usr/bin/env python3
"""The one entry point: `python3 manage.py demo` runs LabelHub, `python3 manage.py test` tests it.

Uses the standard library alone until the dependencies of pyproject.toml are importable (`labelhub/config/bootstrap.py`).
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def main() -> None:
    """Install what is missing, then run the command."""
    sys.path.insert(0, str(ROOT))
    from labelhub.config.bootstrap import ensure_dependencies

    ensure_dependencies(ROOT, sys.argv)
    from labelhub.config.command_line import run

    run(sys.argv)


if __name__ == "__main__":
    main()
