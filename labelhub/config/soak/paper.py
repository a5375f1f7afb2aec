"""What hands did on the labeling page, written down apart from it: which cells of a picture stand after each act.

The model that ``browser_kills`` holds pages and server against. It knows of places and of acts, and nothing of operations.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# What was finished so shortly before a kill may be lost with it.
AT_RISK_S = 1.0


@dataclass
class Paper:
    """What hands did in one sitting: which cells stand after each act, and when each was finished."""

    states: list[frozenset[int]]
    finished: list[float] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    undone: list[int] = field(default_factory=list)
    # How many acts were there when the page last said that all was saved.
    n_saved: int = 0

    def draw(self, cell: int) -> None:
        """Something is drawn into an empty cell."""
        self.states.append(self.states[-1] | {cell})
        self.done.append(cell)
        self.undone = []

    def undo(self) -> None:
        """The last thing is taken back."""
        self.undone.append(self.done.pop())
        self.states.append(self.states[-1] - {self.undone[-1]})

    def redo(self) -> None:
        """What was taken back is done again."""
        self.done.append(self.undone.pop())
        self.states.append(self.states[-1] | {self.done[-1]})

    def n_safe(self, killed_at: float) -> int:
        """How many acts no kill at that moment may cost."""
        return sum(at <= killed_at - AT_RISK_S for at in self.finished)
