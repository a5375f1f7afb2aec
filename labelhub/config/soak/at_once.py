"""Several acts at the same moment, each on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from django.db import connections

PATIENCE_S = 60


def at_once(*acts: Callable[[], object]) -> Sequence[object]:
    """Run the acts in threads that start together; return what each returned, or the exception it raised, in their order."""
    gate = threading.Barrier(len(acts))
    found: list[object] = [None] * len(acts)

    def run(place: int, act: Callable[[], object]) -> None:
        try:
            gate.wait(timeout=PATIENCE_S)
            found[place] = act()
        except Exception as error:  # noqa: BLE001 - what a thread raised is the caller's to judge
            found[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=entry) for entry in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE_S)
    return found
