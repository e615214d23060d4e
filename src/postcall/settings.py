"""Django's settings, made from `postcall.config`; nothing else configures the service."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from postcall.config import config
from postcall.logs import configure_logs

_config = config()
configure_logs(_config.log_format)


# A process that was stopped in the middle of a transaction must not keep a recipient's lock, nor a STOP waiting for
# it. Not with transaction pooling: poolers refuse such settings, and bring their own.
_SESSION = f"-c idle_in_transaction_session_timeout={round(60_000 * _config.test_pace)}"


def database(url: str) -> dict[str, Any]:
    """Django's form of a `postgresql://` address, as libpq reads it (host and options may stand in the query)."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    options = " ".join(filter(None, [_SESSION if _config.notify else "", query.pop("options", "")]))
    return {
        "ENGINE": "postcall.database.backend",
        "NAME": unquote(parts.path.lstrip("/")) or "postcall",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or query.pop("port", "")),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            # A half-open connection is noticed within a minute, not in two hours.
            "keepalives_idle": 20,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 40_000,
            # The same few statements come again and again: planned once a connection. Not with transaction
            # pooling, which POSTCALL_NOTIFY=false stands for.
            "server_side_binding": _config.notify,
            "prepare_threshold": 3 if _config.notify else None,
            **({"options": options} if options else {}),
            **query,
        },
    }


# Tools that only read the code (mypy, makemigrations) come without an address or a key. A random key is safe
# there: it can neither forge what was signed nor open what was encrypted.
DATABASES = {"default": database(_config.database_url.get_secret_value() if _config.database_url else "")}
_keys = _config.secret_keys or (secrets.token_urlsafe(48),)
SECRET_KEY = _keys[0]
SECRET_KEY_FALLBACKS = list(_keys[1:])

DEBUG = False
_host = urlsplit(_config.base_url).hostname or "localhost"
# This machine's own commands come by its own names, whatever others call it.
ALLOWED_HOSTS = [
    *(_config.allowed_hosts or (f"[{_host}]" if ":" in _host else _host,)),
    "localhost",
    "127.0.0.1",
    "[::1]",
]
CSRF_TRUSTED_ORIGINS = [_config.base_url]
_https = _config.base_url.startswith("https:")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "heroicons",
    "ninja",  # its documentation page brings its own scripts
    "postcall.workspaces",
    "postcall.agents",
    "postcall.actions",
    "postcall.sources",
    "postcall.calls",
    "postcall.synthflow",
    "postcall.followups",
    "postcall.messages",
    "postcall.work",
    "postcall.keeping",
    "postcall.alerts",
    "postcall.webhooks",
    "postcall.testbench",
    "postcall.api",
    "postcall.dashboard",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "postcall.dashboard.middleware.ContentSecurity",
    "postcall.api.doors.KnownHost",
    "postcall.api.doors.BodyLimit",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "postcall.api.doors.MachineDoors",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "postcall.dashboard.middleware.ReadersZone",
]
ROOT_URLCONF = "postcall.urls"
WSGI_APPLICATION = "postcall.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["heroicons.templatetags.heroicons"],
        },
    }
]
AUTH_USER_MODEL = "workspaces.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "sign-in"
PASSWORD_RESET_TIMEOUT = 86_400

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
# The files of the packages themselves: nothing is collected, nothing is written at start.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# A transcript of thousands of turns is a few MB; what is larger is refused at the door with 413.
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
# No form takes a file: nothing that is sent is ever written to a disk.
FILE_UPLOAD_HANDLERS: list[str] = []

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "postcall_session"
CSRF_COOKIE_NAME = "postcall_csrf"
# Browsers that came by https once come by nothing else for a year.
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
X_FRAME_OPTIONS = "DENY"
LOGGING_CONFIG = None
