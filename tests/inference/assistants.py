"""An assistant in a thread of this process, for tests that ask one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labelhub.inference.assist_server import AssistServer


@contextmanager
def running(path: Path, **limits: Any) -> Iterator[None]:
    """An assistant in a thread of its own, as in its own process."""
    ready = threading.Event()
    holder: dict[str, Any] = {}

    def main() -> None:
        async def serve() -> None:
            stop = asyncio.Event()
            holder["loop"], holder["event"] = asyncio.get_running_loop(), stop
            task = asyncio.create_task(AssistServer(path, **limits).serve(stop))
            while not path.exists() and not task.done():
                await asyncio.sleep(0.005)
            ready.set()
            await task

        asyncio.run(serve())

    thread = threading.Thread(target=main)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        holder["loop"].call_soon_threadsafe(holder["event"].set)
        thread.join(10)
        assert not thread.is_alive()
