"""Every command, setting, file and unit that the operator's guide names is there."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.deploy.test_units import KNOWN, UNITS, is_command, settings_in
from tests.servers import ROOT

GUIDE = (ROOT / "docs" / "operator-guide.md").read_text()
OF_BACKUPS = (ROOT / "docs" / "backup-guide.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
INLINE = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", GUIDE, flags=re.MULTILINE | re.DOTALL))


def lines():
    """Every command line of the guide, without its comment."""
    for block in BLOCKS:
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip() and not line.startswith("#"):
                yield line
    yield from re.findall(r"^edu .*", OF_BACKUPS, re.MULTILINE)
    yield from (text for text in INLINE if text.startswith(("edu ", "make ", "systemctl ", "docker ")))


def commands(line):
    """Its single commands, as words."""
    for part in re.split(r"&&|\||;", re.sub(r"\s#.*", "", line)):
        words = shlex.split(part)
        if words:
            yield words[: words.index(">")] if ">" in words else words


def wrong(words):
    """What a command of ours lacks; None when nothing does, or when it is not ours."""
    if words[:4] == ["docker", "compose", "exec", "web"]:
        words = words[4:]
    if words[0] == "edu" and words[1:] and words[1] != "()" and not is_command(words[1:2]):
        return f"no command {words[1]}"
    if words[0] == "edu" and len(words) > 2 and not options_exist(words[1:]):
        return f"{' '.join(words)}: an option or a command that there is not"
    if words[0] == "make":
        targets = [word for word in words[1:] if not word.startswith(("-", "/"))]
        makefile = (ROOT / "Makefile").read_text().replace("$(VENV)", ".venv")
        return next(
            (
                f"no target {name}"
                for name in targets
                if not re.search(rf"^{re.escape(name)}:", makefile, re.MULTILINE)
            ),
            None,
        )
    if words[0] == "systemctl":
        ours = {name for path in UNITS for name in (path.name, path.stem)}
        return next(
            (f"no unit {word}" for word in words[1:] if word.startswith("edu-") and word not in ours), None
        )
    return None


def options_exist(words):
    from edu_platform.cli import edu

    command = edu.get_command(None, words[0])
    rest = words[1:]
    while hasattr(command, "commands") and rest:
        command = command.commands.get(rest[0])
        rest = rest[1:]
        if command is None:
            return False
    known = {option for parameter in command.params for option in parameter.opts}
    return all(word.split("=")[0] in known for word in rest if word.startswith("--"))


@pytest.mark.parametrize("line", list(lines()))
def test_a_command_of_the_guide_exists(line):
    assert [found for words in commands(line) if (found := wrong(words))] == []


@pytest.mark.parametrize(
    "line",
    [
        "edu backups",
        "edu staff remove x",
        "edu nginx --port-of 3",
        "make upgrade",
        "systemctl restart edu-webb",
    ],
)
@pytest.mark.control
def test_a_wrong_command_is_noticed(line):
    """The control."""
    assert any(wrong(words) for words in commands(line))


def test_settings_and_files_exist():
    assert settings_in(GUIDE) <= KNOWN
    for path in re.findall(r"(?:/opt/edu/)?(deploy/[\w./*-]*[\w/*])", GUIDE):
        assert list(ROOT.glob(path)), path
    for path in re.findall(r"\]\((?!http)([^)#]+)", GUIDE):
        assert (ROOT / "docs" / path).exists(), path


def test_a_production_file_of_the_guide_is_accepted(tmp_path):
    from edu_platform.config.settings import Settings

    block = re.search(r"^```ini\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)[1]
    environ = dict(line.split("=", 1) for line in block.splitlines())
    assert len(environ) > 8
    for number, name in enumerate(("EDU_SECRET_KEYS", "EDU_SEALING_KEYS")):
        environ[name] = f"{number}-abcdefghijklmnopqrstuvwxyz-0123456789"
    assert Settings.read(environ).is_production
