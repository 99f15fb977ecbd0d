"""The disk that a backup goes to is full, or fills while it is made: said plainly, nothing left behind, well again with room."""

from __future__ import annotations

import os

import pytest

from edu_platform.backup.operations import making
from tests.backup.conftest import somebody
from tests.backup.test_backup import PICTURE, keep_picture
from tests.faults.disks import Disk, why_no_disk

pytestmark = [pytest.mark.database, pytest.mark.once]


@pytest.fixture
def disk(installation, monkeypatch):
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin:/sbin")  # where disks are made and mounted
    if reason := why_no_disk():
        pytest.skip(reason)
    with Disk(installation.folder, megabytes=32) as made:
        yield made


def room_for(disk, size):
    """Fill the disk but for so many bytes."""
    disk.fill()
    with (disk.path / "ballast").open("r+b") as ballast:
        ballast.truncate(ballast.seek(0, 2) - size)


@pytest.mark.parametrize("room", [0, 64 * 1024, 256 * 1024])
def test_a_disk_that_fills_is_said_and_leaves_nothing(installation, disk, room):
    _, headers = somebody(installation.app)
    installation.beacons(headers, 50)
    key = keep_picture(installation, PICTURE * 20)
    copies, keys = disk.path / "copies", installation.folder / "keys"
    copies.mkdir()
    installation.elsewhere = copies
    room_for(disk, room)
    refused = installation.backup("--keys", str(keys))
    assert refused.exit_code == 1, refused.output
    assert "磁盘已满" in refused.output
    assert making.finished(copies) == []
    left = [path for path in copies.rglob("*") if path.is_file() and path.name != ".lock"]
    assert [path for path in left if path.name != key] == []
    disk.make_room()
    done = installation.backup("--keys", str(keys))
    assert done.exit_code == 0, done.output
    assert "文件 1 个" in done.output
    installation.wipe()
    again = installation.restore(installation.newest(), "--keys", str(keys))
    assert again.exit_code == 0, again.output
    assert installation.count("beacon") == 50


def test_keys_that_find_no_room_make_no_backup(installation, disk):
    keys = disk.path / "keys"
    keys.mkdir()
    disk.fill()
    refused = installation.backup("--keys", str(keys))
    assert refused.exit_code == 1, refused.output
    assert f"{keys} 所在的磁盘已满" in refused.output
    assert making.finished(installation.copies) == []
    assert list(keys.iterdir()) == []
    disk.make_room()
    assert installation.backup("--keys", str(keys)).exit_code == 0
