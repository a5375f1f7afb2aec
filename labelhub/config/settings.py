"""Django's settings, from the environment (`environment.py`) and from nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from labelhub.config.environment import Environment, database_settings

# Web processes and workers share the cores of a machine. A second thread of linear algebra in each would spin for a core that
# another process needs; what gains from threads here has its own. Read by numpy when it is first imported, which is later.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

BASE_DIR = Path(__file__).resolve().parents[2]
ENVIRONMENT = Environment.read(os.environ, BASE_DIR)

SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.hosts)
CSRF_TRUSTED_ORIGINS = list(ENVIRONMENT.trusted_origins)
ROOT_URLCONF = "labelhub.config.urls"
ASGI_APPLICATION = "labelhub.config.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "labelhub.config.apps.ServedFiles",
    "django_htmx",
    "rest_framework",
    "channels",
    "labelhub.config.apps.ConfigApp",
    "labelhub.audit",
    "labelhub.jobs",
    "labelhub.accounts",
    "labelhub.projects",
    "labelhub.catalog",
    "labelhub.assignments",
    "labelhub.annotations",
    "labelhub.predictions",
    "labelhub.scoring",
    "labelhub.routing",
    "labelhub.reviews",
    "labelhub.consensus",
    "labelhub.exports",
    "labelhub.analytics",
    "labelhub.workflow",
    "labelhub.web",
    "labelhub.api",
    "labelhub.live",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "labelhub.web.security.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "labelhub.accounts.middleware.SessionEpochMiddleware",
    "labelhub.accounts.middleware.SamePersonMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "labelhub.web.errors.DomainErrorMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "labelhub.web.context.site",
            ],
            "builtins": ["labelhub.web.templatetags.labelhub"],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["django.template.loaders.filesystem.Loader", "django.template.loaders.app_directories.Loader"],
                )
            ],
        },
    }
]

DATABASES = {"default": database_settings(ENVIRONMENT.database_url, ENVIRONMENT.var)}

CHANNEL_LAYERS = {
    "default": (
        {"BACKEND": "labelhub.live.layer.RedisLayer", "CONFIG": {"url": ENVIRONMENT.redis_url}}
        if ENVIRONMENT.redis_url
        else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    )
}

STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": ENVIRONMENT.var / "blobs"},
    },
    "staticfiles": {"BACKEND": "labelhub.config.static_files.HashedStaticFiles"},
}
STATIC_URL = "/static/"
STATIC_ROOT = ENVIRONMENT.var / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = DEBUG
# Uploads go to disk early: a gigabyte of DICOM must not sit in the memory of a web process.
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 5000

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/account/sign-in/"
LOGIN_REDIRECT_URL = "/"

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "labelhub_session"
SESSION_COOKIE_SECURE = ENVIRONMENT.behind_https
CSRF_COOKIE_SECURE = ENVIRONMENT.behind_https
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "labelhub_csrf"
CSRF_FAILURE_VIEW = "labelhub.web.errors.csrf_failed"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if ENVIRONMENT.behind_https:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_SSL_REDIRECT = True

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "labelhub.api.authentication.ApiTokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["labelhub.api.renderers.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["labelhub.api.parsers.StrictJsonParser"],
    "EXCEPTION_HANDLER": "labelhub.api.errors.answer",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}

# What jobs of a queue need beside Django, by dotted path: loaded by workers, never by a process that serves pages.
QUEUE_MODULES = {"gpu": "labelhub.inference.wiring"}

# Whether subdomains and preload lists are promised too is for the owner of the domain to decide, not for this server.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"labelhub": {"level": "INFO"}},
}
