"""Reading: lists, pages, the home feed, searching and files, each beside the least that could be done for it."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from bench.installation import Installation, installation
from bench.load import ROOT, Cost, Request, drive, free_port, middle, server
from bench.nginx import nginx, program
from bench.results import beside_ceiling, machine

COUNT = int(os.environ.get("BENCH_COUNT", "4000"))
MIXED = int(os.environ.get("BENCH_MIXED", "200000"))
PIECES = 1000
WORD = "退保"
LIST, PAGE, HOME = "/api/v1/pieces?limit=20", "/api/v1/pieces/piece-7", "/api/v1/home?audience=elderly"
SEARCH = "/api/v1/pieces?limit=20&q=" + quote(WORD)
POSTER_BYTES, FILM_BYTES = 400_000, 20_000_000
RANGE = "bytes=1048576-2097151"
Row = tuple[str, Cost, Cost, float]


def measure() -> str:
    """Fill a shelf, measure, return the section."""
    # the limits are on, so the load comes as it does from a city: from many addresses, behind one proxy
    with installation(content=False, EDU_TRUSTED_PROXIES="1") as made:
        made.folder.chmod(0o755)  # nginx's own user enters it
        _run(made, "bench.shelf", str(PIECES))
        rows = [*_kept_and_made(made), *_files(made)]
        footprint = _footprint(made)
        _run(made, "bench.shelf", "0", "10")
        rows.insert(7, _searching(made))
    method = (
        f"`python -m bench reading`: {PIECES:,} pieces with articles of 2 KB (searching: {10 * PIECES:,}), {COUNT} "
        "requests a row over 16 connections, server on one core, client on another; CPU seconds per 1,000 requests of "
        "the whole server, which is set as it ships: limits, metrics and logs on (requests come from many addresses "
        "through one trusted proxy). Ceilings in the same run on the same gunicorn with the same settings: an empty "
        "Flask view that returns the same bytes from memory; for searching, one that asks the index for the 20 best; "
        "for files, a bare WSGI function with `wsgi.file_wrapper`, and nginx alone. Made: `bench.uncached`, in which "
        "nothing is kept, so that every request is a first one; lists by 980 cursors, pages by 1,000 slugs. "
        "What stands in the home feed of an audience is found once a state of the catalogue; the row of the very first "
        "after a change finds it each time."
    )
    return "\n\n".join([method, machine(), beside_ceiling(rows), footprint])


def _run(made: Installation, *command: str) -> None:
    subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=made.environ, check=True)


def _address(number: int) -> tuple[tuple[str, str], ...]:
    return (("X-Forwarded-For", f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"),)


def _get(*paths: str) -> Callable[[int], Request]:
    return lambda number: Request("GET", paths[number % len(paths)], headers=_address(number))


def _fetch(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
    return body


def _costs(
    application: str, environ: dict[str, str], *several: Callable[[int], Request], expect: int = 200
) -> list[Cost]:
    """Return what each of several kinds of requests costs one server after the other."""
    costs = []
    with server(application, environ) as (port, pid):
        for make in several:
            drive(port, pid, COUNT // 10, make, expect=expect)
            costs.append(drive(port, pid, COUNT, make, expect=expect))
    return costs


def _kept_and_made(made: Installation) -> Iterator[Row]:
    """Lists, pages and the home feed: kept in memory, and made for the first who asks."""
    bodies = made.folder / "bodies"
    bodies.mkdir()
    names = {"list of 20 cards": LIST, "detail": PAGE, "home": HOME}
    with server("app:app", made.environ) as (port, _):
        for name, path in names.items():
            (bodies / name.replace(" ", "-")).write_bytes(_fetch(port, path))
    kept = _costs("app:app", made.environ, *(_get(path) for path in names.values()))
    lists = _get(*(f"{LIST}&cursor={cursor}" for cursor in _cursors(made)))
    pages = _get(*(f"/api/v1/pieces/piece-{number}" for number in range(PIECES)))
    first = _costs("bench.uncached:app", made.environ, lists, pages, _get(HOME))
    (very_first,) = _costs("bench.uncached:app", {**made.environ, "BENCH_PARTS": "0"}, _get(HOME))
    ceilings = _costs(
        "bench.ceiling:same_bytes()",
        {**made.environ, "BENCH_BODIES": str(bodies)},
        *(_get("/" + name.replace(" ", "-")) for name in names),
    )
    for how, costs, reach in (("kept", kept, 0.8), ("made", first, 2)):
        for name, ours, ceiling in zip(names, costs, ceilings, strict=True):
            yield f"{name}, {how}", ours, ceiling, reach
    yield "home, made, the very first after a change", very_first, ceilings[2], 2


def _cursors(made: Installation) -> list[str]:
    """Return the cursors after which a list of 20 is full, one a piece."""
    code = (
        "from app import app\nfrom sqlalchemy import select\n"
        "from edu_platform.core.db import reading\nfrom edu_platform.core.paging import encode_cursor\n"
        "from edu_platform.library.models import CatalogueEntry as E\n"
        "with app.app_context():\n"
        "    for at, piece in reading().execute(select(E.published_at, E.piece_id).order_by(E.piece_id)):\n"
        "        print(encode_cursor(at, piece))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=made.environ, check=True, capture_output=True, text=True
    )
    return told.stdout.split()[20:]


def _searching(made: Installation) -> Row:
    database = f"{made.environ['EDU_DATA_DIR']}/edu.sqlite3"
    (ours,) = _costs("bench.uncached:app", made.environ, _get(SEARCH))
    bare = {**made.environ, "BENCH_WORD": WORD, "BENCH_DATABASE": database}
    (ceiling,) = _costs("bench.ceiling:bare_search()", bare, _get(SEARCH))
    return f"search for a word of two characters in {10 * PIECES:,} pieces, made", ours, ceiling, 2


# ---- files


def _publish(made: Installation, content: bytes, media_type: str) -> str:
    """Keep a file and publish it; return its address."""
    source = made.folder / "source"
    source.write_bytes(content)
    code = (
        f"import pathlib\nfrom app import app\nfrom edu_platform.core.db import writing\n"
        "from edu_platform.media import operations as media\nfrom edu_platform.media.models import FileKind\n"
        "from edu_platform.media.storage import store_of\n"
        "with app.app_context(), writing() as session:\n"
        "    store = store_of(app.config['EDU'])\n"
        f"    file = media.keep(session, store, pathlib.Path({str(source)!r}).read_bytes(),"
        f" kind=FileKind.FILM, media_type={media_type!r})\n"
        "    media.show_files(session, store, holder='bench', digests=[file.digest])\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=made.environ, check=True)
    ending = {"image/jpeg": "jpg", "video/mp4": "mp4"}[media_type]
    return f"/media/{hashlib.sha256(content).hexdigest()}.{ending}"


def _files(made: Installation) -> Iterator[Row]:
    poster = _publish(made, os.urandom(POSTER_BYTES), "image/jpeg")
    film = _publish(made, os.urandom(FILM_BYTES), "video/mp4")
    public = Path(made.environ["EDU_DATA_DIR"]) / "media" / "public"

    def part(number: int) -> Request:
        return Request("GET", film, headers=(*_address(number), ("Range", RANGE)))

    several = [("poster of 400 KB", _get(poster), 200), ("range of 1 MB of a film of 20 MB", part, 206)]
    if program() is not None:
        # so little that chance shows: the middle of three times as many requests, in turns
        turns = [[_by_nginx(made, public, several, shipped=way) for way in (True, False)] for _ in range(3)]
        for place, (name, _, _) in enumerate(several):
            shipped, alone = (middle([turn[way][place] for turn in turns]) for way in (0, 1))
            yield f"{name}, by the shipped nginx", shipped, alone, 1.1
    bare = {**made.environ, "BENCH_FILES": str(public)}
    for name, make, status in several:
        (ours,) = _costs("app:app", made.environ, make, expect=status)
        (ceiling,) = _costs("bench.ceiling:file_wrapper", bare, make, expect=status)
        yield f"{name}, without nginx", ours, ceiling, 1.5


def _by_nginx(
    made: Installation,
    public: Path,
    several: list[tuple[str, Callable[[int], Request], int]],
    *,
    shipped: bool,
) -> list[Cost]:
    from edu_platform.config.installation import environ_with_installation
    from edu_platform.config.settings import Settings

    given = {name: value for name, value in made.environ.items() if name.startswith("EDU_")}
    settings = Settings.read(environ_with_installation(given))
    cores = sorted(os.sched_getaffinity(0))
    folder = made.folder / ("nginx-shipped" if shipped else "nginx-alone")
    folder.mkdir(mode=0o755, exist_ok=True)
    costs = []
    with (
        nginx(folder, settings, upstreams=["127.0.0.1:9"], core=cores[0])
        if shipped
        else _nginx_alone(folder, public, core=cores[0])
    ) as (port, pid):
        os.sched_setaffinity(0, cores[1:] or cores)
        try:
            for _, make, status in several:
                drive(port, pid, COUNT // 10, make, expect=status)
                costs.append(drive(port, pid, 3 * COUNT, make, expect=status))
        finally:
            os.sched_setaffinity(0, cores)
    return costs


@contextlib.contextmanager
def _nginx_alone(folder: Path, public: Path, *, core: int) -> Iterator[tuple[int, int]]:
    """Run an nginx that does nothing but send files, with its log as it comes."""
    port = free_port()
    (folder / "nginx.conf").write_text(
        f"pid {folder}/nginx.pid;\nuser www-data;\nworker_processes auto;\nevents {{}}\nhttp {{\n"
        "    sendfile on;\n    tcp_nopush on;\n    types { video/mp4 mp4; image/jpeg jpg; }\n"
        f"    access_log {folder}/access.log combined;\n"
        f"    server {{ listen 127.0.0.1:{port}; location /media/ {{ alias {public}/; }} }}\n}}\n"
    )
    command = [str(program()), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen(
        [*command, "-e", str(folder / "error.log"), "-g", "daemon off;"],
        preexec_fn=lambda: os.sched_setaffinity(0, [core]),
    )
    try:
        time.sleep(1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(10)


# ---- what a process takes


def _footprint(made: Installation) -> str:
    starts = []
    for _ in range(3):
        began = time.perf_counter()
        with server("app:app", made.environ) as (port, _pid):
            _fetch(port, LIST)
            starts.append(time.perf_counter() - began)
    mixed = [
        LIST, HOME, SEARCH, "/api/v1/columns", "/api/v1/vocabulary", "/api/v1/home?audience=youth",
        *(f"/api/v1/pieces/piece-{number}" for number in range(PIECES)),
        *(f"/api/v1/pieces/piece-{number}/related" for number in range(0, PIECES, 50)),
        *(f"{LIST}&cursor={cursor}" for cursor in _cursors(made)),
    ]  # fmt: skip
    with server("app:app", made.environ) as (port, pid):
        _fetch(port, LIST)
        before = _pss(pid)
        drive(port, pid, MIXED, _get(*mixed))
        after = _pss(pid)
    return (
        "| what | measured | reach |\n|---|---:|---:|\n"
        f"| memory (PSS) of a web process after its first list | {before:.0f} MB | – |\n"
        f"| after {MIXED:,} mixed requests ({len(mixed):,} addresses) | {after:.0f} MB | ≤ 150 MB |\n"
        f"| from exec to the first list served (median of 3) | {statistics.median(starts):.1f} s | ≤ 2 s |"
    )


def _pss(pid: int) -> float:
    """Return the memory of the largest process that gunicorn's master has started, shared pages by share, in MB."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    sizes = []
    for child in children:
        told = Path(f"/proc/{child}/smaps_rollup").read_text()
        sizes += [int(found) for found in re.findall(r"^Pss:\s+(\d+) kB", told, re.MULTILINE)]
    return max(sizes) / 1024
