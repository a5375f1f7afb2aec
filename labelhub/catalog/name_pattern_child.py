"""Run by path in a process of its own: applies one regular expression to names, since some expressions never come back.

One JSON document on stdin (``pattern``, ``names``), one on stdout: for each name its named groups, or null. Standard library
only, and nothing of this project, so that it starts in a blink. Its parent ends it when time is up.
"""

import json
import re
import sys


def main() -> None:
    """Answer the one question on stdin."""
    question = json.load(sys.stdin)
    pattern = re.compile(question["pattern"])
    matches = (pattern.search(name) for name in question["names"])
    json.dump([match.groupdict() if match else None for match in matches], sys.stdout)


if __name__ == "__main__":
    main()
