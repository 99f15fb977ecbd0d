"""Every setting of the platform, its default, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

PREFIX = "EDU_"
STANDIN_APPID = "wx0000000000000000"


class Environment(StrEnum):
    """Where the platform runs; production refuses what is only fit for a desk."""

    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


class Storage(StrEnum):
    """Where files lie."""

    FOLDER = "folder"
    S3 = "s3"


class Server(StrEnum):
    """What speaks HTTP to the clients or to nginx (docs/decisions/018)."""

    GUNICORN = "gunicorn"
    GRANIAN = "granian"


class SettingsError(Exception):
    """One or more settings are missing or make no sense; `problems` maps each name to its reason."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in self.problems.items()))


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value.strip()


def _optional(value: str) -> str | None:
    return value.strip() or None


def _between(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not re.fullmatch(r"-?\d+", value.strip()):
            raise ValueError(f"must be a whole number, not {value!r}")
        number = int(value)
        if not low <= number <= high:
            raise ValueError(f"must be between {low} and {high}, not {number}")
        return number

    return read


def _switch(value: str) -> bool:
    try:
        return {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}[value.lower()]
    except KeyError:
        raise ValueError(f"must be on or off, not {value!r}") from None


def _url(*schemes: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes:
            raise ValueError(f"must begin with {' or '.join(f'{s}://' for s in schemes)}")
        return value.rstrip("/")

    return read


def _address(value: str) -> str:
    found = re.fullmatch(r"([0-9A-Za-z.-]+|\[[0-9a-f:]+\]):(\d{1,5})", value)
    if found is None or not 1 <= int(found[2]) <= 65_535:
        raise ValueError(f"must be an address and a port, such as 127.0.0.1:9101, not {value!r}")
    return value


def _database(value: str) -> str:
    # SQLAlchemy 2.1 reads postgresql:// as psycopg 3; written out, it does not depend on that.
    value = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", value)
    if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    return value


def _secret(value: str) -> str:
    if len(value) < 32:
        raise ValueError("must be at least 32 characters")
    if len(set(value)) < 8:
        raise ValueError("is not random")
    return value


def _secrets(value: str) -> tuple[str, ...]:
    """Several keys, newest first, separated by commas."""
    return tuple(_secret(part.strip()) for part in value.split(","))


def _hotline(value: str) -> str:
    if not re.fullmatch(r"[0-9-]{3,15}", value):
        raise ValueError("must be a telephone number of digits")
    return value


def _choice(kind: type[StrEnum]) -> Callable[[str], StrEnum]:
    def read(value: str) -> StrEnum:
        try:
            return kind(value)
        except ValueError:
            raise ValueError(f"must be one of {', '.join(kind)}, not {value!r}") from None

    return read


def _setting(read: Callable[[str], Any], default: Any = None, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"read": read})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The platform's settings. Built by `Settings.read`; the name in the environment is `EDU_` + the field in capitals."""

    environment: Environment = _setting(_choice(Environment), Environment.DEVELOPMENT)
    data_dir: Path = _setting(lambda v: Path(_text(v)).expanduser().absolute(), Path("var").absolute())
    database_url: str = _setting(_database, "", secret=True)
    keys_url: str = _setting(_database, "", secret=True)
    secret_keys: tuple[str, ...] = _setting(_secrets, (), secret=True)
    sealing_keys: tuple[str, ...] = _setting(_secrets, (), secret=True)
    public_url: str = _setting(_url("http", "https"), "")

    storage: Storage = _setting(_choice(Storage), Storage.FOLDER)
    s3_endpoint: str | None = _setting(_url("http", "https"))
    s3_bucket: str | None = _setting(_text)
    s3_region: str = _setting(_text, "us-east-1")
    s3_access_key: str | None = _setting(_text, secret=True)
    s3_secret_key: str | None = _setting(_text, secret=True)
    valkey_url: str | None = _setting(_url("redis", "rediss", "unix", "valkey"), secret=True)

    wechat_base_url: str = _setting(_url("http", "https"), "https://api.weixin.qq.com")
    wechat_appid: str = _setting(_text, STANDIN_APPID)
    wechat_secret: str = _setting(_text, "", secret=True)
    wechat_timeout_ms: int = _setting(_between(100, 60_000), 3_000)

    hotline: str = _setting(_hotline, "95519")
    issuer: str = _setting(_text, "示例市分公司")
    programme: str = _setting(_text, "消保守护")

    server: Server = _setting(_choice(Server), Server.GUNICORN)
    web_processes: int = _setting(_between(1, 64), 1)
    web_threads: int = _setting(_between(1, 256), 16)
    limits: bool = _setting(_switch, True)
    trusted_proxies: int = _setting(_between(0, 5), 0)
    max_body_bytes: int = _setting(_between(1_024, 16_777_216), 1_048_576)
    max_upload_bytes: int = _setting(_between(1_024, 2_147_483_648), 209_715_200)
    metrics_address: str | None = _setting(_address)
    metrics_dir: Path | None = _setting(lambda v: Path(_text(v)).expanduser().absolute())
    session_days: int = _setting(_between(1, 365), 30)
    staff_session_hours: int = _setting(_between(1, 168), 12)
    beacon_largest_age_days: int = _setting(_between(1, 30), 7)

    beacon_kept_days: int = _setting(_between(60, 36_500), 1_100)

    @property
    def is_production(self) -> bool:
        """Say whether the strict rules hold."""
        return self.environment is Environment.PRODUCTION

    @property
    def on_sqlite(self) -> bool:
        """Say whether the database is a SQLite file."""
        return self.database_url.startswith("sqlite")

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """Read every `EDU_*` variable of `environ`; raise `SettingsError` naming each that is unknown, missing or nonsense."""
        problems: dict[str, str] = {}
        values: dict[str, Any] = {}
        known = {PREFIX + f.name.upper(): f for f in fields(cls)}
        for name in sorted(n for n in environ if n.startswith(PREFIX)):
            if name not in known:
                problems[name] = "is not a setting of the platform"
                continue
            spec = known[name]
            try:
                values[spec.name] = spec.metadata["read"](environ[name])
            except ValueError as wrong:
                problems[name] = str(wrong)
        built = cls(**values)
        if not built.database_url:
            built = _with(built, database_url=f"sqlite:///{built.data_dir / 'edu.sqlite3'}")
        if not built.keys_url:
            built = _with(built, keys_url=f"sqlite:///{built.data_dir / 'keys.sqlite3'}")
        if not built.public_url and not built.is_production:
            built = _with(built, public_url="http://127.0.0.1:8000")
        problems.update({k: v for k, v in _refusals(built).items() if k not in problems})
        if problems:
            raise SettingsError(problems)
        return built


def _with(settings: Settings, **changes: Any) -> Settings:
    return Settings(**{f.name: changes.get(f.name, getattr(settings, f.name)) for f in fields(settings)})


def _server(url: str) -> str:
    """Return what a physical backup of the database at `url` copies: its file, or its whole server."""
    if url.startswith("sqlite"):
        return url
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    return f"{parts.hostname or query.get('host', [''])[0]}:{parts.port or query.get('port', ['5432'])[0]}"


def _refusals(settings: Settings) -> dict[str, str]:
    """List what fails only in combination."""
    found: dict[str, str] = {}
    for name in ("secret_keys", "sealing_keys"):
        if not getattr(settings, name):
            found[PREFIX + name.upper()] = "is missing: random text of at least 32 characters"
    if settings.secret_keys and set(settings.secret_keys) & set(settings.sealing_keys):
        found["EDU_SEALING_KEYS"] = "must differ from EDU_SECRET_KEYS"
    if _server(settings.keys_url) == _server(settings.database_url):
        found["EDU_KEYS_URL"] = (
            "must be apart from EDU_DATABASE_URL: another file, or another server (not another database of it),"
            " since a backup of the one must not hold the other"
        )
    if settings.storage is Storage.S3:
        for name in ("s3_endpoint", "s3_bucket", "s3_access_key", "s3_secret_key"):
            if not getattr(settings, name):
                found[PREFIX + name.upper()] = "is missing: EDU_STORAGE is s3"
    if settings.server is Server.GRANIAN and settings.metrics_address:
        found["EDU_METRICS_ADDRESS"] = "needs EDU_SERVER=gunicorn: granian listens at one address"
    if settings.web_processes > 1 and not settings.valkey_url:
        found["EDU_VALKEY_URL"] = "is missing: several web processes share limits and signals through it"
    if settings.is_production:
        if settings.wechat_base_url != "https://api.weixin.qq.com":
            found["EDU_WECHAT_BASE_URL"] = "must be WeChat itself in production, not a stand-in"
        if settings.wechat_appid == STANDIN_APPID:
            found["EDU_WECHAT_APPID"] = "is missing"
        if not settings.wechat_secret:
            found["EDU_WECHAT_SECRET"] = "is missing"  # noqa: S105 - a reason, not a secret
        if not settings.public_url:
            found["EDU_PUBLIC_URL"] = "is missing: the address that clients reach"
        elif not settings.public_url.startswith("https://"):
            found["EDU_PUBLIC_URL"] = "must be https: WeChat loads nothing else"
        if not settings.limits:
            found["EDU_LIMITS"] = "must be on in production"
    return found
