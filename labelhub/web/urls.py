"""The addresses of the pages, by user group. Each view declares who may open it (``access``); a test checks it."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from labelhub.web import account, home

account_urls = [
    path("account/", account.account, name="account"),
    path("account/sign-in/", account.sign_in, name="sign-in"),
    path("account/link/<str:token>/", account.sign_in_link, name="sign-in-link"),
    path("account/sign-out/", account.sign_out, name="sign-out"),
    path("account/name/", account.change_name, name="account-name"),
    path("account/theme/", account.change_theme, name="account-theme"),
    path("account/password/", account.set_password, name="account-password"),
    path("account/tokens/", account.make_token, name="account-token"),
    path("account/tokens/<int:pk>/revoke/", account.revoke_token, name="account-token-revoke"),
    path("account/everywhere/", account.sign_out_everywhere, name="account-everywhere"),
]
home_urls = [
    path("", home.home, name="home"),
    path("search/", home.search, name="search"),
    path("help/", home.help_page, name="help"),
]
urlpatterns: list[URLPattern | URLResolver] = [*home_urls, *account_urls]
