"""A network that is compiled beside its work: it answers at once as it is, and faster once the compiler is done.

Compiling takes half a minute, in which nobody could stop the work if it waited. So it happens in a thread of its own, for
windows of one size; windows of another size are never compiled for. Where it fails, the network goes on as it is, and a note
says so. Not here: for which work it pays (``predictor``).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch

logger = logging.getLogger(__name__)


class CompiledMeanwhile(torch.nn.Module):  # type: ignore[misc]
    """A network in evaluation that answers as ``plain`` does. ``note`` hears in a sentence where it cannot be compiled."""

    def __init__(self, plain: Any, note: Callable[[str], None]) -> None:
        super().__init__()
        self.plain = plain
        self.dimensions = getattr(plain, "dimensions", None)
        self.is_over = threading.Event()
        self._note = note
        self._size: tuple[int, ...] = ()
        # In a list, so that its parameters are not counted twice.
        self._quick: list[Any] = []

    def forward(self, batch: Any) -> Any:
        """Answer a batch of windows."""
        if not self._size:
            self._size = tuple(batch.shape)
            threading.Thread(target=self._compile, args=(batch.clone(),), daemon=True, name="compiling").start()
        if self._quick and tuple(batch.shape) == self._size:
            return self._quick[0](batch)
        return self.plain(batch)

    def _compile(self, batch: Any) -> None:
        try:
            quick = torch.compile(self.plain)
            is_card = batch.device.type == "cuda"
            # As the windows will be asked: what is compiled otherwise would be compiled again.
            with torch.inference_mode(), torch.autocast("cuda", dtype=torch.bfloat16) if is_card else nullcontext():
                quick(batch)
            self._quick.append(quick)
        except Exception as error:  # noqa: BLE001 - whatever a compiler does wrong costs speed alone
            logger.warning("a network was not compiled (%s)", type(error).__name__)
            self._note(
                f"The network could not be compiled ({type(error).__name__}): it ran as it is, which takes longer."
            )
        finally:
            self.is_over.set()
