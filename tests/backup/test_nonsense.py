"""`edu backup` and `edu restore` refuse what makes no sense: exit 1 or 2, in words that name it, with nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from edu_platform.backup.operations import making
from edu_platform.core.clock import frozen, now


def refused(result, *words, code=1):
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert not result.exception or isinstance(result.exception, SystemExit), result.exception
    for word in words:
        assert word in result.output
    return result.output


def nothing_is_left(installation):
    assert not installation.copies.is_dir() or not [
        path for path in installation.copies.rglob("*") if path.is_file() and path.name != ".lock"
    ]


@pytest.mark.parametrize("days", ["0", "-3", "abc", "99999"])
def test_days_that_are_none(installation, days):
    refused(installation.backup("--keep-days", days), "--keep-days", code=2)
    nothing_is_left(installation)


def test_a_target_that_is_a_file(installation):
    installation.copies.write_text("not a folder")
    refused(installation.backup(), str(installation.copies), "无法读取或写入")
    assert installation.copies.read_text() == "not a folder"


def test_a_target_where_nothing_can_be_made(installation):
    installation.folder.joinpath("copies").write_text("")
    installation.folder = installation.folder / "copies"  # a folder in a file
    refused(installation.backup(), "无法读取或写入")


def test_keys_that_cannot_be_put_where_they_are_to_go(installation):
    taken = installation.folder / "taken"
    taken.write_text("")
    refused(installation.backup("--keys", str(taken)), str(taken), "无法读取或写入")
    nothing_is_left_but_files_of_the_pool(installation)


def nothing_is_left_but_files_of_the_pool(installation):
    assert making.finished(installation.copies) == []
    assert not list(installation.copies.glob(".unfinished-*"))


def test_a_whole_server_of_sqlite(installation):
    if installation.settings.on_sqlite:
        refused(installation.backup("--base"), "--base", "SQLite")
        nothing_is_left(installation)


@pytest.mark.database
def test_two_within_a_second(installation):
    with frozen(now()):
        assert installation.backup().exit_code == 0
        refused(installation.backup(), "一秒之内只能备份一次")
    assert len(making.finished(installation.copies)) == 1


@pytest.mark.database
def test_a_database_that_is_not_there(installation, monkeypatch):
    url = installation.settings.database_url
    gone = url.replace("edu.sqlite3", "gone.sqlite3") if installation.settings.on_sqlite else f"{url}_gone"
    monkeypatch.setenv("EDU_DATABASE_URL", gone)
    told = refused(installation.backup(), "数据库无法读取")
    assert "test-only" not in told
    assert not (installation.settings.data_dir / "gone.sqlite3").exists()
    nothing_is_left(installation)


@pytest.mark.parametrize("given", ["", "nowhere", "file"])
def test_a_restore_from_what_is_no_backup(installation, given):
    source = installation.folder / (given or "empty")
    if given == "file":
        source.write_text("")
    elif not given:
        source.mkdir()
    refused(installation.restore(source), source.name, code=1 if not given else 2)


@pytest.mark.parametrize(
    "manifest",
    ["", "{", "[]", "null", '{"kind": "sqlite"}', '{"kind": "tape"}', "\0", '{"kind": 1, "parts": []}'],
)
def test_a_manifest_that_is_none(installation, manifest):
    assert installation.backup().exit_code == 0
    source: Path = installation.newest()
    (source / "manifest.json").write_text(manifest)
    refused(installation.restore(source, "--replace"), "manifest.json 已损坏")
    assert installation.count("beacon") == 0  # it is still there


def test_a_manifest_that_points_elsewhere(installation):
    """Names in it are those of files beside it, and of the pool; a path is refused, not followed."""
    assert installation.backup().exit_code == 0
    source: Path = installation.newest()
    told = (source / "manifest.json").read_text().replace('"database.sqlite3"', '"../../../etc/passwd"')
    (source / "manifest.json").write_text(told)
    refused(installation.restore(source, "--replace"), "已损坏")
