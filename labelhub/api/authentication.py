"""Bearer tokens for machines."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from labelhub.accounts.models import User
from labelhub.accounts.services import user_of_token


class ApiTokenAuthentication(BaseAuthentication):
    """Accepts ``Authorization: Bearer lh_…``; a wrong token is an error, never an anonymous request."""

    def authenticate(self, request: Request) -> tuple[User, str] | None:
        """Return the token's owner, or None where no token was sent."""
        header = request.headers.get("Authorization", "")
        if not header.startswith("Bearer "):
            return None
        token = header.removeprefix("Bearer ").strip()
        user = user_of_token(token)
        if user is None:
            raise AuthenticationFailed("This token is unknown or was revoked. Make a new one under Account.")
        return user, token

    def authenticate_header(self, request: Request) -> str:
        """Return what a 401 asks for."""
        return "Bearer"
