"""Figures of the running platform, for Prometheus: counted by every process for itself, added up when asked for.

A process counts into a small file that it alone writes and that lies in memory: counting is an addition, no lock,
no call of the system. The lock on the file says that its owner lives; when it is gone, however it went, the next
process takes the file over and counts on from there. So what was counted neither vanishes nor doubles, and there
are never more files than there were processes at once.

A label holds a route's rule, a word of ours or a number of WeChat's: never a path, an id or anything of a person.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import shutil
import tempfile
import threading
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

MOST_SERIES = 8192
"""Series one process may count; further ones are dropped, and the log says so once."""
_NOBODYS = 32
_BYTES = MOST_SERIES * 8
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_OF = "of"
"""In the folder of an installation: where its data lie."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})


class _Sheet:
    """Where this process counts: one number a series."""

    def __init__(self, cells: memoryview[float], names: int | None, known: Iterable[str]) -> None:
        self.cells = cells
        self._names = names
        self.slots = {line: slot for slot, line in enumerate(known)}
        self._lock = threading.Lock()
        self._full = False

    def slot(self, series: Sequence[str]) -> int:
        """Return the place of the first of `series`; the others follow it. The last places are nobody's."""
        with self._lock:
            found = self.slots.get(series[0])
            if found is not None:
                return found
            first = len(self.slots)
            if first + len(series) > MOST_SERIES - _NOBODYS:
                if not self._full:
                    self._full = True
                    structlog.get_logger("metrics").error("too_many_series")
                return MOST_SERIES - _NOBODYS
            if self._names is not None:
                os.write(self._names, "".join(f"{line}\n" for line in series).encode())
            self.slots.update({line: first + number for number, line in enumerate(series)})
            return first


_sheet: _Sheet | None = None
_folder: Path | None = None
_opening = threading.Lock()
families: dict[str, Family] = {}


def folder_for(data_dir: Path) -> Path:
    """Return where the processes of one installation on one machine count: in memory where the system has such a place."""
    place = Path("/dev/shm")  # noqa: S108 - the folder in it is checked to be ours alone
    if not os.access(place, os.W_OK):
        place = Path(tempfile.gettempdir())
    name = hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
    return place / f"edu-{os.geteuid()}-{name}"


def prepare(data_dir: Path) -> Path:
    """Make the folder of an installation, and remove those of installations that are no more. Return the folder."""
    folder = folder_for(data_dir)
    with suppress(OSError):
        if not folder.exists():
            folder.mkdir(mode=0o700)
            (folder / _OF).write_text(str(data_dir))
            of_this_user = folder.name.rpartition("-")[0]
            for other in folder.parent.glob(f"{of_this_user}-*"):
                if other != folder:
                    _remove_if_left(other)
    return folder


def _remove_if_left(folder: Path) -> None:
    """Remove a folder whose installation is gone and in which nobody counts."""
    with suppress(OSError), ExitStack() as held:
        if (
            folder.is_symlink()
            or folder.stat().st_uid != os.geteuid()
            or Path((folder / _OF).read_text()).exists()
        ):
            return
        for sheet in folder.glob("*.cells"):
            fcntl.flock(held.enter_context(sheet.open("rb")), fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)


def count_in(folder: Path) -> None:
    """Let this process and its children count in `folder`, each from its first count on."""
    global _folder  # noqa: PLW0603 - a process counts in one place
    _folder = folder
    _begin_anew()


def _begin_anew() -> None:
    global _sheet  # noqa: PLW0603
    _sheet = None
    _requests.clear()
    for family in families.values():
        family.forget()


os.register_at_fork(after_in_child=_begin_anew)  # a parent's sheet is the parent's


def _open() -> _Sheet:
    global _sheet  # noqa: PLW0603
    with _opening:
        if _sheet is None:
            try:
                _sheet = _take_over(_folder) if _folder is not None else _private()
            except OSError as wrong:
                structlog.get_logger("metrics").error("not_shared", error=type(wrong).__name__)
                _sheet = _private()
        return _sheet


def _private() -> _Sheet:
    """Return a sheet that nobody else will see."""
    return _Sheet(memoryview(mmap.mmap(-1, _BYTES)).cast("d"), None, ())


