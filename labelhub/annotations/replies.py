"""The first answer to a submit, kept byte for byte, so that each retry gets the same.

Not here: what is answered (each channel makes its own words), and the submission itself (``submissions``).
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import IntegrityError, transaction

from labelhub.annotations.models import Submission, SubmitReply


def kept_reply(*, submission: Submission, channel: str, make: Callable[[], str]) -> str:
    """Return the answer that was given to this submit; where there is none yet, keep what ``make`` returns and give that.

    ``channel`` says in whose words: ``page`` or ``rest``. Two that answer at once both get what was stored first.
    """
    rows = SubmitReply.objects.filter(submission=submission, channel=channel)
    first = rows.values_list("body", flat=True).first()
    if first is not None:
        return first
    body = make()
    try:
        with transaction.atomic():
            SubmitReply.objects.create(submission=submission, channel=channel, body=body)
    except IntegrityError:
        return rows.values_list("body", flat=True).get()
    return body
