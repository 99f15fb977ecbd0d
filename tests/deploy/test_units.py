"""What starts the platform elsewhere: systemd's units and the compose file, as far as a machine with neither can tell."""

from __future__ import annotations

import configparser
import re
import secrets
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from edu_platform.cli import edu
from edu_platform.config.settings import Settings
from tests.servers import ROOT

UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose" / "compose.yml").read_text())
EXAMPLE = (ROOT / "deploy" / "compose" / "env.example").read_text()
OURS = {name: service for name, service in COMPOSE["services"].items() if service.get("image") == "edu:local"}


class _Unit(configparser.RawConfigParser):
    """A unit file: names keep their case, and may stand several times."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, interpolation=None, comment_prefixes=("#", ";"))
        self.optionxform = str
        self.read(path)


def is_command(words: list[str]) -> bool:
    """Whether words after `edu` begin with a command and give it options that it has."""
    command = edu.get_command(None, words[0]) if words else None
    if command is None:
        return False
    known = {option for parameter in command.params for option in parameter.opts}
    return all(word.split("=")[0] in known for word in words[1:] if word.startswith("--"))


def settings_in(text: str) -> set[str]:
    return set(re.findall(r"\bEDU_[A-Z0-9_]+", text))


KNOWN = {f"EDU_{name.upper()}" for name in Settings.__dataclass_fields__}


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_what_there_is_and_holds_it_tight(path):
    unit = _Unit(path)
    assert unit["Unit"]["Description"].startswith("Consumer guardian")
    assert settings_in(path.read_text()) <= KNOWN
    if path.suffix == ".timer":
        assert (path.with_suffix(".service")).exists()
        return
    service = unit["Service"]
    words = shlex.split(service["ExecStart"])
    program = words[0].removeprefix("/opt/edu/.venv/bin/")
    assert program in {"gunicorn", "edu"}
    if program == "edu":
        assert is_command(words[1:]), service["ExecStart"]
    else:
        assert words[1:] == ["-c", "deploy/gunicorn.conf.py", "app:app"]
        assert (ROOT / words[2]).exists()
    assert service["User"] == "edu"
    for name in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "ProtectKernelTunables"):
        assert service[name] == "yes", name
    assert service["ProtectSystem"] == "strict"
    assert service["EnvironmentFile"] == "/etc/edu/edu.env", "no secret in a unit, which anybody may read"
    assert not re.search(r"SECRET|KEYS=|PASSWORD", path.read_text())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.control("a unit with a mistake")
def test_systemd_itself_finds_nothing_wrong(tmp_path):
    (tmp_path / "program").write_text("#!/bin/sh\n")
    (tmp_path / "program").chmod(0o755)

    def verified(change):
        for path in UNITS:
            text = re.sub(r"/opt/edu/.venv/bin/\w+", str(tmp_path / "program"), path.read_text())
            (tmp_path / path.name).write_text(change(text.replace("file:///opt/edu/docs", "file:///tmp")))
        return subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / path.name) for path in UNITS)],
            capture_output=True, text=True,
        )  # fmt: skip

    def complaints(done):
        return [line for line in done.stderr.splitlines() if str(tmp_path) in line or "edu-" in line]

    assert complaints(verified(lambda text: text)) == []
    wrong = complaints(verified(lambda text: text.replace("ProtectHome=yes", "ProtectHome=perhaps")))
    assert len(wrong) >= len([path for path in UNITS if path.suffix == ".service"]), "the control"


def interpolated(value: str, given: dict[str, str]) -> str:
    """As compose fills `${NAME:?}` and `${NAME:-default}`."""

    def fill(found: re.Match[str]) -> str:
        name, _, default = found[1].partition(":")
        if default.startswith("-"):
            return given.get(name) or default[1:]
        assert given.get(name), f"{name} is asked for and not in env.example"
        return given[name]

    return re.sub(r"\$\{([^}]+)\}", fill, value)


def filled_in() -> dict[str, str]:
    """env.example, filled in as an operator would."""
    lines = [line.partition("=") for line in EXAMPLE.splitlines() if line and not line.startswith("#")]
    return {name: value or secrets.token_hex(24) for name, _, value in lines}


@pytest.mark.parametrize("name", OURS)
def test_the_settings_of_a_service_are_settings_that_production_takes(name):
    given = filled_in()
    environ = {key: interpolated(value, given) for key, value in OURS[name]["environment"].items()}
    settings = Settings.read(environ)
    assert settings.is_production
    hosts = re.findall(
        r"//(?:[^@/]*@)?([a-z0-9]+)[:/]",
        " ".join(environ[key] for key in environ if key.endswith(("_URL", "_ENDPOINT"))),
    )
    assert {host for host in hosts if host != "edu"} <= set(COMPOSE["services"]) | {"example"}
    with pytest.raises(Exception, match="EDU_SECRET_KEYS"):
        Settings.read({key: value for key, value in environ.items() if key != "EDU_SECRET_KEYS"})


def test_whatever_is_asked_for_is_in_the_example_and_the_other_way_round():
    text = (ROOT / "deploy" / "compose" / "compose.yml").read_text()
    assert set(re.findall(r"\$\{(\w+)", text)) == filled_in().keys()
    assert not [line for line in EXAMPLE.splitlines() if "SECRET" in line and not line.endswith("=")], (
        "no secret ships"
    )


def test_services_volumes_and_commands_exist():
    services = COMPOSE["services"]
    assert {"database", "keys", "valkey", "s3", "web", "worker", "nginx"} <= set(services)
    assert int(services["web"]["deploy"]["replicas"]) > 1
    used = set()
    for name, service in services.items():
        assert re.fullmatch(r"[a-z0-9/.-]+:[a-z0-9.]+", service["image"]), "an image, with its version"
        assert not service["image"].endswith(":latest")
        for needed, condition in service.get("depends_on", {}).items():
            assert needed in services
            wanted = {"service_healthy": "healthcheck", "service_completed_successfully": "command"}
            assert wanted[condition["condition"]] in services[needed], f"{name} waits for {needed}"
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (
                    source in {"./tls", "./backup", "./vault"}
                    or (ROOT / "deploy" / "compose" / source).exists()
                )
            else:
                used.add(source)
        for line in re.findall(r"\bedu (\w.*?)(?: >|$)", " ".join(service.get("command", ()))):
            assert is_command(shlex.split(line)), line
    assert used == set(COMPOSE["volumes"])
    assert [name for name in services if "ports" in services[name]] == ["nginx"], (
        "nothing else is reached from outside"
    )
    for name in ("database", "keys", "valkey", "s3", "web", "nginx"):
        assert services[name]["healthcheck"]["test"], name


def test_the_image_holds_what_it_starts():
    text = (ROOT / "Dockerfile").read_text()
    copied = set()
    for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE):
        *sources, _ = line.split()
        copied |= set(sources)
    assert all((ROOT / source).exists() for source in copied)
    assert {"edu_platform", "deploy", "content", "app.py"} <= copied
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {source.split("/")[0] for source in copied} <= kept
    assert settings_in(text) <= KNOWN
    assert "USER edu" in text
    assert "--require-hashes" in text
