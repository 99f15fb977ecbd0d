"""Houses to break, on the database that the run of tests is for."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.databases import Database, PostgreSQL, Sqlite
from tests.faults.disks import Disk, why_no_disk
from tests.faults.house import House
from tests.faults.seed import Seed, make_seed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run houses on both databases."""
    for item in items:
        if "seed" in getattr(item, "fixturenames", ()):
            item.add_marker("database")


@pytest.fixture(scope="session")
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database under test: "sqlite" or "postgresql"."""
    return str(request.config.getoption("--database"))


@pytest.fixture(scope="session")
def seed(kind: str) -> Iterator[Seed]:
    """What every house begins with, made once."""
    folder = Path(tempfile.mkdtemp(prefix="edu-seed-"))
    yield make_seed(folder, kind)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that is removed afterwards. Not pytest's own: PostgreSQL's user must be able to enter it."""
    made = Path(tempfile.mkdtemp(prefix="edu-faults-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def database(kind: str, seed: Seed, folder: Path) -> Database:
    """A copy of the seed's database, not started."""
    made: Database = Sqlite(folder) if kind == "sqlite" else PostgreSQL(folder)
    made.adopt(Path(seed.folder))
    return made


@pytest.fixture
def build(folder: Path, database: Database, seed: Seed) -> Iterator[Callable[..., House]]:
    """Return a function that builds a house (not started) over `database`; what it takes goes to `House`."""
    built: list[House] = []

    def make(**options: Any) -> House:
        house = House(folder, database, seed, **options)
        built.append(house)
        return house

    yield make
    for house in built:
        house.stop()


@pytest.fixture
def house(build: Callable[..., House]) -> House:
    """A running house as it ships."""
    made = build()
    made.start()
    return made


@pytest.fixture
def disk(folder: Path) -> Iterator[Disk]:
    """A disk of this test's own; skips, saying why, where none can be mounted."""
    if reason := why_no_disk():
        pytest.skip(reason)
    with Disk(folder, megabytes=320) as made:
        yield made


@pytest.fixture
def on_disk(disk: Disk, seed: Seed, kind: str, folder: Path) -> Iterator[Callable[..., House]]:
    """Return a function that starts a house whose data lie on the disk; `options` are the PostgreSQL server's."""
    built: list[House] = []

    def build(*, options: dict[str, str] | None = None, **more: Any) -> House:
        place = disk.path / "db"
        database: Database = Sqlite(place) if kind == "sqlite" else PostgreSQL(place, **(options or {}))
        database.adopt(Path(seed.folder))
        house = House(folder, database, seed, data_dir=disk.path / "var", **more)
        disk.make_durable()
        built.append(house)
        house.start()
        return house

    yield build
    for house in built:
        house.stop()
