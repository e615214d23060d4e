"""What the environment says, read once, typed, and loud when it is wrong."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

CommaSeparated = Annotated[tuple[str, ...], NoDecode]

_SECRETS = (
    "DATABASE_URL",
    "POSTCALL_SECRET_KEY",
    "POSTCALL_API_KEY",
    "POSTCALL_ADMIN_PASSWORD",
    "TWILIO_AUTH_TOKEN",
    "TWILIO_API_KEY_SECRET",
    "POSTCALL_SMTP_URL",
)
# Model providers' keys are read by pydantic-ai itself; only their _FILE variants are ours.
_PROVIDER_SECRETS = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GOOGLE_API_KEY",
    "GEMINI_API_KEY",
    "OLLAMA_API_KEY",
    "VLLM_API_KEY",
)

SHORTEST_SECRET_KEY: Final = 16
# Before the name of a model that is asked about what the built-in judge leaves open.
CASCADE: Final = "cascade:"
# E.164, a short code, or an alphanumeric sender.
_SENDER: Final = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}")
_MAIL_FROM: Final = re.compile(r"[^<>@\s]+@[^<>@\s]+|[^<>@\r\n]+ <[^<>@\s]+@[^<>@\s]+>")


class ConfigError(Exception):
    """The environment is wrong; the message is one line that names the variable and the mend."""


class SecretFiles(PydanticBaseSettingsSource):
    """`<NAME>_FILE`: the secret is that file's content, its last line break left out."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002  # theirs
        name = str(field.validation_alias)
        path = os.environ.get(f"{name}_FILE") if name in _SECRETS else None
        return (read_secret(name, path) if path else None), name, False

    def __call__(self) -> dict[str, Any]:
        found = {}
        for field_name, field in self.settings_cls.model_fields.items():
            value, key, _ = self.get_field_value(field, field_name)
            if value is not None:
                found[key] = value
        return found


def read_secret(name: str, path: str) -> str:
    """The content of the file that `<name>_FILE` points at."""
    try:
        return Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{name}_FILE: cannot read {path}: {getattr(error, 'strerror', None) or 'not text'}"
        ) from error


def env(name: str, default: Any = None) -> Any:
    """A field that is read from exactly this variable."""
    return Field(default=default, validation_alias=name)


@dataclass(frozen=True)
class SmtpServer:
    """A mail server. `tls`: `always`, `starttls` (at once after the greeting, else nothing is said) or `none`."""

    host: str
    port: int
    user: str
    password: SecretStr
    tls: str


