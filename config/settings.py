"""The one settings file. Everything that differs between installations is an environment variable.

`GUILDHALL_ENV` says where we are: `production` (the default) refuses to start with unsafe settings, see
config/checks.py; `demo` is set by `make demo`; `test` by the test suite and by `make check`.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from config import embedded, env, logs
from config.admin_site import UNFOLD  # noqa: F401  the look of the console and its sidebar
from guilds.accounts.enums import Scope

BASE_DIR = Path(__file__).resolve().parent.parent

# --- where we are -----------------------------------------------------------------------------------------------
GUILDHALL_ENV = env.choice("GUILDHALL_ENV", "production", ("production", "demo", "test"))
IS_PRODUCTION = GUILDHALL_ENV == "production"
DATA_DIR = Path(env.text("GUILDHALL_DATA_DIR", ".data-test" if GUILDHALL_ENV == "test" else ".data"))
DATA_DIR = DATA_DIR if DATA_DIR.is_absolute() else BASE_DIR / DATA_DIR
PORT = env.integer("GUILDHALL_PORT", 8000, lowest=1, highest=65535)

DEBUG = env.flag("GUILDHALL_DEBUG", False)
if IS_PRODUCTION:
    SECRET_KEY = env.required(
        "GUILDHALL_SECRET_KEY", "sessions, one-time links and CSRF tokens are signed with it."
    )
else:
    SECRET_KEY = env.text("GUILDHALL_SECRET_KEY") or embedded.local_secret(DATA_DIR)

# `make demo` is plain HTTP on this machine, where cookies marked secure would never come back.
HTTPS = env.flag("GUILDHALL_HTTPS", IS_PRODUCTION)
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", "testserver")
ALLOWED_HOSTS = env.listing("GUILDHALL_ALLOWED_HOSTS", () if IS_PRODUCTION else LOCAL_HOSTS)
CSRF_TRUSTED_ORIGINS = env.listing("GUILDHALL_TRUSTED_ORIGINS")
_own_address = (
    f"https://{ALLOWED_HOSTS[0].lstrip('.')}" if HTTPS and ALLOWED_HOSTS else f"http://localhost:{PORT}"
)
#: Where links in notices, mails and webhooks lead.
SITE_URL = env.text("GUILDHALL_SITE_URL", _own_address).rstrip("/")
#: EEA countries of markets whose code does not begin with one, such as "NORDICS=SE+FI+DK".
DSA_TERRITORIES = env.listing("GUILDHALL_DSA_TERRITORIES")

# --- servers ----------------------------------------------------------------------------------------------------
_urls = embedded.urls(
    DATA_DIR,
    database_url=env.text("DATABASE_URL"),
    redis_url=env.text("REDIS_URL"),
    environment=GUILDHALL_ENV,
)
DATABASES = {
    "default": {
        **env.database(_urls.database_url, connect_timeout=5),
        # Celery workers and web threads keep their connection; the health check makes that survive a restart.
        "CONN_MAX_AGE": env.integer("GUILDHALL_DB_CONN_MAX_AGE", 60, lowest=0, highest=3600),
        "CONN_HEALTH_CHECKS": True,
    }
}
if GUILDHALL_ENV == "test":
    # Processes that a test starts must find the test's database, not the one it was made from.
    DATABASES["default"]["NAME"] = env.text("GUILDHALL_TEST_DATABASE", DATABASES["default"]["NAME"])
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.redis(_urls.redis_url)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": env.redis(env.text("GUILDHALL_CACHE_URL", _urls.cache_url), name="GUILDHALL_CACHE_URL"),
        "KEY_PREFIX": "guildhall",
        "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 5},
    }
}

# --- apps -------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "config.apps.ConfigConfig",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "config.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "csp",
    "rest_framework",
    "oauth2_provider",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "pgtrigger",
    "pghistory",
    "django_structlog",
    "guilds",
    "governance",
    "appeals",
]

MIDDLEWARE = [
    "config.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.csp.PathPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "django.template.context_processors.tz",
            ],
        },
    }
]

# --- people -----------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "guilds.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
if GUILDHALL_ENV == "test":
    # The strength of the hash is the library's business; a thousand sign-ins in the suite are ours.
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# The guild portal is where a stranger signs in; the console has its own page under /admin/login/.
LOGIN_URL = "/portal/login/"
LOGIN_REDIRECT_URL = "/portal/"
LOGOUT_REDIRECT_URL = "/portal/login/"

# Sessions live in the database: losing the cache must not sign everybody out.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
PASSWORD_RESET_TIMEOUT = 3 * 24 * 60 * 60

# --- headers ----------------------------------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_SSL_REDIRECT = env.flag("GUILDHALL_SSL_REDIRECT", HTTPS)
SECURE_HSTS_SECONDS = env.integer(
    "GUILDHALL_HSTS_SECONDS", 31_536_000 if HTTPS else 0, lowest=0, highest=2**31 - 1
)
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
if env.flag("GUILDHALL_BEHIND_PROXY", False):
    # Only a proxy that sets this header itself, and drops the one a client sent, may be in front.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# What the console and the API pages need on top is in config/csp.py.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- languages and times ----------------------------------------------------------------------------------------
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [
    ("en", _("English")),
    ("de", _("German")),
    ("es", _("Spanish")),
    ("pt-br", _("Brazilian Portuguese")),
]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"

# --- files ------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if IS_PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
# Demo and tests serve straight from the sources: no collectstatic to wait for, none that could be out of date.
WHITENOISE_USE_FINDERS = not IS_PRODUCTION
WHITENOISE_AUTOREFRESH = GUILDHALL_ENV == "test"
# Evidence files. There is deliberately no MEDIA_URL route: only views that check the reader hand files out.
MEDIA_ROOT = DATA_DIR / "uploads"
MEDIA_URL = ""
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
# A batch of signals may hold 10 MiB; a little more, so that our own answer and not Django's refuses the excess.
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024 + 64 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 20

# --- mail -------------------------------------------------------------------------------------------------------
#: Notices leave by it. The demo writes its mails into files; System › Mail shows them.
_mail = env.mail(
    env.text(
        "GUILDHALL_MAIL_URL",
        {"demo": (DATA_DIR / "mail").as_uri(), "test": "memory:"}.get(GUILDHALL_ENV, ""),
    )
)
EMAIL_BACKEND, EMAIL_FILE_PATH = _mail.backend, _mail.folder
EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.starttls, _mail.tls
# For each step of a conversation with the mail server.
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("GUILDHALL_EMAIL_FROM", "guildhall@localhost")

# --- REST -------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["guilds.accounts.api_auth.BearerToken"],
    # Deny by default: every view names the scopes it wants.
    "DEFAULT_PERMISSION_CLASSES": ["guilds.accounts.api_auth.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["guilds.accounts.api_auth.ClientRate"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "guilds.accounts.api_media.JsonOnly",
    "DEFAULT_RENDERER_CLASSES": ["guilds.accounts.api_media.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["guilds.accounts.api_media.StrictJsonParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "config.pagination.CursorPages",
    "EXCEPTION_HANDLER": "config.problems.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "COERCE_DECIMAL_TO_STRING": True,
}
# One client, one minute: far above what catching up needs, far below what would starve the others.
API_REQUESTS_PER_MINUTE = env.integer("GUILDHALL_API_REQUESTS_PER_MINUTE", 6000, lowest=1, highest=10**9)
OAUTH2_PROVIDER_APPLICATION_MODEL = "guilds.Client"
OAUTH2_PROVIDER = {
    "SCOPES": {scope.value: scope.label for scope in Scope},
    # A client without a `scope` in its request gets what it was allowed, never everything there is.
    "SCOPES_BACKEND_CLASS": "config.scopes.ClientScopes",
    "OAUTH2_SERVER_CLASS": "guilds.accounts.oauth.ClientCredentialsServer",
    "OAUTH2_VALIDATOR_CLASS": "guilds.accounts.oauth.ClientValidator",
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
    "ACCESS_TOKEN_EXPIRE_SECONDS": int(timedelta(hours=1).total_seconds()),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Guildhall",
    "DESCRIPTION": "Signals and registry in; standing, violations, penalties, appeals and the ledger out.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "OAUTH2_FLOWS": ["clientCredentials"],
    "OAUTH2_TOKEN_URL": "/oauth/token/",
    "OAUTH2_SCOPES": {scope.value: str(scope.value) for scope in Scope},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.schema.add_problems",
    ],
    "ENUM_NAME_OVERRIDES": {
        "ActorKind": "governance.ledger.models.Event.ActorKind",
        "AppealGrounds": "appeals.enums.Grounds",
        "AppealOutcome": "appeals.enums.Outcome",
        "AppealStatus": "appeals.enums.AppealStatus",
        "FeedbackSource": "governance.risks.enums.FeedbackSource",
        "FeedbackStatus": "governance.risks.enums.FeedbackStatus",
        "FeedbackTopic": "governance.risks.enums.FeedbackTopic",
        "GuildStatus": "guilds.registry.enums.GuildStatus",
        "GuildTier": "guilds.registry.enums.GuildTier",
        "PenaltyKind": "governance.penalties.enums.PenaltyKind",
        "PenaltyStatus": "governance.penalties.enums.PenaltyStatus",
        "Severity": "governance.rules.enums.Severity",
        "ViolationStatus": "governance.violations.enums.ViolationStatus",
    },
}

# --- worker -----------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = env.celery_broker(_urls.redis_url)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # An unacknowledged task comes back after this long. Above the hard time limit, or a slow task would run twice.
    "visibility_timeout": 20 * 60,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    # A nudge that cannot be sent within a second is dropped: the sweep finds what it was about.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.5,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.5,
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SOFT_TIME_LIMIT = 10 * 60
CELERY_TASK_TIME_LIMIT = 11 * 60
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True

# --- logs -------------------------------------------------------------------------------------------------------
LOGGING = logs.configured(
    shape=env.choice("GUILDHALL_LOG_FORMAT", "json", tuple(logs.RENDERERS)),
    level=env.choice("GUILDHALL_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_USER_ID_FIELD = "pk"
# Probes and the sweeps of every few seconds would drown the rest.
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = 10
DJANGO_STRUCTLOG_CELERY_TASK_START_LOG_LEVEL = 10
DJANGO_STRUCTLOG_CELERY_TASK_SUCCESS_LOG_LEVEL = 10
