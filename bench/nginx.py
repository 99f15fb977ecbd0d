"""nginx as it ships, before given web processes: for benches and tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench.load import free_port
from edu_platform.cli.nginx import SHIPPED, site
from edu_platform.config.settings import Settings


def program() -> str | None:
    """Return where nginx is installed, or None."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def lay_out(folder: Path, settings: Settings, **options: object) -> Path:
    """Copy the shipped configuration into `folder` with the site that `options` describe; return the main file."""
    shutil.copytree(SHIPPED, folder, dirs_exist_ok=True)
    log = str(folder / "access.log")
    (folder / "site.conf").write_text(site(settings, access_log=log, **options))  # type: ignore[arg-type]
    return folder / "nginx.conf"


def arguments(folder: Path) -> list[str]:
    """Return the command that reads the configuration in `folder` and writes nowhere else.

    Only where nginx keeps its process id and its spools is not part of the shipped files: that is the distribution's.
    """
    spools = " ".join(
        f"{name}_temp_path {folder}/spool-{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "nginx.conf"
    text = main.read_text()
    if "spool-" not in text:
        main.write_text(text.replace("http {", f"http {{\n    {spools}", 1))
    return [
        str(program()), "-p", str(folder), "-c", str(main), "-e", str(folder / "error.log"),
        "-g", f"daemon off; pid {folder}/nginx.pid;",
    ]  # fmt: skip


@contextlib.contextmanager
def nginx(
    folder: Path, settings: Settings, *, upstreams: Sequence[str], core: int | None = None
) -> Iterator[tuple[int, int]]:
    """Serve http://127.0.0.1:port in clear before `upstreams`; yield (port, pid). `core` binds it to one core.

    `folder` must be one that www-data may enter when run as root, as must be the one of the media.
    """
    port = free_port()
    named = replace(settings, public_url="http://127.0.0.1")
    lay_out(folder, named, upstreams=upstreams, listen=f"127.0.0.1:{port}", listen_tls=None)
    process = subprocess.Popen(
        arguments(folder),
        preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, [core]),
    )
    try:
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "error.log").read_text())
            time.sleep(0.02)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(10)
