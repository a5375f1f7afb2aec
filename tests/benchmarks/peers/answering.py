"""A peer's side of a race: for every line on standard input do the work once and print its seconds and results."""

from __future__ import annotations

import json
import sys
import time


def answer(work):
    for line in sys.stdin:
        files = json.loads(line)
        started = time.perf_counter()
        result = work()
        seconds = time.perf_counter() - started
        values = result(files) if callable(result) else result
        print(json.dumps({"seconds": seconds, **values}), flush=True)
