"""The addresses, one line a package that answers them."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("labelhub.web.urls")),
    path("api/v1/", include("labelhub.api.urls")),
]
handler403 = "labelhub.web.errors.forbidden"
handler404 = "labelhub.web.errors.not_found"
handler500 = "labelhub.web.errors.server_error"
