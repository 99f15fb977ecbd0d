"""No library is older than the release that mended what would hurt us."""

from importlib.metadata import version

import pysqlite3
import pytest
from packaging.version import Version

# library: the least version, and what it mended
FLOORS = {
    "werkzeug": ("3.1.8", "multipart CPU and limits (CVE-2023-46136, CVE-2023-25577), CRLF in uploads, Host, Windows names"),
    "flask": ("3.1.3", "Vary: Cookie (CVE-2023-30861, CVE-2026-27205), the stale fallback key (CVE-2025-47278)"),
    "marshmallow": ("4.1.2", "CPU of many=True (CVE-2025-68480)"),
    "gunicorn": ("26.1.0", "request smuggling (CVE-2024-1135, CVE-2024-6827), truncated chunks, duplicate Host"),
    "pillow": ("12.3.0", "out-of-bounds writes (CVE-2026-25990), endless and bomb-like files, JPEG 2000"),
}  # fmt: skip
# installed by nobody: each of them breaks or endangers what stands beside it
NEVER = {"niquests": "its urllib3-future overwrites urllib3", "urllib3-future": "overwrites urllib3"}
SQLITE_MENDED = {(3, 44): (3, 44, 6), (3, 50): (3, 50, 7)}
SQLITE_FLOOR = (3, 51, 3)


def is_too_old(name: str, installed: str) -> bool:
    return Version(installed) < Version(FLOORS[name][0])


def may_corrupt(sqlite: tuple[int, ...]) -> bool:
    """Say whether a release of SQLite has the WAL-reset bug, or was withdrawn."""
    if sqlite >= SQLITE_FLOOR:
        return sqlite == (3, 52, 0)
    return sqlite >= (3, 7, 0) and sqlite < SQLITE_MENDED.get(sqlite[:2], (9,))


@pytest.mark.parametrize("name", FLOORS)
def test_what_is_installed_is_new_enough(name):
    assert not is_too_old(name, version(name)), FLOORS[name][1]


@pytest.mark.parametrize("name", sorted(NEVER))
def test_what_must_not_be_installed_is_not(name):
    from importlib.metadata import PackageNotFoundError

    with pytest.raises(PackageNotFoundError):
        version(name)


def test_sqlite_is_one_that_keeps_what_it_was_given():
    assert not may_corrupt(pysqlite3.sqlite_version_info)


@pytest.mark.parametrize(
    ("sqlite", "corrupts"),
    [((3, 40, 1), True), ((3, 44, 6), False), ((3, 50, 6), True), ((3, 50, 7), False), ((3, 51, 1), True),
     ((3, 51, 3), False), ((3, 52, 0), True), ((3, 53, 4), False)],
)  # fmt: skip
@pytest.mark.control
def test_the_releases_that_corrupt_are_known(sqlite, corrupts):
    """The control."""
    assert may_corrupt(sqlite) is corrupts


@pytest.mark.control
def test_an_old_library_is_found():
    """The control."""
    assert is_too_old("gunicorn", "26.0.0")
    assert not is_too_old("gunicorn", "26.1.0")
