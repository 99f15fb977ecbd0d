"""Real web processes for tests: the gunicorn that ships, with its shipped settings, unless a test wants another."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.load import free_port
from edu_platform.config.settings import Settings
from edu_platform.core.migration import upgrade

ROOT = Path(__file__).parents[1]
SHIPPED = ("-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "app:app")


def installation(folder: Path, **changes: str) -> Settings:
    """Settings of an installation of its own in `folder`, its database migrated."""
    settings = Settings.read(
        {
            "EDU_ENVIRONMENT": "test",
            "EDU_DATA_DIR": str(folder / "var"),
            "EDU_SECRET_KEYS": "test-only-0123456789-abcdefghijklmnop",
            "EDU_SEALING_KEYS": "test-only-sealing-9876543210-zyxwvuts",
            "EDU_WECHAT_BASE_URL": "http://127.0.0.1:9",
            "EDU_WECHAT_SECRET": "test-only-secret",
            "EDU_LIMITS": "off",
            **changes,
        }
    )
    settings.data_dir.mkdir(exist_ok=True)
    upgrade(settings.database_url)
    return settings


def environ_of(settings: Settings, **changes: str) -> dict[str, str]:
    """The environment that gives a process these settings; `changes` name further ones in full."""
    return {
        "EDU_ENVIRONMENT": settings.environment.value,
        "EDU_DATA_DIR": str(settings.data_dir),
        "EDU_DATABASE_URL": settings.database_url,
        "EDU_SECRET_KEYS": ",".join(settings.secret_keys),
        "EDU_SEALING_KEYS": ",".join(settings.sealing_keys),
        "EDU_WECHAT_BASE_URL": settings.wechat_base_url,
        "EDU_WECHAT_SECRET": settings.wechat_secret,
        "EDU_LIMITS": "on" if settings.limits else "off",
        **changes,
    }


@contextlib.contextmanager
def web(
    environ: dict[str, str], log: Path, *, command: Sequence[str] = SHIPPED, cwd: Path = ROOT
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run Python with `command` until the block ends; yield (port, the process, which is gunicorn's master).

    Its settings are those of `environ` and nothing else.
    """
    elsewhere = {name: value for name, value in os.environ.items() if not name.startswith("EDU_")}
    port = free_port()
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=cwd,
            env={**elsewhere, **environ, "PORT": str(port)},
            stdout=out,
            stderr=out,
        )
    try:
        wait_for_http(port, process, log)
        yield port, process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_http(port: int, process: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    """Return when the address answers; raise with the log when it does not."""
    import httpx2

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx2.TransportError):
            httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=2)
            return
        time.sleep(0.05)
    raise RuntimeError(f"it did not start: {log.read_text()[-3000:]}")


def children(pid: int) -> list[int]:
    """The processes that `pid` has started."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in lists for child in path.read_text().split()]
