"""The ways in which a step of an item's life is refused: each carries a code, facts, and a sentence for people."""

from __future__ import annotations

from labelhub.assignments.errors import NotOpen
from labelhub.assignments.models import PAUSED
from labelhub.projects.errors import DomainError


class StepRefused(DomainError):
    """A step of the life of an item cannot be taken now; nothing was changed."""

    code = "step-refused"


class IllegalMove(StepRefused):
    """The table of moves has no such move."""

    code = "illegal-move"

    def __init__(self, *, code: str, start: str, end: str) -> None:
        super().__init__(f"Item {code} is in state “{start}” and cannot go to “{end}”. Nothing was changed.")
        self.start, self.end = start, end


class ItemChanged(StepRefused):
    """Somebody else moved the item since it was read."""

    code = "item-changed"

    def __init__(self, *, code: str, believed: str) -> None:
        super().__init__(
            f"Item {code} is no longer in state “{believed}”: somebody else acted on it first. What you sent was not "
            "stored, and nothing of theirs was lost. Load the page again and look at both."
        )
        self.believed = believed


class WorkElsewhere(NotOpen):
    """The work is not where the step begins: it waits, or was closed."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.code = "assignment-waits" if state in PAUSED else "assignment-closed"


class TooMuchParked(StepRefused):
    """The labeler has as much parked as anybody may hold back from others."""

    code = "too-much-parked"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"You have {most} images parked or waiting for an answer, as many as anybody may. This one stays open. Go on with "
            "one of them first, or skip this one."
        )


class CannotRecall(StepRefused):
    """A submission cannot be taken back: somebody acted on it, or it was taken back before."""

    code = "cannot-recall"


class StaleJudgement(StepRefused):
    """Somebody else acted on the item since the reviewer's page was loaded."""

    code = "stale-judgement"

    def __init__(self, *, code: str) -> None:
        super().__init__(
            f"Somebody acted on item {code} since you opened this page, so your judgement was not carried out. It is kept as "
            "you sent it, beside theirs. Load the page again, look at both, and decide anew."
        )


class GuidelineUnread(StepRefused):
    """The labeler has not confirmed the current instructions yet."""

    code = "guideline-unread"

    def __init__(self, *, guideline_id: int, number: int) -> None:
        super().__init__(f"The instructions changed (version {number}). Read and confirm them to go on with labeling.")
        self.guideline_id, self.number = guideline_id, number


class NotALabelerNow(DomainError):
    """The labeler's membership ended, or the account is disabled."""

    code = "not-a-labeler-now"
    status = 403

    def __init__(self) -> None:
        super().__init__("You no longer label in this project. Your earlier work is kept. Ask an admin of the project.")


class PausedNow(StepRefused):
    """The labeler was paused: no more work is handed out to them. A declared disclosure: that, and nothing of why."""

    code = "labeler-paused"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "You are paused in this project: it hands you no more work for now. What you submitted and your drafts are "
            "kept. An admin of the project can tell you more, and can end the pause."
        )


class ExamFailed(StepRefused):
    """The labeler did not pass the entry exam; an admin decides."""

    code = "exam-failed"

    def __init__(self, *, n_right: int, n_done: int) -> None:
        super().__init__(
            "You did not pass the entry exam of this project, so no work is given to you now. What you drew is kept. "
            "An admin of the project decides whether you sit it again."
        )
        self.n_right, self.n_done = n_right, n_done


class ExamTooShort(StepRefused):
    """The project has fewer exam items than its policy asks for."""

    code = "exam-too-short"

    def __init__(self, *, n_asked: int, n_done: int) -> None:
        super().__init__(
            f"The entry exam of this project has {n_asked} images, and you have done {n_done}. There are no more to give you. "
            "What you drew is kept. Ask an admin of the project to add exam images."
        )
        self.n_asked, self.n_done = n_asked, n_done


class EnoughForToday(StepRefused):
    """The labeler was given as many items today as the policy allows."""

    code = "enough-for-today"

    def __init__(self, *, most: int) -> None:
        super().__init__(
            f"You were given {most} images today, as many as this project gives anybody on one day. What you did is kept. "
            "Come back tomorrow."
        )
        self.most = most


class SkipForbidden(StepRefused):
    """The policy allows no skipping."""

    code = "skip-forbidden"

    def __init__(self) -> None:
        super().__init__(
            "This project does not allow skipping. Nothing was changed and your draft is kept. Label the image as far as you "
            "can, or ask a reviewer."
        )


class NoLongerWanted(StepRefused):
    """Work whose time ended cannot be taken again: the item has its readers, or is decided elsewhere."""

    code = "no-longer-wanted"

    def __init__(self) -> None:
        super().__init__(
            "This image wants no further reader from you, so it cannot be taken again. Your draft is kept, but does not "
            "count. Take the next image."
        )


class CannotReturn(StepRefused):
    """A submission cannot go back to its author."""

    code = "cannot-return"


class NoMoreDisputes(StepRefused):
    """The author disputed returns of this item as often as the policy allows."""

    code = "no-more-disputes"

    def __init__(self, most: int) -> None:
        times = f"{most} time{'' if most == 1 else 's'}"
        super().__init__(
            f"A return of the same image can be disputed {times} in this project. Nothing was changed and your draft is kept. "
            "Correct what you now see differently, or submit it as it is."
            if most
            else "This project takes no disputes. Nothing was changed and your draft is kept. Correct it, or submit it so."
        )


class NewerVersion(StepRefused):
    """The author submitted again since the reviewer looked."""

    code = "newer-version"

    def __init__(self, *, seen: int, newest: int) -> None:
        super().__init__(
            f"You looked at version {seen}, and its author has submitted version {newest} since. Both are kept, and your "
            "judgement was not stored. Load the page again and judge the newer one."
        )
        self.seen, self.newest = seen, newest


class NothingToDecide(StepRefused):
    """A question was answered, or a claim decided, by somebody else first."""

    code = "decided-already"


class ItemExcluded(StepRefused):
    """The item was taken out of the project's work."""

    code = "item-excluded"

    def __init__(self, *, code: str) -> None:
        super().__init__(
            f"Item {code} was excluded from the project. What was already submitted is kept. Take another item."
        )
