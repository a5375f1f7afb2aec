"""Subject, study and item read out of file names by a regular expression that an admin writes.

An expression may take for ever on an unlucky name, and Python cannot stop it: it runs in a small process that is ended when
its time is up. Not here: what the groups mean (``identity``).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from labelhub.catalog.errors import CatalogProblem

GROUPS = frozenset({"subject", "study", "item"})
MAX_PATTERN = 300
TIME_LIMIT_S = 20.0
_CHILD = Path(__file__).with_name("name_pattern_child.py")


def check_pattern(pattern: str) -> None:
    """Refuse what is no expression with at least one of the named groups. Raises :class:`CatalogProblem`."""
    example = r"such as (?P<subject>\d+)_(?P<study>\w+)"
    if not pattern or len(pattern) > MAX_PATTERN:
        raise CatalogProblem(
            f"The pattern has {len(pattern)} characters; 1 to {MAX_PATTERN} are allowed.", remedy=example
        )
    try:
        groups = set(re.compile(pattern).groupindex)
    except (re.error, OverflowError, RecursionError) as error:
        reason = str(error) if isinstance(error, re.error) else "it is too large"
        raise CatalogProblem(
            f"The pattern is no regular expression: {reason}.", remedy=f"Write one {example}."
        ) from None
    if not groups or not groups <= GROUPS:
        raise CatalogProblem(
            f"The pattern names the groups {', '.join(sorted(groups)) or 'none'}; known are {', '.join(sorted(GROUPS))}.",
            remedy=f"Write one {example}.",
        )


def match_names(pattern: str, names: Sequence[str], *, limit_s: float = TIME_LIMIT_S) -> list[Mapping[str, str | None]]:
    """Return the named groups found in each name; an empty mapping where the pattern does not fit.

    Raises :class:`CatalogProblem` where the expression takes longer than ``limit_s`` over all names.
    """
    check_pattern(pattern)
    if not names:
        return []
    question = json.dumps({"pattern": pattern, "names": list(names)})
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own program
            [sys.executable, "-I", str(_CHILD)],
            input=question.encode(),
            capture_output=True,
            timeout=limit_s,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise CatalogProblem(
            f"The pattern took longer than {limit_s:g} s on these names and was stopped. Nothing was stored.",
            remedy="Avoid a repeat inside a repeat, such as (a+)+.",
        ) from None
    except subprocess.CalledProcessError:
        raise CatalogProblem("The pattern could not be applied.", remedy="Write a simpler one.") from None
    found: list[Mapping[str, str | None] | None] = json.loads(done.stdout)
    return [groups or {} for groups in found]
