"""The addresses of the REST interface, version 1."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from labelhub.api import documents, drafts, media, pins, propose, releases, workflow

urlpatterns: list[URLPattern | URLResolver] = [
    path("media/<int:pk>/", media.MediumView.as_view(), name="api-medium"),
    path("media/<int:pk>/slice/<str:plane>/<int:index>/", media.SliceView.as_view(), name="api-slice"),
    path(
        "media/<int:pk>/tile/<int:level>/<int:column>/<int:row>/",
        media.TileView.as_view(),
        name="api-tile",
    ),
    path("media/<int:pk>/overview/", media.OverviewView.as_view(), name="api-overview"),
    path("media/<int:pk>/thumbnail/", media.ThumbnailView.as_view(), name="api-thumbnail"),
    path("assignments/<uuid:assignment>/media/", media.OwnMediaView.as_view(), name="api-own-media"),
    path(
        "assignments/<uuid:assignment>/media/<int:ordinal>/slice/<str:plane>/<int:index>/",
        media.OwnSliceView.as_view(),
        name="api-own-slice",
    ),
    path(
        "assignments/<uuid:assignment>/media/<int:ordinal>/tile/<int:level>/<int:column>/<int:row>/",
        media.OwnTileView.as_view(),
        name="api-own-tile",
    ),
    path(
        "assignments/<uuid:assignment>/media/<int:ordinal>/overview/",
        media.OwnOverviewView.as_view(),
        name="api-own-overview",
    ),
    path(
        "assignments/<uuid:assignment>/media/<int:ordinal>/thumbnail/",
        media.OwnThumbnailView.as_view(),
        name="api-own-thumbnail",
    ),
    path("assignments/<uuid:assignment>/document/", documents.DocumentView.as_view(), name="api-document"),
    path("assignments/<uuid:assignment>/document/history/", documents.HistoryView.as_view(), name="api-history"),
    path("assignments/<uuid:assignment>/document/heartbeat/", documents.HeartbeatView.as_view(), name="api-heartbeat"),
    path("assignments/<uuid:assignment>/document/masks/", documents.MaskListView.as_view(), name="api-masks"),
    path("assignments/<uuid:assignment>/document/masks/<str:sha256>/", documents.MaskView.as_view(), name="api-mask"),
    path("assignments/<uuid:assignment>/document/propose/", propose.ProposeView.as_view(), name="api-propose"),
    path("assignments/<uuid:assignment>/draft/", drafts.DraftView.as_view(), name="api-draft"),
    path("assignments/<uuid:assignment>/pins/", pins.PinListView.as_view(), name="api-pins"),
    path("assignments/<uuid:assignment>/pins/<uuid:pin>/said/", pins.PinCommentsView.as_view(), name="api-pin-said"),
    path("assignments/<uuid:assignment>/pins/<uuid:pin>/turn/", pins.PinTurnView.as_view(), name="api-pin-turn"),
    path("projects/<slug:slug>/queue/", workflow.QueueView.as_view(), name="api-queue"),
    path("projects/<slug:slug>/releases/", releases.ReleasesView.as_view(), name="api-releases"),
    path("projects/<slug:slug>/next/", workflow.NextView.as_view(), name="api-next"),
    path("assignments/<uuid:assignment>/submit/", workflow.SubmitView.as_view(), name="api-submit"),
    path("assignments/<uuid:assignment>/skip/", workflow.SkipView.as_view(), name="api-skip"),
    path("assignments/<uuid:assignment>/park/", workflow.ParkView.as_view(), name="api-park"),
    path("assignments/<uuid:assignment>/resume/", workflow.ResumeView.as_view(), name="api-resume"),
    path("assignments/<uuid:assignment>/questions/", workflow.QuestionView.as_view(), name="api-questions"),
    path("assignments/<uuid:assignment>/unreadable/", workflow.UnreadableView.as_view(), name="api-unreadable"),
    path("assignments/<uuid:assignment>/ticket/", workflow.TicketView.as_view(), name="api-ticket"),
    path("assignments/<uuid:assignment>/dispute/", workflow.DisputeView.as_view(), name="api-dispute"),
    path("assignments/<uuid:assignment>/recall/", workflow.RecallView.as_view(), name="api-recall"),
]
