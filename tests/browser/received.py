"""Everything that a browser receives while somebody labels, put down so that two images can be compared, ids apart.

Answers to scripts and pages pass through here on their way: status, headers, length, form. Not here: what is compared.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

# What differs with each id, moment and token, and with how long somebody took.
PASSING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[A-Z0-9]{4}-[A-Z0-9]{4}\b|[0-9a-f]{32,64}"
    r"|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)?|nonce[-=]\"?[\w-]+\"?|csrfmiddlewaretoken\" value=\"\w+"
    r"|expires=[^;]+|\"active_s\":[\d.]+|\d+ s\b|just now|\d+ seconds? ago|\b[A-Za-z0-9]{32}(?:[A-Za-z0-9]{32})?\b"
)
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
TEXTS = ("text/", "application/json", "application/javascript")
# Said by the browser's own machinery, and of the connection.
UNHEARD = {"date", "server", "connection", "content-length"}


class Received:
    """What the browser got, by image: how each answer looked, as often as it differed."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.answers: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        page.context.route(re.compile("/(label|api)/"), self._pass_on)

    def note_page(self, moment: str) -> None:
        """Put down the page as it stands, under the image that it shows."""
        self._note(self.page.url, f"DOM {moment}", masked(self.page.content()))

    def of(self, image: str) -> dict[str, set[str]]:
        """Return all that was received under the address of one image."""
        return dict(self.answers[image])

    def _pass_on(self, route: Any) -> None:
        request = route.request
        if request.method == "POST" and request.is_navigation_request():
            # Redirects are the browser's to follow.
            route.continue_()
            return
        answer = route.fetch(max_redirects=0)
        body, kind = answer.body(), answer.headers.get("content-type", "")
        headers = [f"{entry['name']}: {entry['value']}" for entry in answer.headers_array]
        kept = sorted(masked(line) for line in headers if line.partition(":")[0].lower() not in UNHEARD)
        is_text = kind.startswith(TEXTS)
        form = masked(body.decode()) if is_text else f"{len(body)} bytes"
        what = f"{request.method} {masked(request.url.partition('//')[2].partition('/')[2])}"
        self._note(request.url, what, "\n".join([str(answer.status), *kept, form]))
        route.fulfill(response=answer)

    def _note(self, address: str, what: str, looks: str) -> None:
        found = UUID.search(address)
        if found:
            self.answers[found[0]][what].add(looks)


def masked(text: str) -> str:
    """Return the text without what passes."""
    return PASSING.sub("…", text)