class Config(BaseSettings):
    """The environment of CONTRACT: one attribute a variable."""

    model_config = SettingsConfigDict(extra="ignore", case_sensitive=True, env_ignore_empty=True, frozen=True)

    database_url: SecretStr | None = env("DATABASE_URL")
    data_dir: Path | None = env("POSTCALL_DATA_DIR")
    secret_key: SecretStr | None = env("POSTCALL_SECRET_KEY")
    host: str = env("POSTCALL_HOST", "127.0.0.1")
    port: int = Field(default=8000, validation_alias="POSTCALL_PORT", ge=1, le=65535)
    public_url: str | None = env("POSTCALL_PUBLIC_URL")
    allowed_hosts: CommaSeparated = env("POSTCALL_ALLOWED_HOSTS", ())
    api_key: SecretStr | None = env("POSTCALL_API_KEY")
    admin_email: str | None = env("POSTCALL_ADMIN_EMAIL")
    admin_password: SecretStr | None = env("POSTCALL_ADMIN_PASSWORD")
    judge_model: str = env("POSTCALL_JUDGE_MODEL", "offline")
    judge_output: Literal["auto", "tool", "json", "prompted"] = env("POSTCALL_JUDGE_OUTPUT", "auto")
    judge_timeout: float = Field(default=45.0, validation_alias="POSTCALL_JUDGE_TIMEOUT", ge=1, le=300)
    judge_context: int | None = Field(default=None, validation_alias="POSTCALL_JUDGE_CONTEXT", ge=6_000)
    reconcile_delays: CommaSeparated = env("POSTCALL_RECONCILE_DELAYS", ("30", "120", "300", "600"))
    outbound_allow: CommaSeparated = env("POSTCALL_OUTBOUND_ALLOW", ())
    log_format: Literal["console", "json"] | None = env("POSTCALL_LOG_FORMAT")
    notify: bool = env("POSTCALL_NOTIFY", True)
    smtp_url: SecretStr | None = env("POSTCALL_SMTP_URL")
    mail_from: str | None = env("POSTCALL_MAIL_FROM")
    test_pace: float = Field(default=1.0, validation_alias="POSTCALL_TEST_PACE", gt=0, le=1)
    worker_threads: int = Field(default=8, validation_alias="POSTCALL_WORKER_THREADS", ge=1, le=64)

    twilio_account_sid: str | None = env("TWILIO_ACCOUNT_SID")
    twilio_auth_token: SecretStr | None = env("TWILIO_AUTH_TOKEN")
    twilio_api_key_sid: str | None = env("TWILIO_API_KEY_SID")
    twilio_api_key_secret: SecretStr | None = env("TWILIO_API_KEY_SECRET")
    twilio_from_number: str | None = env("TWILIO_FROM_NUMBER")
    twilio_messaging_service_sid: str | None = env("TWILIO_MESSAGING_SERVICE_SID")
    twilio_api_url: str = env("TWILIO_API_URL", "https://api.twilio.com")
    sandbox_url: str | None = env("POSTCALL_SANDBOX_URL")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        *args: PydanticBaseSettingsSource,  # noqa: ARG003  # pydantic's signature
        **sources: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return sources["env_settings"], SecretFiles(settings_cls)

    @field_validator("allowed_hosts", "reconcile_delays", "outbound_allow", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("reconcile_delays")
    @classmethod
    def _seconds(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or any(not re.fullmatch(r"\d+(\.\d+)?", part) for part in value):
            raise ValueError("comma-separated seconds, such as 30,120,300,600")
        return value

    @field_validator("outbound_allow")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            ipaddress.ip_network(part, strict=False)
        return value

    @field_validator("database_url")
    @classmethod
    def _database_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (wrong := _wrong_with_database(value.get_secret_value())):
            raise ValueError(wrong)
        return value

    @field_validator("smtp_url")
    @classmethod
    def _mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and _smtp_server(value.get_secret_value()) is None:
            raise ValueError(
                "an address such as smtp://user:password@mail.example.org:587 or smtps://…:465; : / ? # [ ] @ % in "
                "user and password have to be percent-encoded"
            )
        return value

    @field_validator("mail_from")
    @classmethod
    def _mail_sender(cls, value: str | None) -> str | None:
        if value is not None and not _MAIL_FROM.fullmatch(value):
            raise ValueError("an address such as postcall@example.org or Postcall <postcall@example.org>")
        return value

    @field_validator("secret_key")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        keys = [part.strip() for part in value.get_secret_value().split(",") if part.strip()]
        if not keys or any(len(key) < SHORTEST_SECRET_KEY for key in keys):
            raise ValueError(
                f"at least {SHORTEST_SECRET_KEY} characters a key: it signs sessions and encrypts what is stored"
            )
        return value

    @field_validator("public_url", "twilio_api_url", "sandbox_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not _is_http_address(value):
            raise ValueError("an address such as https://postcall.example.org")
        return value.rstrip("/")

    @field_validator("public_url")
    @classmethod
    def _origin(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).path:
            raise ValueError("an address without a path, such as https://postcall.example.org")
        return value

    @field_validator("twilio_from_number")
    @classmethod
    def _sender(cls, value: str | None) -> str | None:
        if value is not None and not _SENDER.fullmatch(value):
            raise ValueError("a number such as +14155550100, a short code, or a sender name of up to 11 characters")
        return value

    @field_validator("judge_model")
    @classmethod
    def _model_name(cls, value: str) -> str:
        return judge_model(value)

    @field_validator("admin_email")
    @classmethod
    def _email(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+|[^@\s]+@localhost", value):
            raise ValueError("an e-mail address")
        return value

    @field_validator("api_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 20:
            raise ValueError("at least 20 characters: it opens everything in the default workspace")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Config:
        for here, there in (
            ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"),
            ("TWILIO_API_KEY_SID", "TWILIO_API_KEY_SECRET"),
            ("POSTCALL_ADMIN_EMAIL", "POSTCALL_ADMIN_PASSWORD"),
            ("POSTCALL_SMTP_URL", "POSTCALL_MAIL_FROM"),
        ):
            given = [getattr(self, name.removeprefix("POSTCALL_").lower()) is not None for name in (here, there)]
            if any(given) and not all(given):
                missing = there if given[0] else here
                raise ValueError(f"{missing}: set it too; {here} and {there} belong together")
        self._check_twilio()
        self._check_pace()
        return self

    def _check_pace(self) -> None:
        """What is believed about Twilio rests on waiting as long as it takes."""
        host = urlsplit(self.twilio_api_url).hostname or ""
        if self.test_pace != 1 and host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError(
                "POSTCALL_TEST_PACE: for tests alone, with TWILIO_API_URL at a stand-in on this machine"
            )

    def _check_twilio(self) -> None:
        if self.twilio_account_sid is None:
            for name in ("TWILIO_API_KEY_SID", "TWILIO_FROM_NUMBER", "TWILIO_MESSAGING_SERVICE_SID"):
                if getattr(self, name.lower()) is not None:
                    raise ValueError(f"TWILIO_ACCOUNT_SID: set it too; {name} means nothing without it")
        elif not (self.twilio_from_number or self.twilio_messaging_service_sid):
            raise ValueError("TWILIO_FROM_NUMBER: set it or TWILIO_MESSAGING_SERVICE_SID, who the texts come from")
        elif self.twilio_from_number and self.twilio_messaging_service_sid:
            raise ValueError("TWILIO_FROM_NUMBER: set it or TWILIO_MESSAGING_SERVICE_SID, not both")

    @property
    def base_url(self) -> str:
        """The address under which Twilio and voice platforms reach us; no slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def smtp(self) -> SmtpServer | None:
        return _smtp_server(self.smtp_url.get_secret_value()) if self.smtp_url else None

    @property
    def reconcile_after(self) -> tuple[float, ...]:
        """Seconds after an ambiguous attempt at which Twilio's list is read."""
        return tuple(float(part) * self.test_pace for part in self.reconcile_delays)

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The newest first; older ones still decrypt."""
        raw = self.secret_key.get_secret_value() if self.secret_key else ""
        return tuple(part.strip() for part in raw.split(",") if part.strip())


def _is_http_address(value: str) -> bool:
    """Whether it names a server, and nothing that does not belong into an address that others are told."""
    try:
        parts = urlsplit(value)
        _ = parts.port  # read for its refusal
    except ValueError:
        return False
    whole = parts.scheme in ("http", "https") and bool(parts.hostname)
    return whole and "@" not in parts.netloc and not (parts.query or parts.fragment)


def _smtp_server(url: str) -> SmtpServer | None:
    """The server that the address names; None where it names none. `smtp:` goes over to TLS (STARTTLS) or does not
    speak at all, but to this machine itself or with `?tls=none`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    ways = {"": "", "tls=none": "none", "tls=starttls": "starttls"}
    well = parts.scheme in ("smtp", "smtps") and parts.hostname and port != 0 and parts.query in ways
    if not well or parts.path not in ("", "/") or parts.fragment or parts.netloc.count("@") > 1:
        return None
    host = str(parts.hostname)
    if parts.scheme == "smtps":
        tls = "always"
    else:
        tls = ways[parts.query] or ("none" if _is_this_machine(host) else "starttls")
    user, password = (unquote(part or "") for part in (parts.username, parts.password))
    return SmtpServer(host, port or (465 if tls == "always" else 587), user, SecretStr(password), tls)


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _wrong_with_database(url: str) -> str:
    """What is wrong with a database's address, in words that repeat nothing of it; empty: nothing."""
    unescaped = "in its user and password : / ? # [ ] @ % have to be percent-encoded, such as %40 for an at sign"
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgres", "postgresql") or not rest:
        return "an address such as postgresql://user:password@host:5432/postcall"
    if re.search(r"%(?![0-9A-Fa-f]{2})", rest) or re.search(r"\s", rest):
        return unescaped
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"its port is no number up to 65535; or {unescaped}"
    if port == 0:
        return "its port is 0"
    cut_short = "@" in parts.query and "@" not in parts.netloc
    if parts.fragment or cut_short or parts.netloc.count("@") > 1 or "/" in parts.path[1:]:
        return unescaped
    return ""


def judge_model(name: str) -> str:
    """A judge's name as POSTCALL_JUDGE_MODEL takes it. Raises ValueError, saying what it may be."""
    provider, _, model = name.removeprefix(CASCADE).partition(":")
    if name != "offline" and not (provider and model.strip() and provider not in ("offline", "cascade")):
        raise ValueError(
            "`offline`, a pydantic-ai model name such as openai:gpt-5-mini, "
            "or cascade:openai:gpt-5-mini for one after the other"
        )
    return name


_KNOWN = {str(field.validation_alias) for field in Config.model_fields.values()}
# Not settings of the service, but of the `postcall` processes among themselves.
_INTERNAL = {"POSTCALL_EMBEDDED_DATA_DIR", "POSTCALL_PARENT_PIPE"}


def _refuse_unknown() -> None:
    known = _KNOWN | _INTERNAL | {f"{name}_FILE" for name in _SECRETS}
    for name in sorted(os.environ):
        if name.startswith("POSTCALL_") and name not in known:
            raise ConfigError(f"{name}: there is no such setting; the README lists them all")
    for name in (*_SECRETS, *_PROVIDER_SECRETS):
        if os.environ.get(name) and os.environ.get(f"{name}_FILE"):
            raise ConfigError(f"{name}: set it or {name}_FILE, not both")


def _provider_secrets_from_files() -> None:
    for name in _PROVIDER_SECRETS:
        if path := os.environ.get(f"{name}_FILE"):
            os.environ[name] = read_secret(name, path)
            del os.environ[f"{name}_FILE"]


@cache
def config() -> Config:
    """The environment, parsed once.

    Raises ConfigError, one line, when a variable is unknown or its value is bad.
    """
    _refuse_unknown()
    _provider_secrets_from_files()
    try:
        return Config()
    except ValidationError as error:
        first = error.errors()[0]
        where = f"{first['loc'][0]}: " if first["loc"] else ""
        raise ConfigError(where + first["msg"].removeprefix("Value error, ")) from None
