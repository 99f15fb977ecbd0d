"""A stranger with the README alone: `make run`'s command, then every command of docs/client.md."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PASSWORD = re.compile(r"密码：(\S+)")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Platform:
    """`edu run` in a process group of its own, with what it prints."""

    def __init__(self, folder, ports):
        environ = {name: value for name, value in os.environ.items() if not name.startswith("EDU_")}
        self.ports = ports
        self.lines = []
        self.process = subprocess.Popen(
            [str(Path(sys.executable).with_name("edu")), "run"],
            cwd=ROOT,
            env={
                **environ,
                "EDU_DATA_DIR": str(folder),
                "PORT": str(ports[0]),
                "STANDIN_PORT": str(ports[1]),
                "PYTHONUNBUFFERED": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    @property
    def printed(self):
        return "".join(self.lines)

    def wait_for(self, words, seconds):
        deadline = time.monotonic() + seconds
        while words not in self.printed:
            assert self.process.poll() is None, self.printed
            assert time.monotonic() < deadline, self.printed
            time.sleep(0.1)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
        self.reader.join()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    platform = Platform(tmp_path_factory.mktemp("var") / "var", free_ports(2))
    yield platform
    if platform.process.poll() is None:
        platform.stop()


def commands():
    text = (ROOT / "docs" / "client.md").read_text()
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))


def test_every_command_of_the_client_guide_works(platform, tmp_path):
    platform.wait_for("消保守护已启动", 120)
    platform.wait_for("密码", 5)
    script = "set -euo pipefail\n" + commands()
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "BASE": f"http://127.0.0.1:{platform.ports[0]}",
            "STANDIN": f"http://127.0.0.1:{platform.ports[1]}",
            "ADMIN_PASSWORD": PASSWORD.search(platform.printed)[1],
            "NO_PROXY": "127.0.0.1",
        },
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    said = done.stdout
    assert '"tel:95519"' in said
    assert "code_used" in said
    assert "content-range: bytes 0-65535/" in said.lower()
    assert "unknown_action" in said or "dance" in said
    assert '"accepted": 2' in said.replace('"accepted":2', '"accepted": 2')
    assert "先问一问再签字" in said


def test_a_second_start_takes_seconds_loses_nothing_and_imports_nothing_twice(platform):
    platform.stop()
    folder = Path(re.search(r"数据：(\S+)", platform.printed)[1])
    ports = free_ports(2)
    started = time.monotonic()
    again = Platform(folder, ports)
    try:
        again.wait_for("消保守护已启动", 60)
        assert time.monotonic() - started < 20
        assert "密码" not in again.printed, "the password is shown once"
        import httpx2

        page = httpx2.get(f"http://127.0.0.1:{ports[0]}/api/v1/pieces/guide-poster")
        assert page.json()["title"] == "先问一问再签字"
    finally:
        again.stop()
    import pysqlite3

    with pysqlite3.connect(folder / "edu.sqlite3") as connection:
        twice = connection.execute(
            "SELECT piece_id, count(*) FROM revision GROUP BY piece_id HAVING count(*) > 1"
        ).fetchall()
    connection.close()
    assert twice == []


def test_a_taken_port_is_said_plainly(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run(
            [str(Path(sys.executable).with_name("edu")), "run"],
            cwd=ROOT,
            env={**os.environ, "EDU_DATA_DIR": str(tmp_path), "PORT": str(taken.getsockname()[1])},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert "已被占用" in done.stderr
