"""Settings are read once and refuse nonsense, each by its name."""

import stat

import pytest

from edu_platform.config.installation import environ_with_installation
from edu_platform.config.settings import Settings, SettingsError

SECRETS = {
    "EDU_SECRET_KEYS": "0123456789abcdefghijklmnopqrstuvwxyz",
    "EDU_SEALING_KEYS": "zyxwvutsrqponmlkjihgfedcba9876543210",
}
PRODUCTION = {
    **SECRETS,
    "EDU_ENVIRONMENT": "production",
    "EDU_WECHAT_APPID": "wx1234567890abcdef",
    "EDU_WECHAT_SECRET": "a-real-secret",
    "EDU_PUBLIC_URL": "https://edu.example.cn",
}


def problems(environ):
    with pytest.raises(SettingsError) as refused:
        Settings.read(environ)
    return refused.value.problems


def test_defaults_suit_one_machine():
    settings = Settings.read(SECRETS)
    assert settings.on_sqlite
    assert settings.hotline == "95519"
    assert settings.web_processes == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EDU_WEB_THREADS", "many"),
        ("EDU_WEB_THREADS", "0"),
        ("EDU_WEB_THREADS", "1e3"),
        ("EDU_DATABASE_URL", "mysql://x/y"),
        ("EDU_STORAGE", "tape"),
        ("EDU_HOTLINE", "call me"),
        ("EDU_LIMITS", "perhaps"),
        ("EDU_PUBLIC_URL", "ftp://x"),
        ("EDU_SECRET_KEYS", "short"),
        ("EDU_SECRET_KEYS", "a" * 40),
        ("EDU_WEB_THREAD", "4"),
        ("EDU_S3_BUCKET", " "),
    ],
)
def test_nonsense_is_refused_by_name(name, value):
    assert set(problems({**SECRETS, name: value})) == {name}


def test_everything_wrong_is_named_at_once():
    assert set(problems({"EDU_STORAGE": "s3", "EDU_WEB_PROCESSES": "4"})) == {
        "EDU_SECRET_KEYS", "EDU_SEALING_KEYS", "EDU_S3_ENDPOINT", "EDU_S3_BUCKET", "EDU_S3_ACCESS_KEY",
        "EDU_S3_SECRET_KEY", "EDU_VALKEY_URL",
    }  # fmt: skip


def test_production_as_it_should_be():
    assert Settings.read(PRODUCTION).is_production


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"EDU_SECRET_KEYS": None}, "EDU_SECRET_KEYS"),
        ({"EDU_SEALING_KEYS": None}, "EDU_SEALING_KEYS"),
        ({"EDU_SEALING_KEYS": SECRETS["EDU_SECRET_KEYS"]}, "EDU_SEALING_KEYS"),
        ({"EDU_WECHAT_SECRET": None}, "EDU_WECHAT_SECRET"),
        ({"EDU_WECHAT_APPID": None}, "EDU_WECHAT_APPID"),
        ({"EDU_WECHAT_BASE_URL": "http://127.0.0.1:8001"}, "EDU_WECHAT_BASE_URL"),
        ({"EDU_PUBLIC_URL": None}, "EDU_PUBLIC_URL"),
        ({"EDU_PUBLIC_URL": "http://edu.example.cn"}, "EDU_PUBLIC_URL"),
        ({"EDU_LIMITS": "off"}, "EDU_LIMITS"),
    ],
)
def test_production_refuses_what_is_only_fit_for_a_desk(change, name):
    environ = {key: value for key, value in {**PRODUCTION, **change}.items() if value is not None}
    assert set(problems(environ)) == {name}


def test_no_secret_shows_when_settings_are_printed():
    shown = repr(Settings.read({**PRODUCTION, "EDU_DATABASE_URL": "postgresql://u:hidden-password@h/d"}))
    for secret in (*SECRETS.values(), "a-real-secret", "hidden-password"):
        assert secret not in shown


def test_an_installation_makes_its_own_secrets_once(tmp_path):
    environ = {"EDU_DATA_DIR": str(tmp_path)}
    first = environ_with_installation(environ)
    assert environ_with_installation(environ) == first
    assert stat.S_IMODE((tmp_path / "installation.env").stat().st_mode) == 0o600
    assert Settings.read(first).secret_keys != Settings.read(first).sealing_keys
    other = environ_with_installation({"EDU_DATA_DIR": str(tmp_path / "other")})
    assert other["EDU_SECRET_KEYS"] != first["EDU_SECRET_KEYS"]


def test_production_gets_no_secret_made_for_it(tmp_path):
    environ = {"EDU_DATA_DIR": str(tmp_path), "EDU_ENVIRONMENT": "production"}
    assert environ_with_installation(environ) == environ
    assert not list(tmp_path.iterdir())


def test_every_setting_is_written_down():
    from dataclasses import fields
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    assert [f.name for f in fields(Settings) if f"`EDU_{f.name.upper()}`" not in text] == []
