"""The addresses of the pages, by user group. Each view declares who may open it (``access``); a test checks it."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from labelhub.web import (
    account,
    home,
    ingest,
    labeling,
    manage,
    manage_audit,
    manage_cases,
    manage_items,
    manage_jobs,
    manage_labelers,
    manage_new,
    manage_people,
    manage_policy,
    manage_releases,
    manage_rules,
    review,
    review_item,
)

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
review_urls = [
    path("review/", review.inbox, name="review-inbox"),
    path("review/me/", review.me, name="review-me"),
    path("review/<slug:slug>/<str:code>/", review_item.item, name="review-item"),
    path("review/<slug:slug>/<str:code>/decide/", review.decide, name="review-decide"),
    path("review/<slug:slug>/<str:code>/settle/", review.settle, name="review-settle"),
    path("review/<slug:slug>/<str:code>/thumbnail/", review_item.thumbnail, name="review-thumbnail"),
    path("review/<slug:slug>/<str:code>/layers/", review_item.layers, name="review-layers"),
    path(
        "review/<slug:slug>/<str:code>/layers/dispute/<int:ordinal>/<int:z>/",
        review_item.dispute,
        name="review-dispute",
    ),
    path(
        "review/<slug:slug>/<str:code>/layers/<str:layer>/<int:number>/<int:z>/", review_item.mask, name="review-mask"
    ),
]
manage_urls = [
    path("manage/", manage.projects, name="manage-projects"),
    path("manage/new/", manage_new.new, name="manage-new"),
    path("manage/new/guess/", manage_new.guess, name="manage-new-guess"),
    path("manage/<slug:slug>/", manage.overview, name="manage-overview"),
    path("manage/<slug:slug>/items/", manage_items.items, name="manage-items"),
    path("manage/<slug:slug>/items/<str:code>/", manage_items.item, name="manage-item"),
    path("manage/<slug:slug>/items/<str:code>/exclude/", manage_items.exclude, name="manage-item-exclude"),
    path("manage/<slug:slug>/items/<str:code>/gold/", manage_items.gold, name="manage-item-gold"),
    path(
        "manage/<slug:slug>/items/<str:code>/picture/<str:layer>/<str:others>/",
        manage_cases.picture,
        name="manage-case-picture",
    ),
    path("manage/<slug:slug>/people/", manage_people.people, name="manage-people"),
    path("manage/<slug:slug>/people/add/", manage_people.add, name="manage-people-add"),
    path("manage/<slug:slug>/people/<int:pk>/role/", manage_people.change_role, name="manage-people-role"),
    path("manage/<slug:slug>/people/<int:pk>/remove/", manage_people.remove, name="manage-people-remove"),
    path("manage/<slug:slug>/people/<int:pk>/link/", manage_people.new_link, name="manage-people-link"),
    path("manage/<slug:slug>/labelers/", manage_labelers.labelers, name="manage-labelers"),
    path("manage/<slug:slug>/labelers/<int:pk>/", manage_labelers.labeler, name="manage-labeler"),
    path("manage/<slug:slug>/pairs/", manage_labelers.pairs, name="manage-pairs"),
    path("manage/<slug:slug>/policy/", manage_policy.policy, name="manage-policy"),
    path("manage/<slug:slug>/ontology/", manage_rules.ontology, name="manage-ontology"),
    path("manage/<slug:slug>/guideline/", manage_rules.guideline, name="manage-guideline"),
    path("manage/<slug:slug>/releases/", manage_releases.releases, name="manage-releases"),
    path("manage/<slug:slug>/releases/<int:number>/<path:name>", manage_releases.download, name="manage-release-file"),
    path("manage/<slug:slug>/audit/", manage_audit.audit, name="manage-audit"),
    path("manage/<slug:slug>/audit/verify/", manage_audit.verify, name="manage-audit-verify"),
    path("manage/<slug:slug>/data/", ingest.data, name="manage-data"),
    path("manage/<slug:slug>/data/upload/", ingest.open_upload, name="manage-data-upload"),
    path("manage/<slug:slug>/data/folder/", ingest.folder, name="manage-data-folder"),
    path("manage/<slug:slug>/data/<int:pk>/", ingest.run_page, name="manage-data-run"),
    path("manage/<slug:slug>/data/<int:pk>/row/", ingest.row, name="manage-data-row"),
    path("manage/<slug:slug>/data/<int:pk>/piece/", ingest.receive_piece, name="manage-data-piece"),
    path("manage/<slug:slug>/data/<int:pk>/start/", ingest.start, name="manage-data-start"),
    path("manage/<slug:slug>/data/<int:pk>/cancel/", ingest.cancel, name="manage-data-cancel"),
    path("manage/<slug:slug>/data/<int:pk>/resume/", ingest.resume, name="manage-data-resume"),
    path("manage/<slug:slug>/data/<int:pk>/abandon/", ingest.abandon, name="manage-data-abandon"),
    path("manage/<slug:slug>/jobs/<int:pk>/", manage_jobs.job, name="manage-job"),
    path("manage/<slug:slug>/jobs/<int:pk>/cancel/", manage_jobs.cancel, name="manage-job-cancel"),
]
label_urls = [
    path("label/", labeling.queue, name="label-queue"),
    path("label/next/", labeling.take_next, name="label-next"),
    path("label/me/", labeling.my_work, name="label-me"),
    path("label/guideline/<int:guideline_id>/acknowledge/", labeling.acknowledge, name="label-acknowledge"),
    path("label/<uuid:assignment>/", labeling.workspace, name="label-workspace"),
    path("label/<uuid:assignment>/again/", labeling.take_again, name="label-again"),
    path("label/<uuid:assignment>/submit/", labeling.submit, name="label-submit"),
    path("label/<uuid:assignment>/skip/", labeling.skip, name="label-skip"),
]
urlpatterns: list[URLPattern | URLResolver] = [*home_urls, *account_urls, *label_urls, *review_urls, *manage_urls]