def _take_over(folder: Path) -> _Sheet:
    """Return the first sheet of `folder` whose owner is gone, or a new one."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid() or folder.is_symlink():
        raise PermissionError(folder)
    for number in range(4096):
        cells = os.open(folder / f"{number}.cells", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(cells, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(cells)
            continue
        os.posix_fallocate(cells, 0, _BYTES)  # now, or a full memory would end the process when it counts
        path = folder / f"{number}.names"
        names = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        known = path.read_text().splitlines(keepends=True)
        if known and not known[-1].endswith("\n"):
            os.truncate(path, sum(len(line.encode()) for line in known[:-1]))
            del known[-1]
        # the descriptor stays open for as long as the process lives: with it goes the lock
        return _Sheet(memoryview(mmap.mmap(cells, _BYTES)).cast("d"), names, (line[:-1] for line in known))
    raise OSError("more processes than sheets")


def _line(name: str, values: Sequence[str]) -> str:
    return "\t".join([name, *values])


@dataclass
class Family:
    """Series of one name, one for each set of its labels' values; where each is counted is looked up once."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    _known: dict[tuple[str, ...], tuple[memoryview[float], int]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        families[self.name] = self

    def forget(self) -> None:
        """Look the places up anew."""
        self._known = {}

    def series(self, values: Sequence[str]) -> list[str]:
        """Return the lines that are counted for these values."""
        return [_line(self.name, values)]

    def place(self, values: tuple[str, ...]) -> tuple[memoryview[float], int]:
        """Return where this is counted: the cells, and which of them is the first line's; the others follow it."""
        found = self._known.get(values)
        if found is None:
            sheet = _sheet or _open()
            found = self._known[values] = (sheet.cells, sheet.slot(self.series(values)))
        return found


class Counter(Family):
    """Something that only grows, by its labels' values."""

    def add(self, *values: str, by: float = 1) -> None:
        """Count one more, or `by`."""
        cells, slot = self.place(values)
        cells[slot] += by  # no call between reading and writing: no other thread comes in between


class Histogram(Family):
    """How long something took, in seconds, by its labels' values."""

    def series(self, values: Sequence[str]) -> list[str]:
        """Return the lines of one histogram: its sum, then each step, then what is beyond the last."""
        return [_line(self.name, [*values, step]) for step in ("sum", *map(str, SECONDS), "+Inf")]

    def see(self, seconds: float, *values: str) -> None:
        """Count one that took so long."""
        cells, slot = self.place(values)
        cells[slot] += seconds
        cells[slot + 1 + bisect_left(SECONDS, seconds)] += 1


REQUESTS = Counter(
    "edu_http_requests_total",
    "Requests answered; served is `kept` when the answer was kept in memory, else `made`.",
    ("method", "route", "status", "served"),
)
TOOK = Histogram("edu_http_request_seconds", "How long requests took inside the platform.", ("route",))


JOBS = Counter("edu_jobs_total", "Jobs that ran: done, or failed and tried again.", ("job", "outcome"))
"""Counted by the worker; defined here, since it is a web process that tells of it."""
_requests: dict[tuple[str, str | None, int, bool], tuple[memoryview[float], int, int]] = {}


def count_request(method: str, route: str | None, status: int, seconds: float, *, kept: bool) -> None:
    """Count a request; `route` is the rule that it matched."""
    found = _requests.get((method, route, status, kept))
    if found is None:
        where = route or "(none)"
        cells, one = REQUESTS.place(
            (method if method in _METHODS else "(other)", where, str(status), "kept" if kept else "made")
        )
        found = (cells, one, TOOK.place((where,))[1])
        if method in _METHODS:  # anybody may invent further ones
            _requests[method, route, status, kept] = found
    cells, one, took = found
    cells[one] += 1
    cells[took] += seconds
    cells[took + 1 + bisect_left(SECONDS, seconds)] += 1


def totals(folder: Path | None = None) -> dict[str, float]:
    """Return what every process, living or gone, has counted: each series' line with its sum."""
    folder = folder or _folder
    found: dict[str, float] = {}
    if folder is None:
        sheet = _sheet or _open()
        return {line: sheet.cells[slot] for line, slot in sheet.slots.items()}
    for path in folder.glob("*.names"):
        with suppress(OSError, ValueError):
            lines = path.read_text().split("\n")[:-1]
            cells = memoryview(path.with_suffix(".cells").read_bytes()).cast("d")
            for line, value in zip(lines, cells, strict=False):
                found[line] = found.get(line, 0.0) + value
    return found
