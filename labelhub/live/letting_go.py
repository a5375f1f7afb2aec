"""A socket's consumer that lets go of what it holds however it ends: gone browsers, a lost database, a bug.

Channels tells a consumer that its window closed, but not where something went wrong in the consumer itself. What it holds then
(a place in a room, a share of what one person may open) would be held until the server ends.
"""

from __future__ import annotations

from typing import Any


class LetsGo:
    """To be named before Channels' consumer; ``let_go`` is called at least once."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Run the consumer."""
        try:
            await super().__call__(scope, receive, send)  # type: ignore[misc]
        finally:
            await self.let_go()

    async def let_go(self) -> None:
        """Give back what is held; a second time there is nothing."""
        raise NotImplementedError
