"""`edu run`: the whole platform on one machine: database, material, WeChat stand-in, web and worker."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from edu_platform.cli import web
from edu_platform.factory.parent import end_with_parent

ROOT = Path(__file__).parents[2]
LARGEST_LOG = 32 * 1024 * 1024
"""Bytes of one process's log, of which the one before is kept too."""
STANDIN_SECRET = "local-stand-in-secret"  # noqa: S105 - of the local stand-in, which knows no real account


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def keep_small(log: Path, largest: int = LARGEST_LOG) -> None:
    """Put a log that has grown too large aside, in place of the one before; whoever appends to it begins anew."""
    if log.stat().st_size <= largest:
        return
    aside = log.with_name(f"{log.name}.1")
    try:
        shutil.copyfile(log, aside)
    except OSError:  # a full disk needs the space more than the lines
        aside.unlink(missing_ok=True)
    os.truncate(log, 0)


class _Household:
    """The processes that run together; one that dies by itself is started again, more slowly each time."""

    def __init__(self, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._commands: dict[str, tuple[list[str], dict[str, str]]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._deaths: dict[str, int] = {}

    def start(self, name: str, arguments: list[str], environ: dict[str, str]) -> None:
        """Start a process and remember how."""
        self._commands[name] = (arguments, environ)
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                arguments,
                env=environ,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches us alone, and each of them is told once
                preexec_fn=end_with_parent,  # noqa: PLW1509 - no thread runs yet
            )

    def look_after(self) -> None:
        """Start again what has died, and keep the logs small."""
        for name, process in list(self._running.items()):
            keep_small(self._logs / f"{name}.log")
            code = process.poll()
            if code is None:
                continue
            self._deaths[name] = self._deaths.get(name, 0) + 1
            click.echo(f"{name} 已退出（{code}），原因见 {self._logs / name}.log，正在重新启动……", err=True)
            time.sleep(min(2 ** self._deaths[name], 30))
            self.start(name, *self._commands[name])

    def stop(self) -> None:
        """Ask every process to end, and wait; one that will not is ended. A second Ctrl-C does not cut this short."""
        for impatient in (signal.SIGINT, signal.SIGTERM):
            signal.signal(impatient, signal.SIG_IGN)
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 15
        for process in self._running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _wait_until_up(port: int, household: _Household, seconds: float = 60) -> None:
    import httpx2

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=2).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
        household.look_after()
    raise click.ClickException("网站未能在一分钟内启动，请查看上面的日志。")


def _prepare(environ: dict[str, str], content: Path) -> Any:
    """Migrate and make the first administrator; return (app, settings, password or None, whether to import `content`)."""
    from edu_platform.core.db import db, reading, writing
    from edu_platform.core.migration import upgrade
    from edu_platform.factory.app import create_app
    from edu_platform.factory.entry import application, move_keys_out, settings_here
    from edu_platform.library.content.run import is_imported
    from edu_platform.people import operations as people

    os.environ.update(environ)
    settings = settings_here()
    upgrade(settings.database_url)
    with create_app(settings).app_context():
        move_keys_out(settings)
    app = application()
    with app.app_context():
        with writing() as session:
            password = people.ensure_admin(session)
        known = is_imported(reading(), content, settings)
        db.session.remove()
    return app, settings, password, not known


@click.command()
@click.option("--content", type=click.Path(path_type=Path), default=ROOT / "content", show_default="content/")
def command(content: Path) -> None:
    """Start everything and stay until Ctrl-C."""
    port = int(os.environ.get("PORT", "8000"))
    standin_port = int(os.environ.get("STANDIN_PORT", str(port + 1)))
    environ = dict(os.environ)
    with_standin = "EDU_WECHAT_SECRET" not in environ
    if with_standin:
        environ["EDU_WECHAT_BASE_URL"] = f"http://127.0.0.1:{standin_port}"
        environ["EDU_WECHAT_SECRET"] = STANDIN_SECRET
    environ.setdefault("EDU_PUBLIC_URL", f"http://127.0.0.1:{port}")
    for needed in [port, standin_port] if with_standin else [port]:
        if not _is_free(needed):
            raise click.ClickException(
                f"端口 {needed} 已被占用：平台可能已在运行。请先停止它，或用 PORT=… 另选端口。"
            )
    app, settings, password, changed = _prepare(environ, content)
    if changed:
        from edu_platform.cli.content import import_with_progress

        import_with_progress(app, content)
    else:
        click.echo("材料没有变化。")

    household = _Household(settings.data_dir / "log")
    for told in (signal.SIGTERM, signal.SIGINT):  # a shell in the background hands SIGINT on as ignored
        signal.signal(told, lambda *_: sys.exit(0))
    try:
        if with_standin:
            household.start(
                "standin",
                [
                    sys.executable, "-m", "edu_platform.wechat.standin", "--port", str(standin_port),
                    "--appid", settings.wechat_appid, "--secret", STANDIN_SECRET,
                ],
                environ,
            )  # fmt: skip
        household.start(
            "web",
            web.arguments(settings, host=environ.get("HOST", "127.0.0.1"), port=str(port)),
            {**environ, "PORT": str(port)},
        )
        household.start("worker", [sys.executable, "-m", "edu_platform.cli", "worker"], environ)
        _wait_until_up(port, household)
        _announce(port, standin_port if with_standin else None, settings, password)
        _show_progress(app, household)
        while True:
            time.sleep(1)
            household.look_after()
    except SystemExit:
        click.echo("正在停止……")
    finally:
        household.stop()


def _announce(port: int, standin_port: int | None, settings: Any, password: str | None) -> None:
    base = f"http://127.0.0.1:{port}"
    lines = [
        ("接口", f"{base}/api/v1/pieces"),
        ("接口文档", f"{base}/api/v1/docs/"),
        ("是否就绪", f"{base}/readyz"),
        ("数据", str(settings.data_dir)),
        ("日志", str(settings.data_dir / "log")),
    ]
    if standin_port:
        lines.append(("微信替身", f"http://127.0.0.1:{standin_port}（只供本机试用，不连接微信）"))
    click.echo("\n消保守护已启动：")
    for name, text in lines:
        click.echo(f"  {name}：{text}")
    if password:
        from edu_platform.people.operations import ADMIN_EMAIL

        click.echo(f"  管理员：{ADMIN_EMAIL}　密码：{password}　（只显示这一次，登录后须先修改）")
    click.echo("按 Ctrl-C 停止。\n", nl=True)
    sys.stdout.flush()


_DRAWN = {"picture": "封面与插图", "poster": "海报", "video": "视频", "paper": "海报的 A3 印刷图"}


def _show_progress(app: Any, household: _Household) -> None:
    """Show a bar for each kind of drawing until all is drawn; say of each when it is complete."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from edu_platform.core.db import db
    from edu_platform.library.tasks.drawing import remaining

    def left() -> dict[str, int]:
        with app.app_context():
            counts = remaining(db.session())
            db.session.remove()
        return counts

    begun = time.monotonic()
    totals = left()
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars = {
            name: progress.add_task(_DRAWN[name], total=totals[name]) for name in _DRAWN if name in totals
        }
        while bars:
            time.sleep(0.5)
            household.look_after()
            waiting = left()
            for name, bar in list(bars.items()):
                progress.update(bar, completed=max(0, totals[name] - waiting.get(name, 0)))
                if name not in waiting:
                    del bars[name]
                    seconds = time.monotonic() - begun
                    click.echo(f"{_DRAWN[name]}已全部就绪（{totals[name]} 项，{seconds:.0f} 秒）。")
                    sys.stdout.flush()
