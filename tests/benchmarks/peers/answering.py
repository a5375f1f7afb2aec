"""A peer's side of a race: for every line on standard input do the work once and print its seconds and results."""

from __future__ import annotations

import json
import sys
import time


def answer(work):
    for line in sys.stdin:
        files = json.loads(line)
        started, cpu = time.perf_counter(), time.process_time()
        result = work()
        spent = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
        values = result(files) if callable(result) else result
        print(json.dumps({**spent, **values}), flush=True)
