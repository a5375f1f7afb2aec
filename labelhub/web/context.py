"""What every page gets: the person's projects for the switcher, and the nonce for its scripts."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, Any]:
    """Return what the page frame shows."""
    return {"csp_nonce": getattr(request, "csp_nonce", "")}
